import json

import pytest
from hypothesis import given, settings

from limner.annotations.document import Document
from limner.annotations.formats.jsonl import JSONL
from limner.annotations.formats.protocol import ParseContext
from limner.annotations.shapes import Box
from limner.core.errors import FormatError
from tests.annotations.formats.files import one_file, problems_of, reread
from tests.annotations.strategies import documents


@given(documents(canvas=True))
def test_nothing_is_lost(document: Document) -> None:
    assert reread(JSONL, {"a.jsonl": one_file(JSONL, document)}) == list(document.pages)


@given(documents())
def test_each_page_is_one_line_of_json(document: Document) -> None:
    *lines, last = one_file(JSONL, document).split("\n")
    assert last == ""
    assert [json.loads(line)["page"]["name"] for line in lines] == [p.page.name for p in document.pages]


@settings(max_examples=30)
@given(documents(canvas=True, most_pages=2), documents(canvas=True, most_pages=2))
def test_pages_of_several_files_are_counted_through(one: Document, other: Document) -> None:
    read = reread(JSONL, {"a.jsonl": one_file(JSONL, one), "b.jsonl": one_file(JSONL, other), "c.txt": "no"})
    assert [page.page.index for page in read] == list(range(len(one.pages) + len(other.pages)))
    assert [page.annotations for page in read] == [page.annotations for page in (*one.pages, *other.pages)]


def line(**changes: object) -> str:
    page = {"id": "p", "name": "p.jpg", "index": 4, "width": 10, "height": 10}
    good = {"id": "1", "label": "figure", "box": [1, 2, 3, 4]}
    return json.dumps({"page": page, "annotations": [good], **changes})


def test_a_line_cut_short_by_a_crash_is_reported_and_the_others_are_read() -> None:
    read, problems = problems_of(JSONL, {"a.jsonl": f"{line()}\n\n{line()[:30]}"})
    assert [page.page.index for page in read] == [4]
    assert len(problems) == 1
    assert problems[0].startswith("a.jsonl, line 3 was passed over: ")


@pytest.mark.parametrize(
    "bad",
    [
        {"label": "figure"},
        {"label": "figure", "box": [1, 2, 0, 4]},
        {"label": "", "box": [1, 2, 3, 4]},
        {"label": 5, "box": [1, 2, 3, 4]},
        {"label": "figure", "box": [1, 2, 3, 4], "score": 2},
        {"label": "figure", "mask": {"size": [1e999, 2], "counts": "x"}},
        {"label": "figure", "polygon": [[0, 0], [1, 1]]},
        "text",
    ],
)
def test_of_a_page_with_a_bad_annotation_the_others_are_kept(bad: object) -> None:
    good = {"id": "1", "label": "figure", "box": [1, 2, 3, 4]}
    (page,), problems = problems_of(JSONL, {"a.jsonl": line(annotations=[bad, good])})
    assert [a.shape for a in page.annotations] == [Box(1, 2, 3, 4)]
    assert problems[0].startswith("a.jsonl, line 1, annotation 1 was passed over: ")


@pytest.mark.parametrize("text", ["", "hello\n", '{"limner": 1}\n', "[1]\n", '{"page": {"id": "p"}}\n'])
def test_another_file_is_refused_by_name(text: str) -> None:
    with pytest.raises(FormatError, match=r"a\.jsonl"):
        list(JSONL.parse({"a.jsonl": text}, ParseContext()))
