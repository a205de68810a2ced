import pytest

from limner.training.evaluation.text import text_errors


def test_edits_by_hand():
    errors = text_errors([("kitten sat", "sitting sat"), ("été", "e\u0301te\u0301"), ("", "x")])
    assert (errors.characters, errors.character_edits) == (13, 4)
    assert (errors.words, errors.word_edits) == (3, 2)
    assert errors.cer == pytest.approx(4 / 13)
    assert errors.wer == pytest.approx(2 / 3)


def test_spaces_at_the_ends_and_their_number_do_not_matter():
    assert text_errors([(" two\n words ", "two words")]).character_edits == 0


def test_nothing_there_has_no_rate():
    assert text_errors([("", "something")]).cer is None
