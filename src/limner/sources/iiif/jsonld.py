"""Tolerant access to JSON-LD: nothing here raises, whatever shape the values have."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeGuard
from urllib.parse import quote, urlsplit, urlunsplit

from limner.annotations.annotation import Json
from limner.core.errors import NotIIIFError

#: A JSON object.
Object = dict[str, Json]

#: Numbers above this are no sizes.
_LARGEST = 1e9
#: Levels of lists and objects in a file; real manifests have about twenty.
_DEEPEST = 100
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(data: bytes | str, name: str) -> Json:
    """The JSON in a file called ``name``; raises `NotIIIFError` when it is none."""
    try:
        text = data if isinstance(data, str) else data.decode(json.detect_encoding(data))
        value: Json = json.loads(text, parse_constant=lambda _: None)
        if _SURROGATE.search(text):  # half a character: nothing could be written with it
            value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise NotIIIFError(f"{name} is no IIIF: it cannot be read as JSON ({error}).") from error
    if _deeper_than(value, _DEEPEST):
        raise NotIIIFError(f"{name} is no IIIF: it is nested more than {_DEEPEST} levels deep.")
    return value


def _deeper_than(value: Json, levels: int) -> bool:
    """Whether lists and objects are nested deeper than that; without recursion, which has a limit."""
    layer = [value]
    for _ in range(levels):
        layer = [
            inner
            for entry in layer
            if isinstance(entry, dict | list)
            for inner in (entry.values() if isinstance(entry, dict) else entry)
        ]
        if not layer:
            return False
    return True


def is_object(value: Json) -> TypeGuard[Object]:
    """Whether a value is an object."""
    return isinstance(value, dict)


def as_list(value: Json) -> list[Json]:
    """A list as it is, nothing for null, and anything else as the only entry."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def objects(value: Json) -> list[Object]:
    """The objects in a list, or a single object."""
    return [entry for entry in as_list(value) if is_object(entry)]


def first(value: Mapping[str, Json], *keys: str) -> Json:
    """The value of the first of some keys that is there and says something."""
    return next((value[key] for key in keys if value.get(key) not in (None, "", [], {})), None)


def string(value: Json) -> str:
    """A string without white space around it, or nothing."""
    return value.strip() if isinstance(value, str) else ""


def ident(value: Json) -> str:
    """The ``@id`` or ``id`` of an object, or a string that stands for one; the first of a list."""
    if isinstance(value, list):
        return next(filter(None, map(ident, value)), "")
    return (string(value.get("@id")) or string(value.get("id"))) if is_object(value) else string(value)


def kind(value: Json) -> str:
    """The type of an object without prefix or namespace: ``Manifest`` for ``sc:Manifest``."""
    if not is_object(value):
        return ""
    names = [string(name) for name in as_list(first(value, "@type", "type"))]
    return next((local_name(name) for name in names if name), "")


def local_name(name: str) -> str:
    """A name without prefix or namespace."""
    for separator in "#/:":
        name = name.rpartition(separator)[2]
    return name


def number(value: Json) -> float:
    """A number above zero, also from a string; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0.0
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return found if math.isfinite(found) and 0 < found <= _LARGEST else 0.0


def whole(value: Json) -> int:
    """A number of pixels above zero; 0 for anything else."""
    return round(number(value))


def size(value: Json) -> tuple[int, int]:
    """The width and height of an object in pixels; 0 and 0 unless both are there."""
    if not is_object(value):
        return (0, 0)
    found = whole(value.get("width")), whole(value.get("height"))
    return found if all(found) else (0, 0)


def text(value: Json) -> str:
    """The text of a label of any shape, in the language that stands first.

    A string; a list of strings; ``{"@value": …, "@language": …}`` or a list of these (version 2);
    ``{"fr": […], "none": […]}`` (version 3).
    """
    if is_object(value):
        return string(value.get("@value")) or next(filter(None, map(text, _translations(value))), "")
    if isinstance(value, list):
        return "; ".join(filter(None, map(text, _same_language(value))))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return string(value)


def _translations(value: Object) -> Sequence[Json]:
    """The values of a language map."""
    return [entry for key, entry in value.items() if not key.startswith("@") or key == "@none"]


def _same_language(values: list[Json]) -> list[Json]:
    """The entries that have the language of the first one; lists inside lists are left out."""
    languages = [entry.get("@language") if is_object(entry) else None for entry in values]
    return [
        entry
        for entry, language in zip(values, languages, strict=True)
        if language == languages[0] and not isinstance(entry, list)
    ]


def strings_in(value: Json) -> list[str]:
    """All strings in a value and the lists and objects directly in it."""
    out = []
    for entry in as_list(value):
        out += [string(part) for part in (entry.values() if is_object(entry) else [entry])]
    return [part for part in out if part]


#: What may stand in a path as it is; a percent sign is looked at apart.
_SAFE = "/:@!$&'()*+,;=~-._"


def canonical_url(url: str) -> str:
    """An address as it goes over the wire: spaces and letters beyond ASCII quoted, no fragment.

    What is quoted already stays so.
    """
    try:
        parts = urlsplit(url.strip())
        path, query = _quoted(parts.path, _SAFE), _quoted(parts.query, _SAFE + "?")
        return urlunsplit((parts.scheme, parts.netloc, path, query, ""))
    except ValueError:
        return ""


def _quoted(part: str, safe: str) -> str:
    """A part of an address, quoted; percent signs that quote already are kept."""
    pieces = part.split("%")
    out = quote(pieces[0], safe=safe, errors="replace")
    for piece in pieces[1:]:
        hexadecimal = len(piece) > 1 and all(digit in "0123456789abcdefABCDEF" for digit in piece[:2])
        out += ("%" if hexadecimal else "%25") + quote(piece, safe=safe, errors="replace")
    return out
