"""Presentation API 1 to 3: JSON in, manifests and collections out.

Pure and tolerant. What is no IIIF raises `NotIIIFError`; everything else comes out as something,
and what had to be left out or mended is listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import urlsplit

from limner.annotations.annotation import Json
from limner.core.errors import NotIIIFError
from limner.sources.iiif.findings import Findings
from limner.sources.iiif.jsonld import (
    Object,
    as_list,
    first,
    ident,
    is_object,
    kind,
    local_name,
    number,
    string,
    strings_in,
    text,
)
from limner.sources.iiif.painting import PaintedImage, PaintingReader, UnusableError
from limner.sources.protocol import Skipped


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the numbering of a manifest's images: see `Manifest`."""

    #: Position from 0.
    index: int
    #: The image; None where none can be used.
    image: PaintedImage | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestCanvas:
    """A canvas of a manifest."""

    #: Its address; made up where the manifest has none.
    id: str
    #: What people call it.
    label: str
    #: Width in canvas units; 0 where the manifest does not say.
    width: float
    #: Height in canvas units; 0 where the manifest does not say.
    height: float
    #: What is painted on it, at least one place.
    places: tuple[Place, ...]

    @property
    def images(self) -> list[PaintedImage]:
        """The images that can be used."""
        return [place.image for place in self.places if place.image]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest.

    Its images are numbered through: every image has a number, usable or not, and a canvas without
    any image has one too. So, with one image a canvas, index + 1 is the number of the canvas.
    """

    #: Its address, or where it was found.
    id: str
    #: Version of the Presentation API: ``1``, ``2``, ``3`` (``4`` is drafted), or ``?``.
    version: str
    #: What people call it.
    title: str
    #: Address of the licence or statement of rights.
    rights: str | None
    canvases: tuple[ManifestCanvas, ...]
    #: What cannot be used, by canvas.
    skipped: tuple[Skipped, ...]
    #: What was mended.
    problems: tuple[str, ...]
    #: The whole JSON, as it was.
    raw: Object = field(repr=False)

    @property
    def image_count(self) -> int:
        """How many images can be used."""
        return sum(len(canvas.images) for canvas in self.canvases)


@dataclass(frozen=True, slots=True)
class Member:
    """An entry of a collection."""

    #: Its address.
    id: str
    #: What people call it.
    label: str
    #: ``Manifest`` or ``Collection``.
    kind: str
    #: The manifest or collection itself, where it is embedded.
    embedded: Object | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A collection of manifests and other collections."""

    #: Its address, or where it was found.
    id: str
    #: Version of the Presentation API: ``2``, ``3``, or ``?``.
    version: str
    #: What people call it.
    title: str
    #: Address of the licence or statement of rights.
    rights: str | None
    members: tuple[Member, ...]
    #: What cannot be used.
    skipped: tuple[Skipped, ...]
    #: What was mended.
    problems: tuple[str, ...]
    #: The whole JSON, as it was.
    raw: Object = field(repr=False)


def read_presentation(value: Json, origin: str) -> Manifest | Collection:
    """Read a manifest or collection that was found at ``origin``; raises `NotIIIFError`."""
    if not is_object(value):
        raise NotIIIFError(f"{origin} is no IIIF manifest or collection: it is no JSON object.")
    name = _document_kind(value)
    if name == "Collection":
        return _collection(value, origin)
    if name == "Manifest":
        return _manifest(value, origin)
    what = f"it is a {kind(value)}" if kind(value) else "it has no type, no canvases and no members"
    raise NotIIIFError(f"{origin} is no IIIF manifest or collection: {what}.")


def manifest_ref(manifest_id: str) -> str:
    """The short name of a manifest: the path segment before ``manifest…`` in its id.

    Where there is no such segment, the last one without ``.json``; where there is no path, the host.
    """
    try:
        parts = urlsplit(manifest_id.strip())
    except ValueError:
        return "manifest"
    segments = [segment for segment in parts.path.split("/") if segment]
    for before, segment in reversed(list(pairwise(segments))):
        if segment.lower().startswith("manifest"):
            return before
    if segments and not segments[-1].lower().startswith("manifest"):
        return segments[-1].removesuffix(".json") or "manifest"
    return parts.netloc or "manifest"


def _document_kind(value: Object) -> str:
    """``Manifest`` or ``Collection``, by type or else by what is in it; nothing for anything else."""
    name = kind(value)
    if name in {"Manifest", "Collection"}:
        return name
    if name and name not in {"Layer", "Object"}:
        return ""
    if "sequences" in value or "canvases" in value:
        return "Manifest"
    if any(key in value for key in ("manifests", "collections", "members")):
        return "Collection"
    inside = {kind(entry) for entry in as_list(value.get("items"))}
    if inside & {"Manifest", "Collection"}:
        return "Collection"
    return "Manifest" if "Canvas" in inside else ""


def _version(value: Object) -> str:
    """The version by context, or else by the words that are used."""
    contexts = " ".join(strings_in(value.get("@context")))
    for version in "4321":
        if f"/presentation/{version}" in contexts:
            return version
    if "shared-canvas" in contexts:
        return "1"
    if string(value.get("@type")) or string(value.get("@id")):
        return "2"
    return "3" if string(value.get("type")) else "?"


def _rights(value: Object, findings: Findings) -> str | None:
    """The first licence or statement of rights."""
    entries = as_list(first(value, "rights", "license"))
    found = list(filter(None, (ident(entry) or text(entry) for entry in entries)))
    if len(found) > 1:
        findings.mend(f"Several licences are named, and the first is taken ({'; '.join(found)[:500]})")
    return found[0] if found else None


def _manifest(value: Object, origin: str) -> Manifest:
    findings = Findings()
    identity = ident(first(value, "@id", "id"))
    if not identity:
        findings.mend("The manifest has no id, and goes by where it was found")
    canvases = tuple(_canvases(_canvas_values(value, findings), identity or origin, findings))
    return Manifest(
        id=identity or origin,
        version=_version(value),
        title=text(value.get("label")) or identity or origin,
        rights=_rights(value, findings),
        canvases=canvases,
        skipped=findings.skipped,
        problems=findings.problems,
        raw=value,
    )


def _canvas_values(value: Object, findings: Findings) -> list[Json]:
    """The canvases as they stand in the file: those of the first sequence, or the items."""
    sequences = as_list(value.get("sequences"))
    if len(sequences) > 1:
        findings.mend(f"There are {len(sequences)} sequences of canvases, and only the first is read")
    sequence = sequences[0] if sequences else None
    found = first(sequence, "canvases", "items") if is_object(sequence) else None
    canvases = as_list(found or first(value, "items", "canvases"))
    if not canvases:
        where = "is not embedded in the manifest" if isinstance(sequence, str) else "has no canvases"
        findings.mend(f"The sequence {where}" if sequences else "The manifest has no canvases")
    return canvases


def _canvases(values: list[Json], base: str, findings: Findings) -> Iterator[ManifestCanvas]:
    index, seen = 0, set[str]()
    for position, value in enumerate(values, start=1):
        identity = _canvas_id(value, f"{base}/canvas/{position}", findings)
        if identity in seen:
            findings.mend("The same canvas id stands more than once", identity)
        seen.add(identity)
        images = list(_images(value, identity, findings))
        places = tuple(Place(index + n, image) for n, image in enumerate(images))
        index += len(places)
        yield _canvas(value, identity, places)


def _canvas(value: Json, identity: str, places: tuple[Place, ...]) -> ManifestCanvas:
    known = value if is_object(value) else {}
    width, height = number(known.get("width")), number(known.get("height"))
    if not (width and height):
        width = height = 0.0
    return ManifestCanvas(id=identity, label=text(known.get("label")), width=width, height=height, places=places)


def _canvas_id(value: Json, made_up: str, findings: Findings) -> str:
    """The id of a canvas: its own, or what its images name as their target, or one made up."""
    if own := ident(value) if not is_object(value) else ident(first(value, "@id", "id")):
        return own
    named = _target_of(value) if is_object(value) else ""
    goes_by = "the one that its image names" if named else "one that was made up"
    findings.mend(f"A canvas has no id, and goes by {goes_by}", named or made_up)
    return named or made_up


def _target_of(canvas: Object) -> str:
    """The canvas that the first painting annotation of a canvas names."""
    annotation: Json = canvas
    for _ in range(2):
        inside = as_list(first(annotation, "images", "items")) if is_object(annotation) else []
        annotation = inside[0] if inside else None
        target = first(annotation, "target", "on") if is_object(annotation) else None
        if target:
            address = ident(first(target, "source", "full")) if is_object(target) else ident(target)
            return address.partition("#xywh=")[0]
    return ""


def _images(value: Json, canvas: str, findings: Findings) -> Iterator[PaintedImage | None]:
    """The images of a canvas, None for one that cannot be used; at least one entry."""
    if not is_object(value):
        findings.skip(canvas or "a canvas", _reason("it is not embedded in the manifest"))
        yield None
        return
    numbered, reasons = 0, list[str]()
    for outcome in PaintingReader(canvas, findings).read(value):
        if isinstance(outcome, UnusableError):
            reasons.append(str(outcome))
            if not outcome.image:
                continue
        numbered += 1
        yield None if isinstance(outcome, UnusableError) else outcome
    for reason in reasons or ([] if numbered else ["no image is painted on it"]):
        findings.skip(canvas, _reason(reason))
    if not numbered:
        yield None


def _reason(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _collection(value: Object, origin: str) -> Collection:
    findings = Findings()
    identity = ident(first(value, "@id", "id"))
    members = tuple(_members(value, findings))
    if not members:
        findings.mend("The collection has no members")
    return Collection(
        id=identity or origin,
        version=_version(value),
        title=text(value.get("label")) or identity or origin,
        rights=_rights(value, findings),
        members=members,
        skipped=findings.skipped,
        problems=findings.problems,
        raw=value,
    )


def _members(value: Object, findings: Findings) -> Iterator[Member]:
    """The members in order; the further pages of a long collection come last, as a collection."""
    keys = ("items", "members", "collections", "manifests")
    presumed = {"collections": "Collection", "first": "Collection", "next": "Collection"}
    entries = [(key, entry) for key in (*keys, "first", "next") for entry in as_list(value.get(key))]
    seen = set[str]()
    for key, entry in entries:
        name = local_name(kind(entry)) or presumed.get(key, "Manifest")
        identity, embedded = ident(entry), _embedded(entry)
        if name not in {"Manifest", "Collection"}:
            findings.skip(identity or "a member", f"It is a {name}, not a manifest or collection.")
        elif not identity and embedded is None:
            findings.skip("a member", "It has no id.")
        elif identity not in seen:
            seen.add(identity or str(len(seen)))
            yield Member(identity, text(entry.get("label")) if is_object(entry) else "", name, embedded)


def _embedded(entry: Json) -> Object | None:
    """A member that is there in full, with its canvases or members."""
    if not is_object(entry):
        return None
    has = any(as_list(entry.get(key)) for key in ("sequences", "items", "manifests", "members", "collections"))
    return entry if has else None
