"""The real command, run in processes of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LIMNER = Path(sys.executable).with_name("limner")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with a data folder of its own, and loopback allowed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LIMNER_")}
    return {**kept, "LIMNER_DATA": str(tmp_path / "data"), "LIMNER_SOURCE_NETWORKS": "127.0.0.0/8"}


@pytest.fixture
def limner(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run ``limner`` with some arguments in the test's folder."""

    def run(*arguments: object, code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        words = [str(LIMNER), *(str(argument) for argument in arguments)]
        done = subprocess.run(
            words, check=False, cwd=tmp_path, env={**environment, **more}, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run
