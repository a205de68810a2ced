from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from limner.core.errors import AddressRefusedError, NotIIIFError, SourceError
from limner.sources.iiif.source import IIIF
from limner.sources.protocol import SOURCES, OpenedDocument, SourceContext, Want
from tests.sources.iiif.loopback import IIIFServer, MakeServer


async def documents(spec: str, context: SourceContext) -> list[OpenedDocument]:
    return [document async for document in IIIF.open(spec, context)]


def test_it_is_registered_before_plain_addresses():
    assert SOURCES.get("iiif") is IIIF
    assert IIIF.priority == 20


@pytest.mark.parametrize(
    "url",
    [
        "https://lib.example/ms/manifest.json",
        "https://lib.example/ms/manifest",
        "https://lib.example/ms/manifest.json?version=3",
        "https://digital.library.villanova.edu/Item/vudl:30471/Manifest",
        "https://lib.example/iiif/p1/info.json",
        "https://lib.example/collection/top.json",
        "https://iiif.wellcomecollection.org/presentation/v2/b18035723",
        "https://dlc.services/iiif-resource/22/item/2/VIS",
        "https://manifests.britishart.yale.edu/Osbornfa1",
        "http://www.qdl.qa/العربية/iiif/81055/vdc_100000004987.0x000001/manifest",
        "http://iiif.io/api/presentation/2.1/example/fixtures/collection.json",
    ],
)
def test_addresses_that_may_be_manifests(url):
    assert IIIF.accepts(url)


@pytest.mark.parametrize(
    "spec",
    [
        "https://lib.example/p1.jpg",
        "https://lib.example/iiif/p1.png",
        "https://lib.example/iiif/p1/full/full/0/default.jpg",
        "https://lib.example/iiif/p1/full/max/0/default",
        "https://lib.example/photo",
        "https://lib.example/iiif/book.pdf",
        "http://[bad/manifest.json",
        "data:image/png;base64,AAAA",
        "x" * 100_000,
        "a\x00b.json",
        "/no/such/manifest.json",
        "",
    ],
)
def test_what_is_left_to_others(spec):
    assert not IIIF.accepts(spec)


def test_files_are_known_by_what_is_in_them(tmp_path: Path):
    for number, (text, expected) in enumerate(
        [
            ('{"@context": "http://iiif.io/api/presentation/3/context.json"}', True),
            ('\ufeff \n{"label": "x", "sequences": []}', True),
            ('{"metadata": "' + "x" * 100_000 + '", "@type":"sc:Manifest"}', True),
            ('{"a.jpg": "https://lib.example/a.jpg"}', False),
            ('["https://lib.example/manifest.json"]', False),
            ("@context", False),
            ("", False),
        ]
    ):
        path = tmp_path / f"{number}.json"
        path.write_text(text, encoding="utf-8")
        assert IIIF.accepts(str(path)) is expected
    assert not IIIF.accepts(str(tmp_path))


def test_all_real_manifests_are_accepted(manifests: Path, facts: dict[str, Any]):
    refused = [name for name in facts if not IIIF.accepts(str(manifests / name))]
    assert refused == ["v2/mirador-broken.json"]


@pytest.mark.parametrize("version", [2, 3])
async def test_a_manifest_is_a_document(serve: MakeServer, context, version):
    server = serve()
    [document] = await documents(server.manifest_url(version), context)
    assert (document.id, document.title) == (server.manifest_url(version), "Loopback pages")
    assert document.rights == "http://creativecommons.org/publicdomain/mark/1.0/"
    assert document.metadata["manifest"] == server.manifest(version)
    assert [handle.page.name for handle in document.handles] == ["p1.jpg", "p2.jpg", "p3.jpg"]
    assert [handle.page.index for handle in document.handles] == [0, 1, 2]
    assert [handle.page.label for handle in document.handles] == ["p1", "p2", "p3"]
    assert (document.skipped, document.problems) == ((), ())


async def test_an_info_is_a_document_of_one_page(serve: MakeServer, context):
    server = serve()
    [document] = await documents(server.info_url("p2"), context)
    assert (document.id, document.title) == (server.service_url("p2"), "p2")
    [handle] = document.handles
    assert (handle.page.width, handle.page.height, handle.page.canvas) == (900, 300, None)
    picture = (await handle.fetch(Want(450))).decode(Want(450))
    assert picture.pixels.shape[:2] == (150, 450)


async def test_a_collection_is_a_document_for_each_manifest(serve: MakeServer, context):
    server = serve()
    raw = server.collection()
    raw["items"] += [
        {"id": f"{server.url}/gone", "type": "Manifest", "label": {"en": ["Lost"]}},
        {"type": "Canvas", "id": "x"},
    ]
    server.documents["/c.json"] = raw
    own, full, lost = await documents(f"{server.url}/c.json", context)
    assert (own.title, own.handles) == ("Loopback collection", ())
    assert own.skipped[0].reason == "It is a Canvas, not a manifest or collection."
    assert len(full.handles) == 3
    assert (lost.id, lost.title, lost.handles) == (f"{server.url}/gone", "Lost", ())
    assert "404" in lost.skipped[0].reason


async def test_a_collection_of_which_there_is_nothing_to_say_is_no_document(serve: MakeServer, context):
    [document] = await documents(serve().collection_url(2), context)
    assert len(document.handles) == 3


def limited(context: SourceContext, pages: int) -> SourceContext:
    return SourceContext(context.settings.model_copy(update={"max_pages": pages}), context.downloader)


async def test_no_more_pages_than_the_settings_allow(serve: MakeServer, context):
    server = serve()
    [document] = await documents(server.manifest_url(), limited(context, 2))
    assert [handle.page.index for handle in document.handles] == [0, 1]
    assert "last 1 pages" in document.skipped[0].reason


async def test_the_limit_of_pages_is_that_of_the_whole_collection(serve: MakeServer, context):
    server = serve()
    raw = server.collection()
    raw["items"].append({"id": server.manifest_url(2), "type": "Manifest"})
    server.documents["/c.json"] = raw
    first, second = await documents(f"{server.url}/c.json", limited(context, 4))
    assert (len(first.handles), len(second.handles)) == (3, 1)


async def test_what_is_no_iiif_is_an_error(serve: MakeServer, context, manifests: Path):
    with pytest.raises(NotIIIFError):
        await documents(str(manifests / "v2/mirador-broken.json"), context)
    with pytest.raises(SourceError):
        await documents(f"{serve().url}/gone/manifest.json", context)


def on_disk(folder: Path, server: IIIFServer, *names: str) -> Path:
    """A manifest on disk whose images are the given names, and the images beside it."""
    raw = server.manifest()
    for canvas, name in zip(raw["items"], names, strict=True):
        canvas["items"][0]["items"][0]["body"]["id"] = name
    (folder / "img").mkdir()
    for path in server.images.values():
        (folder / "img" / path.name).write_bytes(path.read_bytes())
    (folder / "manifest.json").write_text(json.dumps(raw))
    return folder / "manifest.json"


async def test_images_beside_a_manifest_on_disk(serve: MakeServer, context, tmp_path: Path):
    server = serve(services=False)
    path = on_disk(tmp_path, server, "img/p1.png", "../p2.png", server.file_url("p3"))
    [document] = await documents(str(path), context)
    inside, outside, remote = document.handles
    assert (await inside.fetch(Want(200))).decode(Want(200)).pixels.shape[:2] == (200, 150)
    assert (await remote.fetch(Want(200))).decode(Want(200)).pixels.shape[:2] == (214, 214)
    with pytest.raises(AddressRefusedError):
        await outside.fetch(Want(200))


async def test_a_missing_image_beside_a_manifest_is_an_error_of_the_page(serve: MakeServer, context, tmp_path: Path):
    path = on_disk(tmp_path, serve(services=False), "img/gone.png", "img/p2.png", "file:///etc/passwd")
    [document] = await documents(str(path), context)
    with pytest.raises(SourceError, match=r"gone\.png"):
        (await document.handles[0].fetch(Want())).decode(Want())
    with pytest.raises(SourceError):
        (await document.handles[2].fetch(Want())).decode(Want())
