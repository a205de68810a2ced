"""What is not installed with Limner itself."""

import pytest

from limner.cli import extras
from limner.core.errors import UsageError


def test_what_is_missing_is_named_with_the_command_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_SERVER", ("json", "no_such_module", "neither_this"))
    with pytest.raises(UsageError) as refused:
        extras.need_server_extra("serve")
    said = str(refused.value)
    assert "`limner serve`" in said
    assert "no_such_module, neither_this" in said
    assert "limner[server]" in said


def test_with_everything_there_nothing_is_said() -> None:
    extras.need_server_extra("serve")
