"""Errors: default messages, hints, and codes that are all different."""

import inspect

from limner.core import errors
from limner.core.errors import FetchError, LimnerError, UsageError


def _classes() -> list[type[LimnerError]]:
    return [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, LimnerError)]


def test_the_docstring_is_the_default_message() -> None:
    assert str(FetchError()) == "The server did not give what was asked for."


def test_a_hint_follows_the_message() -> None:
    error = UsageError("That is wrong.", hint="Do this.")
    assert str(error) == "That is wrong. Do this."
    assert (error.message, error.hint) == ("That is wrong.", "Do this.")


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [cls.code for cls in _classes()]
    assert len(codes) == len(set(codes))


def test_every_error_says_what_it_means() -> None:
    for cls in _classes():
        assert cls.__doc__
        assert cls.__doc__.strip().endswith(".")
