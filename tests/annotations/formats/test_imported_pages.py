import pytest

from limner.annotations.formats.imported_pages import PageMaker, file_name, name_from_url
from limner.annotations.formats.protocol import ParseContext
from limner.annotations.page import Page

SIZES = {"a.jpg": (200, 100)}


def page(name: str = "a.jpg", width: int = 0, height: int = 0) -> Page:
    return Page(id="p", name=name, index=0, width=width, height=height)


def maker() -> PageMaker:
    return PageMaker(ParseContext(size_of=SIZES.get))


def test_ids_and_names_come_out_unique():
    made = maker()
    pages = [made.add(page(name)) for name in ("a.jpg", "a.jpg", "a-2.jpg", ".jpg", ".jpg")]
    assert [each.name for each in pages] == ["a.jpg", "a-2.jpg", "a-2-2.jpg", ".jpg", ".jpg-2"]
    assert [each.id for each in pages] == ["p", "p-2", "p-3", "p-4", "p-5"]


def test_a_page_that_says_no_size_gets_that_of_its_image():
    assert (maker().add(page()).width, maker().add(page("b.jpg")).width) == (200, 0)
    assert maker().add(page(width=10, height=10)).width == 10


def test_units_are_scaled_to_the_image_that_is_there():
    made, sx, sy = maker().add_scaled(page(width=100, height=25))
    assert (made.width, made.height, sx, sy) == (200, 100, 2, 4)


@pytest.mark.parametrize(("name", "width"), [("b.jpg", 100), ("a.jpg", 0)])
def test_without_two_sizes_nothing_is_scaled(name: str, width: int):
    _, sx, sy = maker().add_scaled(page(name, width, width))
    assert (sx, sy) == (1, 1)


@pytest.mark.parametrize(
    ("path", "name"), [("a/b.jpg", "b.jpg"), ("C:\\scans\\b.jpg", "b.jpg"), ("b.jpg", "b.jpg"), ("a/", ""), ("", "")]
)
def test_file_names_of_any_system(path: str, name: str):
    assert file_name(path) == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://x.example/canvas/p1", "p1"),
        ("https://x.example/scans/a%20b.jpg?v=1#t", "a b.jpg"),
        ("https://x.example/iiif/book%2F0001.jp2/full/max/0/default.jpg", "0001.jp2"),
        ("https://x.example/iiif/f12/0,0,10,10/!200,200/0/native.png", "f12.png"),
        ("https://x.example/iiif/f12/info.json", "f12"),
        ("https://x.example/", "page"),
        ("urn:uuid:1234", "uuid:1234"),
    ],
)
def test_names_from_addresses(url: str, name: str):
    assert name_from_url(url) == name
