from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limner.annotations.annotation import ByModel
from limner.annotations.masks import shape_to_array
from limner.annotations.shapes import Box, Mask, Polygon
from limner.core.errors import ModelError, UsageError
from limner.models.bundle import Bundle
from limner.models.bundle_files import read_bundle
from limner.models.predictor import TaskPredictor
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX
from limner.models.tasks.specs import Keep, Thresholds, Tiling
from tests.models.networks import bright_boxes_bundle, classes_bundle, yolov5_bundle, yolov5n_like_bundle, yolov8_bundle

WHOLE = Options()


def load(folder: Path) -> TaskPredictor:
    return ONNX.load(read_bundle(folder), RuntimeOptions(threads=1))


def page(*rectangles, size=(512, 512), colour=(255, 255, 255)):
    """A dark page with bright rectangles: left, top, right, bottom."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for left, top, right, bottom in rectangles:
        pixels[top:bottom, left:right] = colour
    return pixels


def boxes(found):
    return sorted(each.shape.corners for each in found)


@pytest.fixture
def bright(tmp_path: Path) -> TaskPredictor:
    return load(bright_boxes_bundle(tmp_path / "bright"))


def test_rectangles_are_found_where_they_are(bright):
    drawn = [(32, 64, 256, 192), (320, 320, 384, 480)]
    found = bright.predict(page(*drawn), (512, 512), WHOLE)
    assert boxes(found) == drawn
    assert {each.label for each in found} == {"bright"}


def test_labels_scores_and_provenance(bright):
    pixels = page((0, 0, 64, 64)) + page((128, 128, 256, 256), colour=(250, 110, 60))
    found = bright.predict(pixels, (512, 512), WHOLE)
    assert [each.label for each in found] == ["bright", "red"]
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert found[0].provenance == ByModel(
        "bright", "1", bright.bundle.sha256, {"threshold": 0.3, "iou": 0.5, "max_detections": 100}
    )


def test_options_are_obeyed_and_recorded(bright):
    pixels = page((0, 0, 64, 64), colour=(140, 140, 140)) + page((128, 128, 256, 256))
    options = Options(threshold=0.8, labels=frozenset({"bright"}), zones=(Box(0, 0, 512, 512),))
    (found,) = bright.predict(pixels, (512, 512), options)
    assert found.shape == Box(128, 128, 128, 128)
    assert found.provenance.parameters == {
        "threshold": 0.8,
        "iou": 0.5,
        "max_detections": 100,
        "labels": ["bright"],
        "zones": [[0, 0, 512, 512]],
    }
    assert bright.predict(pixels, (512, 512), Options(labels=frozenset({"red"}))) == []


def test_answers_are_in_pixels_of_the_original(bright):
    found = bright.predict(page((128, 64, 256, 192)), (1024, 2048), WHOLE)
    assert boxes(found) == [(256, 256, 512, 768)]


def test_zones_answer_in_pixels_of_the_page(bright):
    drawn = [(128, 128, 192, 192), (320, 320, 448, 384)]
    zone = Box(256, 256, 256, 256)
    assert boxes(bright.predict(page(*drawn), (512, 512), Options(zones=(zone,)))) == [drawn[1]]
    # The page comes at half its size: zones are in pixels of the original.
    far = Box(512, 512, 512, 512)
    assert boxes(bright.predict(page(*drawn), (1024, 1024), Options(zones=(far,)))) == [(640, 640, 896, 768)]


def test_a_thing_that_reaches_out_of_its_zone_is_cut(bright):
    found = bright.predict(page((0, 128, 512, 256)), (512, 512), Options(zones=(Box(128, 0, 256, 512),)))
    assert boxes(found) == [(128, 128, 384, 256)]


def test_tiles_find_what_is_too_small_for_the_whole(tmp_path: Path):
    drawn = [(128, 128, 160, 160), (1024, 896, 1056, 960)]
    pixels = page(*drawn, size=(2048, 1024))
    assert load(bright_boxes_bundle(tmp_path / "plain")).predict(pixels, (2048, 1024), WHOLE) == []
    tiled = load(bright_boxes_bundle(tmp_path / "tiled", tiling=Tiling(side=512, overlap=0.25)))
    assert boxes(tiled.predict(pixels, (2048, 1024), WHOLE)) == drawn
    assert (tiled.wanted_side, tiled.bundle.input.wanted_side) == (None, 256)


def test_things_larger_than_a_tile_are_whole(tmp_path: Path):
    for whole in (True, False):
        tiling = Tiling(side=512, overlap=0.25, whole=whole)
        tiled = load(bright_boxes_bundle(tmp_path / f"tiled-{whole:d}", tiling=tiling))
        pixels = page((128, 256, 1920, 768), size=(2048, 1024))
        assert boxes(tiled.predict(pixels, (2048, 1024), WHOLE)) == [(128, 256, 1920, 768)]


def test_tiles_in_a_zone(tmp_path: Path):
    tiled = load(bright_boxes_bundle(tmp_path / "tiled", tiling=Tiling(side=512, overlap=0.25)))
    drawn = [(128, 128, 160, 160), (1056, 544, 1088, 576)]
    zone = Box(1024, 512, 640, 512)
    found = tiled.predict(page(*drawn, size=(2048, 1024)), (2048, 1024), Options(zones=(zone,)))
    assert len(found) == 1
    assert found[0].shape.iou(Box.from_corners(*drawn[1])) > 0.7


def test_the_chosen_rows_of_a_yolov5_head(tmp_path: Path):
    rows = [[32, 16, 20, 8, 0.9, 1, 0], [32, 16, 20, 8, 0.5, 1, 0], [8, 32, 8, 8, 0.6, 0, 1], [8, 32, 8, 8, 0.2, 0, 1]]
    found = load(yolov5_bundle(tmp_path / "v5", rows)).predict(page(size=(128, 128)), (128, 128), WHOLE)
    assert [(each.label, round(each.score, 3), each.shape) for each in found] == [
        ("a", 0.9, Box(44, 24, 40, 16)),
        ("b", 0.6, Box(8, 56, 16, 16)),
    ]


def test_the_chosen_rows_of_a_yolov8_head_with_masks(tmp_path: Path):
    prototypes = np.full((2, 16, 16), -1, np.float32)
    prototypes[0, :, :8] = 1  # left half
    rows = [[32, 32, 64, 64, 0.9, 0, 1, 0], [48, 16, 16, 16, 0, 0.8, 0, -1]]
    predictor = load(yolov8_bundle(tmp_path / "v8", rows, prototypes=prototypes))
    found = predictor.predict(page(size=(256, 256)), (256, 256), WHOLE)
    assert [type(each.shape) for each in found] == [Mask, Mask]
    assert found[0].shape.bounds == Box(0, 0, 128, 256)
    assert found[1].shape.bounds == Box(160, 32, 64, 64)
    assert found[0].shape.width == 256


def test_pixel_classes_become_regions_at_full_size(tmp_path: Path):
    predictor = load(classes_bundle(tmp_path / "classes", tolerance=0))
    pixels = page((16, 16, 64, 96), colour=(255, 0, 0), size=(128, 128)) + page(
        (80, 0, 112, 32), colour=(0, 0, 255), size=(128, 128)
    )
    found = predictor.predict(pixels, (256, 256), WHOLE)
    assert {each.label for each in found} == {"red", "blue"}
    red = next(each for each in found if each.label == "red")
    assert isinstance(red.shape, Polygon)
    assert red.shape.bounds == Box(32, 32, 96, 160)
    assert red.score > 0.95


def test_pixel_classes_in_tiles_are_one_region(tmp_path: Path):
    folder = classes_bundle(tmp_path / "classes", shape="mask", resize=Keep())
    predictor = ONNX.load(read_bundle(folder).changed(tiling=Tiling(side=64, overlap=0.25)), RuntimeOptions(threads=1))
    pixels = page((10, 20, 190, 140), colour=(0, 255, 0), size=(200, 150))
    (found,) = predictor.predict(pixels, (200, 150), WHOLE)
    assert found.label == "green"
    assert np.array_equal(shape_to_array(found.shape, 200, 150), pixels[:, :, 1] > 0)


def test_pixel_classes_in_a_zone(tmp_path: Path):
    predictor = load(classes_bundle(tmp_path / "classes", shape="box", resize=Keep()))
    pixels = page((10, 20, 190, 140), colour=(0, 255, 0), size=(200, 150))
    (found,) = predictor.predict(pixels, (200, 150), Options(zones=(Box(100, 100, 60, 50),)))
    assert found.shape == Box(100, 100, 60, 40)


def test_a_network_of_yolov5n_s_cost(tmp_path: Path):
    folder = yolov5n_like_bundle(tmp_path / "n", side=64)
    assert load(folder).predict(page(), (512, 512), WHOLE) == []
    assert 1_800_000 * 4 < read_bundle(folder).weights.size < 2_000_000 * 4


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)],
)
def test_what_is_no_image_is_refused(bright, pixels):
    with pytest.raises(UsageError, match="An image is"):
        bright.predict(pixels, (8, 8), WHOLE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(labels=frozenset({"cat"})), "has no label cat. It has bright, red"),
        (Options(threshold=1.5), "between 0 and 1"),
    ],
)
def test_what_cannot_be_asked_is_refused(bright, options, message):
    with pytest.raises(UsageError, match=message):
        bright.predict(page(), (512, 512), options)


def test_a_limit_holds_for_regions_too(tmp_path: Path):
    folder = classes_bundle(tmp_path / "classes", shape="box", resize=Keep())
    bundle = read_bundle(folder).changed(thresholds=Thresholds(score=0, max_detections=1))
    pixels = page((0, 0, 20, 20), (50, 50, 120, 120), colour=(255, 0, 0), size=(200, 150))
    (found,) = ONNX.load(bundle, RuntimeOptions()).predict(pixels, (200, 150), WHOLE)
    assert found.shape == Box(50, 50, 70, 70)


def test_a_bundle_must_say_how_it_is_fed_and_read():
    bundle = Bundle(name="text", task="ocr", runtime="other")
    with pytest.raises(ModelError, match="does not say"):
        TaskPredictor(bundle, None)
