"""Where the real data is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real_data import real_data as find


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """A function from a name below the shared data to its path; skips the test where it is not there."""
    return find
