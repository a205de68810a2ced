from __future__ import annotations

import pytest

from limner.core.errors import SourceError, TooLargeError
from limner.sources.images.magic import Media
from limner.sources.local import exists, expand, head_of, is_file, is_folder, is_image_file, is_pattern, media_of
from tests.sources.image_files import jpeg

ODD = ["x" * 5_000_000, "a\0b", "", "\udce9"]


@pytest.mark.parametrize("spec", ODD)
def test_a_spec_may_be_anything(spec):
    assert not exists(spec)
    assert not is_file(spec)
    assert not is_folder(spec)
    assert not is_image_file(spec)
    assert not is_pattern(spec)
    assert media_of(spec) is None


def test_what_there_is(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "gone").symlink_to("nowhere")
    assert is_folder(str(tmp_path))
    assert is_file(str(tmp_path / "a.txt"))
    assert exists(str(tmp_path / "gone"))
    assert not is_file(str(tmp_path / "gone"))


def test_images_are_known_by_name_or_content(tmp_path):
    for name, content in {
        "empty.JPG": b"",
        "page": jpeg(),
        "page.txt": jpeg(),
        "text": b"text",
        "note.md": b"#",
    }.items():
        (tmp_path / name).write_bytes(content)
    known = [path.name for path in sorted(tmp_path.iterdir()) if is_image_file(str(path))]
    assert known == ["empty.JPG", "page", "page.txt"]
    assert media_of(str(tmp_path / "page")) is Media.JPEG


def test_a_file_that_may_not_be_read_has_no_beginning(tmp_path, unprivileged):
    path = tmp_path / "page"
    path.write_bytes(jpeg())
    path.chmod(0)
    with unprivileged():
        assert head_of(str(path)) == b""


def test_patterns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scan[1].jpg").write_bytes(jpeg())
    assert is_pattern("*.jpg")
    assert is_pattern("scan?.jpg")
    assert not is_pattern("scan[1].jpg")
    assert not is_pattern("https://example.org/a?b=[c]*")
    assert not is_pattern("data:image/svg+xml,*")


def test_expansion_is_in_natural_order_without_hidden_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("p10.jpg", "p9.jpg", ".p1.jpg", "deep/p1.jpg", "deep/er/p1.jpg"):
        (tmp_path / name).touch()
    assert expand("*.jpg", 100) == ["p9.jpg", "p10.jpg"]
    assert expand("**/*.jpg", 100) == ["deep/er/p1.jpg", "deep/p1.jpg", "p9.jpg", "p10.jpg"]
    assert expand(f"{tmp_path}/p*", 100) == [f"{tmp_path}/p9.jpg", f"{tmp_path}/p10.jpg"]


def test_folders_count_where_no_file_fits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b2", "b10"):
        (tmp_path / name).mkdir()
    assert expand("b*", 100) == ["b2", "b10"]
    (tmp_path / "b.jpg").touch()
    assert expand("b*", 100) == ["b.jpg"]


def test_nothing_or_too_much(tmp_path):
    with pytest.raises(SourceError, match=r"No file fits the pattern .*\*\.gif"):
        expand(f"{tmp_path}/*.gif", 100)
    for number in range(5):
        (tmp_path / f"{number}.jpg").touch()
    with pytest.raises(TooLargeError, match="more than 4 pages"):
        expand(f"{tmp_path}/*.jpg", 4)
