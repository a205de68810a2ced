from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from limner.annotations.annotation import ByModel
from limner.annotations.masks import mask_from_array, shape_to_array
from limner.annotations.shapes import Box, Mask, Polygon
from limner.core.errors import ModelError
from limner.models.tasks.detect import Request
from limner.models.tasks.letterbox import plan_input
from limner.models.tasks.segment import ClassMap, class_map, regions, stitched
from limner.models.tasks.specs import Input, Keep, Letterbox, PixelClasses
from tests.models.parity import expected, image_size, parity_folder


def request(labels=("a", "b"), threshold=0.0, wanted=None) -> Request:
    return Request(labels, np.array(wanted or [True] * len(labels)), threshold, 0.5, 100, ByModel("m", "1"))


def drawn(*rectangles, size=(40, 60)):
    """A map with rectangles: class, left, top, right, bottom."""
    classes = np.zeros(size, np.uint8)
    for value, left, top, right, bottom in rectangles:
        classes[top:bottom, left:right] = value
    return classes


def found(classes, spec, asked=None, certainty=None):
    height, width = classes.shape
    area = Box(0, 0, width, height)
    return list(regions(ClassMap(classes, certainty), area, (width, height), spec, asked or request()))


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [("box", Box(5, 6, 10, 20)), ("polygon", Polygon(((5, 6), (5, 26), (15, 26), (15, 6)))), ("mask", None)],
)
def test_a_region_as_any_shape(shape, wanted):
    classes = drawn((2, 5, 6, 15, 26))
    (region,) = found(classes, PixelClasses(shape=shape))
    assert (region.label, region.score) == ("b", None)
    if shape == "mask":
        assert region.shape == mask_from_array(classes == 2)
    elif shape == "polygon":
        assert region.shape.bounds == wanted.bounds
        assert region.shape.area == wanted.area
    else:
        assert region.shape == wanted


def test_small_regions_are_left_out_by_label():
    classes = drawn((1, 0, 0, 10, 10), (2, 20, 0, 30, 10), (1, 40, 0, 42, 2))
    spec = PixelClasses(shape="box", minimum_area=0.01, minimum_areas={"b": 0.5})
    assert [(each.label, each.shape) for each in found(classes, spec)] == [("a", Box(0, 0, 10, 10))]


def test_only_wanted_labels_are_looked_for():
    classes = drawn((1, 0, 0, 10, 10), (2, 20, 0, 30, 10))
    assert [each.label for each in found(classes, PixelClasses(), request(wanted=[False, True]))] == ["b"]


def test_another_background():
    classes = drawn((1, 0, 0, 10, 10), (2, 20, 0, 30, 10))
    assert [each.label for each in found(classes, PixelClasses(background=1))] == ["a", "b"]
    assert [each.label for each in found(classes, PixelClasses(background=None), request(("x", "y", "z")))] == list(
        "xyz"
    )


def test_regions_inside_holes_are_kept_when_asked():
    classes = drawn((1, 2, 2, 38, 38), (0, 6, 6, 34, 34), (1, 15, 15, 25, 25))
    outer = PixelClasses(tolerance=0)
    (ring,) = found(classes, outer)
    assert ring.shape.area == 36 * 36 - 28 * 28
    assert len(found(classes, PixelClasses(nested=True))) == 2


def test_a_region_does_not_take_in_others_in_its_bounds():
    classes = drawn((1, 0, 0, 30, 3), (1, 0, 0, 3, 30), (1, 15, 15, 25, 25))
    shapes = [each.shape for each in found(classes, PixelClasses(shape="mask"))]
    assert sorted(shape.area for shape in shapes) == [100, 30 * 3 + 27 * 3]


def test_pixels_that_touch_by_a_corner_are_one_region_with_one_line():
    classes = drawn((1, 0, 0, 10, 10), (1, 10, 10, 20, 20))
    (region,) = found(classes, PixelClasses(tolerance=0))
    assert isinstance(region.shape, Polygon)
    inside = shape_to_array(region.shape, 60, 40)
    assert (inside & (classes == 1)).sum() == 200
    assert inside.sum() == 201


def test_polygons_are_simplified_within_the_tolerance():
    rows, columns = np.ogrid[:200, :200]
    classes = (((rows - 100) ** 2 + (columns - 100) ** 2) < 80**2).astype(np.uint8)
    exact, simple = (found(classes, PixelClasses(tolerance=t))[0].shape for t in (0, 0.01))
    assert len(simple.exterior) < len(exact.exterior) / 4
    assert abs(simple.area / exact.area - 1) < 0.03


def test_the_score_is_the_mean_certainty_and_a_threshold_holds():
    classes, certainty = drawn((1, 0, 0, 10, 10), (2, 20, 0, 30, 10)), np.zeros((40, 60), np.uint8)
    certainty[0:10, 0:10], certainty[0:5, 20:30], certainty[5:10, 20:30] = 51, 255, 204
    scores = {each.label: each.score for each in found(classes, PixelClasses(), certainty=certainty)}
    assert scores == pytest.approx({"a": 0.2, "b": 0.9})
    assert [each.label for each in found(classes, PixelClasses(), request(threshold=0.5), certainty)] == ["b"]


PLAN = plan_input(Input(resize=Letterbox(width=64, height=64)), (64, 32))  # 16 rows of padding above and below


def test_classes_from_logits_without_the_padding():
    logits = np.zeros((1, 3, 64, 64), np.float32)
    logits[0, 1, 16:48, :32] = 2.0
    logits[0, 2, :16] = 9.0  # padding
    layers = class_map([logits], PixelClasses(), 2, PLAN)
    assert layers.classes.shape == (32, 64)
    assert (layers.classes[:, :32] == 1).all()
    assert (layers.classes[:, 32:] == 0).all()
    assert layers.certainty[0, 0] == round(255 * np.exp(2) / (np.exp(2) + 2))
    assert layers.certainty[0, 40] == 85


def test_probabilities_are_taken_as_they_are():
    planes = np.full((3, 64, 64), 0.1, np.float32)
    planes[2] = 0.8
    layers = class_map([planes], PixelClasses(activation="none"), 2, PLAN)
    assert (layers.classes == 2).all()
    assert (layers.certainty == 204).all()


def test_a_second_output_says_how_probable_the_classes_are():
    classes, scores = np.ones((1, 64, 64), np.uint8), np.full((1, 64, 64), 0.6, np.float32)
    assert (class_map([classes, scores], PixelClasses(), 2, PLAN).certainty == 153).all()
    assert class_map([classes, scores[:, :32]], PixelClasses(), 2, PLAN).certainty is None


def test_large_logits_do_not_overflow():
    logits = np.array([1e4, -1e4, 0], np.float32)[:, None, None] * np.ones((3, 64, 64), np.float32)
    assert (class_map([logits], PixelClasses(), 2, PLAN).certainty == 255).all()


@pytest.mark.parametrize("shape", [(64, 64), (1, 64, 64), (1, 1, 64, 64)])
def test_classes_that_come_as_such_have_no_certainty(shape):
    layers = class_map([np.full(shape, 2, np.int64)], PixelClasses(), 2, PLAN)
    assert (layers.classes == 2).all()
    assert layers.certainty is None


def test_a_coarser_map_is_cut_at_its_own_scale():
    planes = np.zeros((3, 16, 16), np.float32)
    planes[1, 4:12] = 1
    assert (class_map([planes], PixelClasses(), 2, PLAN).classes == np.ones((8, 16))).all()


@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (3, 8), (2, 3, 8, 8), (8,)])
def test_other_outputs_are_named(shape):
    with pytest.raises(ModelError, match="for 2 labels there would be 3 planes"):
        class_map([np.zeros(shape, np.float32)], PixelClasses(), 2, PLAN)


def test_tiles_are_stitched_by_their_cores():
    left, right = np.full((10, 12), 1, np.uint8), np.full((10, 12), 2, np.uint8)
    parts = [
        (ClassMap(left, left * 100), Box(0, 0, 12, 10), Box(0, 0, 10, 10)),
        (ClassMap(right, right * 100), Box(8, 0, 12, 10), Box(10, 0, 10, 10)),
    ]
    whole = stitched(parts, Box(0, 0, 20, 10), 0)
    assert (whole.classes[:, :10] == 1).all()
    assert (whole.classes[:, 10:] == 2).all()
    assert (whole.certainty == whole.classes * 100).all()
    unknown = [(ClassMap(left, None), shown, core) for _, shown, core in parts]
    assert stitched(unknown, Box(0, 0, 20, 10), 0).certainty is None


def test_maps_are_brought_to_the_size_of_the_page_and_regions_to_their_place():
    part = ClassMap(drawn((1, 0, 0, 10, 10), size=(10, 20)), None)
    area = Box(100, 50, 40, 20)
    whole = stitched([(part, area, area)], area, 0)
    (region,) = regions(whole, area, (500, 400), PixelClasses(shape="mask", minimum_area=0), request())
    assert isinstance(region.shape, Mask)
    assert region.shape.bounds == Box(100, 50, 20, 20)


@pytest.mark.parametrize("at", range(3))
def test_the_same_regions_as_docextractor(at):
    known = expected("docextractor")["images"][at]
    name = known["image"]
    size = image_size(name)
    with Image.open(parity_folder() / "docextractor" / f"labels_{name}") as labels:
        classes = np.asarray(labels) // 100
    spec = PixelClasses(shape="box", minimum_areas={"illustration": 0.005, "text": 0.0001})
    area = Box(0, 0, *size)
    whole = stitched([(ClassMap(classes.astype(np.uint8), None), area, area)], area, 0)
    ours = regions(whole, area, size, spec, request(("illustration", "text")))
    boxes = sorted((each.label, each.shape.x, each.shape.y, each.shape.width, each.shape.height) for each in ours)
    assert boxes == sorted((each["label"], *each["box"]) for each in known["instances"])


def test_a_plan_that_keeps_the_size():
    plan = plan_input(Input(resize=Keep(), stride=32, dynamic=True), (60, 40))
    planes = np.zeros((3, 64, 64), np.float32)
    assert class_map([planes], PixelClasses(), 2, plan).classes.shape == (40, 60)
