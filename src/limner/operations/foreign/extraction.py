"""What extractorAPI's clients ask for (``contracts.md``, 1): each manifest is a job that sends its annotation file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from limner.core.errors import UsageError
from limner.operations.foreign.model_files import known_name, stem_of
from limner.operations.jobs.desk import JobDesk, JobRequest, address_of
from limner.storage.jobs import Job

#: Most manifests in one list, and its largest size in bytes.
MOST_MANIFESTS = 2000
LARGEST_LIST = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """How manifests are to be annotated."""

    #: File name of the model; None for the one that the type of document goes to.
    model: str | None = None
    document_type: str | None = None
    callback: str | None = None
    #: Whether images that were fetched before are fetched again.
    fresh: bool = False


def extract(desk: JobDesk, manifests: Sequence[str], how: Extraction, base: str) -> list[Job]:
    """A job for each manifest; all are looked at before the first is made.

    Raises `UsageError`, `SourceError` or `ModelNotFoundError`.
    """
    addresses = [address_of(manifest) for manifest in manifests]
    library = desk.services.libraries.of(desk.workspace_id)
    wanted = desk.model(None if how.model is None else known_name(how.model, library), how.document_type)
    called = None if how.model is None else stem_of(how.model)
    return [
        desk.submit(
            JobRequest(
                source=address,
                model=wanted.ref,
                called=called,
                document_type=how.document_type,
                callback=how.callback or _home(desk.services.settings.client_app_url),
                callback_form="extractor",
                fresh=how.fresh,
            ),
            base,
        )
        for address in addresses
    ]


def _home(client_app_url: str) -> str | None:
    """Where annotation files go that a request names no receiver for; the manifest's reference follows."""
    return f"{client_app_url.rstrip('/')}/annotate" if client_app_url else None


def manifests_in(data: bytes) -> list[str]:
    """The addresses in a list, one a line; raises `UsageError`."""
    if len(data) > LARGEST_LIST:
        raise UsageError(f"The list is larger than {LARGEST_LIST:,} bytes.")
    try:
        lines = [line.strip() for line in data.decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise UsageError("The list is no UTF-8 text.", hint="Write the address of one manifest a line.") from error
    found = [line for line in lines if line and not line.startswith("#")]
    if not 0 < len(found) <= MOST_MANIFESTS:
        raise UsageError(f"A list holds 1 to {MOST_MANIFESTS} manifests, one a line, not {len(found)}.")
    return found
