"""How well the built-in model `text` reads pages that we draw ourselves, in French and English.

    python benchmarks/ocr.py

Every page is one text in one typeface and size on one colour of paper, in one column or in two. The
character error rate is Levenshtein's distance over the length of what was drawn, lines joined by line
breaks in reading order; nothing is normalised: ’ read as ' is an error. A letter with an accent (or œ,
æ, ç) is right when the alignment puts the same letter beside it. Aims: rate <= 1 %, letters >= 98 %.
"""

from __future__ import annotations

import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import font_caladea
import font_manrope
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from limner.models.builtin import TEXT
from limner.models.protocol import Options, Predictor, RuntimeOptions
from limner.models.runtimes.rapidocr import RAPIDOCR

AIM_CER = 0.01
AIM_ACCENTS = 0.98

FRENCH = """Le vieux château, où les élèves étudiaient l’été, dominait la forêt et la rivière. À Noël, le libraire \
reçut un bœuf en pain d’épice ; « Ça va ? » demanda l’hôte, qui n’était guère gêné. Où sont les clés ? Là-bas, \
derrière l’île aux cygnes, dans le coffre aux œuvres anciennes ! Les moines copiaient des psautiers enluminés : \
chaque lettrine exigeait trois journées, et l’abbé préférait l’azur au vermillon. Dès l’aube, le garçon apprêtait \
les plumes, broyait les pigments, réglait le parchemin. Il neigeait ; les mûriers étaient nus, et l’âne du meunier, \
têtu, refusait d’avancer. Un étranger vint frapper à la porte, le manteau déchiré, la voix brisée par le froid ; on \
lui donna du pain, un gobelet de cidre et la place près du feu. Il raconta qu’il avait été relieur à Genève, qu’une \
crue avait emporté son atelier, et qu’il cherchait désormais un maître assez généreux pour lui confier ses peaux, ses \
fers et ses presses. L’abbé l’écouta sans répondre, puis désigna du doigt l’armoire où dormaient, mangés par les vers, \
quarante volumes dépareillés. Ainsi s’acheva l’année 1543 : sans gloire, sans procès, mais non sans fêtes."""

ENGLISH = """The binder’s workshop stood at the corner of the square, between the well and the old grain market. Every \
morning, before the bells rang, she opened the shutters and set out her tools: awl, bone folder, needle, thread. \
“Nothing is lost,” she used to say, “that has been sewn with care.” In the year 1612 a traveller brought her a book \
whose leaves had come loose; forty-two of them were missing, and the rest smelled of smoke. She counted the gatherings \
twice, wrote the number on a slip of paper, and quoted a price: seven shillings, no less. Would he wait? He would not; \
he had a ship to catch at Harwich, and the tide was turning. She kept the book all winter. On dry days she washed the \
leaves in rain water and hung them across the attic like linen; on wet ones she drew the missing figures from memory: \
the comet, the crane and its pulley, the little map with the whale. When he came back, grey and thin, he did not know \
his own book. “It had no pictures,” he said. “It has them now,” she answered, and he paid her double."""

TEXTS = {"fr": FRENCH, "en": ENGLISH}
_SERIF, _SANS = font_caladea.font_files, font_manrope.font_files
FACES = {
    "Caladea": _SERIF["Caladea"],
    "Caladea Italic": _SERIF["CaladeaItalic"],
    "Caladea Bold": _SERIF["CaladeaBold"],
    "Manrope": _SANS["Manrope"],
    "Manrope Light": _SANS["ManropeLight"],
}
#: Heights of the type, pixels; 42 is 10 points at 300 dots an inch.
SIZES = (20, 28, 42)
#: Colours of paper and ink.
PAPERS = (((255, 255, 255), (0, 0, 0)), ((243, 232, 206), (58, 40, 26)))
MEASURE = 1100
MARGIN = 90


@dataclass(frozen=True)
class Drawn:
    """A drawn page and what is written on it."""

    name: str
    language: str
    image: Image.Image
    lines: list[str]


@dataclass
class Tally:
    """What was counted on some pages."""

    distance: int = 0
    length: int = 0
    accents: int = 0
    right: int = 0
    mistakes: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def cer(self) -> float:
        """Character error rate."""
        return self.distance / max(self.length, 1)

    @property
    def accents_right(self) -> float:
        """Share of the accented letters that were read right."""
        return self.right / self.accents if self.accents else 1.0

    def add(self, expected: str, read: str) -> None:
        """Count one page."""
        pairs = aligned(expected, read)
        wrong = [pair for pair in pairs if pair[0] != pair[1]]
        accented = [pair for pair in pairs if has_accent(pair[0])]
        self.distance += len(wrong)
        self.length += len(expected)
        self.accents += len(accented)
        self.right += sum(one == other for one, other in accented)
        self.mistakes.update(wrong)

    def merge(self, other: Tally) -> None:
        """Add what another tally has counted."""
        self.distance += other.distance
        self.length += other.length
        self.accents += other.accents
        self.right += other.right
        self.mistakes.update(other.mistakes)


def has_accent(letter: str) -> bool:
    """Whether a letter is more than one of the plain 26."""
    return letter in {"œ", "Œ", "æ", "Æ"} or unicodedata.normalize("NFD", letter) != letter


def distances(expected: str, read: str) -> np.ndarray:
    """Levenshtein's distance of every two beginnings: (len + 1) × (len + 1)."""
    letters = np.array([ord(letter) for letter in read])
    steps = np.arange(len(read) + 1)
    table = np.empty((len(expected) + 1, len(read) + 1), np.int32)
    table[0] = steps
    for row, letter in enumerate(expected, 1):
        best = table[row - 1] + 1
        np.minimum(best[1:], table[row - 1, :-1] + (letters != ord(letter)), out=best[1:])
        # An inserted letter costs 1 more than its left neighbour, however many follow each other.
        table[row] = np.minimum.accumulate(best - steps) + steps
    return table


def aligned(expected: str, read: str) -> list[tuple[str, str]]:
    """Pairs of letters of the shortest way from one text to the other; '' for none."""
    table, pairs = distances(expected, read), []
    row, column = len(expected), len(read)
    while row or column:
        here = table[row, column]
        if row and column and here == table[row - 1, column - 1] + (expected[row - 1] != read[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((expected[row], read[column]))
        elif row and here == table[row - 1, column] + 1:
            row -= 1
            pairs.append((expected[row], ""))
        else:
            column -= 1
            pairs.append(("", read[column]))
    return pairs[::-1]


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """A text in lines; French punctuation stays on the line of its word."""
    lines = [""]
    for word in text.replace(" »", "\xa0»").replace("« ", "«\xa0").split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if word in {";", ":", "!", "?"} or font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line.replace("\xa0", " ") for line in lines]


def drawn_page(language: str, face: str, size: int, paper: int, columns: int = 1) -> Drawn:
    """A page of text; in two columns it has a heading across both."""
    font = ImageFont.truetype(FACES[face], size)
    gutter = 2 * size
    width = (MEASURE - gutter * (columns - 1)) / columns
    lines, leading = wrapped(TEXTS[language], font, width), round(size * 1.45)
    heading = [lines[0][: len(lines[0]) // 2].strip()] if columns > 1 else []
    rows = -(-len(lines) // columns)
    top = MARGIN + 3 * leading * len(heading)
    ground, ink = PAPERS[paper]
    image = Image.new("RGB", (MEASURE + 2 * MARGIN, top + rows * leading + MARGIN), ground)
    draw = ImageDraw.Draw(image)
    for line in heading:
        draw.text((MARGIN + MEASURE / 4, MARGIN), line, font=ImageFont.truetype(FACES[face], size * 1.5), fill=ink)
    for number, line in enumerate(lines):
        column, row = divmod(number, rows)
        draw.text((MARGIN + column * (width + gutter), top + row * leading), line, font=font, fill=ink)
    name = f"{language} {face} {size} px, paper {paper + 1}, {columns} col."
    return Drawn(name, language, image, heading + lines)


def drawn_pages() -> Iterator[Drawn]:
    """All pages: every face and size, the papers in turn, and two columns in the middle size."""
    for language in TEXTS:
        for number, face in enumerate(FACES):
            for place, size in enumerate(SIZES):
                yield drawn_page(language, face, size, (number + place) % 2)
        for paper in range(len(PAPERS)):
            yield drawn_page(language, "Caladea", 28, paper, columns=2)


def read_page(model: Predictor, page: Drawn) -> str:
    """What the model reads."""
    found = model.predict(np.asarray(page.image), page.image.size, Options())
    return "\n".join(line.text or "" for line in found)


def report(name: str, tally: Tally, seconds: float | None = None) -> None:
    took = "" if seconds is None else f"{seconds:6.1f} s"
    accents = f"{tally.accents_right:8.2%}" if tally.accents else "       –"
    print(f"{name:44} {tally.cer:7.2%} {accents} {took}", flush=True)


def main() -> int:
    """Run it; the exit code says whether the aims are met."""
    model = RAPIDOCR.load(TEXT, RuntimeOptions())
    keep = Path(sys.argv[1]) if len(sys.argv) > 1 else None  # a folder to put the pages in
    tallies = {language: Tally() for language in TEXTS}
    print(f"{'page':44} {'CER':>7} {'accents':>8}")
    for page in drawn_pages():
        start, tally = time.perf_counter(), Tally()
        tally.add("\n".join(page.lines), read_page(model, page))
        tallies[page.language].merge(tally)
        report(page.name, tally, time.perf_counter() - start)
        if keep:
            page.image.save(keep / f"{page.name.replace(' ', '_').replace(',', '')}.png")
    whole = Tally()
    for language, tally in tallies.items():
        report(f"all pages in {language}", tally)
        whole.merge(tally)
    common = ", ".join(f"{one!r} → {other!r} × {count}" for (one, other), count in whole.mistakes.most_common(8))
    print(f"mistakes: {common or 'none'}")
    print(f"cer: {max(tally.cer for tally in tallies.values()):.4%} (the worse language)")
    print(f"accents: {whole.accents_right:.4%} of {whole.accents}")
    return 0 if max(t.cer for t in tallies.values()) <= AIM_CER and whole.accents_right >= AIM_ACCENTS else 1


if __name__ == "__main__":
    raise SystemExit(main())
