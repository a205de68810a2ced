"""Where the shared real data is: ``LIMNER_TEST_DATA``, by default ``../shared/data`` beside the checkout."""

import os
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).parents[2] / "shared" / "data"


def real_data(name: str) -> Path:
    """The path of something below the shared data; skips the test, saying so, where it is not there."""
    path = Path(os.environ.get("LIMNER_TEST_DATA") or _DEFAULT) / name
    if not path.exists():
        pytest.skip(f"NO REAL DATA: {path} is missing; set LIMNER_TEST_DATA to the folder that holds it")
    return path
