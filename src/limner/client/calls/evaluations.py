"""Evaluations: models that the server measures on the held-out pages of a dataset."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TypeAlias

from limner.annotations.annotation import Json
from limner.client.call import Answer, Call, content, filled, once, path
from limner.client.values import Values
from limner.core.errors import FormatError

#: An evaluation as a server gave it, or its id.
EvaluationRef: TypeAlias = "Values | str"


def create(
    model: str,
    dataset: str,
    *,
    compare: str | None = None,
    split: str | None = None,
    threshold: float | None = None,
    idempotency_key: str | None = None,
) -> Call[Values]:
    """Have a model measured, or two beside each other: the evaluation as JSON values.

    It is a job with the same ``id``: ``client.jobs.wait`` waits until it is finished.
    """
    body: dict[str, Json] = {"model": model, "dataset": dataset, **filled(compare=compare, split=split)}
    if threshold is not None:
        body["threshold"] = threshold
    headers = once(idempotency_key)
    return Call(method="POST", path=path("evaluations"), read=Answer.plain, headers=headers, body=body)


def get(evaluation: EvaluationRef) -> Call[Values]:
    """An evaluation as it stands, with its ``figures`` once it is finished; raises `NotFoundError`."""
    return Call(method="GET", path=path("evaluations", _identity(evaluation)), read=Answer.plain)


def report(evaluation: EvaluationRef, file: str = "report.html") -> Call[bytes]:
    """A file of the report; raises `ConflictError` before there is one."""
    return Call(method="GET", path=path("evaluations", _identity(evaluation), "report", file), read=content)


def report_places(evaluation: Values, folder: Path) -> list[tuple[Call[bytes], Path]]:
    """All files of a report, and where each goes in a folder: pictures into one below, where the page has them.

    Raises `FormatError` where a server names what could lead out of the folder.
    """
    out = []
    for name in evaluation["files"]:
        if not isinstance(name, str) or name in {"", ".", ".."} or PurePath(name).name != name or "\\" in name:
            raise FormatError(f"The server names a file {name!r}, which can be none of a report.")
        out.append((report(evaluation, name), folder / ("report" if name.endswith(".jpg") else "") / name))
    return out


def _identity(evaluation: EvaluationRef) -> str:
    return evaluation if isinstance(evaluation, str) else str(evaluation["id"])
