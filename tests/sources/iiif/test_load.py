from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from limner.core.errors import NotIIIFError, SourceError, StatusError, TooLargeError
from limner.sources.iiif.image_api import ImageService
from limner.sources.iiif.load import Loaded, Missing, is_url, load, walk
from limner.sources.iiif.presentation import Collection, Manifest
from limner.sources.protocol import SourceContext
from tests.sources.iiif.loopback import Canned, IIIFServer, MakeServer


def collection(server: IIIFServer, path: str, *members: Any) -> str:
    """Put a collection on the server."""
    url = f"{server.url}{path}"
    server.documents[path] = {"id": url, "type": "Collection", "label": {"en": [path]}, "items": [*members]}
    return url


def manifest(url: str) -> dict[str, Any]:
    return {"id": url, "type": "Manifest", "label": {"en": ["A member"]}}


async def everything(spec: str, context: SourceContext, **options: Any) -> list[Loaded | Missing]:
    return [found async for found in walk(await load(spec, context), context, **options)]


def kinds(found: list[Loaded | Missing]) -> list[str]:
    return [type(entry.content if isinstance(entry, Loaded) else entry).__name__ for entry in found]


async def test_documents_of_every_kind_are_told_apart(serve: MakeServer, context):
    server = serve(api=2)
    for url, kind in (
        (server.manifest_url(2), Manifest),
        (server.manifest_url(3), Manifest),
        (server.collection_url(2), Collection),
        (server.info_url("p1"), ImageService),
    ):
        loaded = await load(url, context)
        assert isinstance(loaded.content, kind)
        assert loaded.origin.folder is None


async def test_documents_are_read_from_disk(serve: MakeServer, context, tmp_path: Path):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(serve().manifest()))
    loaded = await load(str(path), context)
    assert isinstance(loaded.content, Manifest)
    assert loaded.origin.folder == tmp_path


async def test_what_cannot_be_read_is_no_iiif(context, tmp_path: Path):
    (tmp_path / "page.json").write_text("<html>")
    for spec in (tmp_path / "missing.json", tmp_path, tmp_path / "page.json"):
        with pytest.raises(NotIIIFError):
            await load(str(spec), context)


async def test_what_a_server_gives_must_be_iiif_too(serve: MakeServer, context):
    server = serve()
    server.documents["/other.json"] = {"test": "Broken"}
    with pytest.raises(NotIIIFError):
        await load(f"{server.url}/other.json", context)
    with pytest.raises(StatusError):
        await load(f"{server.url}/missing.json", context)


async def test_a_file_that_is_too_large_is_refused(context, tmp_path: Path):
    path = tmp_path / "manifest.json"
    path.write_text("{}" + " " * 100)
    small = SourceContext(context.settings.model_copy(update={"fetch_max_bytes": 50}), context.downloader)
    with pytest.raises(TooLargeError):
        await load(str(path), small)


async def test_collections_are_followed_in_order(serve: MakeServer, context):
    server = serve()
    inner = collection(server, "/inner", manifest(server.manifest_url(2)))
    outer = collection(server, "/outer", {"id": inner, "type": "Collection"}, manifest(server.manifest_url(3)))
    found = await everything(outer, context)
    assert kinds(found) == ["Collection", "Collection", "Manifest", "Manifest"]
    assert [entry.content.version for entry in found if isinstance(entry.content, Manifest)] == ["2", "3"]


async def test_a_member_that_is_missing_does_not_stop_the_rest(serve: MakeServer, context):
    server = serve()
    server.documents["/odd"] = {"test": "Broken"}
    spec = collection(
        server, "/c", manifest(f"{server.url}/gone"), manifest(f"{server.url}/odd"), manifest(server.manifest_url())
    )
    found = await everything(spec, context)
    assert kinds(found) == ["Collection", "Missing", "Missing", "Manifest"]
    assert (found[1].id, found[1].title) == (f"{server.url}/gone", "A member")
    assert "404" in found[1].reason
    assert "no IIIF" in found[2].reason


async def test_circles_end(serve: MakeServer, context):
    server = serve()
    one, two = f"{server.url}/one", f"{server.url}/two"
    collection(server, "/one", {"id": two, "type": "Collection"}, {"id": one, "type": "Collection"})
    collection(server, "/two", {"id": one, "type": "Collection"}, manifest(server.manifest_url()))
    found = await everything(one, context)
    assert kinds(found) == ["Collection", "Collection", "Missing", "Manifest", "Missing"]
    assert "only once" in found[2].reason


async def test_deep_nesting_ends(serve: MakeServer, context):
    server = serve()
    for level in range(12):
        collection(server, f"/c{level}", {"id": f"{server.url}/c{level + 1}", "type": "Collection"})
    found = await everything(f"{server.url}/c0", context)
    assert kinds(found) == ["Collection"] * 9 + ["Missing"]
    assert "8 collections" in found[-1].reason


async def test_pages_of_a_long_collection_are_followed(serve: MakeServer, context):
    server = serve()
    first = {"@id": f"{server.url}/p1", "@type": "sc:Collection", "manifests": [server.manifest_url(2)]}
    server.documents["/p1"] = {**first, "next": f"{server.url}/p2"}
    server.documents["/p2"] = {**first, "@id": f"{server.url}/p2", "manifests": [server.manifest_url(3)]}
    assert kinds(await everything(f"{server.url}/p1", context)) == ["Collection", "Manifest", "Collection", "Manifest"]


async def test_embedded_and_relative_members(serve: MakeServer, context):
    server = serve()
    embedded = server.manifest()
    del embedded["id"]
    spec = collection(server, "/presentation/c", embedded, manifest("3/pages/manifest.json"))
    found = await everything(spec, context)
    assert kinds(found) == ["Collection", "Manifest", "Manifest"]


async def test_members_beside_a_collection_on_disk(serve: MakeServer, context, tmp_path: Path):
    server = serve()
    (tmp_path / "m.json").write_text(json.dumps(server.manifest()))
    outside = tmp_path.parent / "outside.json"
    outside.write_text(json.dumps(server.manifest()))
    raw = {"type": "Collection", "items": [manifest("m.json"), manifest("../outside.json")]}
    (tmp_path / "c.json").write_text(json.dumps(raw))
    found = await everything(str(tmp_path / "c.json"), context)
    assert kinds(found) == ["Collection", "Manifest", "Missing"]
    assert "not below" in found[2].reason


async def test_no_more_members_than_wanted(serve: MakeServer, context):
    server = serve()
    members = [manifest(f"{server.manifest_url()}?{n}") for n in range(5)]
    server.documents |= {f"/presentation/3/pages/manifest.json?{n}": server.manifest() for n in range(5)}
    found = await everything(collection(server, "/c", *members), context, most=2)
    assert kinds(found) == ["Collection", "Manifest", "Manifest", "Missing"]
    assert found[-1].reason == "3 more members were not looked at."


async def test_a_host_that_does_not_answer_is_not_asked_again_by_the_impatient(serve: MakeServer, context):
    server = serve()
    dead = "http://127.0.0.1:1"
    spec = collection(server, "/c", manifest(f"{dead}/1"), manifest(f"{dead}/2"), manifest(server.manifest_url()))
    found = await everything(spec, context, patient=False)
    assert kinds(found) == ["Collection", "Missing", "Missing", "Manifest"]
    assert "did not answer before" in found[2].reason
    assert "did not answer before" not in (await everything(spec, context))[2].reason


async def test_the_walk_can_be_left_at_any_time(serve: MakeServer, context):
    server = serve()
    found = walk(await load(server.collection_url(), context), context)
    await anext(found)
    await found.aclose()
    assert server.log == ["/presentation/3/collection.json"]


def test_what_is_an_address():
    assert is_url("HTTPS://lib.example/")
    assert not is_url("manifest.json")
    assert not is_url("ftp://lib.example/")


async def test_a_block_page_in_place_of_a_manifest_is_an_error(serve: MakeServer, context):
    server = serve()
    server.answer("manifest.json", Canned(200, b"<!doctype html><html></html>", {"Content-Type": "text/html"}))
    with pytest.raises(SourceError):
        await load(server.manifest_url(), context)
