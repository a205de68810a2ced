"""The EasyOCR service, by a client written from the contract alone: ``contracts.md``, 3."""

from __future__ import annotations

import io

import httpx
import pytest
from PIL import Image, ImageDraw

from limner.annotations.drawing.overlay import label_font
from tests.operations.bright_pages import encoded, page
from tests.server.compat.listening import Listening


def written(*lines: str) -> bytes:
    """An image with some lines of text."""
    image = Image.new("RGB", (640, 60 + 80 * len(lines)), "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((40, 40 + 80 * number), line, font=label_font(40), fill="black")
    return encoded(image, "PNG")


def test_it_greets(server: Listening) -> None:
    answer = server.client().get("/", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert "Hello" in answer.json()["message"]


@pytest.mark.slow
def test_the_text_of_an_image_is_extracted(server: Listening) -> None:
    image = written("The first line", "and the second")
    answer = server.client().post("/extract", files={"file": ("page.png", image, "image/png")})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["text"] == "The first line\nand the second\n"
    assert [line["text"] for line in found["lines"]] == ["The first line", "and the second"]
    for number, line in enumerate(found["lines"]):
        x1, y1, x2, y2 = line["box"]
        assert 30 < x1 < 50 < 250 < x2 < 400
        assert 30 + 80 * number < y1 < y2 < 110 + 80 * number
        assert 0.5 < line["confidence"] <= 1
        assert len(line["polygon"]) >= 4
    assert found["seconds"] > 0
    assert found["model"] == "text@1"


@pytest.mark.slow
def test_languages_are_let_through(server: Listening) -> None:
    answer = server.client().post(
        "/extract", params={"lang": "fr"}, data={"languages": ["en", "fr"]}, files={"file": written("Deux mots")}
    )
    assert answer.json()["text"] == "Deux mots\n"


def test_what_is_no_image_is_refused(server: Listening) -> None:
    answer = server.client().post("/extract", files={"file": ("a.png", b"not an image")})
    assert answer.status_code == 422
    assert "a.png" in answer.json()["detail"]


def test_an_image_is_needed(server: Listening) -> None:
    assert server.client().post("/extract", data={"lang": "fr"}).status_code == 422


def test_a_route_to_a_model_that_does_not_read_is_refused_with_what_to_do(server: Listening) -> None:
    server.route("easyocr", "bright", workspace="no readers")
    answer = server.client("no readers").post("/extract", files={"file": page()})
    assert answer.status_code == 400
    assert "bright@1, which detects" in answer.json()["detail"]
    assert "PUT /v1/routes/easyocr" in answer.json()["detail"]


def test_without_a_token_a_browser_is_asked_for_one(server: Listening) -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as nobody:
        for answer in (nobody.get("/"), nobody.post("/extract", files={"file": io.BytesIO(page())})):
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
