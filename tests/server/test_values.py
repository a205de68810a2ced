import pytest
from pydantic import TypeAdapter, ValidationError

from limner.core.errors import NotFoundError, UsageError
from limner.server.values import PathId, ShortText, Text, id_cursor, number_cursor


@pytest.mark.parametrize("text", ["a\0b", chr(0xD800), f"x{chr(0xDFFF)}"], ids=["zero", "first half", "second half"])
def test_text_that_no_database_keeps_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="cannot be kept"):
        TypeAdapter(Text).validate_python(text)


def test_other_text_stays_as_it_is() -> None:
    assert TypeAdapter(ShortText).validate_python("写本 𝔐\n") == "写本 𝔐\n"
    with pytest.raises(ValidationError):
        TypeAdapter(ShortText).validate_python("x" * 501)


def test_what_cannot_be_an_id_is_as_unknown_as_any_other() -> None:
    assert TypeAdapter(PathId).validate_python("0af" + "1" * 29) == "0af" + "1" * 29
    for identity in ("", "x", "0" * 31, "0" * 33, "G" * 32, "0" * 31 + "\0", "０" * 32):
        with pytest.raises(NotFoundError):
            TypeAdapter(PathId).validate_python(identity)


def test_cursors_are_those_that_were_given() -> None:
    assert (id_cursor(None), id_cursor("0" * 32)) == (None, "0" * 32)
    assert (number_cursor(None), number_cursor("17")) == (-1, 17)
    for wrong in ("", "-1", "1.5", "9" * 10, "１"):
        with pytest.raises(UsageError):
            number_cursor(wrong)
        with pytest.raises(UsageError):
            id_cursor(wrong)
