"""What other programs answered, from the shared data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from tests.real_data import real_data


def parity_folder() -> Path:
    """The folder of the parity data; skips the test where it is not there."""
    return real_data("parity")


def expected(program: str) -> dict[str, Any]:
    """What a program is known to answer."""
    return json.loads((parity_folder() / program / "expected.json").read_text())


def image_size(name: str) -> tuple[int, int]:
    """Width and height of one of the images."""
    with Image.open(parity_folder() / "images" / name) as image:
        return image.size
