from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.sources.naming import is_hidden, natural_key, numbered, plain_text, safe_name, split_suffix, unique_names


def test_numbers_are_put_in_order_as_people_count():
    names = ["page10", "page2", "Page1", "page02b", "page2b", "page"]
    assert sorted(names, key=natural_key) == ["page", "Page1", "page2", "page02b", "page2b", "page10"]


def test_folders_are_put_in_order_one_by_one():
    paths = ["b/1.jpg", "a/10.jpg", "a10/1.jpg", "a/9.jpg", "a2/1.jpg"]
    assert sorted(paths, key=natural_key) == ["a/9.jpg", "a/10.jpg", "a2/1.jpg", "a10/1.jpg", "b/1.jpg"]


def test_a_number_of_any_length_can_be_compared():
    long = "9" * 9000
    assert sorted([f"{long}0", long, "1"], key=natural_key) == ["1", long, f"{long}0"]


@given(st.lists(st.text(max_size=12)))
def test_the_order_does_not_depend_on_the_order_before(names):
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        (".DS_Store", True),
        ("a/.git/x.jpg", True),
        ("__MACOSX/a/._1.jpg", True),
        ("a/@eaDir/1.jpg", True),
        ("a/b.jpg", False),
        ("a.b/c", False),
    ],
)
def test_hidden_files(path, hidden):
    assert is_hidden(path) is hidden


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("0001.jpg", "0001.jpg"),
        ("f. 12 verso.JPG", "f. 12 verso.JPG"),
        ("Été à Orléans.png", "Été à Orléans.png"),
        ("a/b\\c:d.jpg", "a_b_c_d.jpg"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "page"),
        ("", "page"),
        ("\x1b[31mred\n.jpg", "_x1b[31mred_x0a.jpg"),
        ("caf\udce9.jpg", "caf_xe9.jpg"),
        ("x" * 300 + "12.jpg", "x" * 198 + "12.jpg"),
    ],
)
def test_safe_names(text, name):
    assert safe_name(text) == name


@given(st.text(max_size=300))
def test_any_name_becomes_safe(text):
    name = safe_name(text)
    assert name
    assert not set(name) & set('/\\<>:"|?*\n\r\0')
    assert not name.startswith(".")
    assert len(name.encode()) <= 255
    assert safe_name(name) == name


def test_plain_text_can_be_written_and_read():
    assert plain_text("a\udce9/b.jpg") == "a\\xe9/b.jpg"
    assert plain_text("\x1b[2J\u2028\ud800") == "\\x1b[2J\\u2028\\ud800"
    assert plain_text("Éa/b.jpg") == "Éa/b.jpg"


def test_parts_of_names():
    assert split_suffix("a.b/scan.tif") == ("a.b/scan", ".tif")
    assert split_suffix("Vol. 1 of everything") == ("Vol. 1 of everything", "")
    assert split_suffix(".jpg") == (".jpg", "")
    assert numbered("a/scan.tif", 3) == "a/scan_0003.tif"


def test_a_name_that_is_there_once_stays_as_it_is():
    assert unique_names(["a/1.jpg", "b/2.jpg"]) == ["1.jpg", "2.jpg"]


def test_the_folder_tells_apart_what_has_the_same_name():
    assert unique_names(["a/0001.jpg", "b/0001.jpg", "b/2.jpg"]) == ["a_0001.jpg", "b_0001.jpg", "2.jpg"]
    assert unique_names(["a/X.jpg", "b/x.jpg"]) == ["a_X.jpg", "b_x.jpg"]


def test_a_number_tells_apart_what_the_folder_does_not():
    assert unique_names(["a/b.jpg", "a_b.jpg", "c/b.jpg"]) == ["a_b.jpg", "a_b-2.jpg", "c_b.jpg"]
    assert unique_names(["x.jpg"] * 3) == ["x.jpg", "x-2.jpg", "x-3.jpg"]


@given(st.lists(st.text("aAb/._-2é", max_size=6), max_size=30))
def test_names_are_unique_in_any_capitals(paths):
    names = unique_names(paths)
    assert len(names) == len(paths)
    assert len({name.casefold() for name in names}) == len(paths)


def test_many_of_one_name_take_no_time():
    assert len(set(unique_names(["default.jpg"] * 20_000))) == 20_000
