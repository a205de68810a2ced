"""When a request is tried again."""

import httpx
import pytest

from limner.client.call import Call, nothing
from limner.client.errors import ServerUnreachableError
from limner.client.retry import Attempts, reading


def _call(*, repeatable: bool = True) -> Call[None]:
    return Call(method="POST", path="/", read=nothing, repeatable=repeatable)


def test_pauses_grow_and_end() -> None:
    attempts = Attempts(_call(), 3)
    assert [attempts.after(503, {}) for _ in range(4)] == [0.25, 0.5, 1.0, None]


def test_the_server_says_how_long_up_to_a_limit() -> None:
    attempts = Attempts(_call(), 3)
    assert attempts.after(429, {"retry-after": "2"}) == 2.0
    assert attempts.after(429, {"retry-after": "86400"}) == 30.0


@pytest.mark.parametrize("status", [200, 202, 400, 401, 404, 409, 413, 500, 502])
def test_other_answers_stand(status: int) -> None:
    assert Attempts(_call(), 3).after(status, {}) is None


def test_a_conflict_after_a_lost_attempt_is_asked_again() -> None:
    attempts = Attempts(_call(), 3)
    attempts.after_error(httpx.ReadError(""), "s")
    assert attempts.after(409, {}) is not None


def test_what_may_not_be_repeated_is_not() -> None:
    attempts = Attempts(_call(repeatable=False), 3)
    assert attempts.after(503, {}) is None
    with pytest.raises(ServerUnreachableError):
        attempts.after_error(httpx.ConnectError("refused"), "http://s")


def test_a_server_that_may_still_be_at_work_is_not_asked_again() -> None:
    with pytest.raises(ServerUnreachableError, match="in time"):
        Attempts(_call(), 3).after_error(httpx.ReadTimeout(""), "http://s")
    assert Attempts(_call(), 3).after_error(httpx.ConnectTimeout(""), "http://s") > 0


def test_a_connection_that_breaks_off_names_the_server() -> None:
    with pytest.raises(ServerUnreachableError, match="http://s broke off: ReadError"), reading("http://s"):
        raise httpx.ReadError("")
