"""From calls to what httpx sends, and back."""

import os
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.client.call import Call, Upload, nothing
from limner.client.wire import Connection, LazyFile, Lines, parts, place_for
from limner.core.errors import UsageError


@pytest.mark.parametrize("url", ["", "localhost:8400", "ftp://host", "http://", "http:///x", "https:// host"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="http://host:port"):
        Connection(url)


def test_the_token_goes_along_and_is_not_shown() -> None:
    connection = Connection("https://host/limner", "secret")
    assert connection.settings()["headers"]["authorization"] == "Bearer secret"
    assert "secret" not in repr(connection)
    assert "authorization" not in Connection("http://host").settings()["headers"]


def test_a_file_is_open_only_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with LazyFile(path) as file:
        assert (file.seek(0, os.SEEK_END), file.seek(0)) == (10, 0)
        assert file._file is None
        assert file.read(4) == b"0123"
        opened = file._file
        assert opened is not None
        assert (file.read(), file.read()) == (b"456789", b"")
        assert opened.closed
        file.seek(2)
        assert (file.read(3), file.tell()) == (b"234", 5)
        opened = file._file
    assert opened is not None
    assert opened.closed


def test_files_travel_as_a_form_with_their_length(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x" * 200_000)
    files = [Upload("a.png", path), Upload("é.png", b"yy")]
    call = Call(method="POST", path="/v1/jobs", read=nothing, form={"title": "T"}, files=files)
    with ExitStack() as stack, httpx.Client(base_url="http://host/below") as client:
        request = client.build_request(**parts(call, stack))
        body = request.read()
    assert str(request.url) == "http://host/below/v1/jobs"
    assert int(request.headers["content-length"]) == len(body)
    assert b"x" * 200_000 in body
    assert body.count(b'name="file"') == 2


def test_a_file_that_has_gone_is_named(tmp_path: Path) -> None:
    call = Call(method="POST", path="/", read=nothing, files=[Upload("a", tmp_path / "gone.png")])
    with ExitStack() as stack, pytest.raises(UsageError, match=r"gone\.png"):
        parts(call, stack)


@given(
    st.lists(st.text(alphabet=st.characters(exclude_characters="\n\r", codec="utf-8")), max_size=8), st.integers(1, 9)
)
def test_lines_come_out_whole_however_they_arrive(lines: list[str], size: int) -> None:
    sent = "".join(f"{line}\r\n" for line in lines).encode()
    splitter = Lines()
    found = [line for start in range(0, len(sent), size) for line in splitter.feed(sent[start : start + size])]
    assert found + splitter.end() == lines


def test_other_ends_of_lines_are_part_of_the_text() -> None:
    splitter = Lines()
    assert splitter.feed("a\u2028b\x85c\nd".encode()) == ["a\u2028b\x85c"]
    assert splitter.end() == ["d"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="coco.json"', "coco.json"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="..\\\\x.txt"', "x.txt"),
        ("attachment; filename*=UTF-8''p%C3%A4ge.txt", "päge.txt"),
        ('attachment; filename=".."', "results"),
        ("", "results"),
    ],
)
def test_the_servers_name_stays_in_the_folder(tmp_path: Path, header: str, name: str) -> None:
    response = httpx.Response(200, headers={"content-disposition": header})
    path, partial = place_for(tmp_path, response)
    assert (path, partial.parent) == (tmp_path / name, tmp_path)
    assert place_for(tmp_path / "mine.txt", response)[0] == tmp_path / "mine.txt"
