"""The sample pages: always the same, not large, and true."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys

import iiif_prezi3
import numpy as np
import pytest
from PIL import Image

from limner.annotations.shapes import Box
from limner.operations.samples import sample_manifest, sample_pages
from limner.operations.samples.pages import HEIGHT, PLANS, WIDTH, draw_page

LABELS = {"illustration", "initial", "text", "margin", "numbering", "running-title", "table"}
PAPER = 190


@pytest.fixture(scope="module")
def pages():
    return sample_pages()


@pytest.fixture(scope="module")
def pixels(pages):
    return {page.name: np.asarray(Image.open(io.BytesIO(page.jpeg)).convert("L")) for page in pages}


def inside(box, outer):
    return outer.intersection(box) == box


def centre_in(box, outer):
    x, y = box.x + box.width / 2, box.y + box.height / 2
    return outer.x <= x <= outer.x2 and outer.y <= y <= outer.y2


def darkest(image, box):
    left, top, right, bottom = (round(edge) for edge in box.corners)
    return image[top:bottom, left:right].min()


def test_there_are_eight_pages_with_their_names(pages):
    assert [page.name for page in pages] == [f"page-{number:02}.jpg" for number in range(1, 9)]
    assert len({page.label for page in pages}) == 8


def test_images_are_small_files_of_the_announced_size(pages):
    for page in pages:
        image = Image.open(io.BytesIO(page.jpeg))
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert image.size == (page.width, page.height) == (WIDTH, HEIGHT)
        assert len(page.jpeg) <= 300_000


def test_pages_are_not_drawn_again(pages):
    assert all(page is again for page, again in zip(pages, sample_pages(), strict=True))


def test_pixels_are_the_same_in_another_process():
    code = (
        "import hashlib; from limner.operations.samples.pages import draw_page\n"
        "print([hashlib.sha256(draw_page(number)[0].tobytes()).hexdigest() for number in (4, 8)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    ours = [hashlib.sha256(draw_page(number)[0].tobytes()).hexdigest() for number in (4, 8)]
    assert done.stdout.strip() == str(ours)


def test_the_truth_is_the_same_each_time(pages):
    _, sheet = draw_page(7)
    assert [box for _, box in sheet.lines] == [line.shape for line in pages[6].lines]
    assert [zone.id for zone in pages[6].truth][:2] == ["page-07-zone-1", "page-07-zone-2"]


def test_all_kinds_of_zones_occur_and_no_others(pages):
    assert {zone.label for page in pages for zone in page.truth} == LABELS


def test_the_truth_lies_inside_the_page_and_is_boxes(pages):
    whole = Box(0, 0, WIDTH, HEIGHT)
    for page in pages:
        ids = [each.id for each in (*page.truth, *page.lines)]
        assert len(set(ids)) == len(ids)
        assert all(inside(each.shape, whole) for each in (*page.truth, *page.lines))


def test_there_is_ink_wherever_the_truth_says_so(pages, pixels):
    for page in pages:
        assert all(darkest(pixels[page.name], each.shape) < PAPER - 40 for each in (*page.truth, *page.lines))


def test_margins_hold_nothing(pages, pixels):
    for page in pages:
        assert np.median(pixels[page.name][40:90, 300:900]) > PAPER


def test_every_line_stands_in_a_zone_and_in_no_picture(pages):
    for page in pages:
        pictures = [zone.shape for zone in page.truth if zone.label in {"illustration", "initial"}]
        zones = [zone.shape for zone in page.truth if zone.label not in {"illustration", "initial"}]
        for line in page.lines:
            assert any(centre_in(line.shape, zone) for zone in zones), line.text
            assert not any(centre_in(line.shape, picture) for picture in pictures), line.text


def test_lines_say_what_is_written_without_our_marks(pages):
    for page in pages:
        assert page.lines
        assert {line.label for line in page.lines} == {"line"}
        assert not set("|~") & set(page.text)
    assert "où l’on dit pourquoi il faut des images" in pages[1].text
    assert pages[6].text.count("\n7 h ") == 3


def test_lines_do_not_overlap(pages):
    for page in pages:
        boxes = [line.shape for line in page.lines]
        assert max(one.iou(other) for at, one in enumerate(boxes) for other in boxes[:at]) < 0.05


class TestManifest:
    def test_it_is_what_others_take_for_a_manifest(self):
        manifest = iiif_prezi3.Manifest(**sample_manifest("http://127.0.0.1:8000"))
        assert len(manifest.items) == len(PLANS)

    def test_it_can_be_written_as_json_and_names_its_licence(self):
        text = json.dumps(sample_manifest("http://127.0.0.1:8000/"))
        assert "publicdomain/zero" in text
        assert "8000//" not in text

    def test_every_canvas_shows_the_image_of_its_page(self, pages):
        canvases = sample_manifest("http://host/demo")["items"]
        for canvas, page in zip(canvases, pages, strict=True):
            painting = canvas["items"][0]["items"][0]
            assert painting["body"]["id"] == f"http://host/demo/images/{page.name}"
            assert (painting["body"]["width"], painting["body"]["height"]) == (page.width, page.height)
            assert painting["target"] == canvas["id"]
            assert canvas["label"] == {"none": [page.label]}

    def test_one_canvas_is_larger_than_its_image(self):
        sizes = [(canvas["width"], canvas["height"]) for canvas in sample_manifest("http://host")["items"]]
        assert sizes.count((WIDTH, HEIGHT)) == len(PLANS) - 1
        assert sizes.count((3000, 4000)) == 1
