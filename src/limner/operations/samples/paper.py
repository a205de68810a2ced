"""Paper and ink: from masks to a page that looks as if it had been printed long ago."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Field = npt.NDArray[np.float32]
Colour = tuple[int, int, int]

#: What ink of each name lets through of the light, by channel, 0 to 255.
INKS: dict[str, Colour] = {
    "black": (43, 34, 29),
    "brown": (104, 74, 50),
    "red": (166, 47, 34),
    "blue": (48, 78, 140),
    "faint": (196, 168, 140),
    "green wash": (152, 170, 112),
    "dark green wash": (122, 154, 98),
    "rose wash": (222, 138, 130),
    "ochre wash": (226, 188, 118),
    "gold": (214, 168, 62),
    "sky wash": (170, 194, 204),
}


#: Space around a mask in which its soft edges lie, pixels.
_MARGIN = 16


@dataclass(frozen=True, slots=True)
class Paper:
    """A kind of paper."""

    colour: Colour = (239, 228, 204)
    #: Side on which the page is bound.
    gutter: Literal["left", "right"] = "left"
    #: How strongly the other side shows through, 0 to 1.
    through: float = 0.045
    #: Number of brown spots.
    spots: int = 10
    #: Whether it has the lines of laid paper; parchment has none.
    laid: bool = True


def clouds(rng: np.random.Generator, height: int, width: int, cell: int) -> Field:
    """Smooth noise with mean 0 and deviation of about 1, in patches of ``cell`` pixels."""
    small = rng.standard_normal((height // cell + 3, width // cell + 3)).astype(np.float32)
    large = cv2.resize(small, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
    return np.asarray(large[cell : cell + height, cell : cell + width], np.float32)


def blank(paper: Paper, width: int, height: int, rng: np.random.Generator) -> Field:
    """An empty sheet: height × width × 3, 0 to 255."""
    tone = 2.2 * clouds(rng, height, width, 240) + 1.5 * clouds(rng, height, width, 60)
    tone += 0.8 * clouds(rng, height, width, 12) + 0.7 * clouds(rng, height, width, 3)
    if paper.laid:
        tone += _laid_lines(width, height)
    edges = _edges(width, height)
    light = 1 + tone / 255 - edges * (0.07 - 0.03 * clouds(rng, height, width, 90))
    light *= _gutter(paper, width)
    sheet = np.array(paper.colour, np.float32) * light[:, :, None]
    brown = 0.12 * edges + _spots(paper, width, height, rng)
    return np.asarray(sheet * (1 - brown[:, :, None] * np.array((0.25, 0.5, 0.9), np.float32)), np.float32)


def _laid_lines(width: int, height: int) -> Field:
    across = 0.8 * np.sin(np.arange(height, dtype=np.float32) * (2 * np.pi / 6.5))
    chains = -2.2 * np.exp(-(((np.arange(width, dtype=np.float32) % 96) - 48) ** 2) / 6)
    return np.asarray(across[:, None] + chains[None, :], np.float32)


def _edges(width: int, height: int) -> Field:
    """1 at the edges of the sheet, falling to 0 inside."""
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    near = np.minimum(np.minimum(x, width - 1 - x)[None, :], np.minimum(y, height - 1 - y)[:, None])
    return np.asarray(np.exp(-near / 45), np.float32)


def _gutter(paper: Paper, width: int) -> Field:
    """The shadow where the page bends into the binding."""
    x = np.arange(width, dtype=np.float32)
    away = x if paper.gutter == "left" else width - 1 - x
    bend = 1 - 0.40 * np.exp(-away / 20) - 0.07 * np.exp(-away / 90) + 0.02 * np.exp(-(((away - 110) / 60) ** 2))
    return np.asarray(bend[None, :], np.float32)


def _spots(paper: Paper, width: int, height: int, rng: np.random.Generator) -> Field:
    """Foxing: brown spots with soft edges."""
    out = np.zeros((height, width), np.float32)
    for _ in range(paper.spots):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        cv2.circle(out, centre, int(rng.integers(1, 6)), [float(rng.uniform(0.1, 0.5))], -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(out, (0, 0), 2.0), np.float32)


def printed(
    paper: Paper, masks: Mapping[str, Image.Image], size: tuple[int, int], rng: np.random.Generator
) -> Image.Image:
    """A sheet with ink on it: each mask in the ink of its name, washes first."""
    width, height = size
    sheet = blank(paper, width, height, rng)
    if "black" in masks:
        back = cv2.GaussianBlur(_reduced(masks["black"], size)[:, ::-1], (0, 0), 1.6)
        sheet *= 1 - paper.through * back[:, :, None]
    for name in sorted(masks, key=lambda name: "wash" not in name):
        _ink(sheet, name, masks[name], rng)
    return Image.fromarray(np.clip(sheet + 0.5, 0, 255).astype(np.uint8))


def _ink(sheet: Field, name: str, mask: Image.Image, rng: np.random.Generator) -> None:
    """Put one ink on the sheet, where its mask has any."""
    edges = mask.getbbox()
    if edges is None:
        return
    scale = mask.width // sheet.shape[1]
    left, top = (max(0, edge // scale - _MARGIN) for edge in edges[:2])
    right, bottom = (
        min(most, edge // scale + _MARGIN) for edge, most in zip(edges[2:], sheet.shape[1::-1], strict=True)
    )
    part = mask.crop((left * scale, top * scale, right * scale, bottom * scale))
    amount = _taken(_reduced(part, (right - left, bottom - top)), rng)
    if "wash" in name:
        amount *= _pooled(amount, rng)
    bare = 1 - np.array(INKS[name], np.float32) / 255
    sheet[top:bottom, left:right] *= 1 - amount[:, :, None] * bare


def _reduced(mask: Image.Image, size: tuple[int, int]) -> Field:
    """A mask at the size of the page, 0 to 1."""
    small = cv2.resize(np.asarray(mask), size, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / np.float32(255)


def _taken(mask: Field, rng: np.random.Generator) -> Field:
    """How much ink the paper has taken, 0 to 1: a little uneven, with soft edges."""
    height, width = mask.shape
    soft = cv2.GaussianBlur(mask, (0, 0), 0.55)
    uneven = 0.93 + 0.035 * clouds(rng, height, width, 70) + 0.035 * clouds(rng, height, width, 3)
    return np.asarray(np.clip(soft * 1.08, 0, 1) * np.clip(uneven, 0.7, 1), np.float32)


def _pooled(strength: Field, rng: np.random.Generator) -> Field:
    """Washes are thin in places and darker at their edges."""
    height, width = strength.shape
    edge = np.abs(strength - cv2.GaussianBlur(strength, (0, 0), 5))
    return np.asarray(np.clip(0.72 + 0.10 * clouds(rng, height, width, 24) + 0.5 * edge, 0.3, 1), np.float32)
