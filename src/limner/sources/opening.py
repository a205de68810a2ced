"""From what people name to documents: the right source for each."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from limner.core.errors import NotIIIFError, SourceError
from limner.core.settings import Settings
from limner.sources.files import open_together
from limner.sources.images.magic import describe
from limner.sources.local import exists, expand, head_of, is_file, is_folder, is_image_file, is_pattern
from limner.sources.naming import plain_text
from limner.sources.protocol import SOURCES, OpenedDocument, Skipped, Source, SourceContext

#: A spec may be a megabyte of base64; messages show its beginning.
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class _Request:
    """Something to be opened: one spec, or image files that belong together."""

    specs: tuple[str, ...]
    #: Who accepts it, in the order of priority; empty for image files that belong together.
    sources: tuple[Source, ...] = ()

    async def open(self, context: SourceContext) -> AsyncIterator[OpenedDocument]:
        """The documents; a source that finds no IIIF after all leaves them to the next one."""
        if not self.sources:
            yield await open_together(self.specs, context)
            return
        for source in self.sources:
            try:
                async for document in source.open(self.specs[0], context):
                    yield document
            except NotIIIFError:
                if source is self.sources[-1]:
                    raise
            else:
                return


async def open_documents(specs: Sequence[str], context: SourceContext) -> AsyncIterator[OpenedDocument]:
    """The documents behind some paths, patterns and addresses, in their order.

    Image files become one document, in the place of the first of them; so do those that a pattern gives.
    Raises `SourceError` before anything is opened where nobody knows what to do with a spec. What cannot be
    opened later, while there are others, is a document without pages that says why in ``skipped``.
    """
    requests = await asyncio.to_thread(_plan, specs, context.settings)
    for request in requests:
        try:
            async for document in request.open(context):
                yield document
        except SourceError as error:
            if len(requests) == 1:
                raise
            yield unopened(request.specs[0], error)


def unopened(spec: str, error: SourceError) -> OpenedDocument:
    """A document without pages that says why it could not be opened."""
    return OpenedDocument(id=spec, title=shown(spec), handles=(), skipped=(Skipped(shown(spec), str(error)),))


def sources_for(spec: str) -> tuple[Source, ...]:
    """Who accepts this, the first to be asked in front."""
    ranked = sorted(SOURCES, key=lambda source: (source.priority, source.name))
    return tuple(source for source in ranked if source.accepts(spec))


def shown(spec: str) -> str:
    """A spec as it can be put in a message."""
    return plain_text(spec if len(spec) <= _SHOWN else f"{spec[:_SHOWN]}…")


def _plan(specs: Sequence[str], settings: Settings) -> list[_Request]:
    requests: list[_Request] = []
    images: list[str] = []
    together_at = 0
    for spec in _expanded(specs, settings.max_pages):
        sources = sources_for(spec)
        if not sources:
            raise _nobody(spec)
        if sources[0].name != "files" or not is_image_file(spec):
            requests.append(_Request((spec,), sources))
            continue
        if not images:
            together_at = len(requests)
        images.append(spec)
    if images:
        requests.insert(together_at, _Request(tuple(images)))
    return requests


def _expanded(specs: Sequence[str], limit: int) -> list[str]:
    """The specs with patterns replaced by what fits them, less what nobody can open (and text: it may be anything)."""
    out: list[str] = []
    for spec in specs:
        if not is_pattern(spec) or _first(spec) != "files":
            out.append(spec)
            continue
        found = expand(spec, limit)
        known = [path for path in found if _first(path) not in (None, "urls")]
        if not known:
            raise _nobody(found[0])
        out += known
    return out


def _first(spec: str) -> str | None:
    """The name of the source that is asked first."""
    sources = sources_for(spec)
    return sources[0].name if sources else None


def _nobody(spec: str) -> SourceError:
    """The error for something that no source accepts: what it is, and what would do."""
    tried = "Image files, folders, patterns, zip files, PDFs, http(s) addresses, IIIF and data: URLs can be opened."
    return SourceError(f"{shown(spec) or 'A source'} cannot be opened: {_reason(spec)}.", hint=tried)


def _reason(spec: str) -> str:
    if not spec.strip():
        return "it is empty"
    if spec == "-":
        return "sources are not read from standard input"
    if is_file(spec):
        head = head_of(spec)
        return f"it is {describe(head)}" if head or not Path(spec).stat().st_size else "it may not be read"
    if exists(spec):
        return "it is neither a file nor a folder"
    if spec[:8].lower().startswith(("http://", "https://")):
        return "it is no complete address"
    if "://" in spec[:_SHOWN]:
        return f"addresses that begin with {plain_text(spec.partition('://')[0])}:// are not fetched"
    return f"there is no such file or folder{_nearest(spec)}"


def _nearest(spec: str) -> str:
    """The file in the same folder that may have been meant."""
    path = Path(spec[:_SHOWN])
    if not is_folder(str(path.parent)):
        return ""
    names = [entry.name for entry in path.parent.iterdir()]
    near = difflib.get_close_matches(path.name, names, n=1)
    return f" (did you mean {plain_text(str(path.parent / near[0]))}?)" if near else ""
