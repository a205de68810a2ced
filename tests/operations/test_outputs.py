"""Targets, names, and files that are never seen half done."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import Feature, OutputFile
from limner.annotations.page import Page
from limner.annotations.shapes import Box
from limner.core.errors import UnknownNameError, UsageError
from limner.operations.outputs import Pictures, Target, safe_name, unique_name, write_document


def _document() -> Document:
    page = Page(id="p", name="p.jpg", index=0, width=100, height=100)
    return Document(id="d", title="D", pages=[AnnotatedPage(page, (Annotation(shape=Box(1, 2, 3, 4), label="text"),))])


class Lines:
    """A format that can be told what to write."""

    name = title = "lines"
    media_type = "text/plain"
    per_page = False
    holds: frozenset[Feature] = frozenset()

    def __init__(self, path: str, fail: bool = False) -> None:
        self.path, self.fail = path, fail

    def render(self, document: Document) -> Iterator[OutputFile]:
        def chunks() -> Iterator[str]:
            yield "first\n"
            if self.fail:
                raise RuntimeError("the format broke")
            yield "second\n"

        yield OutputFile(self.path, chunks())


def test_a_folder_a_file_and_standard_output(tmp_path: Path) -> None:
    assert Target.parse(str(tmp_path / "new"), ["coco", "yolo"]).folder == tmp_path / "new"
    assert Target.parse(str(tmp_path / "a.json"), ["coco"]).file == tmp_path / "a.json"
    stream = Target.parse("-", ["coco"])
    assert (stream.folder, stream.file) == (None, None)


def test_a_format_is_written_once_however_often_it_is_named(tmp_path: Path) -> None:
    assert len(Target.parse(str(tmp_path), ["coco", "coco"]).formats) == 1


@pytest.mark.parametrize(("output", "names"), [("a.json", ["coco", "jsonl"]), ("-", ["yolo"]), ("a.txt", ["voc"])])
def test_what_does_not_fit_into_one_file_is_refused(output: str, names: list[str]) -> None:
    with pytest.raises(UsageError, match="folder"):
        Target.parse(output, names)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UnknownNameError):
        Target.parse("out", ["nonsense"])


def test_a_file_that_breaks_off_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("old")
    with pytest.raises(RuntimeError, match="broke"):
        write_document(_document(), Target((Lines("out.txt", fail=True),), folder=tmp_path), tmp_path)
    assert (tmp_path / "out.txt").read_text() == "old"


@pytest.mark.parametrize("path", ["../out.txt", "/out.txt", "a/../../out.txt"])
def test_a_format_cannot_write_outside_the_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError, match="outside"):
        write_document(_document(), Target((Lines(path),), folder=tmp_path), tmp_path)


def test_a_stream_gets_the_text_alone() -> None:
    stream = io.StringIO()
    write_document(_document(), Target((Lines("x"),)), None, stream)
    assert stream.getvalue() == "first\nsecond\n"


def test_how_large_images_have_to_be_for_the_pictures() -> None:
    assert Pictures().side == 0
    assert (Pictures(overlays=True).side or 0) >= 1000
    assert Pictures(overlays=True, crops=True).side is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ms. 22, f. 1r", "Ms.-22-f.-1r"),
        ("../../etc", "etc"),
        ("…", "unnamed"),
        ("Œuvres", "Œuvres"),
        ("a" * 200, "a" * 80),
    ],
)
def test_titles_become_harmless_names(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_names_are_given_once() -> None:
    taken: set[str] = set()
    assert [unique_name(name, taken) for name in ("A", "a", "A", "b")] == ["A", "a-2", "A-3", "b"]
