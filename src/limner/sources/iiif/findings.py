"""What the reader had to leave out or mend: collected while it reads, so that nothing is silent."""

from __future__ import annotations

from limner.sources.protocol import Skipped


class Findings:
    """A collector of what was skipped and of what was mended."""

    def __init__(self) -> None:
        self._skipped: list[Skipped] = []
        self._problems: dict[str, list[str]] = {}

    def skip(self, where: str, reason: str) -> None:
        """A canvas, or an image on it, cannot be used."""
        self._skipped.append(Skipped(where, reason))

    def mend(self, problem: str, canvas: str = "") -> None:
        """Something was odd, on a canvas or in the whole, and is read all the same."""
        self._problems.setdefault(problem, []).append(canvas)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What was left out, in order."""
        return tuple(self._skipped)

    @property
    def problems(self) -> tuple[str, ...]:
        """What was mended, a sentence each; the same thing on many canvases is one sentence."""
        return tuple(_sentence(problem, canvases) for problem, canvases in self._problems.items())


def _sentence(problem: str, canvases: list[str]) -> str:
    named = list(dict.fromkeys(filter(None, canvases)))
    if not named:
        return f"{problem}."
    if len(named) == 1:
        return f"{problem}: {named[0]}."
    return f"{problem}: {len(named)} canvases, the first is {named[0]}."
