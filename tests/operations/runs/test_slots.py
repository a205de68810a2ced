import threading
from pathlib import Path

import pytest

from limner.core.errors import CancelledError, UsageError
from limner.operations.runs.slots import Slots, gpus


def _never(_seconds: float) -> bool:
    raise AssertionError("there is a place")


def _give_up(_seconds: float) -> bool:
    return True


def test_one_run_at_a_time_where_there_is_no_gpu(tmp_path: Path) -> None:
    one, other = Slots(tmp_path, []), Slots(tmp_path, [])
    assert len(one) == 1
    with one.taken(1, _never) as (found, files):
        assert (found, len(files)) == (None, 1)
        with pytest.raises(CancelledError), other.taken(1, _give_up):
            pass
    with other.taken(1, _never):
        pass


def test_each_run_has_gpus_of_its_own(tmp_path: Path) -> None:
    slots = Slots(tmp_path, ["0", "2", "3"])
    assert len(slots) == 3
    with slots.taken(2, _never) as (first, _), slots.taken(1, _never) as (second, _):
        assert sorted([*first, *second]) == ["0", "2", "3"]
        with pytest.raises(CancelledError), slots.taken(1, _give_up):
            pass
    with pytest.raises(CancelledError), slots.taken(1, _never), slots.taken(3, _give_up):
        pass
    with slots.taken(3, _never):  # what was not enough was given back
        pass
    with pytest.raises(UsageError, match="wants 4 GPUs, and this machine has 3"), slots.taken(4, _never):
        pass


def test_who_waits_has_its_turn(tmp_path: Path) -> None:
    slots, asked, had = Slots(tmp_path, []), threading.Event(), threading.Event()

    def wait(_seconds: float) -> bool:
        asked.set()
        return threading.Event().wait(0.01)

    def work() -> None:
        with Slots(tmp_path, []).taken(1, wait):
            had.set()

    with slots.taken(1, _never):
        thread = threading.Thread(target=work)
        thread.start()
        assert asked.wait(30)
        assert not had.is_set()
    assert had.wait(30)
    thread.join()


def test_the_gpus_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for chosen, found in (("", []), ("-1", []), ("1, 3", ["1", "3"])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
        assert gpus() == found
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert isinstance(gpus(), list)
