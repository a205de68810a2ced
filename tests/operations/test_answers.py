"""Answers in every form."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.protocol import WRITERS
from limner.annotations.page import Page
from limner.annotations.serial import annotated_page_from_plain
from limner.annotations.shapes import Box
from limner.core.errors import UnknownNameError, UsageError
from limner.models.bundle import Bundle
from limner.operations.answers import form_of, picture_side, render
from limner.operations.instant import InstantPage, InstantResult
from limner.sources.protocol import Picture

BUNDLE = Bundle(name="seals", task="detect", runtime="rapidocr", labels=("seal",))


def result(pages: int = 1, *, picture: bool = False) -> InstantResult:
    """What was found on some pages of 40 × 30 pixels."""
    found = (Annotation(shape=Box(4, 5, 10, 12), label="seal", score=0.75, id="1-1"),)
    pixels = Picture(np.zeros((30, 40, 3), np.uint8), 400, 300) if picture else None
    made = [
        InstantPage(
            AnnotatedPage(Page(id=f"{n}", name=f"{n}.jpg", index=n, width=400, height=300), found),
            pixels,
            {"decode": 0.001, "model": 0.0123456},
        )
        for n in range(pages)
    ]
    return InstantResult(BUNDLE, tuple(made))


def test_json_holds_pages_model_and_seconds() -> None:
    rendered = render(result(2), "json")
    assert rendered.media_type == "application/json"
    body = json.loads(rendered.body)
    assert body["model"] == "seals@1"
    assert body["seconds"] == {"decode": 0.002, "model": 0.02469}
    assert [annotated_page_from_plain(plain) for plain in body["pages"]] == [each.annotated for each in result(2).pages]


def test_a_format_of_one_file_is_that_file() -> None:
    rendered = render(result(2), "extractor")
    assert rendered.body == b"1 0.jpg\n4 5 10 12\n2 1.jpg\n4 5 10 12\n"
    assert rendered.media_type == "text/plain; charset=utf-8"
    assert any("scores (2)" in warning for warning in rendered.warnings)


@pytest.mark.parametrize("name", WRITERS.names())
def test_every_format_is_one_file_or_a_zip(name: str) -> None:
    rendered = render(result(2), name)
    if rendered.media_type == "application/zip":
        with zipfile.ZipFile(io.BytesIO(rendered.body)) as archive:
            assert len(archive.namelist()) >= 2
            assert archive.testzip() is None
    else:
        assert not WRITERS.get(name).per_page
        assert rendered.body.decode()


def test_an_overlay_is_drawn_on_the_picture() -> None:
    picture = Image.open(io.BytesIO(render(result(picture=True), "overlay").body))
    assert picture.size == (40, 30)
    assert len(picture.getcolors(10_000) or ()) > 1


def test_an_overlay_is_of_one_page() -> None:
    with pytest.raises(UsageError, match="one image"):
        render(result(2, picture=True), "overlay")


@pytest.mark.parametrize(
    ("asked", "accept", "form"),
    [
        (None, "", "json"),
        (None, "*/*", "json"),
        (None, "text/html,application/xhtml+xml;q=0.9", "hocr"),
        (None, "image/png", "overlay"),
        (None, "IMAGE/PNG; q=1", "overlay"),
        (None, "image/webp, text/csv", "csv"),
        ("coco", "image/png", "coco"),
        ("overlay", "", "overlay"),
        ("json", "text/csv", "json"),
    ],
)
def test_the_form_is_chosen_by_name_or_by_what_is_accepted(asked: str | None, accept: str, form: str) -> None:
    assert form_of(asked, accept) == form


def test_a_form_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="coco"):
        form_of("coko", "")


def test_only_an_overlay_needs_a_picture() -> None:
    assert picture_side("overlay") > 0
    assert {picture_side(name) for name in ("json", *WRITERS.names())} == {0}
