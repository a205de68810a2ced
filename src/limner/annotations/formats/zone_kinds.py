"""What kind of thing a zone is, told from its label, for formats that have an element for each kind."""

from __future__ import annotations

import re
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of regions that PAGE tells apart."""

    TEXT = "text"
    IMAGE = "image"
    DRAWING = "drawing"
    GRAPHIC = "graphic"
    TABLE = "table"
    CHART = "chart"
    MAP = "map"
    SEPARATOR = "separator"
    MATHS = "maths"
    CHEMISTRY = "chemistry"
    MUSIC = "music"
    ADVERT = "advert"
    NOISE = "noise"
    OTHER = "other"


#: The words by which datasets (DocLayNet, PubLayNet, SegmOnto, PAGE, ALTO) call each kind.
_WORDS: dict[Kind, str] = {
    Kind.TEXT: "text paragraph heading title subtitle header footer caption footnote endnote marginalia margin main "
    "column list item abstract reference number numbering folio capital catchword catch toc entry signature quire "
    "line handwriting content",
    Kind.IMAGE: "image illustration figure picture photo photograph photography miniature painting engraving print "
    "portrait plate",
    Kind.DRAWING: "drawing linedrawing diagram scheme sketch",
    Kind.GRAPHIC: "graphic graphical decoration ornament vignette border frame stamp seal logo letterhead barcode "
    "initial",
    Kind.TABLE: "table",
    Kind.CHART: "chart graph plot",
    Kind.MAP: "map plan",
    Kind.SEPARATOR: "separator rule ruler",
    Kind.MATHS: "maths math formula equation",
    Kind.CHEMISTRY: "chem chemistry",
    Kind.MUSIC: "music score staff",
    Kind.ADVERT: "advert advertisement ad",
    Kind.NOISE: "noise damage artefact artifact",
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def kind_of(label: str) -> Kind:
    """The kind that a label's last telling word names (“figure caption” is text); `OTHER` where none does."""
    words = [word.lower() for word in _WORD.findall(label)]
    for word in reversed(words):
        kind = _KINDS.get(word) or _KINDS.get(word.removesuffix("s"))
        if kind:
            return kind
    return Kind.TEXT if "zone" in words or "block" in words else Kind.OTHER
