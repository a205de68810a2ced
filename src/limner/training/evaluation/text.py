"""Character and word error rate of text: edits (insert, delete, replace) for each character or word that is there."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from limner.models.importers.extras import need_extra


@dataclass(frozen=True, slots=True)
class TextErrors:
    """Edits between what stands there and what was read."""

    characters: int
    character_edits: int
    words: int
    word_edits: int

    @property
    def cer(self) -> float | None:
        """Character error rate; None where nothing stands there. It may be above 1."""
        return self.character_edits / self.characters if self.characters else None

    @property
    def wer(self) -> float | None:
        """Word error rate."""
        return self.word_edits / self.words if self.words else None


def text_errors(pairs: Iterable[tuple[str, str]]) -> TextErrors:
    """The errors over (what stands there, what was read); accents are compared in their composed form (NFC)."""
    need_extra("train", ("rapidfuzz",), "Counting errors of text")
    from rapidfuzz.distance import Levenshtein

    characters = character_edits = words = word_edits = 0
    for truth, read in pairs:
        there, found = _normal(truth), _normal(read)
        characters += len(there)
        character_edits += Levenshtein.distance(there, found)
        words += len(there.split())
        word_edits += Levenshtein.distance(there.split(), found.split())
    return TextErrors(characters, character_edits, words, word_edits)


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
