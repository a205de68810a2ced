"""Label Studio's labelling configuration: which image is to be looked at, and with which tags regions are drawn.

A configuration is XML. ``Image`` names the image and the key of the tasks that holds its address; control tags
(``RectangleLabels``, ``Polygon``, ``TextArea``, …) belong to an image by ``toName``.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import defusedxml
import defusedxml.ElementTree

from limner.core.errors import UsageError

#: Control tags that a model's findings fit, in lower case: so are the types of their results called.
KINDS = frozenset(
    {"rectanglelabels", "polygonlabels", "brushlabels", "rectangle", "polygon", "brush", "labels", "textarea"}
)
#: Longest configuration, characters.
_LONGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Control:
    """A tag that regions are drawn, labelled or written with."""

    #: What results call it: ``from_name``.
    name: str
    #: Its type: ``rectanglelabels``, …
    kind: str
    #: Its labels, as they are to be given; none where it has no labels, or where they are not told.
    labels: tuple[str, ...]
    #: What models may call these labels: names in lower case.
    meant: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """What Label Studio wants to know of an image."""

    #: Name of the ``Image`` tag: ``to_name``.
    image: str
    #: Where a task's data holds the address of the image.
    key: str
    #: The control tags of that image, the first of each kind.
    controls: Mapping[str, Control]

    def first(self, kinds: Sequence[str]) -> Control | None:
        """The control of the first of some kinds that is there."""
        return next((self.controls[kind] for kind in kinds if kind in self.controls), None)


def parse_config(text: str) -> LabelConfig:
    """Read a configuration; raises `UsageError` where it is none, or has nothing to do with images."""
    root = _root(text)
    image = next((tag for tag in root.iter() if _kind(tag) == "image" and tag.get("name")), None)
    if image is None:
        raise UsageError("The labelling configuration has no Image tag: only images are looked at.")
    name, value = image.get("name", ""), image.get("value", "")
    if not value.startswith("$"):
        raise UsageError(f"The Image tag {name!r} names no key of the tasks.", hint='Write value="$image".')
    controls: dict[str, Control] = {}
    for tag in root.iter():
        if _kind(tag) in KINDS and name in (part.strip() for part in tag.get("toName", "").split(",")):
            controls.setdefault(_kind(tag), _control(tag))
    if not controls.keys() - {"labels"}:
        raise UsageError(
            f"The labelling configuration has no tag for the image {name!r} that a model could fill in.",
            hint="Add RectangleLabels, PolygonLabels, BrushLabels or TextArea.",
        )
    return LabelConfig(name, value[1:], controls)


def _root(text: str) -> ET.Element:
    if len(text) > _LONGEST:
        raise UsageError(f"The labelling configuration is longer than {_LONGEST:,} characters.")
    try:
        root: ET.Element = defusedxml.ElementTree.fromstring(text)
    except (ET.ParseError, defusedxml.DefusedXmlException, ValueError) as error:
        raise UsageError(f"The labelling configuration is no XML that can be read: {error}.") from error
    return root


def _kind(tag: ET.Element) -> str:
    return tag.tag.lower()


def _control(tag: ET.Element) -> Control:
    """A control with its labels; ``predicted_values`` says how models call one, as in Label Studio's own backends."""
    labels: list[str] = []
    meant: dict[str, str] = {}
    for each in tag:
        value = each.get("alias") or each.get("value") or ""
        if _kind(each) != "label" or not value or value.startswith("$"):
            continue
        labels.append(value)
        for said in (each.get("value", ""), value, *each.get("predicted_values", "").split(",")):
            if said.strip():
                meant.setdefault(said.strip().lower(), value)
    return Control(tag.get("name", ""), _kind(tag), tuple(labels), meant)
