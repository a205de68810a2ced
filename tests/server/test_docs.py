"""The documentation of the API is complete, says who may do what, and its examples work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from limner.core.settings import Settings
from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
from limner.server import deps
from limner.server.app import create_app
from tests.limner_process import serving
from tests.operations.jobs.receiver import Receiver
from tests.operations.jobs.workplace import save_pages, until
from tests.server.api.work import PAGE
from tests.sources.iiif.loopback import IIIFServer

DOCS = Path(__file__).parents[2] / "docs"
_ROW = re.compile(r"^\| `([A-Z]+) (/\S*)` \| ([^|]+) \|", re.MULTILINE)
#: The narrowest of these that a route asks for is what the table has to say.
_SCOPES = [
    (deps._server_admin, "admin of `default`"),
    (deps._admin, "admin"),
    (deps._trainer, "train"),
    (deps._annotator, "annotate"),
    (deps._caller, "any"),
]


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return create_app(Settings(data=tmp_path))


def _routes(app: FastAPI) -> dict[tuple[str, str], Any]:
    """Method and path of every route of the API, and the functions that it depends on."""
    out = {}
    for router in app.router.routes:
        for route in getattr(getattr(router, "original_router", None), "routes", [router]):
            if hasattr(route, "dependant"):
                out |= {(method, route.path): set(_calls(route.dependant)) for method in route.methods}
    return out


def _calls(dependant: Any) -> Iterator[Any]:
    for each in dependant.dependencies:
        yield each.call
        yield from _calls(each)


def _scope(calls: set[Any]) -> str:
    return next((name for call, name in _SCOPES if call in calls), "none")


def test_every_route_is_in_the_reference_with_who_may_call_it(app: FastAPI) -> None:
    routes = {f"{method} {path}": _scope(calls) for (method, path), calls in _routes(app).items()}
    paths = app.openapi()["paths"]
    assert set(routes) == {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    text = "".join((DOCS / "reference" / name).read_text() for name in ("api.md", "foreign-apis.md"))
    documented = {f"{method} {path}": scope.strip() for method, path, scope in _ROW.findall(text)}
    assert documented == routes


def test_every_route_has_a_summary_and_a_description(app: FastAPI) -> None:
    operations = [each for methods in app.openapi()["paths"].values() for each in methods.values()]
    assert all(each.get("summary") and each.get("description") for each in operations)
    assert len({each["operationId"] for each in operations}) == len(operations)


@pytest.mark.slow
def test_the_examples_of_the_how_to_work(tmp_path: Path, bright: Path) -> None:
    """Every example in turn, in one shell, against a real server, library and receiver."""
    if shutil.which("curl") is None or shutil.which("jq") is None:
        pytest.skip("THE EXAMPLES ARE NOT RUN: curl or jq is not installed")
    text = (DOCS / "how-to" / "annotate-over-http.md").read_text()
    script = "\n".join(["set -eo pipefail", *re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)])
    (tmp_path / "page.jpg").write_bytes(PAGE)
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
        archive.writestr("1.png", PAGE)
    store = ModelStore(tmp_path / "data" / "models")
    store.add(read_bundle(bright))
    store.alias("default", "bright")
    library = IIIFServer(save_pages(tmp_path / "library", 2))
    with library, Receiver() as receiver, serving(tmp_path / "data") as server:
        values = {"LIMNER": server.url, "AUTH": f"Authorization: Bearer {server.first_token}"}
        values |= {"MANIFEST": library.manifest_url(), "CALLBACK": receiver.url, "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            ["bash", "-c", script],
            env={**os.environ, **values},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        until(lambda: len(receiver.messages) == 1)
    assert '"label": "bright"' in done.stdout
    assert (tmp_path / "page.overlay.png").read_bytes().startswith(b"\x89PNG")
    assert '"succeeded"' in done.stdout
    assert '"author": "first admin"' in done.stdout
    assert (tmp_path / "manifest.json").read_text().count("canvas/") >= 2
