"""The lines that the process for local places reads and writes; MLflow itself is in `test_local`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from limner.operations.tracking.child import answer


class Refusing(Exception):  # noqa: N818
    error_code = "RESOURCE_DOES_NOT_EXIST"


class Hands:
    """Answers as the writer would, or raises."""

    def find(self, experiment_id: str, key: str) -> list[str]:
        return [f"{experiment_id}/{key}"]

    def log(self, run_id: str, points: object) -> None:
        raise Refusing("no such run")

    def end(self, *_: object) -> None:
        raise OSError("the disk is full")

    def secret(self) -> str:
        return "never"


def asked(*request: object) -> dict[str, Any]:
    return answer(Hands(), json.dumps(request))  # type: ignore[arg-type]


def test_a_request_is_a_method_and_its_arguments() -> None:
    assert asked("find", "1", "key") == {"result": ["1/key"]}


def test_an_error_says_whether_trying_again_is_any_use() -> None:
    assert asked("log", "r", []) == {"error": "no such run", "refused": True}
    assert asked("end", "r", "FINISHED", 1) == {"error": "the disk is full", "refused": False}


def test_only_methods_of_a_store_are_called() -> None:
    with pytest.raises(ValueError, match="no method"):
        asked("secret")
