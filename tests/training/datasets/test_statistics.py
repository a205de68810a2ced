from dataclasses import replace
from pathlib import Path

from limner.annotations.annotation import Annotation
from limner.annotations.shapes import Box, Polygon
from limner.training.datasets.statistics import statistics
from tests.training.datasets.made import SIZE, a_store, dataset, page


def test_everything_is_counted(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    outline = Annotation(shape=Polygon(((0, 0), (SIZE[0], 0), (SIZE[0], SIZE[1]))), label="text", text="Incipit")
    pages = [
        page(store, 0, [("seal", 1, 1, 4, 4), ("seal", 20, 20, 48, 32)], document="a"),
        replace(page(store, 1, [], split="val", document="b"), annotations=(outline,), ignore=(Box(1, 1, 5, 5),)),
        replace(page(store, 2, [], split="test", document="a"), exhaustive=frozenset({"seal"})),
    ]
    figures = statistics(dataset(store, pages))
    assert figures.pages == {"train": 1, "val": 1, "test": 1}
    assert figures.documents == {"train": 1, "val": 1, "test": 1}
    assert figures.empty == {"train": 0, "val": 0, "test": 1}
    assert (figures.torn, figures.ignored, figures.partial) == (("a",), 1, 1)
    assert figures.widths == (96, 96, 96)
    seal, text = figures.labels
    assert (seal.label, seal.annotations, seal.splits, seal.pages) == ("seal", 2, {"train": 2, "val": 0, "test": 0}, 1)
    # 48 × 32 of 96 × 64 is a quarter of the area: half of the side.
    assert seal.sizes[2] == 0.5
    assert seal.classes == (1, 0, 1)
    assert (text.outlines, text.texts, text.sizes[0]) == (1, 1, 1.0)
    plain = figures.plain()
    assert plain["labels"][0]["sizes"]["p90"] == 0.5


def test_a_label_that_nothing_has_is_in_the_figures(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    figures = statistics(replace(dataset(store, [page(store, 0, [])]), labels=("seal",)))
    assert (figures.labels[0].annotations, figures.labels[0].sizes) == (0, (0, 0, 0))
