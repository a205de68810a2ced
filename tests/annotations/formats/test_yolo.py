from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from supervision import DetectionDataset

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import Feature, ParseContext
from limner.annotations.formats.yolo import YOLO, YOLO_SEG, joined_ring
from limner.annotations.masks import mask_from_array, polygons_to_array, shape_to_array, shape_to_polygons
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Polygon, ring_area
from limner.core.errors import FormatError
from tests.annotations.formats.files import reread, written
from tests.annotations.strategies import documents, masks, polygons

PAGE = Page(id="1", name="0001.png", index=0, width=200, height=100)


def document(*annotations: Annotation, page: Page = PAGE) -> Document:
    return Document(id="d", title="d", pages=[AnnotatedPage(page, annotations)])


def found(shape: Box | Polygon, label: str = "figure") -> Annotation:
    return Annotation(id="1", shape=shape, label=label)


@given(documents(frozenset()))
def test_boxes_and_labels_come_back(document: Document) -> None:
    # A stem that two names share is made different, and its image can then not be found again.
    names = [page.page.name.partition(".")[0] for page in document.pages]
    if len(set(names)) < len(names):
        return
    read = reread(YOLO, written(YOLO, document), document)
    for before, after in zip(document.pages, read, strict=True):
        assert after.page.name == before.page.name
        assert [(a.shape, a.label) for a in after.annotations] == [(a.shape, a.label) for a in before.annotations]


@given(st.lists(polygons(200, 100), max_size=3))
def test_outlines_come_back(shapes: list[Polygon]) -> None:
    before = document(*map(found, shapes))
    (after,) = reread(YOLO, written(YOLO_SEG, before), before)
    assert [a.shape for a in after.annotations] == shapes


@given(masks(60, 40) | polygons(60, 40, holes=True))
def test_one_joined_line_covers_the_parts_and_not_their_holes(shape: object) -> None:
    parts = shape_to_polygons(shape)
    joined = Polygon(joined_ring(parts))
    assert (polygons_to_array((joined,), 60, 40) == shape_to_array(shape, 60, 40)).all()
    assert ring_area(joined.exterior) == pytest.approx(sum(part.area for part in parts))


def test_the_files_are_a_data_set() -> None:
    files = written(YOLO, document(found(Box(50, 20, 100, 40), "no"), found(Box(0, 0, 200, 100), "Ça: 1")))
    assert list(files) == ["yolo/data.yaml", "yolo/labels/0001.txt"]
    assert files["yolo/labels/0001.txt"] == "0 0.5 0.4 0.5 0.4\n1 0.5 0.5 1 1\n"
    described = yaml.safe_load(files["yolo/data.yaml"])
    assert described["names"] == {0: "no", 1: "Ça: 1"}
    assert described["nc"] == 2


def test_outlines_of_boxes_are_their_corners() -> None:
    files = written(YOLO_SEG, document(found(Box(50, 20, 100, 40))))
    assert files["yolo-seg/labels/0001.txt"] == "0 0.25 0.2 0.75 0.2 0.75 0.6 0.25 0.6\n"


def test_shapes_are_cut_off_at_the_edges_of_the_page() -> None:
    beyond = document(found(Box(150, -50, 100, 100)), found(Box(300, 0, 5, 5)))
    assert written(YOLO, beyond)["yolo/labels/0001.txt"] == "0 0.875 0.25 0.25 0.5\n"
    assert written(YOLO_SEG, beyond)["yolo-seg/labels/0001.txt"] == "0 0.75 0 1 0 1 0.5 0.75 0.5\n"


def test_a_failed_page_has_no_file_and_an_empty_one_has() -> None:
    pages = [AnnotatedPage(PAGE, (), "It is gone."), AnnotatedPage(replace(PAGE, name="0002.jpg"))]
    files = written(YOLO, Document(id="d", title="d", pages=pages))
    assert list(files) == ["yolo/data.yaml", "yolo/labels/0002.txt"]
    assert files["yolo/labels/0002.txt"] == ""


def test_a_page_of_unknown_size_cannot_be_written() -> None:
    with pytest.raises(FormatError, match=r"size of 0001\.png"):
        written(YOLO, document(found(Box(1, 1, 1, 1)), page=replace(PAGE, width=0)))


def read(label: str, names: str | None = "names: [a, b]") -> tuple[list[Annotation], list[str]]:
    context = ParseContext(size_of=lambda name: (200, 100) if name == "0001.png" else None)
    files = {"data/labels/train/0001.txt": label} | ({} if names is None else {"data/data.yaml": names})
    pages = list(YOLO.parse(files, context))
    assert [page.page.name for page in pages] == ["0001.png"]
    return list(pages[0].annotations), context.problems


def test_boxes_outlines_and_scores_are_told_apart_by_their_number() -> None:
    annotations, problems = read(
        "0 0.5 0.5 0.1 0.2\n1 0.5 0.5 0.1 0.2 0.75\n\n1.0 0 0 0.1 0 0.1 0.2\n0 0 0 0.1 0 0.1 0.2 0.5\n"
    )
    assert problems == []
    box, triangle = Box(90, 40, 20, 20), Polygon(((0, 0), (20, 0), (20, 20)))
    assert [a.shape for a in annotations] == [box, box, triangle, triangle]
    assert [a.score for a in annotations] == [None, 0.75, None, 0.5]
    assert [a.label for a in annotations] == ["a", "b", "b", "a"]


@pytest.mark.parametrize("names", ["names: {0: a, 1: b}", "names:\n  '0': a\n  '1': b\nnc: 2", "names: [a, b]"])
def test_names_may_be_a_list_or_a_mapping(names: str) -> None:
    annotations, problems = read("1 0.5 0.5 0.1 0.2", names)
    assert [a.label for a in annotations] == ["b"]
    assert problems == []


def test_names_may_stand_in_a_list_of_a_labelling_tool() -> None:
    files = {"classes.txt": "a\nb c\n", "0001.txt": "1 0.5 0.5 1 1"}
    (page,) = YOLO.parse(files, ParseContext(size_of=lambda _: (2, 2)))
    assert [a.label for a in page.annotations] == ["b c"]


def test_without_names_classes_have_their_number() -> None:
    annotations, problems = read("4 0.5 0.5 0.1 0.2", None)
    assert [a.label for a in annotations] == ["class 4"]
    assert problems[0].startswith("No data.yaml")


@pytest.mark.parametrize(
    "line",
    ["2 0.5 0.5 0.1 0.2", "0 0.5 0.5 0 0.2", "0 0.5 0.5", "0.5 0.5 0.5 0.1 0.1", "0 nan 0.5 0.1 0.1", "0 a b c d",
     "0 0.5 0.5 0.1 0.2 7", "0 0 0 0.1 0.1 0 0"],
)  # fmt: skip
def test_an_unusable_line_is_reported(line: str) -> None:
    annotations, problems = read(f"0 0.5 0.5 0.1 0.2\n{line}\n")
    assert len(annotations) == 1
    assert problems[0].startswith("data/labels/train/0001.txt, line 2 was passed over: ")


@pytest.mark.parametrize("names", ["names: {a: 1}", "- a\n- b", "{", "x: 1", ""])
def test_a_data_yaml_without_names_is_reported(names: str) -> None:
    annotations, problems = read("1 0.5 0.5 0.1 0.2", names)
    assert [a.label for a in annotations] == ["class 1"]
    assert problems[0].startswith("data/data.yaml was passed over")


def test_a_page_without_the_size_of_its_image_is_reported() -> None:
    context = ParseContext()
    assert list(YOLO.parse({"labels/0001.txt": "0 0.5 0.5 0.1 0.2", "data.yaml": "names: [a]"}, context)) == []
    assert context.problems == ["labels/0001.txt was passed over: the size of its image 0001.jpg is not known."]


@pytest.mark.parametrize(
    "files", [{"a.txt": "hello world\n"}, {"a.txt": "x\n", "b.txt": "y"}, {"a.md": "", "b.md": ""}]
)
def test_other_files_are_refused(files: dict[str, str]) -> None:
    with pytest.raises(FormatError):
        list(YOLO.parse(files, ParseContext(size_of=lambda _: (5, 5))))


def supervised(files: dict[str, str], folder: Path, root: str, *, force_masks: bool) -> DetectionDataset:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    images = folder / "images"
    images.mkdir()
    Image.new("RGB", (200, 100)).save(images / "0001.png")
    return DetectionDataset.from_yolo(
        str(images), str(folder / root / "labels"), str(folder / root / "data.yaml"), force_masks=force_masks
    )


def test_supervision_loads_boxes(tmp_path: Path) -> None:
    before = document(found(Box(50, 20, 100, 40), "b"), found(Box(1, 2, 3, 4), "a"))
    loaded = supervised(written(YOLO, before), tmp_path, "yolo", force_masks=False)
    (_, _, detections), *_ = loaded
    assert [loaded.classes[n] for n in detections.class_id] == ["b", "a"]
    assert detections.xyxy == pytest.approx(np.array([[50, 20, 150, 60], [1, 2, 4, 6]]), abs=0.01)


def test_supervision_loads_outlines(tmp_path: Path) -> None:
    bits = np.zeros((100, 200), dtype=bool)
    bits[10:60, 20:120] = True
    bits[25:40, 50:80] = False
    before = document(Annotation(id="1", shape=mask_from_array(bits), label="ring"))
    loaded = supervised(written(YOLO_SEG, before), tmp_path, "yolo-seg", force_masks=True)
    (_, _, detections), *_ = loaded
    # It draws the line itself too, a pixel wide.
    assert np.count_nonzero(detections.mask[0] != bits) <= 2 * (150 + 45 + 20)


def test_what_each_says_that_it_holds() -> None:
    assert YOLO.holds == frozenset()
    assert YOLO_SEG.holds == {Feature.POLYGON}
