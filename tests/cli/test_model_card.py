"""A model's card as rows."""

from limner.cli.model_card import card_rows, labels_shown
from limner.models.builtin import TEXT


def test_a_built_in_model_has_a_card() -> None:
    rows = dict(card_rows({**TEXT.model_dump(mode="json"), "ref": TEXT.ref, "aliases": ["default"]}))
    assert (rows["Model"], rows["Licence"], rows["Aliases"]) == ("text@1", "Apache-2.0", "default")
    assert "PP-OCRv6" in rows["Trained on"]
    assert "SHA-256" not in rows  # it has no weights of its own


def test_what_is_not_said_is_said_to_be_so() -> None:
    rows = dict(card_rows({"ref": "a@1"}))
    assert rows == {"Model": "a@1", "Licence": "not stated", "Trained on": "not stated"}


def test_many_labels_are_cut_short() -> None:
    assert labels_shown([str(at) for at in range(14)]).endswith("11 and 2 more")
