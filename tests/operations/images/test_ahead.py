import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from limner.core.errors import DecodeError
from limner.core.settings import Settings
from limner.operations.images.ahead import MakingAhead
from limner.operations.images.shelf import Original, Shelf
from limner.sources.protocol import Picture
from limner.storage.blobs import Blobs


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(Blobs(tmp_path / "blobs"), Settings(data=tmp_path / "data"))


@pytest.fixture
def ahead(shelf: Shelf) -> Iterator[MakingAhead]:
    made = MakingAhead(shelf)
    yield made
    made.stop()


def _picture() -> Picture:
    return Picture(np.zeros((30, 40, 3), np.uint8), 40, 30)


def _damaged() -> Picture:
    raise DecodeError("no image")


def _originals(done: threading.Event, *decoders: object) -> Iterator[Original]:
    for number, decode in enumerate(decoders):
        yield Original(f"{number}.tif", decode, lambda: True)
    done.set()


def test_all_are_made_and_one_that_cannot_be_read_holds_up_none(ahead: MakingAhead, shelf: Shelf) -> None:
    done = threading.Event()
    ahead.add(lambda: _originals(done, _picture, _damaged, _picture))
    assert done.wait(60)
    assert [shelf.find(f"{number}.tif") is not None for number in range(3)] == [True, False, True]


def test_a_failure_is_logged_and_the_next_is_made(
    ahead: MakingAhead, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Iterator[Original]:
        raise ValueError("the database has gone")

    done = threading.Event()
    with caplog.at_level(logging.ERROR):
        ahead.add(broken)
        ahead.add(lambda: _originals(done, _picture))
        assert done.wait(60)
    assert "could not be made ahead" in caplog.text
    assert shelf.find("0.tif") is not None


def test_stopping_does_not_wait_for_the_rest(shelf: Shelf) -> None:
    ahead, begun, go_on = MakingAhead(shelf), threading.Event(), threading.Event()

    def slow() -> Picture:
        begun.set()
        assert go_on.wait(60)
        return _picture()

    ahead.add(lambda: _originals(threading.Event(), slow, _picture))
    assert begun.wait(60)
    stopping = threading.Thread(target=ahead.stop)
    stopping.start()
    while not ahead._stopping.is_set():
        begun.wait(0.01)
    go_on.set()
    stopping.join(60)
    assert not stopping.is_alive()
    assert [shelf.find(f"{number}.tif") is not None for number in range(2)] == [True, False]
