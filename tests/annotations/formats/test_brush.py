import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.annotations.formats.brush import decode_brush, encode_brush
from limner.annotations.masks import mask_to_array
from limner.core.errors import FormatError
from tests.annotations.strategies import masks

#: What label-studio-converter 0.0.59 makes of this stroke.
STROKE = np.array([[1, 0, 0, 0, 1], [1, 1, 1, 0, 1], [1, 0, 1, 0, 1]], dtype=bool)
STORED = [0, 0, 0, 60, 57, 27, 252, 127, 246, 192, 47, 255, 198, 1, 63, 252, 96, 17, 255, 198, 1, 31, 248]
HEAD = f"{4 * 2:032b} 00111 0000 0001 0111 1111"


def bits(text: str) -> list[int]:
    """A text of zeros and ones as bytes."""
    plain = text.replace(" ", "")
    return [int(plain[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(plain), 8)]


def test_a_stroke_is_stored_as_label_studio_does_it() -> None:
    assert encode_brush(STROKE) == STORED
    assert (decode_brush(STORED, 5, 3) == STROKE).all()


@given(masks(30, 20) | masks(3, 1) | masks(200, 150))
def test_any_mask_comes_back(mask: object) -> None:
    inside = mask_to_array(mask)
    stored = encode_brush(inside)
    assert all(0 <= byte < 256 for byte in stored)
    assert (decode_brush(stored, mask.width, mask.height) == inside).all()


def test_runs_longer_than_any_width_are_parted() -> None:
    inside = np.ones((300, 200), dtype=bool)
    assert (decode_brush(encode_brush(inside), 200, 300) == inside).all()


def test_only_the_opacity_counts_and_values_may_differ_within_a_run() -> None:
    values = " ".join(f"{value:08b}" for value in (9, 9, 9, 0, 0, 0, 0, 130))
    assert decode_brush(bits(f"{HEAD} 0 10 {7:08b} {values}"), 2, 1).tolist() == [[False, True]]
    start = f"1 00 0 {255:08b} 1 01 01 {0:08b}"
    rest = " ".join(f"{value:08b}" for value in (0, 7, 7, 7, 7))
    assert decode_brush(bits(f"{HEAD} {start} 0 10 {4:08b} {rest}"), 2, 1).tolist() == [[False, True]]


OVERRUN = bits(f"{60:032b} 00111 {'1111' * 4} 1 00 {'1' * 16} {'1' * 8}")


@pytest.mark.parametrize("rle", [[], [0, 0, 0], STORED[:-3], [256, 1], ["a"], None, [0, 0, 0, 4, *STORED[4:]], OVERRUN])
def test_damaged_strokes_are_refused(rle: object) -> None:
    with pytest.raises(FormatError, match="brush stroke"):
        decode_brush(rle, 5, 3)


@given(st.lists(st.integers(0, 255), max_size=60))
def test_whatever_the_bytes_no_other_error_comes(data: list[int]) -> None:
    try:
        decode_brush([0, 0, 0, 60, *data], 5, 3)
    except FormatError:
        return
