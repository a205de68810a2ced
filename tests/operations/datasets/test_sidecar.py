import json
from dataclasses import replace
from pathlib import Path

import pytest

from limner.annotations.shapes import Box
from limner.core.errors import FormatError, ShapeError
from limner.operations.datasets.sidecar import Beside, read_sidecar, render_sidecar
from tests.training.datasets.made import a_store, dataset, page


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    full = replace(page(store, 1, [], document="d"), ignore=(Box(1, 2, 3, 4.5),), exhaustive=frozenset({"a"}))
    made = replace(dataset(store, [page(store, 0, []), full]), title="T", licence="L")
    found = read_sidecar(render_sidecar(made, {"x/0.png": made.pages[0], "x/1.png": made.pages[1]}))
    assert (found.title, found.licence) == ("T", "L")
    assert found.pages == {
        "x/0.png": Beside("document 0"),
        "x/1.png": Beside("d", (Box(1, 2, 3, 4.5),), frozenset({"a"})),
    }


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", json.dumps({"limner": 2}), '{"limner": 1, "title": "", "licence": "", "pages": {"a": []}}'],
)
def test_anybody_elses_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="passed over"):
        read_sidecar(text)


def test_a_zone_without_area_is_refused() -> None:
    text = '{"limner": 1, "title": "", "licence": "", "pages": {"a": {"document": "d", "ignore": [[1, 2, 0, 4]]}}}'
    with pytest.raises(ShapeError):
        read_sidecar(text)
