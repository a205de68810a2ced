from dataclasses import replace
from pathlib import Path

import pytest

from limner.annotations.shapes import Box
from limner.core.errors import FormatError
from limner.training.datasets.dataset import image_file, labels_of, parse_page, render_page
from tests.training.datasets.made import a_store, dataset, page


def test_a_page_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = page(a_store(tmp_path), 3, [("initial", 1, 2, 30, 40)], split="val")
    full = replace(made, ignore=(Box(0.5, 1, 10, 12),), exhaustive=frozenset({"initial", "stamp"}))
    for each in (made, full):
        line = render_page(each)
        assert parse_page(line) == each
        assert "\n" not in line


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"split": "dev"}', "not 'dev'"),
        ('{"split": "val"}', "page"),
    ],
)
def test_what_is_no_page_is_refused(line: str, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        parse_page(line)


def test_the_hash_follows_the_content_and_not_the_name(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    pages = [page(store, 0, [("a", 1, 2, 3, 4)]), page(store, 1, [("b", 5, 6, 7, 8)])]
    first = dataset(store, pages)
    assert first.sha256 == dataset(store, pages, name="other", version="7").sha256
    assert first.sha256 != dataset(store, pages[::-1]).sha256
    assert first.sha256 != replace(first, labels=("b", "a")).sha256
    moved = replace(pages[1], split="test")
    assert first.sha256 != dataset(store, [pages[0], moved]).sha256


def test_pages_are_found_by_split_and_images_by_page(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    made = dataset(store, [page(store, 0, []), page(store, 1, [("x", 1, 1, 2, 2)], split="test")])
    assert [each.page.index for each in made.split("val", "test")] == [1]
    assert made.image_path(made.pages[0]).read_bytes().startswith(b"\x89PNG")
    assert image_file(store.images, made.pages[0].image) == made.image_path(made.pages[0])
    assert made.index("x") == 0


def test_known_labels_keep_their_place(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    pages = [page(store, 0, [("b", 1, 1, 2, 2), ("c", 1, 1, 2, 2), ("a", 1, 1, 2, 2)])]
    assert labels_of(pages) == ("a", "b", "c")
    assert labels_of(pages, ("c", "z")) == ("c", "z", "a", "b")
