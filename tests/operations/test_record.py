"""The record of a run: order, resuming, and what a crash leaves."""

import tracemalloc
from pathlib import Path

import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import FormatError, UsageError
from limner.operations.record import RunRecord

HEADER = {"document": "d", "model": "m@1"}


def _page(index: int, error: str | None = None, label: str = "text") -> AnnotatedPage:
    page = Page(id=f"p{index}", name=f"{index:04}.jpg", index=index, width=100, height=200)
    found = () if error else (Annotation(shape=Box(1, 2, 3, 4), label=label, score=0.5, id=f"p{index}-1"),)
    return AnnotatedPage(page, found, error)


def _indices(record: RunRecord) -> list[int]:
    return [page.page.index for page in record]


def test_pages_come_back_in_document_order_any_number_of_times(tmp_path: Path) -> None:
    with RunRecord(tmp_path / "r" / "pages.jsonl", HEADER) as record:
        for index in (2, 0, 1):
            record.add(_page(index))
        assert _indices(record) == [0, 1, 2]
        assert list(record) == [_page(0), _page(1), _page(2)]
        assert len(record) == 3


def test_a_resumed_run_knows_what_is_done_and_what_failed(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"
    with RunRecord(path, HEADER) as record:
        record.add(_page(0))
        record.add(_page(1, error="no image"))
    with RunRecord(path, HEADER, resume=True) as record:
        assert record.done("p0")
        assert not record.done("p1")
        assert not record.done("p2")
        record.add(_page(1, label="initial"))
        assert list(record) == [_page(0), _page(1, label="initial")]


def test_a_line_cut_short_by_a_crash_is_dropped_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"
    with RunRecord(path, HEADER) as record:
        record.add(_page(0))
        record.add(_page(1))
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    with RunRecord(path, HEADER, resume=True) as record:
        assert _indices(record) == [0]
        record.add(_page(1))
        assert list(record) == [_page(0), _page(1)]
    assert path.read_bytes() == content


def test_another_run_in_the_folder_is_not_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"
    RunRecord(path, HEADER).close()
    with pytest.raises(UsageError, match="another source, model or parameters"):
        RunRecord(path, {**HEADER, "model": "m@2"}, resume=True)


def test_without_resume_a_run_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"
    with RunRecord(path, HEADER) as record:
        record.add(_page(0))
    with RunRecord(path, HEADER) as record:
        assert list(record) == []


def test_pages_outside_the_run_are_left_out(tmp_path: Path) -> None:
    with RunRecord(tmp_path / "pages.jsonl", HEADER) as record:
        for index in range(4):
            record.add(_page(index))
        record.keep_only(["p1", "p3"])
        assert _indices(record) == [1, 3]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"
    RunRecord(path, HEADER).close()
    with path.open("ab") as file:
        file.write(b"this is no json\n")
    with pytest.raises(FormatError, match="this is no json"):
        RunRecord(path, HEADER, resume=True)


def test_reading_a_long_record_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    def peak(pages: int) -> int:
        with RunRecord(tmp_path / f"{pages}.jsonl", HEADER) as record:
            for index in range(pages):
                record.add(_page(index))
            tracemalloc.start()
            assert sum(1 for _ in record) == pages
            size = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return size

    assert peak(2000) < peak(20) + 200_000
