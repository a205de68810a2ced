"""The server that other tests rely on."""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.request import urlopen

import iiif_prezi3
import pytest

from limner.sources.decode import decode_bytes
from limner.sources.protocol import Want
from tests.sources.iiif.loopback import Canned, MakeServer


def get(url: str) -> bytes:
    with urlopen(url, timeout=10) as response:
        return response.read()


def status(url: str) -> int:
    try:
        get(url)
    except HTTPError as error:
        error.close()
        return error.code
    return 200


@pytest.mark.parametrize("api", [2, 3])
def test_its_documents_of_version_3_are_valid(serve: MakeServer, api):
    server = serve(api=api, embed_size=True, listed=(100,))
    manifest = iiif_prezi3.Manifest(**json.loads(get(server.manifest_url(3))))
    assert len(manifest.items) == 3
    assert iiif_prezi3.Collection(**json.loads(get(server.collection_url(3)))).items[0].id == server.manifest_url(3)


@pytest.mark.parametrize(
    ("api", "level", "size", "expected"),
    [
        (3, 0, "max", 200),
        (3, 0, "300,", 400),
        (3, 0, "75,100", 200),
        (3, 1, "300,", 200),
        (3, 1, "full", 404),
        (2, 1, "full", 200),
        (2, 1, "!300,300", 400),
        (2, 2, "!300,300", 200),
        (2, 2, "601,", 400),
    ],
)
def test_it_gives_what_its_level_has(serve: MakeServer, settings, api, level, size, expected):
    server = serve(api=api, level=level, listed=(100,), max_width=800)
    assert status(f"{server.service_url('p1')}/full/{size}/0/default.jpg") == expected
    assert server.sizes[size] == 1


def test_it_cuts_and_scales(serve: MakeServer, settings):
    data = get(f"{serve().service_url('p1')}/300,400,300,400/150,/0/default.jpg")
    picture = decode_bytes(data, Want(), settings)
    assert (picture.width, picture.height) == (150, 200)
    assert picture.pixels[0, 0, :2] == pytest.approx([127, 127], abs=4)


def test_it_gives_canned_answers_as_often_as_told(serve: MakeServer):
    server = serve()
    server.answer("/p1/", Canned(503), times=2)
    assert [status(server.info_url("p1")) for _ in range(3)] == [503, 503, 200]
    assert status(f"{server.url}/gone") == 404
