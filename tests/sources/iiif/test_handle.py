from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from limner.core.errors import AddressRefusedError, BlockedByHostError, FetchError, SizeMismatchError, StatusError
from limner.sources.iiif.source import IIIF
from limner.sources.protocol import OpenedDocument, PageHandle, Picture, SourceContext, Want
from tests.sources.iiif.loopback import Canned, IIIFServer, MakeServer

ERROR = Canned(500, b"broken", {"Content-Type": "text/plain"})


async def opened(spec: str, context: SourceContext) -> OpenedDocument:
    documents = [document async for document in IIIF.open(spec, context)]
    assert len(documents) == 1
    return documents[0]


async def pictures(server: IIIFServer, context: SourceContext, want: Want, version: int = 3) -> list[Picture]:
    document = await opened(server.manifest_url(version), context)
    return [(await handle.fetch(want)).decode(want) for handle in document.handles]


async def first(server: IIIFServer, context: SourceContext) -> PageHandle:
    return (await opened(server.manifest_url(), context)).handles[0]


async def outcome(handle: PageHandle, want: Want) -> Picture:
    return (await handle.fetch(want)).decode(want)


def asked(server: IIIFServer, name: str = "p1") -> list[str]:
    """What was asked of one image: ``info``, or region and size."""
    mine = [path for path in server.log if path.startswith(f"/image/{server.ability.api}/{name}/")]
    return [path.split("/", 4)[4].replace("info.json", "info").partition("/0/")[0] for path in mine]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("api", [1, 2, 3])
@pytest.mark.parametrize("level", [0, 1, 2])
async def test_every_version_and_level_gives_every_page(serve: MakeServer, context, version, api, level):
    server = serve(api=api, level=level, listed=(100, 400) if level == 0 else ())
    found = await pictures(server, context, Want(400), version)
    assert [(picture.width, picture.height) for picture in found] == [(600, 800), (900, 300), (640, 640)]
    expected = [(400, 300), (133, 400), (400, 400)]
    if level:
        assert [picture.pixels.shape[:2] for picture in found] == expected
        assert server.sizes == {"300,": 1, "400,": 2}
    else:  # a manifest that does not list the sizes makes the whole image the only sure request
        assert all(max(picture.pixels.shape) >= 400 for picture in found)
        assert "info" not in asked(server)


@pytest.mark.parametrize("api", [2, 3])
async def test_listed_sizes_of_level_0_are_used(serve: MakeServer, context, api):
    server = serve(api=api, level=0, listed=(100, 400), embed_size=True)
    found = await pictures(server, context, Want(300))
    assert [picture.pixels.shape[:2] for picture in found] == [(400, 300), (133, 400), (400, 400)]
    assert sum(server.sizes.values()) == 3


@pytest.mark.parametrize(("api", "word"), [(1, "full"), (2, "full"), (3, "max")])
async def test_full_size(serve: MakeServer, context, api, word):
    server = serve(api=api)
    found = await pictures(server, context, Want())
    assert [picture.pixels.shape[:2] for picture in found] == [(800, 600), (300, 900), (640, 640)]
    assert server.sizes == {word: 3}


async def test_an_image_is_fetched_once_and_its_size_is_kept(serve: MakeServer, context):
    server = serve()
    handle = await first(server, context)
    assert (handle.page.width, handle.page.height) == (600, 800)
    await outcome(handle, Want(400))
    await outcome(handle, Want(400))
    assert asked(server) == ["full/300,"]
    assert (handle.page.width, handle.page.height) == (600, 800)


@pytest.mark.parametrize("api", [2, 3])
async def test_an_unknown_limit_is_learnt_from_the_info(serve: MakeServer, context, api):
    server = serve(api=api, max_width=200)
    picture = await outcome(await first(server, context), Want(400))
    assert picture.pixels.shape[:2] == (200, 150)
    assert (picture.width, picture.height) == (600, 800)
    refused = ["full/300,", "full/!300,400"]  # these the manifest promises, as one of level 2
    assert asked(server) == [*refused, "info", "full/max" if api == 3 else "full/150,"]


async def test_an_unknown_size_is_learnt_from_the_info(serve: MakeServer, context):
    server = serve(declared=lambda *_: (0, 0))
    handle = await first(server, context)
    assert not handle.page.sized
    fetched = await handle.fetch(Want(400))
    assert (handle.page.width, handle.page.height) == (600, 800)
    assert fetched.decode(Want(400)).pixels.shape[:2] == (400, 300)
    assert asked(server) == ["info", "full/300,"]


async def test_without_size_and_info_the_whole_image_tells(serve: MakeServer, context):
    server = serve(declared=lambda *_: (0, 0))
    server.answer("info.json", Canned(404), times=9)
    handle = await first(server, context)
    picture = await outcome(handle, Want(400))
    assert (picture.width, picture.height) == (handle.page.width, handle.page.height) == (600, 800)
    assert asked(server)[-1] == "full/max"


async def test_smaller_when_nothing_else_works(serve: MakeServer, context):
    server = serve(level=1)
    server.answer("/300,/", ERROR, times=9)
    picture = await outcome(await first(server, context), Want(400))
    assert picture.pixels.shape[:2] == (200, 150)
    assert list(dict.fromkeys(asked(server))) == ["full/300,", "info", "full/150,"]


async def test_the_address_as_it_stands_when_nothing_smaller_works(serve: MakeServer, context, folder: Path):
    server = serve(level=1)
    manifest = server.manifest()
    body = manifest["items"][0]["items"][0]["items"][0]["body"]
    body["id"] = server.file_url("p1")
    server.documents["/plain.json"] = manifest
    server.answer("/image/", ERROR, times=99)
    handle = (await opened(f"{server.url}/plain.json", context)).handles[0]
    picture = await outcome(handle, Want(400))
    assert picture.pixels.shape[:2] == (400, 300)
    assert list(dict.fromkeys(asked(server))) == ["full/300,", "info", "full/150,", "full/75,"]


async def test_when_nothing_works_the_error_lists_what_was_tried_each_once(serve: MakeServer, context):
    server = serve(level=1)
    server.answer("/image/", Canned(404), times=99)
    with pytest.raises(FetchError) as caught:
        await (await first(server, context)).fetch(Want(400))
    assert asked(server) == ["full/300,", "info", "full/150,", "full/75,", "full/max"]
    message = str(caught.value)
    assert message.startswith("p1.jpg could not be had in any size.")
    assert all(f"{url}" in message for url in asked(server))
    assert message.count("status 404") == 5


async def test_a_host_that_wants_to_be_left_alone_is_asked_nothing_more(serve: MakeServer, context):
    server = serve()
    server.answer("/image/", Canned(429), times=99)
    with pytest.raises(StatusError):
        await (await first(server, context)).fetch(Want(400))
    assert set(asked(server)) == {"full/300,"}


async def test_a_host_that_blocks_is_asked_nothing_more(serve: MakeServer, context):
    server = serve()
    page = b"<!DOCTYPE html><html><title>Are you a robot?</title></html>"
    server.answer("/image/", Canned(200, page, {"Content-Type": "text/html"}), times=99)
    with pytest.raises(BlockedByHostError):
        await (await first(server, context)).fetch(Want(400))
    assert asked(server) == ["full/300,"]


async def test_a_web_page_in_place_of_the_info_is_no_info(serve: MakeServer, context):
    server = serve(declared=lambda *_: (0, 0))
    page = b"<!DOCTYPE html><html><title>Our images</title></html>"
    server.answer("info.json", Canned(200, page, {"Content-Type": "text/html"}), times=99)
    picture = await outcome(await first(server, context), Want(400))
    assert (picture.width, picture.height) == (600, 800)
    assert asked(server) == ["info", "full/max"]


async def test_a_host_that_does_not_answer_is_an_error_of_the_network(serve: MakeServer, context):
    server = serve()
    manifest = server.manifest()
    service = manifest["items"][0]["items"][0]["items"][0]["body"]["service"][0]
    service["id"] = "http://127.0.0.1:1/iiif/p1"
    server.documents["/m.json"] = manifest
    handle = (await opened(f"{server.url}/m.json", context)).handles[0]
    with pytest.raises(FetchError) as caught:
        await handle.fetch(Want(400))
    assert "Tried" not in str(caught.value)


async def test_a_server_that_recovers_is_asked_the_same_again(serve: MakeServer, context):
    server = serve()
    server.answer("/image/", Canned(503))
    picture = await outcome(await first(server, context), Want(400))
    assert picture.pixels.shape[:2] == (400, 300)
    assert asked(server) == ["full/300,", "full/300,"]


async def test_lying_sizes_are_an_error_of_the_page(serve: MakeServer, context):
    server = serve(declared=lambda *_: (800, 600))
    with pytest.raises(SizeMismatchError):
        await outcome(await first(server, context), Want(400))


async def test_plain_files_are_taken_as_they_are(serve: MakeServer, context):
    server = serve(services=False)
    document = await opened(server.manifest_url(), context)
    assert [handle.page.name for handle in document.handles] == ["p1.png", "p2.png", "p3.png"]
    picture = await outcome(document.handles[0], Want(200))
    assert picture.pixels.shape[:2] == (200, 150)
    assert server.log[1:] == ["/files/p1.png"]


async def test_a_plain_file_of_another_size_than_announced_has_its_own(serve: MakeServer, context):
    server = serve(services=False, declared=lambda _, w, h: (w // 2, h // 2))
    handle = await first(server, context)
    assert (handle.page.width, handle.page.height) == (300, 400)
    await outcome(handle, Want())
    assert (handle.page.width, handle.page.height) == (600, 800)


def with_selector(server: IIIFServer, **selector: Any) -> str:
    """The address of a manifest in which a part of the first image is painted."""
    manifest = server.manifest()
    annotation = manifest["items"][0]["items"][0]["items"][0]
    selector = {"type": "ImageApiSelector", **selector}
    annotation["body"] = {"type": "SpecificResource", "source": annotation["body"], "selector": selector}
    server.documents["/part.json"] = manifest
    return f"{server.url}/part.json"


def first_pixel(picture: Picture) -> tuple[int, int]:
    return tuple(int(value) for value in picture.pixels[0, 0, :2])


@pytest.mark.parametrize("region", ["300,400,300,200", "pct:50,50,50,25"])
async def test_a_part_is_cut_by_the_server(serve: MakeServer, context, region):
    server = serve()
    handle = (await opened(with_selector(server, region=region), context)).handles[0]
    assert (handle.page.width, handle.page.height) == (300, 200)
    picture = await outcome(handle, Want(150))
    assert (picture.width, picture.height, picture.pixels.shape) == (300, 200, (100, 150, 3))
    assert first_pixel(picture) == pytest.approx((127, 127), abs=4)
    assert asked(server) == ["300,400,300,200/150,"]


async def test_a_part_is_cut_by_us_where_the_server_cannot(serve: MakeServer, context):
    server = serve(level=0)
    handle = (await opened(with_selector(server, region="300,400,300,200"), context)).handles[0]
    picture = await outcome(handle, Want(150))
    assert (picture.width, picture.height) == (300, 200)
    assert max(picture.pixels.shape) >= 150
    assert first_pixel(picture) == pytest.approx((127, 127), abs=4)
    assert asked(server) == ["full/max"]


async def test_a_part_comes_with_the_whole_where_the_server_fails_to_cut(serve: MakeServer, context):
    server = serve(level=1)
    server.answer("/300,400,300,200/", Canned(501), times=9)
    handle = (await opened(with_selector(server, region="300,400,300,200"), context)).handles[0]
    picture = await outcome(handle, Want(150))
    assert (picture.width, picture.height, picture.pixels.shape) == (300, 200, (100, 150, 3))
    assert first_pixel(picture) == pytest.approx((127, 127), abs=4)
    assert asked(server) == ["300,400,300,200/150,", "full/300,"]


async def test_a_turned_image_is_turned_by_us(serve: MakeServer, context):
    server = serve(level=1)
    handle = (await opened(with_selector(server, rotation="90"), context)).handles[0]
    assert (handle.page.width, handle.page.height) == (800, 600)
    picture = await outcome(handle, Want(400))
    assert picture.pixels.shape[:2] == (300, 400)
    assert first_pixel(picture) == pytest.approx((0, 255), abs=4)


async def test_a_canvas_without_a_size_gets_that_of_its_image(serve: MakeServer, context):
    server = serve(services=False, declared=lambda *_: (0, 0))
    manifest = server.manifest()
    del manifest["items"][0]["width"]
    server.documents["/m.json"] = manifest
    handle = (await opened(f"{server.url}/m.json", context)).handles[0]
    assert handle.page.canvas is None
    await outcome(handle, Want(100))
    assert (handle.page.canvas.width, handle.page.canvas.height) == (600, 800)


async def test_a_private_address_is_refused(serve: MakeServer, context):
    server = serve(services=False)
    manifest = server.manifest()
    manifest["items"][0]["items"][0]["items"][0]["body"]["id"] = "http://10.0.0.1/p1.png"
    server.documents["/m.json"] = manifest
    handle = (await opened(f"{server.url}/m.json", context)).handles[0]
    with pytest.raises(AddressRefusedError):
        await handle.fetch(Want())


async def test_full_images_are_counted_as_such(serve: MakeServer, settings, tmp_path):
    """A host's delay lies between full images only."""
    kinds = []

    class Recorder:
        def __init__(self, downloader):
            self._downloader = downloader

        async def fetch(self, url, kind):
            kinds.append((url.rsplit("/", 3)[-3], kind.name))
            return await self._downloader.fetch(url, kind)

    from limner.sources.net.downloader import Downloader

    server = serve()
    with Downloader(settings) as downloader:
        context = SourceContext(settings, Recorder(downloader))
        handle = await first(server, context)
        await handle.fetch(Want(400))
        await handle.fetch(Want())
    assert kinds[1:] == [("300,", "IMAGE"), ("max", "FULL_IMAGE")]
