"""Writing on a sheet, and the truth that it keeps."""

from __future__ import annotations

import pytest

from limner.annotations.shapes import Box
from limner.operations.samples.drawing import BARE
from limner.operations.samples.sheet import Column, grown, joined, truth
from limner.operations.samples.typesetting import Face

FACE = Face("roman", 40)
TEXT = "Les moines copiaient des psau|tiers enlu|minés, et l’abbé pré|fé|rait l’azur."


@pytest.mark.parametrize("face", [FACE, Face("italic", 40, 6), Face("sans", 30)])
def test_the_truth_of_a_line_is_where_its_ink_is(sheet, inked, face):
    edges = sheet.write("Psautier", face, (100, 200))
    assert inked().corners == pytest.approx(edges, abs=2.5)
    assert sheet.lines == [("Psautier", Box.from_corners(*edges))]


def test_lines_can_be_centred_or_end_at_an_edge(sheet):
    left, _, right, _ = sheet.centred("Psautier", FACE, 300, 200)
    assert (left + right) / 2 == pytest.approx(300, abs=3)
    assert sheet.ended("Psautier", FACE, 500, 300)[2] == pytest.approx(500, abs=3)


def test_letters_of_a_picture_are_no_lines(sheet, inked):
    sheet.write("A", FACE, (100, 200), told=False)
    sheet.around_arc("LVNA", FACE, (300, 400), 150, -90)
    assert sheet.lines == []
    assert inked().y2 < 400


def test_letters_follow_their_arc(sheet, inked):
    sheet.around_arc("LVNA", FACE, (300, 350), 150, 0)
    box = inked()
    assert box.x > 400
    assert (box.y + box.y2) / 2 == pytest.approx(350, abs=8)


def test_a_paragraph_moves_its_column_on(sheet, inked):
    column = Column(50, 400, 100, 50)
    edges = sheet.paragraph(TEXT, FACE, column)
    assert column.y == 100 + 50 * len(sheet.lines)
    assert inked().corners == pytest.approx(edges, abs=2.5)
    assert " ".join(text for text, _ in sheet.lines).replace("- ", "") == TEXT.replace("|", "")


def test_an_initial_keeps_its_place_over_two_paragraphs(sheet):
    column = Column(50, 520, 100, 50, kept=(150, 3))
    sheet.paragraph("Deux lignes au plus.", FACE, column)
    short = len(sheet.lines)
    sheet.paragraph(TEXT, FACE, column)
    assert short == 1
    assert [box.x >= 199 for _, box in sheet.lines[:4]] == [True, True, True, False]


def test_what_is_covered_is_gone_from_all_inks(sheet, inked):
    for ink in ("black", "red"):
        sheet.pen(ink).block((100, 100, 200, 200))
    sheet.cover([(90, 90), (150, 90), (150, 210), (90, 210)])
    assert inked().x == pytest.approx(150, abs=1)


def test_a_stencil_cuts_a_letter_out(sheet):
    sheet.pen().block((0, 0, 600, 700))
    before = sheet.mask("black").histogram()[0]
    sheet.stencil("H", FACE, (100, 100), "black", 2, BARE)
    assert sheet.mask("black").histogram()[0] > before + 1000


def test_zones_are_cut_at_the_edge_of_the_sheet(sheet):
    sheet.zone("text", (-5, 10, 700, 90))
    assert sheet.zones == [("text", Box(0, 10, 600, 80))]


def test_truth_has_names_that_stay(sheet):
    sheet.zone("text", (10, 10, 90, 90))
    sheet.write("a", FACE, (20, 60))
    zones, lines = truth("page-01", sheet)
    assert [(zone.id, zone.label) for zone in zones] == [("page-01-zone-1", "text")]
    assert [(line.id, line.label, line.text) for line in lines] == [("page-01-line-1", "line", "a")]


def test_rectangles_are_joined_and_grown():
    assert joined([(1, 5, 3, 7), (2, 4, 9, 6)]) == (1, 4, 9, 7)
    assert grown((10, 10, 20, 20), 2) == (8, 8, 22, 22)
