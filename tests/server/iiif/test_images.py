"""The Image API over HTTP: its headers, its errors, its redirects. What it shows is tested below `tests.operations`."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.server.iiif.published import image_of, shared
from tests.server.running import state_of

TILE = "20,40,60,60/30,30/90/default.jpg"


@pytest.fixture
def service(client: TestClient) -> str:
    """The address of an image service; its image is 320 × 320."""
    return image_of(shared(client)[1])


def test_a_part_of_an_image_is_given_to_everybody(anonymous: TestClient, service: str) -> None:
    answer = anonymous.get(f"{service}/{TILE}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    image = Image.open(io.BytesIO(answer.content))
    assert image.size == (30, 30)
    assert min(min(image.getpixel((x, 15))) for x in range(30)) > 200  # the bright box of the page
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert f'<{service}/{TILE}>;rel="canonical"' in answer.headers["link"]
    assert '<http://iiif.io/api/image/3/level2.json>;rel="profile"' in answer.headers["link"]


def test_one_who_has_it_need_not_fetch_it_again(anonymous: TestClient, service: str) -> None:
    first = anonymous.get(f"{service}/{TILE}")
    again = anonymous.get(f"{service}/{TILE}", headers={"If-None-Match": f'W/"x", {first.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = anonymous.get(f"{service}/full/max/0/default.jpg", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200
    same = anonymous.get(f"{service}/pct:0,0,100,100/320,/360/color.jpg")
    assert same.headers["etag"] == other.headers["etag"]


def test_the_address_of_a_service_leads_to_its_description(anonymous: TestClient, service: str) -> None:
    answer = anonymous.get(service, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{service}/info.json")
    info = anonymous.get(f"{service}/info.json")
    assert info.headers["content-type"].startswith("application/ld+json")
    assert (info.json()["id"], info.json()["width"], info.json()["height"]) == (service, 320, 320)
    plain = anonymous.get(f"{service}/info.json", headers={"Accept": "application/json"})
    assert plain.headers["content-type"] == "application/json"
    assert "Accept" in plain.headers["vary"]


REFUSED = {
    "full/100000,/0/default.jpg": 400,
    "full/!100000,100000/0/default.jpg": 400,
    "full/pct:1000/0/default.jpg": 400,
    "0,0,0,0/max/0/default.jpg": 400,
    "999999999,0,10,10/max/0/default.jpg": 400,
    "full/full/0/default.jpg": 400,
    "full/max/400/default.jpg": 400,
    "full/max/0/native.jpg": 400,
    "full/max/0/default": 400,
    "full/^max/0/default.jpg": 501,
    "full/^100000,/0/default.jpg": 501,
    "full/max/22.5/default.jpg": 501,
    "full/max/0/default.tif": 501,
    "full/max/0": 404,
    "full/max/0/default.jpg/x": 404,
    "%2e%2e%2f%2e%2e/max/0/default.jpg": 404,
}


def test_what_cannot_be_given_is_refused(anonymous: TestClient, service: str) -> None:
    answers = {request: anonymous.get(f"{service}/{request}") for request in REFUSED}
    assert {request: answer.status_code for request, answer in answers.items()} == REFUSED
    for answer in answers.values():
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["access-control-allow-origin"] == "*"


def test_pages_that_are_not_there(anonymous: TestClient, service: str) -> None:
    base = service.rpartition("/")[0]
    for index in ("1", "x", "-1", "1e3", "99999999999", "%00", "٣", "a%2Fb"):
        for path in ("info.json", "full/max/0/default.jpg"):
            assert anonymous.get(f"{base}/{index}/{path}").status_code == 404, index


def test_an_image_is_tiled_once_and_ahead(client: TestClient, anonymous: TestClient) -> None:
    document, share = shared(client, "a.png", "b.png")
    state = state_of(client)
    keys = [f"documents/{document['id']}/images/tiles/page-{n}.png.tif" for n in range(2)]
    for index, key in enumerate(keys):
        assert anonymous.get(f"{image_of(share, index)}/{TILE}").status_code == 200
        assert state.shelf.find(key) is not None
    times = [state.shelf.find(key).stat().st_mtime_ns for key in keys]
    anonymous.get(f"{image_of(share)}/full/max/0/default.jpg")
    state.ahead.stop()  # whatever it was doing: it has not made them again
    assert [state.shelf.find(key).stat().st_mtime_ns for key in keys] == times


def test_an_image_that_is_not_kept_any_more(client: TestClient, anonymous: TestClient) -> None:
    document, share = shared(client)
    state_of(client).ahead.stop()
    state_of(client).blobs.delete_all(f"documents/{document['id']}/images")
    assert anonymous.get(f"{image_of(share)}/info.json").status_code in (404, 422)


def test_every_kind_of_answer_can_be_asked_for_its_head(anonymous: TestClient, service: str) -> None:
    answer: Any = anonymous.head(f"{service}/info.json")
    assert (answer.status_code, "etag" in answer.headers, "link" in answer.headers) == (200, False, True)
    assert anonymous.post(f"{service}/info.json").status_code == 405
