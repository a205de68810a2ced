"""What the APIs of other systems add to the same call of API v1: at most 5 ms.

``limner serve`` runs in a process of its own, with tokens and logs as always, and takes jobs without
working on them. One client sends each pair of requests in turns, first the one and then the other;
the medians are compared. Every request to extractorAPI and AIKON is a new job with the same source, model and
callback; Label Studio's has one image as a ``data:`` URL.

To add a system, add a `Pair`.
"""

from __future__ import annotations

import base64
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from benchmarks.annotate_api import Server, served

from limner.core.settings import Settings
from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from tests.models.networks import bright_boxes_bundle
from tests.operations.bright_pages import page

WARM, ROUNDS = 10, 120
#: Milliseconds that a foreign request may take more.
MOST = 5.0
_MANIFEST, _CALLBACK = "https://lib.example/iiif/ms-22/manifest.json", "https://app.example/annotate"
_IMAGE = f"data:image/png;base64,{base64.b64encode(page()).decode()}"
_CONFIG = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    '<Label value="bright"/><Label value="red"/></RectangleLabels></View>'
)

Call = Callable[[httpx.Client], httpx.Response]


@dataclass(frozen=True)
class Pair:
    """A request of another system, and the call of ours that does the same."""

    name: str
    ours: Call
    theirs: Call


def _extractor_ours(client: httpx.Client) -> httpx.Response:
    body = {"source": _MANIFEST, "model": "bright", "callback": _CALLBACK, "callback_form": "extractor"}
    return client.post("/v1/jobs", json=body)


def _extractor_theirs(client: httpx.Client) -> httpx.Response:
    form = {"manifest_url": _MANIFEST, "model": "bright.pt", "callback": _CALLBACK}
    return client.post("/run_detect", data=form)


def _aikon_ours(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/jobs", json={"source": _MANIFEST, "model": "bright", "callback": _CALLBACK})


def _aikon_theirs(client: httpx.Client) -> httpx.Response:
    documents = [{"type": "iiif", "src": _MANIFEST, "uid": "wit1_man1"}]
    body = {"experiment_id": "12", "notify_url": _CALLBACK, "model": "bright.pt", "documents": documents}
    return client.post("/regions/start", json=body)


def _labelstudio_ours(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/annotate", json={"image": _IMAGE, "model": "bright"})


def _labelstudio_theirs(client: httpx.Client) -> httpx.Response:
    tasks = [{"id": 1, "data": {"image": _IMAGE}}]
    return client.post("/predict", json={"tasks": tasks, "project": "1.1700000000", "label_config": _CONFIG})


PAIRS = [
    Pair("extractorAPI", _extractor_ours, _extractor_theirs),
    Pair("AIKON", _aikon_ours, _aikon_theirs),
    Pair("Label Studio", _labelstudio_ours, _labelstudio_theirs),
]


def measured(pair: Pair, client: httpx.Client) -> tuple[float, float]:
    """Median milliseconds of ours and of theirs, in turns."""
    times: dict[Call, list[float]] = {pair.ours: [], pair.theirs: []}
    for number in range(WARM + ROUNDS):
        for call, spent in times.items():
            start = time.perf_counter()
            call(client).raise_for_status()
            if number >= WARM:
                spent.append((time.perf_counter() - start) * 1000)
    return statistics.median(times[pair.ours]), statistics.median(times[pair.theirs])


def compared(server: Server) -> dict[str, dict[str, float]]:
    """Each pair, and what it comes to."""
    out = {}
    base, headers = server.url.removesuffix("/v1/annotate"), {"X-API-Key": server.token}
    with httpx.Client(base_url=base, headers=headers, timeout=60, trust_env=False) as client:
        for pair in PAIRS:
            ours, theirs = measured(pair, client)
            added = theirs - ours
            print(
                f"{pair.name:14} v1 {ours:6.2f} ms   theirs {theirs:6.2f} ms   adds {added:+.2f} ms (at most {MOST:g})"
            )
            out[pair.name] = {"v1_ms": round(ours, 3), "foreign_ms": round(theirs, 3), "added_ms": round(added, 3)}
    return out


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        store = ModelStore(Settings(data=data).models_dir)
        store.add(read_bundle(bright_boxes_bundle(Path(folder) / "bright", side=64)))
        store.alias("default", "bright")
        with served(data, LIMNER_WORKERS="0") as server:
            found = compared(server)
    print(json.dumps(found))
    if any(each["added_ms"] > MOST for each in found.values()):
        raise SystemExit("A foreign request adds more than it may.")


if __name__ == "__main__":
    main()
