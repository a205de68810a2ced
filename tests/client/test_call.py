"""Requests apart from how they travel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.client.call import Answer, Call, content, filled, once, path, text
from limner.core.errors import FormatError, UsageError


def test_segments_are_escaped() -> None:
    assert path("models", "a b/c?d#e") == "/v1/models/a%20b%2Fc%3Fd%23e"
    assert path("models", "bright@1") == "/v1/models/bright@1"


@pytest.mark.parametrize("segment", ["", " ", ".", ".."])
def test_a_segment_that_leads_elsewhere_is_refused(segment: str) -> None:
    with pytest.raises(UsageError):
        path("jobs", segment)


@given(st.text(min_size=1, max_size=30))
def test_no_segment_leaves_its_place(segment: str) -> None:
    try:
        made = path("jobs", segment, "pages")
    except UsageError:
        return
    except UnicodeEncodeError:  # half of a character, which no address can hold
        return
    assert made.startswith("/v1/jobs/")
    assert made.count("/") == 4
    assert not set(made) & set("?# \n")


def test_what_is_none_is_left_out() -> None:
    assert filled(a=None, b=0, c="", d=0.5) == {"b": "0", "c": "", "d": "0.5"}


def test_each_request_has_a_key_of_its_own_unless_one_is_given() -> None:
    assert once(None) != once(None)
    assert once("mine") == {"idempotency-key": "mine"}


def test_a_call_with_other_parameters_is_another_call() -> None:
    call = Call(method="GET", path="/v1/jobs", read=content, params={"status": "failed"})
    assert call.having(cursor="x").params == {"status": "failed", "cursor": "x"}
    assert call.params == {"status": "failed"}


def test_answers_that_are_no_objects_say_so() -> None:
    with pytest.raises(FormatError, match="Limner server"):
        Answer(200, {}, b"<html>").plain()
    with pytest.raises(FormatError, match="object"):
        Answer(200, {}, b"[]").plain()
    assert Answer(200, {}, b'{"a": 1}').plain() == {"a": 1}


@pytest.mark.parametrize("kind", ["application/zip", "image/png; x=1"])
def test_what_is_no_text_is_not_read_as_such(kind: str) -> None:
    with pytest.raises(FormatError, match="Save it"):
        text(Answer(200, {"content-type": kind}, b"PK"))
    assert text(Answer(200, {"content-type": "text/csv"}, "é".encode())) == "é"
