"""The run lengths that Label Studio stores brush strokes in (the format of @thi.ng/rle-pack).

A stream of bits, the most significant first: 32 bits for the number of values, 5 bits for the width of a
value less one, four times 4 bits for the widths of run lengths less one. Then runs: a bit that says
whether one value is repeated, 2 bits that choose one of the four widths, the run length less one, and
the value once, or each value where they differ. The values are the image's rows in RGBA, a byte each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from limner.annotations.masks import Bits
from limner.core.errors import FormatError

_CHANNELS = 4
_INSIDE, _OUTSIDE = 255, 0
_WORD = 8
#: Widths of run lengths that are written, bits: those that Label Studio writes itself.
_WIDTHS = (3, 4, 8, 16)


class _Reader:
    """Reads numbers of some bits from bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, bits: int) -> int:
        """The next number; raises `FormatError` at the end."""
        end = self._at + bits
        if end > 8 * len(self._data):
            raise FormatError("the brush stroke ends in the middle.")
        piece = int.from_bytes(self._data[self._at // 8 : -(-end // 8)])
        self._at = end
        return (piece >> (-end % 8)) & ((1 << bits) - 1)


def decode_brush(rle: Iterable[int], width: int, height: int) -> Bits:
    """Which pixels of an image are not wholly transparent, height × width; raises `FormatError`."""
    try:
        reader = _Reader(bytes(rle))
    except (TypeError, ValueError) as error:
        raise FormatError(f"the brush stroke is no list of bytes: {error}.") from error
    if reader.take(32) != width * height * _CHANNELS:
        raise FormatError(f"the brush stroke was not made for an image of {width} × {height} pixels.")
    inside = np.zeros(width * height, dtype=bool)
    for start, end in _opaque(reader, width * height * _CHANNELS):
        # The fourth value of each pixel is its opacity: number 3, 7, 11 and so on.
        inside[start // _CHANNELS : end // _CHANNELS] = True
    return inside.reshape(height, width)


def _opaque(reader: _Reader, total: int) -> Iterator[tuple[int, int]]:
    """Start and end of each stretch of values above zero."""
    word = reader.take(5) + 1
    widths = [reader.take(4) + 1 for _ in _WIDTHS]
    at = 0
    while at < total:
        repeated = reader.take(1)
        end = at + 1 + reader.take(widths[reader.take(2)])
        if end > total:
            raise FormatError("the brush stroke runs over the end of its image.")
        if repeated:
            if reader.take(word):
                yield at, end
        else:
            yield from ((place, place + 1) for place in range(at, end) if reader.take(word))
        at = end


def encode_brush(inside: Bits) -> list[int]:
    """A height × width array as bytes; true elements are opaque white."""
    flat = inside.ravel()
    pieces = [(flat.size * _CHANNELS, 32), (_WORD - 1, 5), *((width - 1, 4) for width in _WIDTHS)]
    edges = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]))
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        pieces.extend(_run((end - start) * _CHANNELS, _INSIDE if flat[start] else _OUTSIDE))
    return _packed(pieces)


def _run(length: int, value: int) -> Iterator[tuple[int, int]]:
    """The numbers, with their bits, that repeat a value so often."""
    longest = 1 << _WIDTHS[-1]
    while length:
        part = min(length, longest)
        choice = next(place for place, width in enumerate(_WIDTHS) if part <= 1 << width)
        yield from ((1, 1), (choice, 2), (part - 1, _WIDTHS[choice]), (value, _WORD))
        length -= part


def _packed(pieces: Sequence[tuple[int, int]]) -> list[int]:
    out = bytearray()
    held = bits = 0
    for value, width in pieces:
        held, bits = held << width | value, bits + width
        while bits >= 8:
            bits -= 8
            out.append(held >> bits)
            held &= (1 << bits) - 1
    if bits:
        out.append(held << (8 - bits))
    return list(out)
