import base64
import io
import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.coco import COCO
from limner.annotations.formats.labelme import LABELME
from limner.annotations.formats.protocol import Feature, ParseContext
from limner.annotations.masks import mask_from_array, polygons_to_array, shape_to_array
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Mask, Polygon
from limner.core.errors import FormatError
from tests.annotations.formats.files import one_file, problems_of, reread, written
from tests.annotations.strategies import documents

PAGE = Page(id="1", name="0001.png", index=0, width=20, height=10)


def document(*annotations: Annotation, error: str | None = None) -> Document:
    return Document(id="d", title="d", pages=[AnnotatedPage(PAGE, annotations, error)])


def contents(page: AnnotatedPage) -> list[tuple[object, ...]]:
    return [(a.shape, a.label, a.score, a.text, dict(a.attributes), a.provenance) for a in page.annotations]


@given(documents(LABELME.holds - {Feature.HOLES}))
def test_everything_but_holes_comes_back_as_it_was(document: Document) -> None:
    read = reread(LABELME, written(LABELME, document))
    assert [page.page.name for page in read] == [page.page.name for page in document.pages]
    for before, after in zip(document.pages, read, strict=True):
        assert contents(after) == contents(before)
        assert (after.page.width, after.page.height) == (before.page.width, before.page.height)


@given(documents(frozenset({Feature.HOLES})))
def test_polygons_with_holes_come_back_as_the_same_pixels(document: Document) -> None:
    read = reread(LABELME, written(LABELME, document))
    for before, after in zip(document.pages, read, strict=True):
        for old, new in zip(before.annotations, after.annotations, strict=True):
            if isinstance(old.shape, Polygon):
                pixels = polygons_to_array((old.shape,), before.page.width, before.page.height)
                assert new.shape == mask_from_array(pixels)


def test_the_file_has_what_labelme_looks_for() -> None:
    bits = np.zeros((10, 20), dtype=bool)
    bits[2:5, 3:9] = True
    shapes = (Box(1, 2, 3, 4.5), mask_from_array(bits))
    found = [Annotation(id=str(n), shape=shape, label="x", text="t", score=0.5) for n, shape in enumerate(shapes)]
    plain = json.loads(one_file(LABELME, document(*found)))
    assert (plain["imagePath"], plain["imageData"]) == ("0001.png", None)
    assert (plain["imageWidth"], plain["imageHeight"]) == (20, 10)
    rectangle, mask = plain["shapes"]
    assert rectangle == {
        "label": "x",
        "points": [[1, 2], [4, 6.5]],
        "shape_type": "rectangle",
        "mask": None,
        "group_id": None,
        "description": "t",
        "flags": {},
        "score": 0.5,
    }
    # Both points are pixels of the mask: labelme puts the picture at [y1 : y2 + 1, x1 : x2 + 1].
    assert (mask["shape_type"], mask["points"]) == ("mask", [[3, 2], [8, 4]])
    with Image.open(io.BytesIO(base64.b64decode(mask["mask"]))) as image:
        assert np.asarray(image).astype(bool).tolist() == bits[2:5, 3:9].tolist()


def test_a_hole_too_small_for_a_pixel_leaves_the_outline() -> None:
    tiny = Polygon(
        ((1.6, 1.6), (1.9, 1.6), (1.9, 1.9), (1.6, 1.9)), (((1.7, 1.7), (1.8, 1.7), (1.8, 1.8), (1.7, 1.8)),)
    )
    (page,) = reread(LABELME, written(LABELME, document(Annotation(shape=tiny, label="x"))))
    assert page.annotations[0].shape == Polygon(tiny.exterior)


def test_a_failed_page_has_no_file() -> None:
    assert written(LABELME, document(error="It is gone.")) == {}


def read(shape: dict[str, Any], **changes: Any) -> tuple[list[Annotation], list[str]]:
    entry = {"label": "x", "points": [[0, 0], [4, 0], [4, 4]], "shape_type": "polygon"} | shape
    plain = {"shapes": [entry], "imagePath": "..\\images\\a.jpg", "imageWidth": 20, "imageHeight": 10} | changes
    (page,), problems = problems_of(LABELME, {"a.json": json.dumps(plain)})
    assert page.page.name == "a.jpg"
    return list(page.annotations), problems


def png(pixels: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def test_groups_flags_and_unknown_keys_are_attributes() -> None:
    (annotation,), problems = read({"group_id": 3, "flags": {"torn": True}, "description": "", "colour": "red"})
    assert annotation.attributes == {"group_id": 3, "flags": {"torn": True}, "colour": "red"}
    assert annotation.text is None
    assert problems == []
    plain = json.loads(one_file(LABELME, document(annotation)))["shapes"][0]
    assert (plain["group_id"], plain["flags"], plain["attributes"]) == (3, {"torn": True}, {"colour": "red"})


def test_a_circle_becomes_a_polygon_of_nearly_its_area() -> None:
    (annotation,), _ = read({"shape_type": "circle", "points": [[100, 100], [130, 140]]})
    assert annotation.shape.area == pytest.approx(math.pi * 50**2, rel=0.01)
    (huge,), _ = read({"shape_type": "circle", "points": [[0, 0], [1e9, 0]]})
    assert len(huge.shape.exterior) < 1000


@pytest.mark.parametrize("dtype", [np.uint8, bool])
def test_a_mask_is_put_where_its_first_point_is(dtype: type) -> None:
    part = np.array([[1, 0], [1, 1]], dtype=dtype)
    (annotation,), problems = read({"shape_type": "mask", "points": [[18.0, 8], [19, 9]], "mask": png(part)})
    assert problems == []
    inside = shape_to_array(annotation.shape, 20, 10)
    assert inside[8:, 18:].tolist() == part.astype(bool).tolist()
    assert np.count_nonzero(inside) == 3


def test_a_mask_that_sticks_out_by_a_pixel_is_cut_off() -> None:
    part = np.ones((2, 2), dtype=np.uint8)
    (annotation,), _ = read({"shape_type": "mask", "points": [[19, 9], [20, 10]], "mask": png(part)})
    assert isinstance(annotation.shape, Mask)
    assert annotation.shape.bounds == Box(19, 9, 1, 1)


@pytest.mark.parametrize(
    "shape",
    [
        {"shape_type": "point", "points": [[1, 1]]},
        {"shape_type": "linestrip"},
        {"shape_type": "rectangle"},
        {"shape_type": "rectangle", "points": [[1, 1], [1, 5]]},
        {"shape_type": "circle", "points": [[1, 1], [1, 1]]},
        {"points": [[1, 1], [2, 2]]},
        {"points": [["a", 1]]},
        {"label": ""},
        {"score": 7},
        {"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "no"},
        {"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": None},
        {"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": png(np.ones((99, 2), dtype=np.uint8))},
        {"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": png(np.ones((2, 2, 3), dtype=np.uint8))},
        {"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": png(np.zeros((2, 2), dtype=np.uint8))},
        {"shape_type": "mask", "points": [[-1, 0], [1, 1]], "mask": png(np.ones((2, 2), dtype=np.uint8))},
    ],
)
def test_an_unusable_shape_is_reported(shape: dict[str, Any]) -> None:
    annotations, problems = read(shape)
    assert annotations == []
    assert problems[0].startswith("a.json, shape 1 was passed over: ")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"shapes": []}', '{"shapes": {}, "imagePath": "a"}', '{"shapes": [], "imagePath": ""}']
)
def test_another_file_is_refused_by_name(text: str) -> None:
    with pytest.raises(FormatError, match=r"^a\.json "):
        list(LABELME.parse({"a.json": text}, ParseContext()))


def test_nuts_are_the_same_in_labelme_and_in_coco(real_data: Callable[[str], Path]) -> None:
    folder = real_data("nuts")
    files = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("labelme/*.json"))}
    pages = reread(LABELME, files)
    assert len(pages) == 18
    labels = Counter(a.label for page in pages for a in page.annotations)
    assert labels == {"date": 71, "hazelnut": 53, "fig": 41}
    theirs = reread(COCO, {"trainval.json": (folder / "trainval.json").read_text(encoding="utf-8")})
    by_name = {page.page.name: page for page in theirs}
    for page in pages:
        same = by_name[page.page.name]
        assert (page.page.width, page.page.height) == (same.page.width, same.page.height)
        key = repr
        assert sorted(((a.label, a.shape) for a in page.annotations), key=key) == sorted(
            ((a.label, a.shape) for a in same.annotations), key=key
        )
