from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import BundleError, UsageError
from limner.models.bundle import Bundle, Weights, checked_name, make_bundle, parse_bundle, render_bundle
from limner.models.tasks.specs import (
    Boxes,
    Detr,
    Fixed,
    Input,
    Keep,
    Letterbox,
    Longest,
    PerImage,
    PixelClasses,
    Rows,
    Shortest,
    Stretch,
    Tiling,
    TotalPixels,
    YoloV5,
    YoloV8,
)


def detector(**changes):
    fields = {"name": "m", "task": "detect", "labels": ("a", "b"), "input": Input(), "decoder": YoloV5()}
    return Bundle(**(fields | changes))


# What the importers to come will have to say, each read back as it was written.
@pytest.mark.parametrize(
    "bundle",
    [
        detector(),
        detector(decoder=YoloV8(masks=32), task="segment", tiling=Tiling(side=1000)),
        detector(decoder=Rows()),
        detector(  # torchvision: the transform inside the network, labels from 1
            input=Input(layout="chw", resize=Keep(longest=2000), stride=1, dynamic=True, pad=None),
            decoder=Boxes(outputs=("boxes", "labels", "scores", "masks"), first_label=1),
            task="segment",
        ),
        detector(  # Detectron2
            input=Input(
                channels="bgr",
                resize=Shortest(side=800, longest=1333),
                filter="pillow-bilinear",
                normalisation=Fixed(scale=1, mean=(103.53, 116.28, 123.675)),
                pad=None,
                dynamic=True,
            ),
            decoder=Boxes(),
        ),
        detector(  # docExtractor
            task="segment",
            input=Input(
                resize=TotalPixels(pixels=220_000),
                filter="pillow-lanczos",
                normalisation=PerImage(),
                stride=1,
                dynamic=True,
            ),
            decoder=PixelClasses(minimum_areas={"a": 0.005, "b": 0.0001}),
        ),
        detector(  # RT-DETR
            input=Input(resize=Stretch(width=640, height=640), size_input="orig_target_sizes"), decoder=Detr()
        ),
        detector(input=Input(resize=Longest(side=448), layout="nhwc", dtype="uint8")),
        Bundle(name="text", task="ocr", runtime="rapidocr", labels=("line",), parameters={"languages": ["fr", "en"]}),
    ],
    ids=lambda bundle: bundle.decoder.name if bundle.decoder else bundle.runtime,
)
def test_what_is_written_is_read_back_the_same(bundle):
    text = render_bundle(bundle)
    assert parse_bundle(text) == bundle
    assert render_bundle(parse_bundle(text)) == text


def test_unknown_keys_are_named_wherever_they_stand():
    plain = json.loads(render_bundle(detector()))
    plain["colour"] = "red"
    plain["input"]["resize"]["widht"] = 3
    with pytest.raises(BundleError, match=r"input\.resize\.letterbox\.widht.*colour"):
        parse_bundle(json.dumps(plain))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../up"}, "name"),
        ({"name": "Page"}, "name"),
        ({"name": ".hidden"}, "name"),
        ({"version": "1/2"}, "version"),
        ({"labels": ("a", "a")}, "stands there twice: a"),
        ({"labels": ()}, "needs labels"),
        ({"task": "ocr"}, "does not belong to the task"),
        ({"input": None}, "needs input and decoder"),
        ({"decoder": {"name": "pickle"}}, "decoder"),
        ({"task": "segment", "decoder": {"name": "classes", "minimum_areas": {"z": 0.1}}}, "do not exist: z"),
        ({"decoder": {"name": "boxes", "outputs": ("boxes",)}}, "boxes and for scores"),
        ({"decoder": {"name": "boxes", "outputs": ("boxes", "boxes", "scores")}}, "only once"),
        ({"decoder": {"name": "detr", "outputs": ("boxes",)}}, "one for logits"),
        ({"input": {"normalisation": {"kind": "fixed", "std": (1, 0, 1)}}}, "cannot be 0"),
        ({"input": {"resize": {"rule": "stretch", "width": 10**9, "height": 1}}}, "16384"),
        ({"weights": {"file": "../../etc/passwd", "sha256": "0" * 64, "size": 1}}, "weights.file"),
        ({"format": 2}, "format"),
    ],
)
def test_what_is_impossible_is_refused_by_name(changes, message):
    plain = json.loads(render_bundle(detector())) | changes
    with pytest.raises(BundleError, match=message):
        make_bundle(plain)


def test_numbers_that_are_none_are_refused():
    text = render_bundle(detector()).replace('"score": 0.25', '"score": NaN')
    with pytest.raises(BundleError, match="score"):
        parse_bundle(text)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(BundleError, match=r"bundle\.json cannot be used"):
        parse_bundle(text)


def test_changing_checks_again_and_keeps_the_folder(tmp_path: Path):
    bundle = detector().at(tmp_path)
    changed = bundle.changed(name="other", version="2")
    assert (changed.ref, changed.folder, bundle.ref) == ("other@2", tmp_path, "m@1")
    with pytest.raises(BundleError, match="twice"):
        bundle.changed(labels=("x", "x"))


def test_a_bundle_is_frozen_and_knows_where_its_weights_are(tmp_path: Path):
    bundle = detector(weights=Weights(sha256="0" * 64, size=5))
    with pytest.raises(BundleError, match="no file of weights"):
        _ = bundle.weights_path
    assert bundle.at(tmp_path).weights_path == tmp_path / "model.onnx"
    assert bundle.folder is None  # at() is a copy
    with pytest.raises(ValueError, match="frozen"):
        bundle.name = "x"
    assert detector().sha256 == ""


@pytest.mark.parametrize(
    ("resize", "side"),
    [
        (Letterbox(width=640, height=448), 640),
        (Stretch(width=640, height=320), 1280),
        (Longest(side=1024), 1024),
        (Shortest(side=800, longest=1333), 1333),
        (TotalPixels(pixels=1_000_000), 2000),
        (Keep(), None),
        (Keep(longest=3000), 3000),
    ],
)
def test_the_side_that_is_wanted_follows_the_input(resize, side):
    assert detector(input=Input(resize=resize)).wanted_side == side


def test_tiles_want_the_full_size():
    assert detector(tiling=Tiling()).wanted_side is None


@settings(deadline=None)
@given(st.text(max_size=80))
def test_a_checked_name_is_a_plain_file_name(name):
    try:
        checked_name(name)
    except UsageError:
        return
    assert Path(name).name == name
    assert name == name.strip().lower()
    assert len(name) <= 64
    assert not name.startswith(".")
    assert name.isascii()


def test_a_name_may_not_end_in_a_line_break():
    with pytest.raises(UsageError):
        checked_name("model\n")
