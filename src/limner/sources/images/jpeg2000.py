"""JPEG 2000 at a smaller scale: its wavelets hold a half, a quarter, … that decode far quicker."""

from __future__ import annotations

from typing import BinaryIO

from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

#: Where the number of levels stands after the beginning of a COD marker (ISO 15444-1, A.6.1).
_LEVELS_AT = 9
_SIZ, _COD = b"\xff\x51", b"\xff\x52"
#: The markers that tell stand in front, after the boxes of a JP2 file.
_HEADER = 65_536


class Jpeg2000(Jpeg2KImageFile):
    """A JPEG 2000 image that can be asked for at a smaller scale."""

    def shrink(self, power: int) -> None:
        """Decode it at 1/2 to the given power; to be called before it is loaded.

        Pillow's own `reduce` rounds sizes where the decoder takes the next larger number, and fails
        for two images in three.
        """
        if not power:
            return
        self._size = (-(-self.width >> power), -(-self.height >> power))
        (tile,) = self.tile
        assert isinstance(tile.args, tuple)  # noqa: S101 - a decoder of another kind would get a string
        codec, _, *rest = tile.args
        self.tile = [tile._replace(extents=(0, 0, *self._size), args=(codec, power, *rest))]


def levels(file: BinaryIO) -> int:
    """How many times the image can be halved; 0 where its header does not say."""
    file.seek(0)
    head = file.read(_HEADER)
    at = head.find(b"\xff\x4f" + _SIZ) + 2
    while at >= 2 and at + _LEVELS_AT < len(head) and head[at] == 0xFF:
        if head[at : at + 2] == _COD:
            return head[at + _LEVELS_AT]
        at += 2 + int.from_bytes(head[at + 2 : at + 4])
    return 0
