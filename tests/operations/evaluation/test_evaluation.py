import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import DatasetError, UsageError
from limner.core.settings import load_settings
from limner.models.builtin import TEXT
from limner.models.bundle_files import read_bundle
from limner.models.protocol import RUNTIMES, RuntimeOptions
from limner.operations.evaluation.comparison import compare
from limner.operations.evaluation.plain import label_csv, measured_plain
from limner.operations.evaluation.report import write_report
from limner.operations.evaluation.running import Measured, chosen_pages, measure
from limner.training.datasets.dataset import Dataset, DatasetPage
from limner.training.datasets.store import DatasetStore
from tests.models.networks import bright_boxes_bundle
from tests.models.runtimes.test_rapidocr import LINES, drawn
from tests.training.datasets.made import a_store, page

#: Cells of the grid that the network looks at are 6 × 6 pixels of these pages.
LABEL = "bright"


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return a_store(tmp_path)


def _dataset(store: DatasetStore, *pages: DatasetPage) -> Dataset:
    return store.add(Dataset(name="boxes", version="", labels=(LABEL, "dark"), pages=pages, images=store.images))


def _pages(store: DatasetStore, count: int = 6) -> list[DatasetPage]:
    return [page(store, at, [(LABEL, 6 * at, 6, 30, 36)], split="test") for at in range(count)]


def _measure(tmp_path: Path, dataset: Dataset, name: str = "bright") -> Measured:
    bundle = read_bundle(bright_boxes_bundle(tmp_path / name))
    predictor = RUNTIMES.get("onnx").load(bundle, RuntimeOptions())
    done: list[int] = []
    pages = chosen_pages(dataset, None)
    out = measure(predictor, dataset, pages, load_settings(data=tmp_path), told=done.append)
    assert done == list(range(1, len(pages) + 1))
    return out


def test_a_model_that_finds_what_is_there_is_measured_so(tmp_path: Path, store: DatasetStore) -> None:
    measured = _measure(tmp_path, _dataset(store, *_pages(store)))
    assert measured.evaluation is not None
    assert measured.labels == (LABEL,)
    assert measured.unknown == ("dark",)
    assert measured.evaluation.ratios.recall == 1.0
    assert measured.evaluation.coco.ap50 == pytest.approx(1.0)
    assert measured.text is None


def test_what_is_missing_is_missed_and_what_is_unknown_is_not(tmp_path: Path, store: DatasetStore) -> None:
    first, second, *rest = _pages(store)
    forgotten = replace(first, annotations=())
    hidden = replace(second, annotations=(), ignore=(Box(0, 0, 96, 64),))
    measured = _measure(tmp_path, _dataset(store, forgotten, hidden, *rest))
    assert measured.evaluation is not None
    ratios = measured.evaluation.ratios
    assert (ratios.things, ratios.finds, ratios.right) == (4, 5, 4)


def test_the_report_shows_the_worst_pages(tmp_path: Path, store: DatasetStore) -> None:
    first, *rest = _pages(store)
    dataset = _dataset(store, replace(first, annotations=()), *rest)
    measured = _measure(tmp_path, dataset)
    report = write_report(tmp_path / "out", measured, dataset, compare(measured, measured))
    text = report.read_text()
    assert "p000.png: 0 missed, 1 wrong, 0 right" in text
    assert (tmp_path / "out" / "pages" / "01-found.jpg").stat().st_size > 500
    assert set(re.findall(r"src='(pages/[^']+)'", text)) == {"pages/01-there.jpg", "pages/01-found.jpg"}
    plain = json.loads((tmp_path / "out" / "report.json").read_text())
    assert plain["worst_pages"] == [{"page": "p000.png", "wrong": 1, "missed": 0, "right": 0}]
    assert plain["comparison"]["gain_map50"] == 0.0
    assert plain["confusion"]["table"] == [[5, 0], [1, 0]]
    rows = (tmp_path / "out" / "labels.csv").read_text().splitlines()
    assert rows[0].startswith("label,things,ap,ap50,ap50_low,ap50_high,precision")
    assert rows[1].startswith("bright,5,")
    assert len(label_csv(measured).splitlines()) == 2


def test_names_cannot_break_the_report(tmp_path: Path, store: DatasetStore) -> None:
    first = _pages(store, 1)[0]
    odd = replace(first, annotations=(), page=replace(first.page, name="<script>alert(1)</script>.png"))
    dataset = _dataset(store, odd)
    assert "<script>" not in write_report(tmp_path / "out", _measure(tmp_path, dataset), dataset).read_text()


def test_the_better_of_two_is_told_with_its_interval(tmp_path: Path, store: DatasetStore) -> None:
    dataset = _dataset(store, *_pages(store, 8))
    good = _measure(tmp_path, dataset)
    blind = replace(good, model="blind@1", found=tuple(each.above(2.0) for each in good.found))
    assert good.evaluation is not None
    nothing = [each.above(2.0) for each in good.found]
    from limner.training.evaluation.evaluation import evaluate

    blind = replace(blind, evaluation=evaluate(good.truth, nothing, good.labels))
    found = compare(good, blind)
    assert found.gain == pytest.approx(1.0)
    assert found.surely_better
    assert [(row.first_alone, row.second_alone, row.together) for row in found.pages] == [(1, 0, 0)] * 8
    assert not compare(blind, good).surely_better
    assert compare(good, good).pages[0].share == 0.0


def test_what_cannot_be_measured_is_said(tmp_path: Path, store: DatasetStore) -> None:
    pages = [replace(each, split="train") for each in _pages(store)]
    with pytest.raises(DatasetError, match="no page in test or val"):
        chosen_pages(_dataset(store, *pages), None)
    dark = [page(store, 0, [("dark", 1, 1, 20, 20)], split="val")]
    other = store.add(Dataset(name="dark", version="", labels=("dark",), pages=tuple(dark), images=store.images))
    with pytest.raises(UsageError, match="no label"):
        _measure(tmp_path, other)
    assert measured_plain(_measure(tmp_path, _dataset(store, *_pages(store)), "again"), other)["pages"] == 6


def test_a_model_that_reads_is_measured_by_its_errors(tmp_path: Path, store: DatasetStore) -> None:
    """It reads the drawn page without an error, and two letters and a word differ in what the dataset says."""
    image, out = drawn(), io.BytesIO()
    image.save(out, "PNG")
    there = (LINES[0].replace("château", "chapeaux"), *LINES[1:])
    lines = tuple(
        Annotation(shape=Box(40, 30 + 55 * at, 300, 40), label="line", text=text) for at, text in enumerate(there)
    )
    made = DatasetPage(
        page=Page(id="p", name="p.png", index=0, width=image.width, height=image.height),
        annotations=lines,
        document="d",
        split="test",
        image=store.keep_image(out.getvalue(), "png"),
    )
    dataset = store.add(Dataset(name="lines", version="", labels=("line",), pages=(made,), images=store.images))
    predictor = RUNTIMES.get(TEXT.runtime).load(TEXT, RuntimeOptions(threads=1))
    measured = measure(predictor, dataset, dataset.pages, load_settings(data=tmp_path))
    assert measured.text is not None
    assert (measured.text.characters, measured.text.words) == (len(" ".join(there)), 10)
    # château → chapeaux: â, t and the end.
    assert (measured.text.character_edits, measured.text.word_edits) == (3, 1)
    assert measured.evaluation is None
    plain = measured_plain(measured, dataset)
    assert plain["wer"] == 0.1
    assert "map" not in plain
    assert "Words" in write_report(tmp_path / "out", measured, dataset).read_text()
    assert (tmp_path / "out" / "labels.csv").read_text().count("\n") == 1
