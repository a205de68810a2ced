"""What a manifest says of itself, in the form of Presentation 3, whatever form it had.

Properties that cannot be made valid are left out; a licence that Presentation 3 does not accept as
``rights`` is kept in the metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from limner.annotations.annotation import Json
from limner.annotations.formats.w3c_manifests import listed

Object: TypeAlias = dict[str, Json]

_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_RIGHTS = re.compile(r"https?://((?:creativecommons\.org|rightsstatements\.org)/\S+)")
_URL = re.compile(r"https?://[^\s\"<>]+")
_DATE = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_MEDIA_TYPE = re.compile(r"[a-z]+/\S")
_DIRECTIONS = frozenset({"left-to-right", "right-to-left", "top-to-bottom", "bottom-to-top"})
_BEHAVIOURS = frozenset({"paged", "individuals", "continuous", "unordered"})


def properties_of(manifest: Mapping[str, Json]) -> Object:
    """The descriptive and linking properties of a manifest of Presentation 2 or 3, without its label."""
    metadata: list[Json] = [*_pairs(manifest.get("metadata")), *_other_rights(manifest)]
    behaviour = [*listed(manifest.get("behavior")), *listed(manifest.get("viewingHint"))]
    known: list[Json] = [each for each in behaviour if each in _BEHAVIOURS]
    date, direction = manifest.get("navDate"), manifest.get("viewingDirection")
    found: Object = {
        "summary": language_map(manifest.get("summary", manifest.get("description"))),
        "metadata": metadata,
        "requiredStatement": _statement(manifest),
        "rights": next(_rights(manifest), None),
        "navDate": date if isinstance(date, str) and _DATE.fullmatch(date) else None,
        "provider": [agent for each in listed(manifest.get("provider")) for agent in _agents(each)],
        "homepage": [*_links(manifest.get("homepage", manifest.get("related")), "Text", labelled=True)],
        "rendering": [*_links(manifest.get("rendering"), "Text", labelled=True)],
        "seeAlso": [*_links(manifest.get("seeAlso"), "Dataset")],
        "viewingDirection": direction if direction in _DIRECTIONS else None,
        "behavior": known[:1],
    }
    return {key: value for key, value in found.items() if value}


def language_map(value: Json) -> Object:
    """Text of any form as a language map; empty where there is none."""
    found: dict[str, list[Json]] = {}
    for language, text in _texts(value):
        known = language if _LANGUAGE.fullmatch(language) else "none"
        if text.strip() and text not in found.setdefault(known, []):
            found[known].append(text)
    return {language: texts for language, texts in found.items() if texts}


def _texts(value: Json) -> Iterator[tuple[str, str]]:
    for each in listed(value):
        if isinstance(each, str | int | float):
            yield "none", str(each)
        elif isinstance(each, dict) and "@value" in each:
            yield str(each.get("@language", "none")), str(each["@value"])
        elif isinstance(each, dict):
            for language, texts in each.items():
                yield from ((language, text) for text in listed(texts) if isinstance(text, str))


def _pairs(value: Json) -> Iterator[Object]:
    for each in listed(value):
        if isinstance(each, dict):
            label, text = language_map(each.get("label")), language_map(each.get("value"))
            if label and text:
                yield {"label": label, "value": text}


def _statement(manifest: Mapping[str, Json]) -> Json:
    if "requiredStatement" in manifest:
        return next(_pairs(manifest["requiredStatement"]), None)
    text = language_map(manifest.get("attribution"))
    return {"label": {"en": ["Attribution"]}, "value": text} if text else None


def rights_uri(address: str | None) -> str | None:
    """The address as ``rights`` wants it: of Creative Commons or RightsStatements.org, with ``http``."""
    match = _RIGHTS.fullmatch((address or "").strip())
    return f"http://{match[1]}" if match else None


def _licences(manifest: Mapping[str, Json]) -> list[str]:
    values = [*listed(manifest.get("rights")), *listed(manifest.get("license"))]
    return [value for value in values if isinstance(value, str) and value.strip()]


def _rights(manifest: Mapping[str, Json]) -> Iterator[str]:
    return (uri for uri in map(rights_uri, _licences(manifest)) if uri)


def _other_rights(manifest: Mapping[str, Json]) -> Iterator[Object]:
    """The licences that ``rights`` does not hold, which takes one of the known ones."""
    kept = next(_rights(manifest), None)
    for licence in _licences(manifest):
        if kept is None or rights_uri(licence) != kept:
            yield rights_pair(licence)


def rights_pair(licence: str) -> Object:
    """A licence as an entry of the metadata."""
    return {"label": {"en": ["Rights"]}, "value": {"none": [licence]}}


def _agents(value: Json) -> Iterator[Object]:
    if isinstance(value, dict) and _address(value) and language_map(value.get("label")):
        agent: Object = {"id": _address(value), "type": "Agent", "label": language_map(value["label"])}
        homepage: list[Json] = [*_links(value.get("homepage"), "Text", labelled=True)]
        logo: list[Json] = [*_links(value.get("logo"), "Image")]
        agent |= ({"homepage": homepage} if homepage else {}) | ({"logo": logo} if logo else {})
        yield agent


def _links(value: Json, kind: str, *, labelled: bool = False) -> Iterator[Object]:
    """Resources elsewhere; where a label is needed and missing, the address is it."""
    for each in listed(value):
        resource = each if isinstance(each, dict) else {"id": each}
        address = _address(resource)
        if not address:
            continue
        link: Object = {"id": address, "type": _type(resource, kind)}
        label = language_map(resource.get("label")) or ({"none": [address]} if labelled else {})
        link |= {"label": label} if label else {}
        link |= media_format(resource)
        link |= {"profile": resource["profile"]} if isinstance(resource.get("profile"), str) else {}
        yield link


def media_format(resource: Mapping[str, Json]) -> Object:
    """The media type of a resource, where it gives one."""
    value = resource.get("format")
    return {"format": value} if isinstance(value, str) and _MEDIA_TYPE.match(value) else {}


def _type(resource: Mapping[str, Json], kind: str) -> str:
    said = resource.get("type")
    return said if isinstance(said, str) and said.isalpha() else kind


def _address(resource: Mapping[str, Json]) -> str:
    value = resource.get("id", resource.get("@id"))
    return value if isinstance(value, str) and _URL.fullmatch(value) else ""
