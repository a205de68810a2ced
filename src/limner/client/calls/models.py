"""Models that the server has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from limner.client import answers
from limner.client.call import Answer, Call, filled, nothing, path
from limner.client.calls.annotate import listed_labels, uploads
from limner.client.values import Listing, Model, Values


def listed() -> Call[Listing[Model]]:
    """The workspace's own models and those shared by all, by name and version."""
    return Call(method="GET", path=path("models"), read=answers.listing(answers.model))


def get(name: str) -> Call[Model]:
    """One model, by name, ``name@version`` or alias; raises `ModelNotFoundError`."""
    return Call(method="GET", path=path("models", name), read=answers.one(answers.model))


def upload(
    file: str | Path,
    *,
    name: str | None = None,
    version: str | None = None,
    labels: Iterable[str] | None = None,
    kind: str | None = None,
    config: str | None = None,
    replace: bool = False,
) -> Call[Model]:
    """Install a bundle (zip) or a file that an importer knows; the server converts it and tries it once first.

    ``labels`` are in the network's order, for a file that does not name them; ``kind`` is the name of an importer,
    where it cannot be told; ``config`` names a configuration that it knows; ``replace`` replaces a model of the same
    name and version.
    """
    said = filled(name=name, version=version, labels=listed_labels(labels), kind=kind, config=config)
    form = {**said, **filled(replace="true" if replace else None)}
    read, sent = answers.one(answers.model), uploads([Path(file)])
    return Call(method="POST", path=path("models"), read=read, form=form, files=sent, repeatable=False)


def delete(name: str) -> Call[None]:
    """Remove one of the workspace's own models."""
    return Call(method="DELETE", path=path("models", name), read=nothing)


def set_alias(alias: str, model: str) -> Call[Model]:
    """Let another name stand for a model; ``default`` is used when no model is named."""
    where = path("models", "aliases", alias)
    return Call(method="PUT", path=where, body={"model": model}, read=answers.one(answers.model))


def delete_alias(alias: str) -> Call[None]:
    """Forget an alias of this workspace."""
    return Call(method="DELETE", path=path("models", "aliases", alias), read=nothing)


def rollback(alias: str) -> Call[Values]:
    """Let an alias stand for what it stood for before; each call goes one step further back."""
    where = path("models", "aliases", alias, "rollback")
    return Call(method="POST", path=where, read=Answer.plain, repeatable=False)


def test(name: str) -> Call[Values]:
    """Check a model's weights and time it on a drawn picture: the report as JSON values."""
    return Call(method="POST", path=path("models", name, "test"), read=Answer.plain)
