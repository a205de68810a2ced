"""Text with Tesseract: a program of the system, found on PATH, run once for each area of a page."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

import cv2
import numpy as np
from pydantic import Field

from limner.annotations.annotation import Json
from limner.core.errors import ModelError
from limner.models.bundle import Bundle
from limner.models.protocol import Pixels, RuntimeOptions
from limner.models.runtimes.text_lines import LinesPredictor, parameters_of
from limner.models.tasks.ocr import Region
from limner.models.tasks.specs import Spec

#: ``eng``, ``chi_sim_vert``, ``script/Latin``; never an option.
Language: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,40}(/[A-Za-z0-9_]{1,40})?$")]

#: Numbers in the column ``level`` of the table that the program writes.
_LINE, _WORD = "4", "5"
_COLUMNS = 12
#: Seconds that the program may take to say what it is.
_PATIENCE = 30.0


class Parameters(Spec):
    """``parameters`` of a bundle for this runtime."""

    languages: tuple[Language, ...] = Field(
        default=("eng",),
        min_length=1,
        max_length=20,
        description="Languages as Tesseract calls them, the main one first.",
    )
    page_mode: int = Field(default=3, ge=0, le=13, description="How a page is cut up: `--psm` of the program.")
    timeout: float = Field(default=120.0, gt=0, le=3600, description="Seconds that one page may take.")


@dataclass(frozen=True, slots=True)
class Program:
    """Tesseract with some settings. It keeps no state between calls, so threads may share it."""

    path: str
    parameters: Parameters
    #: Threads that it may use.
    threads: int

    def __call__(self, pixels: Pixels) -> list[Region]:
        """The lines on an RGB image; raises `ModelError`."""
        # An uncompressed image: the program reads it as fast as it comes.
        good, image = cv2.imencode(".ppm", np.ascontiguousarray(pixels[:, :, ::-1]))
        if not good:
            raise ModelError("The image cannot be handed to Tesseract.")
        arguments = ["stdin", "stdout", "-l", "+".join(self.parameters.languages)]
        arguments += ["--psm", str(self.parameters.page_mode), "-c", "tessedit_create_tsv=1"]
        table = run_program(self.path, arguments, image.tobytes(), self.parameters.timeout, self.threads)
        return [*parse_table(table)]


class TesseractRuntime:
    """The runtime called ``tesseract``."""

    name = "tesseract"

    def load(self, bundle: Bundle, options: RuntimeOptions) -> LinesPredictor:
        """Look for the program and its languages; raises `ModelError` naming what is missing."""
        parameters = parameters_of(bundle, Parameters)
        path = find_program()
        installed = installed_languages(path)
        if missing := [name for name in parameters.languages if name not in installed]:
            raise ModelError(
                f"Tesseract has no {', '.join(missing)} here; it has {', '.join(installed) or 'no language'}.",
                hint=f"On Debian: apt-get install tesseract-ocr-{missing[0].lower().replace('_', '-')}",
            )
        version = run_program(path, ["--version"], b"", _PATIENCE, 1).partition("\n")[0].strip()[:100]
        about: dict[str, Json] = {"program": version, "languages": [*parameters.languages]}
        return LinesPredictor(bundle, Program(path, parameters, options.threads), about=about)


#: The runtime, for the registry.
TESSERACT = TesseractRuntime()


def find_program() -> str:
    """Where the program is; raises `ModelError` where it is not installed."""
    path = shutil.which("tesseract")
    if path is None:
        raise ModelError(
            "The program tesseract is not installed, or not on PATH.", hint="On Debian: apt-get install tesseract-ocr"
        )
    return path


def installed_languages(path: str) -> list[str]:
    """The languages that the program has data for."""
    first, *rest = run_program(path, ["--list-langs"], b"", _PATIENCE, 1).splitlines() or [""]
    # A heading comes first.
    return [line.strip() for line in rest if line.strip()] if ":" in first else [first, *rest]


def run_program(path: str, arguments: Sequence[str], given: bytes, seconds: float, threads: int) -> str:
    """What the program prints; raises `ModelError` when it fails or takes too long, and then ends it."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    if threads:
        environment["OMP_THREAD_LIMIT"] = str(threads)
    try:
        done = subprocess.run(  # noqa: S603  # no shell; arguments are checked
            [path, *arguments], input=given, capture_output=True, timeout=seconds, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"Tesseract was ended: it took longer than {seconds:g} s.") from error
    except OSError as error:
        raise ModelError(f"Tesseract cannot be started: {error}.") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ModelError(
            f"Tesseract failed with code {done.returncode}: {said[-1][:300] if said else 'it said nothing'}"
        )
    return done.stdout.decode(errors="replace")


@dataclass(slots=True)
class _Line:
    """A line while its words are read."""

    #: Left, top, width, height.
    place: tuple[int, int, int, int]
    words: list[str] = field(default_factory=list)
    #: 0 to 100.
    scores: list[float] = field(default_factory=list)


def parse_table(text: str) -> Iterator[Region]:
    """The lines in a table of Tesseract (TSV); those without a word are left out. Raises `ModelError`."""
    line: _Line | None = None
    for row in text.splitlines()[1:]:
        cells = row.split("\t", _COLUMNS - 1)
        if len(cells) < _COLUMNS - 1:
            raise ModelError(f"Tesseract wrote a row that cannot be read: {row[:100]!r}.")
        if cells[0] == _LINE:
            yield from _finished(line)
            left, top, width, height = map(int, cells[6:10])
            line = _Line((left, top, width, height))
        elif cells[0] == _WORD and line is not None and len(cells) == _COLUMNS and cells[11].strip():
            line.words.append(cells[11].strip())
            line.scores.append(float(cells[10]))
    yield from _finished(line)


def _finished(line: _Line | None) -> Iterator[Region]:
    if line is not None and line.words:
        left, top, width, height = line.place
        quad = np.array([(left, top), (left + width, top), (left + width, top + height), (left, top + height)], float)
        yield Region(quad, max(0.0, sum(line.scores) / len(line.scores) / 100), " ".join(line.words))
