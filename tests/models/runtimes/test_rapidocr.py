"""The real engine on small drawn images."""

from __future__ import annotations

import hashlib
import logging
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import font_caladea
import numpy as np
import pytest
import rapidocr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from limner.annotations.annotation import ByModel
from limner.annotations.shapes import Box, Polygon
from limner.core.errors import BundleError, ModelError, UsageError
from limner.models.builtin import TEXT, TEXT_REGIONS
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.rapidocr import RAPIDOCR, batches

FONT = ImageFont.truetype(font_caladea.font_files["Caladea"], 30)
LINES = ("Le château en été", "garçon, où êtes-vous", "printed in 1612")
#: Something that is hardly text, and a line.
UNSURE = (". : . :", "", LINES[2])
WEIGHTS = Path(rapidocr.__file__).parent / "models"
ENDS = {"text": ("PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"), "text-regions": ("PP-OCRv6_det_small.onnx",)}


def drawn(lines=LINES, size=(460, 220), left=40):
    image = Image.new("RGB", size, (244, 236, 216))
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((left, 30 + 55 * number), line, font=FONT, fill=(40, 30, 20))
    return image


def look(model, image, options=None, size=None):
    return model.predict(np.asarray(image), size or image.size, options or Options())


@pytest.fixture(scope="module")
def text():
    return RAPIDOCR.load(TEXT, RuntimeOptions(threads=2))


@pytest.fixture(scope="module")
def regions():
    return RAPIDOCR.load(TEXT_REGIONS, RuntimeOptions(threads=2))


class TestText:
    def test_lines_are_read_in_order_with_their_accents(self, text):
        assert [line.text for line in look(text, drawn())] == list(LINES)

    def test_lines_say_who_read_them(self, text):
        (line, *_) = look(text, drawn(), Options(threshold=0.25))
        sha256 = hashlib.sha256(b"".join((WEIGHTS / name).read_bytes() for name in ENDS["text"])).hexdigest()
        assert line.provenance == ByModel("text", "1", sha256, {"threshold": 0.25})
        assert line.label == "line"
        assert 0.8 < line.score <= 1

    def test_lines_lie_where_they_were_drawn(self, text):
        for number, line in enumerate(look(text, drawn())):
            drawn_at = Box(40, 30 + 55 * number, FONT.getlength(LINES[number]), 38)
            assert line.shape.bounds.iou(drawn_at) > 0.6

    def test_answers_are_in_pixels_of_the_original(self, text):
        image = drawn()
        plain, large = (look(text, image, size=(460 * k, 220 * k)) for k in (1, 3))
        assert [line.shape for line in large] == [line.shape.scaled(3, 3) for line in plain]

    def test_a_leaning_line_is_a_polygon(self, text):
        leaning = drawn(LINES[:1]).rotate(8, fillcolor=(244, 236, 216), resample=Image.Resampling.BICUBIC)
        (line,) = look(text, leaning)
        assert isinstance(line.shape, Polygon)
        assert line.text == LINES[0]

    @pytest.mark.parametrize("degrees", [90, 270])
    def test_a_line_that_runs_upwards_or_downwards_is_read(self, text, degrees):
        (line,) = look(text, drawn(LINES[:1]).rotate(degrees, expand=True))
        assert line.text == LINES[0]

    def test_zones_limit_what_is_read(self, text):
        found = look(text, drawn(), Options(zones=(Box(0, 75, 460, 60),)))
        assert [line.text for line in found] == [LINES[1]]
        assert found[0].provenance.parameters["zones"] == [[0, 75, 460, 135]]

    def test_zones_may_come_in_any_order(self, text):
        zones = (Box(0, 75, 460, 200), Box(0, 0, 460, 75))
        assert [line.text for line in look(text, drawn(), Options(zones=zones))] == list(LINES)

    def test_the_threshold_is_obeyed(self, text):
        scores = [line.score for line in look(text, drawn())]
        assert look(text, drawn(), Options(threshold=1.0)) == [] or max(scores) == 1.0
        assert len(look(text, drawn(), Options(threshold=min(scores)))) == len(LINES)

    def test_two_columns(self, text):
        image = drawn(size=(1000, 220))
        image.paste(drawn(("gauche", "et droite")), (540, 0))
        assert [line.text for line in look(text, image)] == [*LINES, "gauche", "et droite"]


class TestRegions:
    def test_every_line_is_found_and_none_is_read(self, regions):
        found = look(regions, drawn())
        assert len(found) == len(LINES)
        assert {region.label for region in found} == {"text"}
        assert {region.text for region in found} == {None}

    def test_the_best_comes_first(self, regions):
        scores = [region.score for region in look(regions, drawn())]
        assert scores == sorted(scores, reverse=True)

    def test_each_score_belongs_to_its_region(self, regions):
        """RapidOCR sorts its regions and leaves their scores behind."""
        dots, line = sorted(look(regions, drawn(UNSURE), Options(threshold=0.2)), key=lambda each: each.shape.bounds.y)
        assert dots.shape.bounds.y2 < 90 < line.shape.bounds.y
        assert dots.score < 0.6 < 0.7 < line.score

    def test_the_threshold_is_obeyed_below_the_default_too(self, regions):
        counts = [len(look(regions, drawn(UNSURE), Options(threshold=t))) for t in (0.2, 0.65, 1.0)]
        assert counts == [2, 1, 0]

    def test_its_weights_are_the_detector_alone(self, regions):
        expected = hashlib.sha256((WEIGHTS / ENDS["text-regions"][0]).read_bytes()).hexdigest()
        assert look(regions, drawn())[0].provenance.weights == expected


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 700), (700, 1), (5, 3), (20, 2500), (2500, 20), (64, 64)], ids=lambda shape: f"{shape}"
)
@pytest.mark.parametrize("value", [0, 255])
def test_images_without_text_have_no_lines(text, shape, value):
    assert text.predict(np.full((*shape, 3), value, np.uint8), (shape[1], shape[0]), Options()) == []


def test_an_image_without_pixels_has_no_lines(text):
    assert text.predict(np.zeros((0, 5, 3), np.uint8), (5, 1), Options()) == []


def test_a_line_that_fills_its_image_is_read(text):
    box = FONT.getbbox(LINES[1])
    image = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), "white")
    ImageDraw.Draw(image).text((-box[0], -box[1]), LINES[1], font=FONT, fill="black")
    assert [line.text for line in look(text, image)] == [LINES[1]]


@pytest.mark.slow
def test_a_large_noisy_image_is_no_problem(text):
    noise = np.random.default_rng(1).integers(0, 256, (5000, 4000, 3), np.uint8)
    for line in text.predict(noise, (4000, 5000), Options(threshold=0)):
        assert line.shape.bounds.x2 <= 4000
        assert line.shape.bounds.y2 <= 5000


@pytest.mark.slow
def test_threads_may_share_a_model(text):
    images = [drawn((line,)) for line in LINES] * 4
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: [line.text for line in look(text, image)], images))
    assert found == [[line] for line in LINES] * 4


def test_labels_are_obeyed(text):
    assert look(text, drawn(), Options(labels=frozenset({"line"})))
    with pytest.raises(UsageError, match="word"):
        look(text, drawn(), Options(labels=frozenset({"word"})))


def test_nothing_is_asked_of_the_network(monkeypatch):
    def refused(*_args):
        raise AssertionError("RapidOCR opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refused)
    model = RAPIDOCR.load(TEXT_REGIONS, RuntimeOptions())
    assert len(look(model, drawn())) == len(LINES)


def test_the_engine_runs_where_it_is_told(regions):
    network = regions._engine.find.detector.session.session
    assert network.get_providers() == ["CPUExecutionProvider"]
    assert network.get_session_options().intra_op_num_threads == 2


def test_a_provider_that_is_not_there_is_an_error():
    with pytest.raises(ModelError, match="RocksExecutionProvider"):
        RAPIDOCR.load(TEXT_REGIONS, RuntimeOptions(providers=("RocksExecutionProvider",)))


def test_the_engine_says_nothing_of_its_own():
    RAPIDOCR.load(TEXT_REGIONS, RuntimeOptions())
    assert logging.getLogger("RapidOCR").level == logging.ERROR


def test_a_closed_model_says_so():
    model = RAPIDOCR.load(TEXT_REGIONS, RuntimeOptions())
    model.close()
    with pytest.raises(ModelError, match="closed"):
        look(model, drawn())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": {}}, "detector"),
        ({"parameters": {"detector": "../x.onnx"}}, "detector"),
        ({"parameters": {**TEXT.parameters, "colour": 1}}, "colour"),
        ({"parameters": TEXT_REGIONS.parameters}, "recogniser"),
        ({"parameters": {**TEXT.parameters, "detector": "other.onnx"}}, "other.onnx"),
        ({"labels": ()}, "label"),
    ],
)
def test_a_bundle_that_cannot_be_loaded_says_why(changes, said):
    with pytest.raises(ModelError, match=said) as caught:
        RAPIDOCR.load(TEXT.changed(**changes), RuntimeOptions())
    assert isinstance(caught.value, BundleError) or said == "other.onnx"


def test_the_engine_is_imported_only_when_a_model_is_loaded():
    code = (
        "import sys, limner.models.runtimes.rapidocr; print({'rapidocr', 'onnxruntime', 'omegaconf'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"


@given(st.lists(st.integers(1, 400), max_size=40), st.integers(100, 1000))
def test_batches_hold_each_line_once_and_are_not_too_wide(widths, most):
    made = list(batches(widths, most))
    assert sorted(at for batch in made for at in batch) == list(range(len(widths)))
    assert all(len(batch) == 1 or max(widths[at] for at in batch) * len(batch) <= most for batch in made)
