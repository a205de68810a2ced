"""What a Web Annotation says of its target: label, text, score and maker."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote

from limner.annotations.annotation import Annotation, ByModel, ByPerson, Json, Provenance
from limner.annotations.formats.selectors import fragment_of, plain_types
from limner.annotations.formats.w3c_manifests import listed, unwrapped
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Shape
from limner.core.errors import FormatError, ShapeError

#: Purposes of a body that names what is there; of one that says what is written there.
_NAMING = frozenset({"tagging", "classifying", "identifying"})
_WRITTEN = frozenset({"supplementing", "transcribing", "painting"})
_SCORES = ("limner:score", "score", "confidence")
_NOWHERE = Box(0, 0, 1, 1)


@dataclass
class _Said:
    """What the bodies of an annotation say, sorted."""

    labels: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


def annotation_of(value: Mapping[str, Json], prefix: str) -> Annotation:
    """An annotation that is nowhere yet; an id that begins with the prefix loses it. Raises `FormatError`."""
    motivations = _plain(value.get("motivation", value.get("motivatedBy")))
    said = _said(value, motivations)
    attributes = unwrapped(value.get("limner:attributes"))
    attributes = dict(attributes) if isinstance(attributes, dict) else {}
    if said.labels[1:]:
        attributes.setdefault("tags", list[Json](said.labels[1:]))
    if said.comments:
        attributes.setdefault("comment", "\n".join(said.comments))
    fallback = "text" if said.texts else next(iter(motivations), "annotation")
    return Annotation(
        id=_identifier(value, prefix),
        shape=_NOWHERE,
        label=said.labels[0] if said.labels else fallback,
        score=_score(value),
        text="\n".join(said.texts) if said.texts else None,
        attributes=attributes,
        provenance=_provenance(value.get("creator")),
    )


def precise(value: Mapping[str, Json], shape: Shape, page: Page) -> Shape:
    """The box before it was rounded to whole canvas units, unless somebody has changed it since."""
    match unwrapped(value.get("limner:box")):
        case [int() | float() as x, int() | float() as y, int() | float() as width, int() | float() as height]:
            try:
                exact = Box(x, y, width, height)
            except ShapeError:
                return shape
            is_same = isinstance(shape, Box) and _same(page, exact, shape)
            return exact if is_same else shape
    return shape


def _same(page: Page, exact: Box, rounded: Box) -> bool:
    return fragment_of(page.to_canvas(exact)) == fragment_of(page.to_canvas(rounded))


def _identifier(value: Mapping[str, Json], prefix: str) -> str:
    identifier = value.get("id", value.get("@id"))
    if not isinstance(identifier, str) or not identifier:
        return uuid.uuid4().hex
    ours = len(prefix) > 1 and identifier.startswith(prefix) and len(identifier) > len(prefix)
    return unquote(identifier.removeprefix(prefix)) if ours else identifier


def _said(value: Mapping[str, Json], motivations: list[str]) -> _Said:
    said = _Said()
    default = [each for each in motivations if each not in _NAMING] or motivations
    bodies = [*listed(value.get("body", value.get("resource"))), *listed(value.get("bodyValue"))]
    for body in _flat(bodies):
        text, purposes = _text(body), _purposes(body) or default
        if text is None:
            if isinstance(body, dict) and plain_types(body) & {"Image", "Video", "Sound", "Audio"}:
                raise FormatError("it shows an image or plays a recording on the canvas.")
            continue
        if any(each in _NAMING for each in purposes):
            said.labels += [text.strip()] if text.strip() else []
        elif any(each in _WRITTEN for each in purposes):
            said.texts.append(text)
        else:
            said.comments.append(text)
    return said


def _flat(bodies: list[Json]) -> Iterator[Json]:
    """The bodies; of a choice the first."""
    for body in bodies:
        if isinstance(body, dict) and plain_types(body) & {"Choice"}:
            yield from [*listed(body.get("items")), *listed(body.get("default"))][:1]
        else:
            yield body


def _text(body: Json) -> str | None:
    """The text of a body; of one that names a thing, the thing's label or address."""
    if not isinstance(body, dict):
        return body if isinstance(body, str) else None
    text = next((body[key] for key in ("value", "chars", "cnt:chars") if isinstance(body.get(key), str)), None)
    if text is None and _purposes(body):
        source = body.get("source", body.get("id"))
        text = (source.get("label") or source.get("id")) if isinstance(source, dict) else source
        while isinstance(text, dict | list):
            text = next(iter(text.values() if isinstance(text, dict) else text), None)
    if not isinstance(text, str):
        return None
    return _without_tags(text) if body.get("format") == "text/html" else text


def _purposes(body: Json) -> list[str]:
    if not isinstance(body, dict):
        return []
    return ["tagging"] if "Tag" in plain_types(body) else _plain(body.get("purpose"))


def _plain(value: Json) -> list[str]:
    """Motivations without prefixes or the address of their vocabulary."""
    return [re.split(r"[:#/]", each)[-1] for each in listed(value) if isinstance(each, str) and each]


class _Words(HTMLParser):
    """Gathers the text of HTML; the ends of blocks become line feeds."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag == "br":
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"p", "div", "li", "h1", "h2", "h3"}:
            self.parts.append("\n")


def _without_tags(text: str) -> str:
    words = _Words()
    words.feed(text)
    words.close()
    return "".join(words.parts).strip()


def _score(value: Mapping[str, Json]) -> float | None:
    bodies = [body for body in listed(value.get("body")) if isinstance(body, dict)]
    for holder in (value, *bodies):
        for key in _SCORES:
            number = holder.get(key)
            if isinstance(number, int | float) and not isinstance(number, bool):
                return float(number) if math.isfinite(number) and 0 <= number <= 1 else None
    return None


def _provenance(value: Json) -> Provenance | None:
    creator = next(iter(listed(value)), None)
    if not isinstance(creator, dict):
        return None
    name = creator.get("name", creator.get("id"))
    if not isinstance(name, str) or not name:
        return None
    kinds = plain_types(creator)
    if kinds & {"Software", "SoftwareAgent"}:
        parameters = unwrapped(creator.get("limner:parameters"))
        return ByModel(
            name,
            str(creator.get("schema:softwareVersion", "")),
            str(creator.get("limner:weights", "")),
            parameters if isinstance(parameters, dict) else {},
        )
    return None if kinds and "Person" not in kinds else ByPerson(name)
