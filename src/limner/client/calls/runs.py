"""Runs: trainings that the server carries out."""

from __future__ import annotations

from limner.annotations.annotation import Json
from limner.client import answers
from limner.client.call import Answer, Call, content, filled, nothing, once, path
from limner.client.values import Listing, Values


def create(
    dataset: str,
    *,
    alias: str | None = None,
    priority: int | None = None,
    idempotency_key: str | None = None,
    **choices: Json,
) -> Call[Values]:
    """Have a network learn from a dataset: the run as JSON values.

    ``choices`` are those of the API: ``architecture``, ``base``, ``name``, ``epochs``, ``minutes``, ``image_size``
    and others. ``alias`` then stands for the model, if it is better than what the alias stands for.
    """
    body: dict[str, Json] = {**_chosen(dataset, choices), **filled(alias=alias)}
    if priority is not None:
        body["priority"] = priority
    return Call(method="POST", path=path("runs"), read=Answer.plain, headers=once(idempotency_key), body=body)


def estimate(dataset: str, **choices: Json) -> Call[Values]:
    """How long a run would take and how much memory, measured by a few of its batches on the server."""
    body = _chosen(dataset, choices)
    return Call(method="POST", path=path("runs", "estimate"), read=Answer.plain, body=body, repeatable=False)


def _chosen(dataset: str, choices: dict[str, Json]) -> dict[str, Json]:
    return {"dataset": dataset, **{key: value for key, value in choices.items() if value is not None}}


def get(run: str) -> Call[Values]:
    """A run as it stands, by its id; raises `NotFoundError`."""
    return Call(method="GET", path=path("runs", run), read=Answer.plain)


def listed(status: str | None = None) -> Call[Listing[Values]]:
    """All runs, the newest first."""
    return Call(method="GET", path=path("runs"), params=filled(status=status), read=answers.listing(_as_it_is))


def metrics(run: str, after: int = 0) -> Call[Listing[Values]]:
    """The figures of a run so far, line by line; ``after`` leaves out those up to some batch."""
    where, params = path("runs", run, "metrics"), {"after": str(after)}
    return Call(method="GET", path=where, params=params, read=answers.listing(_as_it_is))


def sample(run: str, epoch: int) -> Call[bytes]:
    """Pictures of what was found after an epoch, as JPEG."""
    return Call(method="GET", path=path("runs", run, "samples", epoch), read=content)


def report(run: str) -> Call[Values]:
    """The figures at the end, of all labels together and of each; raises `ConflictError` before that."""
    return Call(method="GET", path=path("runs", run, "report"), read=Answer.plain)


def stop(run: str) -> Call[Values]:
    """Have a run write a checkpoint and end; raises `ConflictError` where it has ended."""
    return Call(method="POST", path=path("runs", run, "stop"), read=Answer.plain)


def resume(run: str) -> Call[Values]:
    """Take up again a run that was stopped or has failed."""
    return Call(method="POST", path=path("runs", run, "resume"), read=Answer.plain, repeatable=False)


def promote(run: str, alias: str = "default", *, force: bool = False) -> Call[Values]:
    """Let an alias stand for the run's model, if it is better on held-out pages, or with ``force``."""
    body: dict[str, Json] = {"alias": alias, "force": force}
    return Call(method="POST", path=path("runs", run, "promote"), read=Answer.plain, body=body)


def delete(run: str) -> Call[None]:
    """Forget a run that has ended; its model stays."""
    return Call(method="DELETE", path=path("runs", run), read=nothing)


def _as_it_is(plain: Values) -> Values:
    return plain
