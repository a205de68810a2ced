"""The printed pages keep the habits of books."""

from __future__ import annotations

import numpy as np
import pytest

from limner.operations.samples import printed_book, texts
from limner.operations.samples.pages import HEIGHT, WIDTH
from limner.operations.samples.sheet import Sheet


def laid_out(draw):
    sheet = Sheet(WIDTH, HEIGHT, np.random.default_rng(0))
    draw(sheet)
    return sheet


def zones(sheet, label):
    return [box for name, box in sheet.zones if name == label]


@pytest.mark.parametrize(("draw", "folio"), [(printed_book.astronomy, "27"), (printed_book.herbal, "40")])
def test_numbers_stand_on_the_outer_side(draw, folio):
    sheet = laid_out(draw)
    (number,), (title,) = zones(sheet, "numbering"), zones(sheet, "running-title")
    assert folio in [text for text, _ in sheet.lines]
    assert (number.x > title.x) == (int(folio) % 2 == 1)


def test_notes_stand_beside_the_paragraphs_that_they_are_about():
    sheet = laid_out(printed_book.opening)
    starts = [box.y for text, box in sheet.lines if text.startswith(("ES anciens", "Le présent", "Que le"))]
    assert [note.y for note in zones(sheet, "margin")] == pytest.approx(starts, abs=12)


def test_an_initial_ends_with_the_last_of_its_lines():
    sheet = laid_out(printed_book.geometry)
    (square,) = zones(sheet, "initial")
    beside = [box for _, box in sheet.lines if box.x > square.x2 and square.y < box.y + box.height / 2 < square.y2]
    assert len(beside) == 4
    assert square.y2 == pytest.approx(beside[-1].y2, abs=8)


def test_the_table_has_all_its_cells():
    sheet = laid_out(printed_book.table)
    (frame,) = zones(sheet, "table")
    cells = [text for text, box in sheet.lines if frame.intersection(box) == box]
    assert cells == [*texts.TABLE_HEADS, *(cell for row in texts.TABLE_ROWS for cell in row)]


def test_columns_are_of_one_height():
    sheet = laid_out(printed_book.voyage)
    left, right = (box for box in zones(sheet, "text") if box.height > 200)
    assert left.x2 < right.x
    assert left.y2 == pytest.approx(right.y2, abs=60)
