import pytest

from limner.annotations.annotation import Json
from limner.annotations.formats.iiif_images import Images
from limner.annotations.page import Canvas, Page

C = "https://x.example/canvas"
SERVICE_2 = {
    "@context": "http://iiif.io/api/image/2/context.json",
    "@id": "https://x.example/iiif/a",
    "profile": ["http://iiif.io/api/image/2/level2.json", {"formats": ["jpg"]}],
}
AS_3 = {
    "@id": "https://x.example/iiif/a",
    "@type": "ImageService2",
    "profile": "http://iiif.io/api/image/2/level2.json",
}


def page(source: str = "https://x.example/a.jpg", name: str = "a.jpg") -> Page:
    return Page(id="p", name=name, index=0, width=20, height=10, source=source, canvas=Canvas(C, 200, 100))


def manifest_2(resource: Json) -> dict[str, Json]:
    canvas = {"@id": C, "label": "f. 1", "images": [{"resource": resource, "on": C}]}
    return {"sequences": [{"canvases": [canvas, "broken"]}]}


def manifest_3(body: Json) -> dict[str, Json]:
    return {"items": [{"id": C, "label": {"en": ["f. 1"]}, "items": [{"items": [{"body": body, "target": C}]}]}]}


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (SERVICE_2, AS_3),
        ([SERVICE_2], AS_3),
        (
            {
                "@id": "https://x.example/iiif/a",
                "profile": "http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level1",
            },
            {
                "@id": "https://x.example/iiif/a",
                "@type": "ImageService1",
                "profile": "http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level1",
            },
        ),
        ({"id": "https://x.example/iiif/a", "type": "ImageService3", "profile": "level1"}, None),
        (
            {"id": "https://x.example/iiif/a", "type": "ImageService2", "profile": ["level1", {}]},
            {"id": "https://x.example/iiif/a", "type": "ImageService2", "profile": "level1"},
        ),
        (
            {**SERVICE_2, "service": {"@id": "https://x.example/login", "profile": "http://iiif.io/api/auth/1/login"}},
            {
                **AS_3,
                "service": [
                    {
                        "@id": "https://x.example/login",
                        "@type": "AuthCookieService1",
                        "profile": "http://iiif.io/api/auth/1/login",
                    }
                ],
            },
        ),
    ],
)
def test_services_get_a_type_and_one_profile(service: Json, expected: Json):
    resource: Json = {
        "@id": "https://x.example/a.jpg",
        "@type": "dctypes:Image",
        "format": "image/jpeg",
        "service": service,
    }
    body = Images.of(manifest_2(resource)).body(page())
    assert body == {
        "id": "https://x.example/a.jpg",
        "type": "Image",
        "format": "image/jpeg",
        "service": [expected or service],
    }


def test_an_image_is_known_by_its_service_too():
    resource: Json = {"@id": "https://x.example/a.jpg", "service": SERVICE_2, "width": 900, "format": ""}
    body = Images.of(manifest_2(resource)).body(page("https://x.example/iiif/a"))
    assert body == {"id": "https://x.example/a.jpg", "type": "Image", "width": 900, "service": [AS_3]}


def test_parts_of_images_and_choices_keep_their_form():
    image: Json = {"@id": "https://x.example/a.jpg", "@type": "dctypes:Image"}
    part: Json = {
        "@type": "oa:SpecificResource",
        "full": image,
        "selector": {"@type": "iiif:ImageApiSelector", "region": "1,2,3,4"},
    }
    newer: Json = {"id": "https://x.example/a.jpg", "type": "Image"}
    assert Images.of(manifest_2(part)).body(page()) == {
        "type": "SpecificResource",
        "source": newer,
        "selector": {"type": "ImageApiSelector", "region": "1,2,3,4"},
    }
    choice: Json = {"@type": "oa:Choice", "default": image, "item": [{"@id": "https://x.example/b.jpg"}]}
    assert Images.of(manifest_2(choice)).body(page()) == {
        "type": "Choice",
        "items": [newer, {"id": "https://x.example/b.jpg", "type": "Image"}],
    }
    assert Images.of(manifest_3({"type": "Choice", "items": [newer]})).body(page()) == {
        "type": "Choice",
        "items": [newer],
    }


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        manifest_3(None),
        manifest_3("https://x.example/a.jpg"),
        manifest_3({"id": "https://x.example/other.jpg", "type": "Image"}),
        manifest_3({"id": "a.jpg", "type": "Image"}),
    ],
)
def test_an_image_that_no_manifest_describes_is_made_from_its_page(manifest: dict[str, Json]):
    expected = {"id": "https://x.example/a.jpg", "type": "Image", "format": "image/jpeg", "width": 20, "height": 10}
    assert Images.of(manifest).body(page()) == expected


def test_addresses_are_escaped_and_names_stand_for_them():
    images = Images.of({})
    assert images.body(page("https://x.example/a b.jpg"))["id"] == "https://x.example/a%20b.jpg"
    assert images.body(page("/scans/a b.dat", "a b.dat")) == {
        "id": "a%20b.dat",
        "type": "Image",
        "width": 20,
        "height": 10,
    }


def test_labels_of_canvases():
    assert Images.of(manifest_2(None)).label(C) == {"none": ["f. 1"]}
    assert Images.of(manifest_3(None)).label(C) == {"en": ["f. 1"]}
    assert Images.of({}).label(C) == {}
