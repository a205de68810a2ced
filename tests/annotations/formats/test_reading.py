import json
import math
from collections.abc import Iterator

import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.protocol import ParseContext
from limner.annotations.formats.reading import (
    chosen,
    json_object,
    json_value,
    known_size,
    pixels_of,
    read_each,
    usable,
    with_own_ids,
)
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import FormatError


def one_page(path: str, text: str) -> Iterator[AnnotatedPage]:
    if text == "bad":
        raise FormatError(f"{path} is bad.")
    yield AnnotatedPage(Page(id=path, name=path, index=7))


def test_pages_of_all_files_are_counted_and_bad_files_reported() -> None:
    context = ParseContext()
    files = {"a.X": "good", "b.x": "bad", "c.x": "good", "d.y": "good"}
    pages = list(read_each(files, (".x",), "X", context, one_page))
    assert [(page.page.name, page.page.index) for page in pages] == [("a.X", 0), ("c.x", 1)]
    assert context.problems == ["b.x is bad."]


def test_where_every_file_is_bad_the_first_error_is_raised() -> None:
    with pytest.raises(FormatError, match=r"a\.x is bad"):
        list(read_each({"a.x": "bad", "b.x": "bad"}, (".x",), "X", ParseContext(), one_page))


def test_numbers_of_pages_are_kept_in_a_single_file_only() -> None:
    def indexes(*names: str, numbered: bool) -> list[int]:
        files = dict.fromkeys(names, "good")
        return [p.page.index for p in read_each(files, (".x",), "X", ParseContext(), one_page, numbered=numbered)]

    assert indexes("a.x", numbered=True) == [7]
    assert indexes("a.x", numbered=False) == [0]
    assert indexes("a.x", "b.x", numbered=True) == [0, 1]


def test_a_single_file_may_be_called_anything() -> None:
    assert chosen({"notes": "t"}, (".x",), "X") == {"notes": "t"}
    with pytest.raises(FormatError, match=r"X is read from files ending in \.x or \.z"):
        chosen({"a": "", "b": ""}, (".x", ".z"), "X")


def test_json_is_read_with_null_for_what_json_does_not_know() -> None:
    assert json_value("a", '{"a": [NaN, Infinity, -Infinity, 1.5]}') == {"a": [None, None, None, 1.5]}
    assert json_object("a", '{"a": 1}', ["a"]) == {"a": 1}


BAD_JSON = [("{", "is no JSON"), ("[" * 100_000, "is no JSON"), ("[]", "no JSON object"), ("{}", "lacks 'a' and 'b'")]


@pytest.mark.parametrize(("text", "reason"), BAD_JSON, ids=["cut", "deep", "list", "empty"])
def test_other_json_is_refused(text: str, reason: str) -> None:
    with pytest.raises(FormatError, match=f"^x.*{reason}"):
        json_object("x", text, ["a", "b"])


def test_what_cannot_be_used_is_reported_by_name() -> None:
    context = ParseContext()
    assert usable(context, "a.x, line 1", Box, 1, 2, 3, 4) == Box(1, 2, 3, 4)
    assert usable(context, "a.x, line 2", Box, 1, 2, 0, 4) is None
    assert usable(context, "a.x, line 3", json.loads("{}").__getitem__, "box") is None
    assert usable(context, "a.x, line 4", int, math.inf) is None
    reported = [problem.partition(":")[0] for problem in context.problems]
    assert reported == [f"a.x, line {n} was passed over" for n in (2, 3, 4)]
    assert context.problems[1] == "a.x, line 3 was passed over: it lacks 'box'."


def test_what_is_no_mistake_of_the_file_is_not_hidden() -> None:
    def broken() -> None:
        raise AssertionError

    with pytest.raises(AssertionError):
        usable(ParseContext(), "x", broken)


def test_ids_are_made_different() -> None:
    given = [Annotation(id=name, shape=Box(0, 0, 1, 1), label="x") for name in ("a", "b", "a", "a", "a-2")]
    names = [annotation.id for annotation in with_own_ids(given)]
    assert names[:4] == ["a", "b", "a-2", "a-3"]
    assert len(set(names)) == 5


@pytest.mark.parametrize("said", [(None, None), (0, 5), ("9", "9"), (math.inf, 9), (-1, 2), (5, None), (1e9, 1)])
def test_a_size_that_cannot_be_is_asked_for(said: tuple[object, object]) -> None:
    assert known_size(ParseContext(size_of={"a.jpg": (3, 4)}.get), "a.jpg", *said) == (3, 4)
    assert known_size(ParseContext(), "a.jpg", *said) == (0, 0)


def test_a_size_in_the_file_is_believed() -> None:
    assert known_size(ParseContext(), "a.jpg", 30, 20.0) == (30, 20)


def test_no_array_is_made_for_an_unknown_or_absurd_size() -> None:
    assert pixels_of(30, 20) == (30, 20)
    for size in ((0, 20), (10**6, 10**6)):
        with pytest.raises(FormatError):
            pixels_of(*size)
