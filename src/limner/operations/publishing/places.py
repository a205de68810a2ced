"""Addresses of what is published, and links that open it in a viewer."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from urllib.parse import quote

#: All that viewers ask for is under this path.
PREFIX = "/iiif/"
_CONTEXT = "http://iiif.io/api/presentation/3/context.json"
#: Characters of a key that logs may hold: enough to tell keys apart.
_SHOWN = 6
#: What JavaScript's encodeURIComponent leaves as it is, besides letters, digits and ``-_.~``.
_UNESCAPED = "!*'()"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is published."""

    #: What all addresses of the server begin with.
    root: str
    #: The key of its share.
    key: str

    @property
    def base(self) -> str:
        """What all its addresses begin with."""
        return f"{self.root}{PREFIX}{self.key}"

    @property
    def manifest(self) -> str:
        """Its manifest, or the collection of its manifests."""
        return f"{self.base}/manifest.json"

    def document(self, number: int) -> str:
        """What the addresses of one of its documents begin with."""
        return f"{self.base}/{number}"

    def images(self, number: int) -> str:
        """What the addresses of a document's image services begin with."""
        return f"{self.document(number)}/images/"

    def links(self, viewer: str) -> dict[str, str]:
        """Links for the API: the manifest, and what opens it in a viewer at an address."""
        joined = f"{viewer}{'&' if '?' in viewer else '?'}iiif-content="
        return {
            "iiif": self.manifest,
            "content_state": joined + content_state(self.manifest),
            # The same in its other form, a plain address, which viewers read that know no better.
            "viewer": joined + quote(self.manifest, safe=""),
        }


def without_key(path: str) -> str:
    """A path as it may stand in a log: whoever reads that shall not be able to open what is shared."""
    if not path.startswith(PREFIX):
        return path
    key, slash, rest = path.removeprefix(PREFIX).partition("/")
    return f"{PREFIX}{key[:_SHOWN]}…{slash}{rest}"


def content_state(manifest: str) -> str:
    """A manifest as a content state, encoded as IIIF Content State 1.0 wants it (section 6)."""
    state = json.dumps({"@context": _CONTEXT, "id": manifest, "type": "Manifest"}, separators=(",", ":"))
    escaped = quote(state, safe=_UNESCAPED)
    return base64.urlsafe_b64encode(escaped.encode()).decode().rstrip("=")
