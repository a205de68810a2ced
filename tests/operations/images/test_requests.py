"""The grammar of the Image API, level 2; the numbers are those of its specification, worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import LimnerError, NotImplementedHereError, UsageError
from limner.operations.images.limits import Limits
from limner.operations.images.requests import Rendering, read_request

IMAGE = (300, 200)


def _read(
    region: str = "full", size: str = "max", rotation: str = "0", file: str = "default.jpg", **more: Limits
) -> Rendering:
    return read_request(region, size, rotation, file, IMAGE, **more)


@pytest.mark.parametrize(
    ("words", "region"),
    [
        ("full", (0, 0, 300, 200)),
        ("square", (50, 0, 200, 200)),
        ("10,20,30,40", (10, 20, 30, 40)),
        ("250,150,100,100", (250, 150, 50, 50)),
        ("0,0,300,200", (0, 0, 300, 200)),
        ("pct:10,10,50,50", (30, 20, 150, 100)),
        ("pct:41.6,7.5,40,70", (125, 15, 120, 140)),
        ("pct:90,90,200,200", (270, 180, 30, 20)),
        ("pct:0,0,.01,.01", (0, 0, 1, 1)),
    ],
)
def test_regions(words: str, region: tuple[int, int, int, int]) -> None:
    assert _read(words).region == region


@pytest.mark.parametrize(
    "words",
    ["", "0,0,0,10", "0,0,10,0", "300,0,10,10", "0,200,10,10", "-1,0,10,10", "1,2,3", "1.5,0,10,10", "pct:0,0,0,5",
     "pct:100,0,5,5", "pct:a,0,5,5", "Full", "1e3,0,1,1", "١,0,1,1", "9999999999,0,1,1"],
)  # fmt: skip
def test_what_is_no_region(words: str) -> None:
    with pytest.raises(UsageError):
        _read(words)


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ("max", (300, 200)),
        ("150,", (150, 100)),
        (",50", (75, 50)),
        ("pct:50", (150, 100)),
        ("pct:.5", (2, 1)),
        ("299,100", (299, 100)),
        ("300,200", (300, 200)),
        ("!150,150", (150, 100)),
        ("!500,100", (150, 100)),
        ("1,", (1, 1)),
    ],
)
def test_sizes(words: str, size: tuple[int, int]) -> None:
    assert _read(size=words).size == size


@pytest.mark.parametrize(
    "words",
    ["", ",", "!,", "!50,", "0,", ",0", "0,0", "!0,50", "pct:0", "301,", ",201", "301,10", "pct:100.1", "100000,",
     "!301,201", "full", "a,b", "-5,", "1.5,", "pct:", "50", "^", "^,"],
)  # fmt: skip
def test_sizes_that_are_none_or_too_large(words: str) -> None:
    with pytest.raises(UsageError):
        _read(size=words)


@pytest.mark.parametrize("words", ["^max", "^600,", "^,400", "^pct:200", "^600,400", "^!600,600", "^100,"])
def test_scaling_up_is_said_not_to_be_done(words: str) -> None:
    with pytest.raises(NotImplementedHereError):
        _read(size=words)


def test_sizes_are_those_of_the_region() -> None:
    assert _read("0,0,100,100", "50,").size == (50, 50)
    with pytest.raises(UsageError, match="100 × 100"):
        _read("0,0,100,100", "101,")


def test_limits_hold_for_all_sizes() -> None:
    limits = Limits(side=100, area=5000)
    assert _read(size="max", limits=limits).size == (86, 57)
    assert _read(size="60,40", limits=limits).size == (60, 40)
    with pytest.raises(UsageError, match="At most 100"):
        _read(size="101,", limits=limits)
    with pytest.raises(UsageError, match="5000"):
        _read(size="99,99", limits=limits)


@pytest.mark.parametrize(
    ("words", "mirrored", "angle"),
    [
        ("0", False, 0),
        ("90", False, 90),
        ("180.0", False, 180),
        ("!270", True, 270),
        ("360", False, 0),
        ("!0", True, 0),
    ],
)
def test_rotations(words: str, mirrored: bool, angle: int) -> None:
    rendering = _read(rotation=words)
    assert (rendering.mirrored, rendering.rotation) == (mirrored, angle)


@pytest.mark.parametrize("words", ["", "-90", "361", "a", "!", "!!0", "90°"])
def test_what_is_no_rotation(words: str) -> None:
    with pytest.raises(UsageError):
        _read(rotation=words)


@pytest.mark.parametrize("words", ["45", "22.5", "!1"])
def test_other_angles_are_said_not_to_be_done(words: str) -> None:
    with pytest.raises(NotImplementedHereError):
        _read(rotation=words)


def test_qualities_and_formats() -> None:
    assert (_read(file="gray.png").quality, _read(file="gray.png").format) == ("gray", "png")
    for wrong in ("default", "native.jpg", "default.xyz", ".jpg", "default.", "grey.jpg"):
        with pytest.raises(UsageError):
            _read(file=wrong)
    for other in ("tif", "gif", "jp2", "pdf", "webp"):
        with pytest.raises(NotImplementedHereError):
            _read(file=f"default.{other}")


@pytest.mark.parametrize(
    ("request_", "canonical"),
    [
        (("0,0,300,200", "300,", "360", "color.jpg"), "full/max/0/default.jpg"),
        (("pct:0,0,100,100", "pct:50", "90.0", "gray.png"), "full/150,100/90/gray.png"),
        (("square", "!50,60", "!180", "bitonal.jpg"), "50,0,200,200/50,50/!180/bitonal.jpg"),
        (("250,150,100,100", "max", "0", "default.jpg"), "250,150,50,50/max/0/default.jpg"),
    ],
)
def test_canonical_forms(request_: tuple[str, str, str, str], canonical: str) -> None:
    rendering = _read(*request_)
    assert rendering.canonical == canonical
    assert _read(*canonical.split("/")).canonical == canonical


_WORDS = st.text(alphabet="0123456789,.!^pct:maxfulsqre", max_size=14)


@given(_WORDS, _WORDS, _WORDS)
def test_whatever_is_asked_stays_inside_the_image(region: str, size: str, rotation: str) -> None:
    try:
        rendering = _read(region, size, rotation)
    except LimnerError:
        return
    x, y, width, height = rendering.region
    assert 0 <= x < x + width <= 300
    assert 0 <= y < y + height <= 200
    assert 0 < rendering.size[0] <= width
    assert 0 < rendering.size[1] <= height


def test_the_tiles_that_viewers_ask_for_are_all_allowed() -> None:
    """As section 3 of the implementation notes reckons them."""
    width, height, tile = 2403, 1501, 512
    for scale in (1, 2, 4, 8):
        side = tile * scale
        for x in range(0, width, side):
            for y in range(0, height, side):
                w, h = min(side, width - x), min(side, height - y)
                size = (-(-w // scale), -(-h // scale))
                words = f"{x},{y},{w},{h}", f"{size[0]},{size[1]}"
                assert read_request(*words, "0", "default.jpg", (width, height)).size == size
