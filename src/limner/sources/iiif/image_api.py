"""Image services: what a manifest or an ``info.json`` says that an image server can do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from limner.annotations.annotation import Json
from limner.core.errors import NotIIIFError
from limner.sources.iiif.jsonld import (
    Object,
    as_list,
    canonical_url,
    first,
    ident,
    is_object,
    kind,
    objects,
    size,
    string,
    strings_in,
    whole,
)

#: How deep services inside services are looked for.
_NESTED = 3
_IMAGE = re.compile(r"/api/image\b|/image-api\b|iiif/image", re.IGNORECASE)
_VERSION = re.compile(r"(?:/api/image|/image-api)/([1-9])")
_LEVEL = re.compile(r"level([0-9])")
#: The end of an image request: region, size, rotation, quality and perhaps a format.
_REQUEST = re.compile(r"(.+)/([^/]+)/([^/]+)/(!?[0-9.]+)/(native|default|color|gray|grey|bitonal)(?:\.(\w+))?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageService:
    """A IIIF image service, as far as it is known."""

    #: Its base address, without a slash at the end.
    id: str
    #: Version of the Image API: 1, 2 or 3; 0 while unknown.
    version: int
    #: Level of conformance, 0 to 2; None while unknown.
    level: int | None = None
    #: Width of the full image in pixels; 0 while unknown.
    width: int = 0
    #: Height of the full image in pixels; 0 while unknown.
    height: int = 0
    #: Sizes that the server prefers to give, pixels, smallest first.
    sizes: tuple[tuple[int, int], ...] = ()
    #: Largest width that may be asked for; 0 for any.
    max_width: int = 0
    #: Largest height that may be asked for; 0 for any.
    max_height: int = 0
    #: Largest number of pixels that may be asked for; 0 for any.
    max_area: int = 0
    #: What it can do beyond its level, in the words of the Image API (``sizeByW``).
    features: frozenset[str] = frozenset()
    #: The quality to ask for, where the manifest shows it.
    quality: str = ""
    #: Address of the licence or statement of rights; empty where there is none.
    rights: str = ""

    @property
    def info_url(self) -> str:
        """Where its description is."""
        return f"{self.id}/info.json"

    def can(self, feature: str, level: int) -> bool:
        """Whether it has a feature that belongs to a level; unknown levels get the benefit of the doubt."""
        return self.level is None or self.level >= level or feature in self.features


@dataclass(frozen=True, slots=True)
class RequestParts:
    """An image request taken apart."""

    #: Base address of the service.
    service: str
    region: str
    size: str
    rotation: str
    quality: str

    @property
    def derived(self) -> bool:
        """Whether it asks for another size than that of the original."""
        return self.size not in {"full", "max"}


def parse_request(url: str) -> RequestParts | None:
    """Take an image request apart; None where an address is none."""
    found = _REQUEST.fullmatch(canonical_url(url).partition("?")[0])
    return RequestParts(*found.groups()[:5]) if found else None


def image_services(value: Json, resource: str = "") -> list[ImageService]:
    """The image services in the ``service`` of an image whose address is ``resource``.

    Other services (search, authentication, physical dimensions) are passed over, and looked into
    for image services. The newest version comes first.
    """
    shown = parse_request(resource)
    found = [_with_quality(service, shown) for service in _services(value, resource, _NESTED)]
    return sorted(found, key=lambda service: -service.version)


def parse_info(value: Json, url: str) -> ImageService:
    """The service that an ``info.json`` from an address describes; raises `NotIIIFError`."""
    if not is_info(value) or not is_object(value):
        raise NotIIIFError(f"{url} is no description of a IIIF image.")
    base = url.partition("?")[0].removesuffix("/info.json") if "://" in url else _identifier(value)
    if not base:
        raise NotIIIFError(f"{url} does not say where its image is: the id is missing.")
    return _service(value, base)


def is_info(value: Json) -> bool:
    """Whether this looks like an ``info.json``."""
    if not is_object(value) or kind(value).endswith(("Manifest", "Collection", "Canvas")):
        return False
    if not all(size(value)):
        return False
    return _mentions_image_api(value) or bool(string(value.get("identifier")))


def described(service: ImageService, info: ImageService) -> ImageService:
    """A service of a manifest with what its ``info.json`` says; its address stays the manifest's."""
    return replace(info, id=service.id, quality=service.quality, version=info.version or service.version)


def _services(value: Json, resource: str, depth: int) -> Iterator[ImageService]:
    for entry in as_list(value):
        base = _identifier(entry)
        belongs = bool(base) and canonical_url(resource).startswith(base + "/")
        if not is_object(entry):
            if belongs:
                yield ImageService(id=base, version=0)
        elif base and (_mentions_image_api(entry) or (belongs and not _is_other(entry))):
            yield _service(entry, base)
        elif depth:
            yield from _services(entry.get("service"), resource, depth - 1)


def _identifier(value: Json) -> str:
    """The base address of a service, ready for use."""
    found = ident(value) or (string(value.get("identifier")) if is_object(value) else "")
    return canonical_url(found).removesuffix("/info.json").rstrip("/")


def _mentions_image_api(value: Object) -> bool:
    """Whether the type, context, protocol or profile is one of the Image API."""
    return kind(value).startswith("ImageService") or any(map(_IMAGE.search, _names(value)))


def _is_other(value: Object) -> bool:
    """Whether this says that it is a service, and of another kind."""
    return bool(kind(value) or _names(value)) and not size(value)[0]


def _names(value: Object) -> list[str]:
    """What a service says that it is."""
    keys = ("@context", "protocol", "profile", "dcterms:conformsTo", "conformsTo")
    return [name for key in keys for name in strings_in(value.get(key))]


def _service(value: Object, base: str) -> ImageService:
    profile = _profile(value)
    width, height = size(value)
    return ImageService(
        id=base.rstrip("/"),
        version=_version(value),
        level=_level(value),
        width=width,
        height=height,
        sizes=_sizes(value),
        max_width=whole(profile.get("maxWidth")),
        max_height=whole(profile.get("maxHeight")),
        max_area=whole(profile.get("maxArea")),
        features=frozenset(strings_in(profile.get("supports")) + strings_in(profile.get("extraFeatures"))),
        rights=next(iter(strings_in(first(value, "rights", "license"))), ""),
    )


def _profile(value: Object) -> Object:
    """What the service says beyond its level: in version 2 in the profile, in version 3 beside it."""
    merged = dict(value)
    for part in objects(value.get("profile")):
        merged |= part
    return merged


def _version(value: Object) -> int:
    """The version by type, then context, then profile."""
    digit = kind(value).removeprefix("ImageService")
    if digit in {"1", "2", "3"}:
        return int(digit)
    for name in _names(value):
        if found := _VERSION.search(name):
            return min(int(found[1]), 3)
        if "image-api/compliance" in name:  # version 1.0 has no number in its address
            return 1
    if not string(value.get("protocol")):
        return 0
    return 3 if any(map(_LEVEL.fullmatch, strings_in(value.get("profile")))) else 2


def _level(value: Object) -> int | None:
    """The level by profile."""
    named = first(value, "profile", "dcterms:conformsTo", "conformsTo")
    found = next(filter(None, map(_LEVEL.search, strings_in(named))), None)
    return min(int(found[1]), 2) if found else None


def _sizes(value: Object) -> tuple[tuple[int, int], ...]:
    return tuple(sorted({size(entry) for entry in objects(value.get("sizes"))} - {(0, 0)}))


def _with_quality(service: ImageService, shown: RequestParts | None) -> ImageService:
    """The service with the quality that the manifest's own request shows to work."""
    if shown is None or shown.service != service.id or shown.quality not in {"native", "default"}:
        return service
    return replace(service, quality=shown.quality)
