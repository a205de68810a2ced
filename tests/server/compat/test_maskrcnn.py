"""The Mask R-CNN page, by a client written from the contract alone: ``contracts.md``, 4."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from limner.annotations.drawing.colours import colour_of
from tests.operations.bright_pages import encoded
from tests.server.compat.listening import Listening, listening

GREY = encoded(Image.new("RGB", (400, 400), (128, 128, 128)), "PNG")


def picture(text: str) -> Image.Image:
    """The picture in a page."""
    (address,) = re.findall(r'<img src="data:image/[a-z]+;base64,([^"]+)"', text)
    return Image.open(io.BytesIO(base64.b64decode(address))).convert("RGB")


def nearest(image: Image.Image, place: tuple[int, int]) -> str:
    """Which label's colour a place was drawn with; grey where none was."""
    pixel = np.array(image.getpixel(place), float)
    tones = {label: (np.array(colour_of(label), float) + 128) / 2 for label in ("cat", "dog")}
    tones["grey"] = np.array([128.0] * 3)
    return min(tones, key=lambda label: float(np.abs(pixel - tones[label]).sum()))


def test_the_form_can_be_filled_in(server: Listening) -> None:
    answer = server.client().get("/")
    assert answer.headers["Content-Type"].startswith("text/html")
    form = re.search(r"<form[^>]*action=\"/segment\"[^>]*>(.*?)</form>", answer.text, re.DOTALL)
    assert form is not None
    assert 'method="post"' in form[0]
    assert 'enctype="multipart/form-data"' in form[0]
    assert 'type="file" name="image"' in form[1]
    assert 'name="threshold"' in form[1]
    assert 'action="/extract"' in answer.text


def test_masks_boxes_and_names_are_drawn_in(server: Listening) -> None:
    answer = server.client().post("/segment", files={"image": ("grey.png", GREY, "image/png")})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/html")
    drawn = picture(answer.text)
    assert drawn.size == (400, 400)
    assert nearest(drawn, (100, 200)) == "cat"
    assert nearest(drawn, (300, 200)) == "dog"
    assert nearest(drawn, (200, 60)) == "grey"
    cells = re.findall(r"<td>([^<]+)</td><td class=\"number\">([^<]+)</td>", answer.text)
    assert cells == [("cat", "0.90"), ("dog", "0.60")]


def test_the_box_is_drawn_around_the_mask(server: Listening) -> None:
    drawn = picture(server.client().post("/segment", files={"image": GREY}).text)
    inside = np.array(drawn)[250:330, 60:140].astype(int)
    rows = np.flatnonzero((np.abs(inside - 128).sum(axis=2) > 60).all(axis=1))
    assert rows.size, "no line runs along under the mask"


def test_the_threshold_is_obeyed(server: Listening) -> None:
    answer = server.client().post("/segment", data={"threshold": "0.7"}, files={"image": GREY})
    assert nearest(picture(answer.text), (300, 200)) == "grey"
    assert "dog" not in answer.text
    left_empty = server.client().post("/segment", data={"threshold": ""}, files={"image": GREY})
    assert "dog" in left_empty.text
    assert server.client().post("/segment", data={"threshold": "7"}, files={"image": GREY}).status_code == 422


def test_the_picture_is_allowed_on_its_page_and_scripts_are_not(server: Listening) -> None:
    policy = server.client().post("/segment", files={"image": GREY}).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "img-src data:;" in policy
    assert "script-src" not in policy
    assert "unsafe-inline" not in policy


def test_names_cannot_break_out_of_the_page(server: Listening) -> None:
    answer = server.client().post("/segment", files={"image": ('<script>"x".png', GREY)})
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_a_browser_is_shown_what_was_wrong(server: Listening) -> None:
    wrong = {"image": ("notes.txt", b"no image")}
    shown = server.client().post("/segment", files=wrong, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (shown.status_code, shown.headers["Content-Type"]) == (422, "text/html; charset=utf-8")
    assert "notes.txt" in shown.text
    assert 'action="/segment"' in shown.text
    told = server.client().post("/segment", files=wrong)
    assert told.json()["type"] == "urn:limner:problem:source.decode"


def test_without_a_model_that_segments_it_says_so(tmp_path: Path, bright: Path) -> None:
    with listening(tmp_path, [bright], {"default": "bright"}, compat="maskrcnn") as running:
        answer = running.client().post("/segment", files={"image": GREY})
        assert answer.status_code == 404
        assert "There is no model here that segments" in answer.json()["detail"]
        page = running.client().get("/").text
        assert "/segment" in page
        assert "/extract" not in page
