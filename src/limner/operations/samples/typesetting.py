"""Setting type: faces, lines that fill their measure, and where each of them stands."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import font_caladea
import font_manrope
from PIL import ImageFont

from limner.operations.samples.drawing import SCALE

_FILES: dict[str, str] = {
    "roman": font_caladea.font_files["Caladea"],
    "italic": font_caladea.font_files["CaladeaItalic"],
    "bold": font_caladea.font_files["CaladeaBold"],
    "sans": font_manrope.font_files["Manrope"],
    "sans medium": font_manrope.font_files["ManropeMedium"],
    "sans bold": font_manrope.font_files["ManropeBold"],
}
#: Marks in our texts where a word may be divided.
SOFT_HYPHEN = "|"

#: A space between words may shrink and grow to these parts of its own width.
_LEAST, _MOST = 0.72, 2.6
#: What a line of a single word costs, and above which cost a line is very loose.
_LONELY, _LOOSE = 500.0, 400.0
#: What dividing a word costs, in the same measure as a space at twice its width.
_DIVIDED = 0.55


@lru_cache(maxsize=64)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FILES[name], size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def _length(name: str, size: int, text: str) -> float:
    """Width of a text at the scale of masks; breaking lines asks for the same words again and again."""
    return _font(name, size).getlength(text)


@dataclass(frozen=True, slots=True)
class Face:
    """A typeface at a size."""

    #: One of the names above.
    name: str
    #: Height of the type, pixels of the page.
    size: float
    #: Extra space after each letter, pixels of the page.
    spaced: float = 0.0

    @property
    def font(self) -> ImageFont.FreeTypeFont:
        """The font at the scale of masks."""
        return _font(self.name, round(self.size * SCALE))

    def width(self, text: str) -> float:
        """Width of a text, pixels of the page."""
        return _length(self.name, round(self.size * SCALE), text) / SCALE + self.spaced * max(len(text) - 1, 0)

    def extent(self, text: str) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the ink of a text, from the beginning of its baseline."""
        left, top, right, bottom = (edge / SCALE for edge in self.font.getbbox(text, anchor="ls"))
        return left, top, right + self.spaced * max(len(text) - 1, 0), bottom


@dataclass(frozen=True, slots=True)
class SetLine:
    """A line of words with their places."""

    words: tuple[str, ...]
    #: Beginning of each word, pixels from the left edge of the column.
    places: tuple[float, ...]

    @property
    def text(self) -> str:
        """The words with single spaces."""
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word, or a part of one that may be divided."""

    text: str
    #: Whether the word ends here.
    ends: bool


def _pieces(text: str) -> list[_Piece]:
    out = []
    for word in text.split():
        *parts, last = word.split(SOFT_HYPHEN)
        out += [_Piece(part, False) for part in parts] + [_Piece(last, True)]
    return [_Piece(piece.text.replace("~", " "), piece.ends) for piece in out]


def _words(pieces: Sequence[_Piece]) -> tuple[str, ...]:
    """Pieces joined to words, with a hyphen where the line divides one."""
    words, open_ = [], ""
    for piece in pieces:
        open_ += piece.text
        if piece.ends:
            words.append(open_)
            open_ = ""
    return (*words, f"{open_}-") if open_ else tuple(words)


def set_paragraph(
    text: str, face: Face, measure: Callable[[int], tuple[float, float]], *, ragged: bool = False
) -> list[SetLine]:
    """A paragraph in lines that fill their measure, all but the last; or none of them, if ``ragged``.

    ``measure`` gives the left edge and the width of each line by its number. ``~`` in the text is a
    space that is never broken. The breaks are those with the least sum of squared distortions of the
    spaces (after Knuth and Plass).
    """
    pieces = _pieces(text)
    # Very loose lines are tried only where there is no other way: they are many.
    for loosest in (_LOOSE, math.inf):
        ends = _breaks(pieces, face, measure, loosest)
        if ends is not None:
            return list(_placed(pieces, ends, face, measure, ragged=ragged))
    raise ValueError(f"A sample text cannot be set in its measure: {text[:40]}…")


def _breaks(
    pieces: Sequence[_Piece], face: Face, measure: Callable[[int], tuple[float, float]], loosest: float
) -> tuple[int, ...] | None:
    """The best ends of lines, as numbers of pieces; None where lines no looser than that are not possible."""
    best: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {(0, 0): (0.0, ())}
    done: list[tuple[float, tuple[int, ...]]] = []
    for start in range(len(pieces)):
        for (at, line), (cost, breaks) in [item for item in best.items() if item[0][0] == start]:
            for end, own in _candidates(pieces, at, face, measure(line)[1]):
                total, chosen = cost + own, (*breaks, end)
                if end == len(pieces):
                    done.append((total, chosen))
                elif own <= loosest and ((end, line + 1) not in best or total < best[end, line + 1][0]):
                    best[end, line + 1] = (total, chosen)
    return min(done)[1] if done else None


def _candidates(pieces: Sequence[_Piece], start: int, face: Face, width: float) -> Iterator[tuple[int, float]]:
    """Where a line that begins at a piece may end, and what that costs."""
    space = face.width(" ")
    for end in range(start + 1, len(pieces) + 1):
        words = _words(pieces[start:end])
        letters = sum(map(face.width, words))
        gaps = len(words) - 1
        if letters + gaps * space * _LEAST > width:
            return
        if end == len(pieces):
            yield end, 0.0
        else:
            yield end, _distortion(width - letters, gaps, space) + (0.0 if pieces[end - 1].ends else _DIVIDED)


def _distortion(room: float, gaps: int, space: float) -> float:
    """How bad a line looks whose spaces have to share some room."""
    if not gaps:
        return _LONELY
    ratio = room / gaps / space
    return (ratio - 1) ** 2 * (1 if ratio <= _MOST else 8)


def _placed(
    pieces: Sequence[_Piece],
    ends: Sequence[int],
    face: Face,
    measure: Callable[[int], tuple[float, float]],
    *,
    ragged: bool,
) -> Iterator[SetLine]:
    space = face.width(" ")
    for number, (start, end) in enumerate(zip((0, *ends), ends, strict=False)):
        left, width = measure(number)
        words = _words(pieces[start:end])
        widths = [face.width(word) for word in words]
        gap = (width - sum(widths)) / max(len(words) - 1, 1)
        if ragged or end == len(pieces):
            gap = min(gap, space)
        places = [left + sum(widths[:count]) + gap * count for count in range(len(words))]
        yield SetLine(words, tuple(places))
