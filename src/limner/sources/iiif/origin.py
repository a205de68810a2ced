"""Where a manifest came from, and what its relative addresses lead to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from limner.core.errors import AddressRefusedError
from limner.sources.iiif.jsonld import canonical_url


@dataclass(frozen=True, slots=True)
class Origin:
    """The place that a document was read from."""

    #: Its address or path.
    name: str
    #: The folder it lies in, for a file; None for an address.
    folder: Path | None = None

    def join(self, address: str) -> str:
        """An address found in the document, absolute where it leads to the network."""
        try:
            if address.startswith("//"):
                return f"https:{address}"
            return address if self.folder else urljoin(self.name, address)
        except ValueError:
            return address

    def locate(self, address: str) -> str | Path:
        """The URL or file behind an address found in the document.

        Raises `AddressRefusedError` for a file that does not lie below the document's folder.
        """
        joined = self.join(address)
        if self.folder is None or _has_scheme(joined):
            return canonical_url(joined)
        return _below(self.folder, joined)


def _has_scheme(address: str) -> bool:
    try:
        return bool(urlsplit(address).scheme)
    except ValueError:
        return False


def _below(folder: Path, name: str) -> Path:
    """A file below a folder, links followed; its name may be quoted as in an address."""
    root = folder.resolve()
    try:
        candidates = [(root / text).resolve() for text in (name, unquote(name.partition("#")[0]))]
        inside = [path for path in candidates if path.is_relative_to(root)]
        if inside:
            return next((path for path in inside if path.is_file()), inside[0])
    except (OSError, ValueError) as error:
        raise AddressRefusedError(f"The file {name[:200]!r} that the manifest names cannot be looked for.") from error
    raise AddressRefusedError(f"The file {name[:200]!r} that the manifest names is not below the manifest's folder.")
