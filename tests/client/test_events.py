"""Server-sent events, and following a job by them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.client import events
from limner.client.errors import ApiError, ServerUnreachableError
from limner.client.events import EventReader, Following
from limner.core.errors import FormatError


def _fed(reader: EventReader, text: str) -> list[tuple[str, str]]:
    return [found for line in text.split("\n") if (found := reader.feed(line)) is not None]


def test_lines_become_events() -> None:
    reader = EventReader()
    found = _fed(reader, ": ping\n\nevent: job\nid: 4\ndata: a\ndata:b\n\ndata: c\n\nevent: x\n\n")
    assert found == [("job", "a\nb"), ("message", "c")]
    assert reader.last_id == "4"


def test_an_event_that_broke_off_leaves_no_trace() -> None:
    reader = EventReader("3")
    _fed(reader, "event: job\nid: 4\ndata: a")
    reader.reset()
    assert reader.last_id == "3"
    assert _fed(reader, "data: b\n\n") == [("message", "b")]
    assert reader.last_id == "3"


def test_an_id_with_a_null_character_is_no_id() -> None:
    reader = EventReader("3")
    assert _fed(reader, "id: 4\0\ndata: a\n\n") == [("message", "a")]
    assert reader.last_id == "3"


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=20), min_size=1))
def test_data_comes_back_as_it_was_sent(lines: list[str]) -> None:
    sent = "".join(f"data: {line}\n" for line in lines) + "\n"
    assert _fed(EventReader(), sent) == [("message", "\n".join(lines))]


def _job(number: int, status: str = "running") -> str:
    pages = {"total": 2, "done": 0, "failed": 0}
    job = {"id": "j", "kind": "annotate", "status": status, "pages": pages}
    return f"event: job\nid: {number}\ndata: {json.dumps(job)}\n\n"


def _followed(following: Following, text: str) -> list[str]:
    return [event.id for line in text.split("\n") if (event := following.feed(line)) is not None]


def test_the_state_at_the_start_of_a_new_connection_is_told_once() -> None:
    following = Following("j")
    assert _followed(following, _job(1) + _job(2)) == ["1", "2"]
    assert following.call().headers["last-event-id"] == "2"
    assert _followed(following, _job(2) + _job(3, "succeeded")) == ["3"]
    assert following.final


def test_a_job_that_has_ended_and_begins_again_has_not_ended() -> None:
    following = Following("j", after="0")
    _followed(following, _job(0, "succeeded") + _job(1))
    assert not following.final


def test_pages_are_events_too_and_unknown_kinds_are_kept() -> None:
    page = {"index": 1, "name": "a.jpg", "status": "failed", "error": {"code": "source", "message": "Gone."}}
    following = Following("j")
    lines = f"event: page\nid: 1\ndata: {json.dumps(page)}\n\nevent: later\nid: 2\ndata: {{}}\n\n".split("\n")
    first, second = (event for line in lines if (event := following.feed(line)) is not None)
    assert first.page is not None
    assert (first.page.index, first.page.annotations, str(first.page.error)) == (1, None, "Gone.")
    assert (second.type, second.job, second.page) == ("later", None, None)


@pytest.mark.parametrize("data", ["{", "[1]", '{"id": "j"}'])
def test_an_event_that_cannot_be_read_is_an_error(data: str) -> None:
    with pytest.raises(FormatError):
        _followed(Following("j"), f"event: job\ndata: {data}\n\n")


def test_it_waits_longer_each_time_and_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(events.time, "monotonic", lambda: now[0])
    following, gone = Following("j"), ServerUnreachableError()
    pauses = [following.lost(gone, "s") for _ in range(8)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 1
    assert pauses[-1] == 5.0
    now[0] += 60
    following.feed(": ping")  # it was there again
    now[0] += 100
    following.lost(gone, "s")
    now[0] += 130
    with pytest.raises(ServerUnreachableError, match="away"):
        following.lost(gone, "s")


def test_what_will_not_pass_is_raised_at_once() -> None:
    with pytest.raises(ApiError):
        Following("j").lost(ApiError("No.", status=401), "s")
    with pytest.raises(FormatError):
        Following("j").lost(FormatError("No."), "s")
    assert Following("j").lost(ApiError("Later.", status=503), "s") > 0


def test_the_time_to_follow_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(events.time, "monotonic", lambda: now[0])
    following = Following("j", timeout=10)
    assert following.silence == 10
    following.feed(": ping")
    now[0] = 111
    with pytest.raises(TimeoutError, match="10 s"):
        following.feed(": ping")
    with pytest.raises(TimeoutError):
        following.lost(None, "s")
