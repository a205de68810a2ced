from __future__ import annotations

import pytest

from limner.core.errors import NotIIIFError
from limner.sources.iiif.image_api import ImageService, described, image_services, is_info, parse_info, parse_request

BASE = "https://lib.example/iiif/p1"
RESOURCE = f"{BASE}/full/full/0/default.jpg"


def only(value, resource=RESOURCE) -> ImageService:
    found = image_services(value, resource)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("service", "version", "level"),
    [
        (
            {
                "@context": "http://iiif.io/api/image/2/context.json",
                "profile": "http://iiif.io/api/image/2/level1.json",
            },
            2,
            1,
        ),
        (
            {
                "@context": "http://iiif.io/api/image/2/context.json",
                "profile": ["http://iiif.io/api/image/2/level2.json"],
            },
            2,
            2,
        ),
        ({"type": "ImageService3", "profile": "level0"}, 3, 0),
        ({"type": "ImageService3", "profile": "level3"}, 3, 2),
        ({"@type": "ImageService2", "profile": "http://iiif.io/api/image/2/level2.json"}, 2, 2),
        ({"profile": "http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level2"}, 1, 2),
        ({"profile": "http://library.stanford.edu/iiif/image-api/compliance.html#level0"}, 1, 0),
        ({"dcterms:conformsTo": "http://library.stanford.edu/iiif/image-api/1.1/conformance.html#level1"}, 1, 1),
        ({"protocol": "http://iiif.io/api/image", "profile": "level2"}, 3, 2),
        ({"protocol": "http://iiif.io/api/image", "profile": "http://iiif.io/api/image/2/level1.json"}, 2, 1),
        # A server of version 2 that names a profile of version 1, as Qatar's does
        (
            {
                "@context": "http://iiif.io/api/image/2/context.json",
                "profile": "http://iiif.io/api/image/1/level2.json",
            },
            2,
            2,
        ),
        ({}, 0, None),
    ],
)
def test_version_and_level(service, version, level):
    found = only({"@id": BASE, **service})
    assert (found.version, found.level) == (version, level)


@pytest.mark.parametrize(
    "service",
    [
        {"@id": BASE + "/", "profile": "http://iiif.io/api/image/2/level1.json"},
        [{"id": BASE, "type": "ImageService3", "profile": "level1"}],
        BASE,
        {"@id": f"{BASE}/info.json", "protocol": "http://iiif.io/api/image"},
        [
            {"profile": "http://iiif.io/api/annex/services/physdim", "physicalScale": 0.1},
            {"@id": BASE, "@type": "ImageService2"},
        ],
        {
            "@id": "https://x.example",
            "profile": "http://iiif.io/api/other",
            "service": {"@id": BASE, "@type": "ImageService2"},
        },
        [
            None,
            5,
            "https://auth.example/login",
            {"id": BASE, "type": "ImageService2", "service": {"@id": "https://auth.example"}},
        ],
    ],
)
def test_services_of_every_shape(service):
    assert only(service).id == BASE


@pytest.mark.parametrize(
    "service",
    [
        None,
        "https://auth.example/login",
        {"@id": "https://auth.example", "profile": "http://iiif.io/api/auth/1/login"},
        {"@id": "https://x.example/s", "profile": "http://iiif.io/api/search/1/search"},
        {"profile": "http://iiif.io/api/image/2/level1.json"},
        [[], {}, 7],
    ],
)
def test_other_services_are_passed_over(service):
    assert image_services(service, RESOURCE) == []


def test_the_newest_version_comes_first():
    found = image_services([{"@id": BASE, "@type": "ImageService2"}, {"id": BASE, "type": "ImageService3"}], RESOURCE)
    assert [service.version for service in found] == [3, 2]


def test_sizes_limits_and_features():
    service = only(
        {
            "@context": "http://iiif.io/api/image/2/context.json",
            "@id": BASE,
            "width": "4000",
            "height": 6000,
            "sizes": [{"width": 400, "height": 600}, {"width": 100, "height": 150}, {"width": 0}],
            "profile": ["http://iiif.io/api/image/2/level1.json", {"maxWidth": 2000, "supports": ["sizeByWhListed"]}],
        }
    )
    assert (service.width, service.height) == (4000, 6000)
    assert service.sizes == ((100, 150), (400, 600))
    assert service.max_width == 2000
    assert service.features == {"sizeByWhListed"}
    assert service.can("sizeByW", 1)
    assert not service.can("sizeByConfinedWh", 2)


def test_version_3_has_its_limits_beside_the_profile():
    service = only(
        {"id": BASE, "type": "ImageService3", "profile": "level0", "maxArea": 10, "extraFeatures": ["sizeByW"]}
    )
    assert service.max_area == 10
    assert service.can("sizeByW", 1)


def test_the_quality_in_the_manifest_is_known_to_work():
    service = {"@id": BASE, "profile": "http://iiif.io/api/image/2/level1.json"}
    assert only(service, f"{BASE}/full/full/0/native.jpg").quality == "native"
    assert only(service, "https://other.example/full/full/0/native.jpg").quality == ""


def test_requests_are_taken_apart():
    asked = parse_request("https://a.org/x/140,870,1800,1778/!200,200/180/default.jpg?v=1")
    assert asked.service == "https://a.org/x"
    assert (asked.region, asked.size, asked.rotation, asked.quality) == (
        "140,870,1800,1778",
        "!200,200",
        "180",
        "default",
    )
    assert asked.derived
    assert parse_request("https://a.org/pages/1.jpg") is None
    assert parse_request("http://gallica.bnf.fr/ark:/12148/btv1b8419223t/f54.highres") is None


INFO_1 = {
    "@context": "http://library.stanford.edu/iiif/image-api/1.1/context.json",
    "@id": BASE,
    "width": 6000,
    "height": 4000,
    "scale_factors": [1, 2, 4],
    "qualities": ["native", "grey"],
    "profile": "http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level0",
}
INFO_2 = {
    "@context": "http://iiif.io/api/image/2/context.json",
    "@id": BASE,
    "protocol": "http://iiif.io/api/image",
    "width": 6000,
    "height": 4000,
    "profile": ["http://iiif.io/api/image/2/level2.json"],
}
INFO_3 = {
    "@context": "http://iiif.io/api/image/3/context.json",
    "id": BASE,
    "type": "ImageService3",
    "protocol": "http://iiif.io/api/image",
    "profile": "level1",
    "width": 6000,
    "height": 4000,
    "maxHeight": 500,
    "rights": "http://rightsstatements.org/vocab/InC/1.0/",
}


@pytest.mark.parametrize(("info", "version", "level"), [(INFO_1, 1, 0), (INFO_2, 2, 2), (INFO_3, 3, 1)])
def test_info_of_every_version(info, version, level):
    service = parse_info(info, f"{BASE}/info.json")
    assert (service.id, service.version, service.level) == (BASE, version, level)
    assert (service.width, service.height) == (6000, 4000)


def test_info_lies_where_it_was_found_whatever_it_says():
    moved = {**INFO_2, "@id": "http://internal:8182/iiif/2/p1"}
    assert parse_info(moved, f"{BASE}/info.json").id == BASE
    assert parse_info(moved, "info.json").id == "http://internal:8182/iiif/2/p1"


def test_rights_of_an_image():
    assert parse_info(INFO_3, BASE).rights == "http://rightsstatements.org/vocab/InC/1.0/"


@pytest.mark.parametrize(
    "value", [None, [], {}, {"width": 5, "height": 5}, {**INFO_2, "width": 0}, {**INFO_2, "@type": "sc:Manifest"}]
)
def test_what_is_no_info(value):
    assert not is_info(value)
    with pytest.raises(NotIIIFError):
        parse_info(value, "https://a.org/info.json")


def test_what_the_info_says_goes_to_the_address_of_the_manifest():
    service = ImageService(id="https://public.example/p1", version=2, quality="native")
    better = described(service, parse_info(INFO_1, "https://internal.example/p1/info.json"))
    assert (better.id, better.quality, better.version, better.level) == ("https://public.example/p1", "native", 1, 0)
