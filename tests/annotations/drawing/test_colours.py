"""Colours of labels."""

from limner.annotations.drawing.colours import PALETTE, colour_of


def _luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance, WCAG 2.1."""
    parts = [value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_a_label_has_the_same_colour_for_ever() -> None:
    assert colour_of("illustration") == PALETTE[0]
    assert colour_of("diagram") == PALETTE[0]
    assert colour_of("seal") == PALETTE[6]


def test_our_own_labels_never_share_a_colour() -> None:
    ours = [
        "illustration",
        "initial",
        "text",
        "margin",
        "numbering",
        "running-title",
        "stamp",
        "table",
        "music",
        "line",
    ]
    assert len({colour_of(label) for label in ours}) == 10


def test_white_lettering_can_be_read_on_every_colour() -> None:
    for colour in PALETTE:
        assert 1.05 / (_luminance(colour) + 0.05) > 2.7, colour
