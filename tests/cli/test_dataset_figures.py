from pathlib import Path

import pytest

from limner.cli.dataset_figures import print_card, print_duplicates
from limner.training.datasets.phash import Pair
from tests.training.datasets.made import a_store, page


def test_what_is_not_known_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_card({"ref": "a@1", "licence": "", "pages": {"train": 2, "val": 1}, "labels": ["x", "y"]}, ["1"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(None, 1) for line in lines] == [
        ["ref", "a@1"],
        ["pages", "2 train, 1 val"],
        ["labels", "x, y"],
        ["versions", "1"],
    ]


def test_many_copies_are_counted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = a_store(tmp_path)
    pair = Pair(page(store, 0, []), page(store, 1, [], split="val"), 3)
    print_duplicates([pair] * 25)
    out = capsys.readouterr().out
    assert "p000.png (train) and p001.png (val): 3 bits" in out
    assert "and 5 more" in out
    print_duplicates([])
    assert "No two pages" in capsys.readouterr().out
