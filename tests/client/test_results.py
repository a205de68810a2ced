"""Results that were saved."""

import json
import zipfile
from pathlib import Path

import pytest

from limner.client.results import pages_in
from limner.core.errors import FormatError


def _lines(*names: str) -> str:
    pages = ({"page": {"id": name, "name": name, "index": n}} for n, name in enumerate(names))
    return "".join(json.dumps(page, ensure_ascii=False) + "\n" for page in pages)


def test_a_file_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(_lines("a\u2028b.jpg", "c.jpg") + "\n", encoding="utf-8")
    assert [page.page.name for page in pages_in(path)] == ["a\u2028b.jpg", "c.jpg"]


def test_a_zip_with_a_document_in_each_folder(tmp_path: Path) -> None:
    path = tmp_path / "results"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one/annotations.jsonl", _lines("a.jpg"))
        archive.writestr("one/readme.txt", "no page")
        archive.writestr("two/annotations.jsonl", _lines("b.jpg"))
    assert [page.page.name for page in pages_in(path)] == ["a.jpg", "b.jpg"]


def test_what_is_no_page_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("{}\n")
    with pytest.raises(FormatError, match="'page'"):
        list(pages_in(path))
