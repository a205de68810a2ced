"""Models by the name of a program for text and its languages: ``tesseract/fra+lat``, ``easyocr/fr+en``.

The bundle holds no weights: the program has its own, and its runtime looks for them when it is loaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.core.errors import BundleError
from limner.models.bundle import Bundle, make_bundle
from limner.models.bundle_files import write_bundle
from limner.models.importers.protocol import Wishes

_LANGUAGES = re.compile(r"[A-Za-z0-9_]{1,40}(\+[A-Za-z0-9_]{1,40}){0,19}")


@dataclass(frozen=True, slots=True)
class TextProgram:
    """The importer of models that a program runs."""

    name: str
    title: str
    #: Languages where none are named.
    languages: str
    #: What else the bundle says.
    fields: dict[str, Any]

    def accepts(self, path: Path) -> bool:  # noqa: ARG002  # of the protocol
        """No file: these are named."""
        return False

    def accepts_name(self, name: str) -> bool:
        """Languages with a plus between them; none for the usual ones."""
        return not name or _LANGUAGES.fullmatch(name) is not None

    def convert(self, path: Path, folder: Path, wishes: Wishes) -> Bundle:
        """Describe the model; raises `BundleError` for a name that can be no list of languages."""
        named = self.languages if path.name == self.name else path.name
        if not named or not self.accepts_name(named):
            raise BundleError(f"{named!r} is no list of languages.", hint=f"Write it as {self.name}/{self.languages}.")
        languages = [*dict.fromkeys(named.split("+"))]
        slug = re.sub(r"[^a-z0-9]+", "-", "-".join(languages).lower()).strip("-")
        bundle = make_bundle(
            {
                "name": wishes.name or f"{self.name}-{slug}"[:64].strip("-"),
                "version": wishes.version or "1",
                "task": "ocr",
                "runtime": self.name,
                "labels": wishes.labels or ("line",),
                "parameters": {"languages": languages},
                "provenance": {"source": f"{self.name}, {', '.join(languages)}", "converter": "limner"},
                "title": f"{self.title} ({', '.join(languages)})",
                **self.fields,
            }
        )
        return write_bundle(bundle, folder)


#: Neither wants a larger image than this; smaller letters are lost in a smaller one.
_INPUT = {"resize": {"rule": "keep", "longest": 4000}, "dynamic": True}

TESSERACT = TextProgram(
    "tesseract",
    "Tesseract",
    "eng",
    {
        "input": _INPUT,
        "thresholds": {"score": 0.3, "max_detections": 3000},
        "memory": 50_000_000,
        "licence": "Apache-2.0",
        "description": "Lines of printed text, by the program Tesseract of the system.",
    },
)
EASYOCR = TextProgram(
    "easyocr",
    "EasyOCR",
    "fr+en",
    {
        # EasyOCR itself works on 2,560 pixels at most when it looks for text, and cuts lines from the whole.
        "input": _INPUT,
        "thresholds": {"score": 0.2, "max_detections": 3000},
        "memory": 900_000_000,
        "licence": "Apache-2.0",
        "description": "Lines of text in pictures and on pages, by the package EasyOCR.",
    },
)
