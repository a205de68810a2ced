from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.annotations.formats.naming import Stems, image_name, page_stem
from limner.annotations.page import Page

names = st.one_of(
    st.text(min_size=1, max_size=30),
    st.from_regex(r"[A-Za-z0-9_\-./\\]{1,8}(_png|-0123456789)?\.(jpg|png|jpeg|JPG)", fullmatch=True),
)


def page(name: str) -> Page:
    return Page(id="1", name=name, index=0)


def stems(names: Iterable[str]) -> list[str]:
    given_out = Stems()
    return [given_out.of(page(name)) for name in names]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("0001.jpg", "0001"),
        ("ms22_f. 12v.jpg", "ms22_f. 12v"),
        ("0001.png", "0001_png"),
        ("0001.TIF", "0001_TIF"),
        ("btv1b8449691v_f12.tif", "btv1b8449691v_f12_tif"),
        ("Évangéliaire.jpg", "Évangéliaire"),
        ("E\u0301vangile.jpg", None),
        ("12:v?.jpg", None),
        ("0001 .jpg", None),
        ("vol.1.jpg", "vol.1"),
        ("0001_png.jpg", None),
        ("f12v", None),
        ("../../etc/passwd.jpg", None),
        ("C:\\aux.jpg", None),
        ("con.jpg", None),
        (".jpg", None),
        ("x" * 400 + ".jpg", None),
    ],
)
def test_stem_of_a_name_is_the_name_or_ends_in_a_digest(name: str, stem: str | None) -> None:
    given_out = page_stem(page(name))
    if stem:
        assert given_out == stem
    else:
        assert len(given_out.rpartition("-")[2]) == 10
        assert given_out != name


@given(names)
def test_a_stem_is_safe_as_a_file_name(name: str) -> None:
    for stem in (page_stem(page(name)), stems([name])[0]):
        assert 0 < len(stem.encode()) <= 200
        assert not set(stem) & set('/\\:*?"<>|\0\n')
        assert stem == stem.strip(" .")
        assert stem.partition(".")[0].lower() not in {"con", "nul", "aux", "prn", "com1"}


@given(st.lists(names, unique=True, max_size=8))
def test_different_names_have_different_stems(names: list[str]) -> None:
    assert len({page_stem(page(name)) for name in names}) == len(names)
    assert len({stem.casefold() for stem in stems(names)}) == len(names)


def test_stems_are_those_of_the_images_until_one_is_taken() -> None:
    first, second, third = stems(["a/0001.png", "0001.jpg", "0002.tif"])
    assert (first, third) == ("0001", "0002")
    assert second.startswith("0001-")


def test_the_image_of_a_stem_is_looked_for_by_its_suffixes() -> None:
    sizes = {"0001.png": (30, 20), "0002.JPG": (3, 2)}
    assert image_name("0001", sizes.get) == ("0001.png", (30, 20))
    assert image_name("0002", sizes.get) == ("0002.JPG", (3, 2))
    assert image_name("0003", sizes.get) == ("0003.jpg", None)
