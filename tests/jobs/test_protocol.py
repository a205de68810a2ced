from pathlib import Path

import pytest

from limner.core.errors import DecodeError, LimnerError
from limner.jobs.protocol import Handler, TryAgainError, failure
from limner.storage.jobs import Failure
from tests.jobs.handlers import Scripted


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DecodeError("The file is torn."), "source.decode", "The file is torn."),
        (LimnerError("It is full.", hint="Make room."), "error", "It is full. Make room."),
        (TryAgainError(), "try-again", "It did not work this time, and may the next."),
        (KeyError("x"), "unexpected", "Unexpected KeyError: 'x'"),
    ],
)
def test_an_exception_is_kept_with_its_code(error: Exception, code: str, message: str) -> None:
    kept = failure(error)
    assert kept == Failure(code, message)
    assert kept.plain() == {"code": code, "message": message}


def test_what_the_tests_use_is_a_handler(tmp_path: Path) -> None:
    handler: Handler = Scripted(tmp_path / "log")
    assert handler.kind == "scripted"
