import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import coco as pycoco
from pycocotools import mask as coco_mask
from supervision import DetectionDataset

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.coco import COCO
from limner.annotations.formats.protocol import Feature, ParseContext
from limner.annotations.masks import mask_from_array, mask_to_array, polygons_to_array
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Mask, Polygon
from limner.core.errors import FormatError
from tests.annotations.formats.files import one_file, problems_of, reread
from tests.annotations.strategies import documents

#: pycocotools 2.0.11 with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

WITHOUT_HOLES = frozenset(Feature) - {Feature.HOLES}


def in_coco(document: Document) -> pycoco.COCO:
    """As pycocotools sees it."""
    seen = pycoco.COCO()
    seen.dataset = json.loads(one_file(COCO, document))
    seen.createIndex()
    return seen


def contents(page: AnnotatedPage) -> list[tuple[object, ...]]:
    return [(a.shape, a.label, a.score, a.text, dict(a.attributes), a.provenance) for a in page.annotations]


@given(documents(WITHOUT_HOLES))
def test_everything_but_holes_comes_back_as_it_was(document: Document) -> None:
    read = reread(COCO, {"coco.json": one_file(COCO, document)})
    for before, after in zip(document.pages, read, strict=True):
        assert contents(after) == contents(before)
        assert after.error == before.error
        assert (after.page.name, after.page.index) == (before.page.name, before.page.index)
        assert (after.page.width, after.page.height) == (before.page.width, before.page.height)


@given(documents(frozenset({Feature.HOLES})))
def test_polygons_with_holes_come_back_as_the_same_pixels(document: Document) -> None:
    read = reread(COCO, {"coco.json": one_file(COCO, document)})
    for before, after in zip(document.pages, read, strict=True):
        for old, new in zip(before.annotations, after.annotations, strict=True):
            if isinstance(old.shape, Polygon):
                pixels = polygons_to_array((old.shape,), before.page.width, before.page.height)
                assert new.shape == mask_from_array(pixels)


@given(documents())
def test_pycocotools_sees_the_same_masks_areas_and_categories(document: Document) -> None:
    seen = in_coco(document)
    assert [image["file_name"] for image in seen.imgs.values()] == [page.page.name for page in document.pages]
    found = [(page.page, annotation) for page in document.pages for annotation in page.annotations]
    for (page, annotation), theirs in zip(found, seen.anns.values(), strict=True):
        shape = annotation.shape
        assert seen.cats[theirs["category_id"]]["name"] == annotation.label
        assert seen.imgs[theirs["image_id"]]["file_name"] == page.name
        if isinstance(shape, Polygon) and shape.holes:
            shape = mask_from_array(polygons_to_array((shape,), page.width, page.height))
        if isinstance(shape, Mask):
            assert (seen.annToMask(theirs) == mask_to_array(shape)).all()
            assert coco_mask.area(seen.annToRLE(theirs)) == theirs["area"] == shape.area
        else:
            assert theirs["area"] == pytest.approx(shape.area, abs=0.001)
        if isinstance(shape, Polygon):
            # pycocotools fills polygons by a rule of its own: only pixels at the edge may differ.
            ours = polygons_to_array((shape,), page.width, page.height)
            edge = sum(math.dist(a, b) for a, b in pairwise((*shape.exterior, shape.exterior[0])))
            assert np.count_nonzero(seen.annToMask(theirs) != ours) <= edge


@given(documents())
def test_labels_are_numbered_from_1_in_their_order(document: Document) -> None:
    plain = json.loads(one_file(COCO, document))
    labels = sorted({a.label for page in document.pages for a in page.annotations})
    assert [(entry["id"], entry["name"]) for entry in plain["categories"]] == list(enumerate(labels, 1))
    assert [entry["id"] for entry in plain["annotations"]] == list(range(1, len(plain["annotations"]) + 1))


def test_supervision_loads_boxes_and_masks(tmp_path: Path) -> None:
    bits = np.zeros((40, 60), dtype=bool)
    bits[5:15, 20:30] = True
    page = Page(id="1", name="1.png", index=0, width=60, height=40)
    shapes = (Box(1, 2, 10, 20), Polygon(((30, 5), (50, 5), (50, 25), (30, 25))), mask_from_array(bits))
    found = tuple(
        Annotation(id=str(n), shape=shape, label=label)
        for n, (shape, label) in enumerate(zip(shapes, ["b", "a", "b"], strict=True))
    )
    (tmp_path / "coco.json").write_text(
        one_file(COCO, Document(id="d", title="d", pages=[AnnotatedPage(page, found)])), encoding="utf-8"
    )
    Image.new("RGB", (60, 40)).save(tmp_path / "1.png")
    loaded = DetectionDataset.from_coco(str(tmp_path), str(tmp_path / "coco.json"), force_masks=True)
    (_, _, detections), *_ = loaded
    assert loaded.classes == ["a", "b"]
    assert detections.xyxy.tolist() == [[1, 2, 11, 22], [30, 5, 50, 25], [20, 5, 30, 15]]
    assert detections.class_id.tolist() == [1, 0, 1]
    assert (detections.mask[2] == bits).all()


def test_it_is_written_page_by_page() -> None:
    """Neither pass asks for a page before what the page before it gave has been handed on."""
    asked: list[int] = []

    class Pages:
        def __iter__(self) -> Iterator[AnnotatedPage]:
            for n in range(50):
                asked.append(n)
                found = (Annotation(shape=Box(0, 0, 1, 1), label="x"),)
                yield AnnotatedPage(Page(id=str(n), name=f"{n}.jpg", index=n, width=9, height=9), found)

    (file,) = COCO.render(Document(id="d", title="d", pages=Pages()))
    chunks = iter(file.chunks)
    assert asked == []
    for chunk in chunks:
        if '"49.jpg"' in chunk:
            break
    assert asked == list(range(50))
    pieces = [piece for piece in chunks if '"image_id"' in piece]
    assert len(pieces) == 50
    assert max(map(len, pieces)) < 200


def coco(annotation: dict[str, Any] | None = None, **changes: Any) -> str:
    entry = {"id": 7, "image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]} | (annotation or {})
    plain = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}],
        "categories": [{"id": 3, "name": "figure"}],
        "annotations": [entry],
    }
    return json.dumps(plain | changes)


def only(text: str) -> tuple[Annotation, list[str]]:
    (page,), problems = problems_of(COCO, {"a.json": text})
    (annotation,) = page.annotations
    return annotation, problems


def test_run_lengths_may_be_plain_and_parts_are_one_mask() -> None:
    plain, none = only(coco({"segmentation": {"size": [10, 20], "counts": [10, 10, 180]}, "iscrowd": 1}))
    assert plain.shape == Mask(20, 10, (10, 10, 180))
    assert plain.attributes == {"iscrowd": 1}
    parts, reported = only(
        coco({"segmentation": [[0, 0, 2, 0, 2, 2, 0, 2], [10, 0, 12, 0, 12, 2, 10, 2], [5, 5, 6, 6]]})
    )
    assert isinstance(parts.shape, Mask)
    assert (parts.shape.area, parts.shape.bounds) == (8, Box(0, 0, 12, 2))
    assert none == []
    assert len(reported) == 1
    assert reported[0].startswith("a.json, annotation 7 of a.jpg, part 3 was passed over")


def test_unknown_keys_are_kept_as_attributes_and_a_score_that_is_nan_is_none() -> None:
    annotation, problems = only(coco({"original_label": "GraphicZone", "score": float("nan")}))
    assert (annotation.id, annotation.label, annotation.shape) == ("7", "figure", Box(1, 2, 3, 4))
    assert annotation.attributes == {"original_label": "GraphicZone"}
    assert annotation.score is None
    assert problems == []


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [10, 21], "counts": [10, 10, 190]},
        {"size": [10, 20], "counts": "not\x00this"},
        {"size": [10, 20]},
        [[0, 0, 1, 1]],
        [[0, 0, 1, 1, 5, 7, 2]],
        [1, 2, 3, 4, 5, 6],
    ],
)
def test_in_place_of_a_bad_segmentation_the_box_is_taken_and_it_is_reported(segmentation: object) -> None:
    annotation, problems = only(coco({"segmentation": segmentation}))
    assert annotation.shape == Box(1, 2, 3, 4)
    assert problems
    assert all(problem.startswith("a.json, annotation 7 of a.jpg") for problem in problems)


@pytest.mark.parametrize(
    "bad",
    [
        {"bbox": [1, 2, 0, 4]},
        {"bbox": [1, 2, 3]},
        {"category_id": 4},
        {"category_id": [3]},
        {"score": 1.5},
        {"bbox": None},
    ],
)
def test_an_unusable_annotation_is_reported_and_passed_over(bad: dict[str, Any]) -> None:
    (page,), problems = problems_of(COCO, {"a.json": coco(bad)})
    assert page.annotations == ()
    assert problems[0].startswith("a.json, annotation 7 of a.jpg was passed over: ")


def test_annotations_of_unknown_images_are_counted() -> None:
    _, problems = problems_of(COCO, {"a.json": coco({"image_id": 9})})
    assert problems == ["a.json: 1 annotations of the unknown image 9 were passed over."]


def test_parts_without_the_size_of_their_image_are_taken_as_their_box() -> None:
    images = [{"id": 1, "file_name": "a.jpg"}]
    two = {"segmentation": [[0, 0, 2, 0, 2, 2], [10, 0, 12, 0, 12, 2]]}
    annotation, problems = only(coco(two, images=images))
    assert annotation.shape == Box(1, 2, 3, 4)
    assert "size of its image is not known" in problems[0]
    known = ParseContext(size_of=lambda name: (20, 10) if name == "a.jpg" else None)
    (page,) = COCO.parse({"a.json": coco(two, images=images)}, known)
    assert (page.page.width, page.page.height) == (20, 10)
    assert isinstance(page.annotations[0].shape, Mask)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"images": [], "annotations": []}', coco(images="no"), coco(categories=[1]), "[" * 9999]
)
def test_another_file_is_refused_by_name(text: str) -> None:
    with pytest.raises(FormatError, match=r"^a\.json "):
        list(COCO.parse({"a.json": text}, ParseContext()))


def test_of_several_files_those_of_another_format_are_reported() -> None:
    pages, problems = problems_of(COCO, {"a.json": "{}", "b.json": coco(), "notes.txt": "x"})
    assert [page.page.name for page in pages] == ["a.jpg"]
    assert problems == ["a.json lacks 'images' and 'annotations' and 'categories'."]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["id", "image_id", "category_id", "bbox", "segmentation", "size", "counts"]), x
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_stands_in_an_annotation_no_reader_breaks(value: object) -> None:
    entry = value if isinstance(value, dict) else {"segmentation": value}
    problems_of(COCO, {"a.json": coco(entry)})


@pytest.mark.parametrize(("name", "images", "annotations"), [("train", 383, 1828), ("val", 76, 388)])
def test_the_layout_data_is_read_whole(
    name: str, images: int, annotations: int, real_data: Callable[[str], Path]
) -> None:
    text = real_data(f"layout/{name}.json").read_text(encoding="utf-8")
    pages = reread(COCO, {f"{name}.json": text})
    assert len(pages) == images
    found = [annotation for page in pages for annotation in page.annotations]
    assert len(found) == annotations
    assert all(isinstance(a.shape, Polygon) and a.attributes["original_label"] for a in found)
    plain = json.loads(text)
    names = {entry["id"]: entry["name"] for entry in plain["categories"]}
    assert Counter(a.label for a in found) == Counter(names[a["category_id"]] for a in plain["annotations"])
    assert sum(a.shape.area for a in found) == pytest.approx(sum(a["area"] for a in plain["annotations"]), rel=1e-4)
