"""A document of 500 pages as viewers ask for it: tiles a second, and how long its manifest takes.

``limner serve`` runs in a process of its own, with tokens, logs and metrics as always. The document is
uploaded as one form. Four viewers then leaf through it: for each page ``info.json``, the whole page
small, and the tiles of one screen at two scales. The pages are leafed through twice, since the first time
their tiled images have to be made. The other side is the same tile cut out of the JPEG itself,
decoded and encoded with Pillow in this process, with nothing around it.
"""

from __future__ import annotations

import io
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from limner.annotations.annotation import Annotation, ByModel
from limner.annotations.shapes import Box
from limner.core.settings import Settings
from limner.storage.database import Database
from limner.storage.documents import Documents
from limner.storage.workspaces import Workspaces
from tests.limner_process import serving

PAGES, ANNOTATIONS = 500, 10
#: Width and height of the pages; 6 megapixels.
SIZE = (2000, 3000)
VIEWERS = 4
#: Pages that are leafed through, and the tiles of each.
LEAVES = 40
TILE = 512


@dataclass
class Viewed:
    """What viewers got."""

    #: Seconds of each tile.
    tiles: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def speed(self) -> float:
        """Tiles a second."""
        return len(self.tiles) / self.seconds

    @property
    def p95(self) -> float:
        """95 of 100 tiles were there after these milliseconds."""
        return sorted(self.tiles)[int(len(self.tiles) * 0.95)] * 1000


def page() -> bytes:
    """A page-like JPEG."""
    rng = np.random.default_rng(7)
    small = Image.fromarray(rng.integers(120, 255, (SIZE[1] // 8, SIZE[0] // 8, 3), dtype=np.uint8))
    out = io.BytesIO()
    small.resize(SIZE).save(out, "JPEG", quality=85)
    return out.getvalue()


def annotated(data: Path, document_id: str) -> None:
    """Give every page its annotations."""
    database = Database(Settings(data=data).database)
    documents = Documents(database, Workspaces(database).ensure("default").id)
    model = ByModel("text-regions", "1", "0" * 64, {"threshold": 0.5})
    found = [
        Annotation(id=f"a{n}", shape=Box(100, 100 + 200 * n, 1500, 150), label="line", score=0.9, text=f"line {n}",
                   provenance=model)
        for n in range(ANNOTATIONS)
    ]  # fmt: skip
    for stored in documents.pages(document_id):
        documents.save(document_id, stored.page.id, found, seen=0, author="benchmark")
    database.close()


def screen() -> Iterator[str]:
    """The requests for one page: all of it small, then the tiles at half and at full scale."""
    yield f"full/{SIZE[0] // 4},/0/default.jpg"
    for scale in (2, 1):
        side = TILE * scale
        for x, y in itertools.product(range(0, SIZE[0], side), range(0, min(SIZE[1], 2048), side)):
            width, height = min(side, SIZE[0] - x), min(side, SIZE[1] - y)
            yield f"{x},{y},{width},{height}/{-(-width // scale)},{-(-height // scale)}/0/default.jpg"


def browse(images: str, leaves: range) -> Viewed:
    """Leaf through some pages with all viewers at once."""
    out, waiting = Viewed(), iter(leaves)
    lock = threading.Lock()

    def viewer() -> None:
        with httpx.Client(timeout=60, trust_env=False) as http:
            while True:
                with lock:
                    index = next(waiting, None)
                if index is None:
                    return
                http.get(f"{images}/{index}/info.json").raise_for_status()
                for request in screen():
                    start = time.perf_counter()
                    http.get(f"{images}/{index}/{request}").raise_for_status()
                    out.tiles.append(time.perf_counter() - start)

    threads = [threading.Thread(target=viewer) for _ in range(VIEWERS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.seconds = time.perf_counter() - start
    return out


def from_jpeg(jpeg: bytes) -> float:
    """Tiles a second that come out of the JPEG itself."""

    def tile(x: int, y: int) -> None:
        out = io.BytesIO()
        Image.open(io.BytesIO(jpeg)).crop((x, y, x + TILE, y + TILE)).save(out, "JPEG", quality=85)

    count = 12
    return count / _seconds(lambda: [tile(TILE * (n % 3), TILE * (n // 3)) for n in range(count)])


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    jpeg = page()
    print(f"{PAGES} pages of {SIZE[0]} × {SIZE[1]}, {len(jpeg):,} bytes of JPEG; {os.cpu_count()} cores")
    limits = {"LIMNER_RATE_LIMIT": "0", "LIMNER_VIEWER_RATE_LIMIT": "0"}
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), **limits) as server:
        files = [("file", (f"p{n:03d}.jpg", jpeg, "image/jpeg")) for n in range(PAGES)]
        headers = {"X-API-Key": server.first_token}
        with httpx.Client(base_url=server.url, headers=headers, timeout=120, trust_env=False) as http:
            start = time.perf_counter()
            document = http.post("/v1/documents", files=files).raise_for_status().json()
            print(f"uploaded in {time.perf_counter() - start:.1f} s")
            annotated(Path(folder), document["id"])
            share = http.put(f"/v1/documents/{document['id']}/share").raise_for_status().json()
            manifest = share["links"]["iiif"]
            spent = [_seconds(lambda: http.get(manifest).raise_for_status()) for _ in range(3)]
            size = len(http.get(manifest).content)
        images = f"{server.url}/iiif/{share['key']}/0/images"
        # From the end: what is being made ahead begins at the front.
        leaves = range(PAGES - LEAVES, PAGES)
        first, again = browse(images, leaves), browse(images, leaves)
    bare = from_jpeg(jpeg)
    for name, viewed in (("the first time", first), ("again", again)):
        print(f"tiles, {name}: {viewed.speed:.0f}/s, p95 {viewed.p95:.0f} ms ({len(viewed.tiles)} tiles)")
    print(f"out of the JPEG: {bare:.1f} tiles/s on one core")
    print(f"browsing: ratio: {again.speed / 40:.2f} of 40 tiles/s (aim >= 1.00)")
    print(f"browsing / out of the JPEG: ratio: {again.speed / bare:.1f}")
    each = ", ".join(f"{seconds:.2f}" for seconds in spent)
    print(f"manifest: {PAGES} canvases, {PAGES * ANNOTATIONS:,} annotations, {size:,} bytes: {each} s")
    print(f"manifest: ratio: {max(spent):.2f} of 1 s (aim <= 1.00)")


if __name__ == "__main__":
    main()
