import threading

import pytest

from limner.core.errors import CancelledError
from limner.jobs.control import CancelToken, Ticker, Watch


def test_a_token_tells_once_and_for_all() -> None:
    token = CancelToken()
    token.check()
    assert not token.cancelled()
    assert not token.wait(0.001)
    token.cancel()
    token.cancel()
    assert token.cancelled()
    assert token.wait(60)  # at once
    with pytest.raises(CancelledError):
        token.check()


def test_sleepers_are_woken() -> None:
    token = CancelToken()
    woken: list[bool] = []
    sleeper = threading.Thread(target=lambda: woken.append(token.wait(60)))
    sleeper.start()
    token.cancel()
    sleeper.join(5)
    assert woken == [True]


def test_what_is_to_be_done_is_done_once_and_one_failure_does_not_keep_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = CancelToken()
    done: list[str] = []
    token.on_cancel(lambda: done.append("first"))
    token.on_cancel(lambda: 1 // 0)
    token.on_cancel(lambda: done.append("second"))
    token.cancel()
    token.cancel()
    token.on_cancel(lambda: done.append("late"))  # at once: there will be no other time
    assert done == ["first", "second", "late"]
    assert "ZeroDivisionError" in caplog.text


def test_only_those_named_are_stopped() -> None:
    watch = Watch()
    with watch.token("a") as first, watch.token("b") as second:
        assert watch.owners() == {"a", "b"}
        watch.cancel(["a", "gone"])
        assert (first.cancelled(), second.cancelled()) == (True, False)
    assert watch.owners() == set()


def test_a_ticker_outlives_failures_and_does_not_repeat_itself(caplog: pytest.LogCaptureFixture) -> None:
    ticks = threading.Semaphore(0)
    away = True

    def tick() -> None:
        ticks.release()
        if away:
            raise ConnectionError("the database is away")

    ticker = Ticker("the dispatcher", 0.01, tick)
    ticker.start()
    assert all(ticks.acquire(timeout=60) for _ in range(5))
    assert caplog.text.count("goes on trying") == 1
    away = False
    assert all(ticks.acquire(timeout=60) for _ in range(3))
    ticker.stop()
    assert "the dispatcher works again" in caplog.text


def test_a_sleeping_ticker_is_woken_and_stopped_at_once() -> None:
    ticks = threading.Semaphore(0)
    ticker = Ticker("test", 600, ticks.release)
    ticker.start()
    assert ticks.acquire(timeout=60)
    ticker.wake()
    assert ticks.acquire(timeout=60)
    ticker.stop()
    ticker.wake()
    assert not ticks.acquire(timeout=0.05)


def test_a_ticker_that_was_never_started_can_be_stopped() -> None:
    Ticker("test", 1, lambda: None).stop()
