from __future__ import annotations

import pytest

from limner.sources.iiif.findings import Findings
from limner.sources.iiif.painting import PaintedImage, PaintingReader, UnusableError
from limner.sources.iiif.regions import Region

CANVAS = "https://lib.example/c1"
SERVICE = {"@id": "https://lib.example/iiif/p1", "profile": "http://iiif.io/api/image/2/level1.json"}
IMAGE = {
    "@id": "https://lib.example/iiif/p1/full/full/0/default.jpg",
    "@type": "dctypes:Image",
    "width": 3000,
    "height": 4000,
    "service": SERVICE,
}


def v2(resource, on=CANVAS, **more):
    return {"images": [{"@type": "oa:Annotation", "motivation": "sc:painting", "resource": resource, "on": on, **more}]}


def v3(body, target=CANVAS, **more):
    annotation = {"type": "Annotation", "motivation": "painting", "body": body, "target": target, **more}
    return {"items": [{"type": "AnnotationPage", "items": [annotation]}]}


def read(canvas) -> tuple[list[PaintedImage], list[str], tuple[str, ...]]:
    """Images, reasons why others are none, and problems."""
    findings = Findings()
    outcomes = list(PaintingReader(CANVAS, findings).read(canvas))
    images = [outcome for outcome in outcomes if isinstance(outcome, PaintedImage)]
    return images, [str(outcome) for outcome in outcomes if isinstance(outcome, UnusableError)], findings.problems


def image_of(canvas) -> PaintedImage:
    images, reasons, problems = read(canvas)
    assert (reasons, problems) == ([], ())
    return images[0]


def reason_of(canvas) -> str:
    images, reasons, _ = read(canvas)
    assert images == []
    return reasons[0]


@pytest.mark.parametrize("canvas", [v2(IMAGE), v3(IMAGE), v3([IMAGE]), {"images": v2(IMAGE)["images"][0]}])
def test_an_image_is_found_in_every_version(canvas):
    image = image_of(canvas)
    assert (image.width, image.height, image.region, image.target) == (3000, 4000, None, None)
    assert image.service.id == "https://lib.example/iiif/p1"


def test_pages_of_the_drafts_of_version_3_are_read():
    assert image_of({"content": v3(IMAGE)["items"]}).width == 3000


def test_annotations_without_a_page_around_them_are_read():
    assert image_of({"items": v3(IMAGE)["items"][0]["items"]}).width == 3000


def test_several_images_are_placed_on_the_canvas():
    annotations = [*v2(IMAGE)["images"], *v2(IMAGE, on=f"{CANVAS}#xywh=10,20,30,40")["images"]]
    whole, part = read({"images": annotations})[0]
    assert whole.target is None
    assert part.target == Region(10, 20, 30, 40)


@pytest.mark.parametrize(
    "target",
    [
        f"{CANVAS}#xywh=percent:1,2,3,4",
        f"{CANVAS}#xywh=pct:1,2,3,4",
        {"type": "SpecificResource", "source": f"{CANVAS}#xywh=percent:1,2,3,4"},
        {"source": {"id": CANVAS}, "selector": {"type": "FragmentSelector", "value": "xywh=percent:1,2,3,4"}},
        {"@type": "oa:SpecificResource", "full": CANVAS, "selector": ["xywh=percent:1,2,3,4"]},
        [f"{CANVAS}#xywh=percent:1,2,3,4"],
    ],
)
def test_targets_of_every_shape(target):
    image = image_of(v3(IMAGE, target))
    assert image.target == Region(1, 2, 3, 4, percent=True)


@pytest.mark.parametrize(
    "target", [{"source": CANVAS, "selector": {"type": "SvgSelector", "value": "<svg/>"}}, f"{CANVAS}#xywh=1,2,0,0"]
)
def test_a_place_that_is_no_rectangle_is_said_to_be_unknown(target):
    images, _, problems = read(v3(IMAGE, target))
    assert images[0].unplaced
    assert "no rectangle" in problems[0]


def test_a_target_that_is_another_canvas_is_mended():
    assert "another canvas" in read(v3(IMAGE, "https://lib.example/c2"))[2][0]
    assert read(v3(IMAGE, f"{CANVAS}#t=1,2"))[2] == ()


CHOICES = [
    {"@type": "oa:Choice", "default": IMAGE, "item": [{**IMAGE, "@id": "https://lib.example/ir.jpg"}]},
    {"type": "Choice", "items": [IMAGE, {**IMAGE, "@id": "https://lib.example/ir.jpg"}]},
    {"default": IMAGE, "item": [{**IMAGE, "@id": "https://lib.example/ir.jpg"}]},
    {"@type": "oa:Choice", "default": "rdf:nil", "item": [IMAGE]},
    {"type": "Choice", "items": [{"type": "Video", "id": "https://lib.example/film"}, IMAGE]},
]


@pytest.mark.parametrize("choice", CHOICES)
def test_of_a_choice_the_first_image_is_taken_and_it_is_said(choice):
    images, reasons, problems = read(v3(choice))
    assert [image.resource for image in images] == [IMAGE["@id"]]
    assert reasons == []
    assert problems == (f"A choice of 2 images is offered, and the first is taken: {CANVAS}.",)


def test_a_choice_without_images_says_why():
    assert "a Video" in reason_of(v3({"type": "Choice", "items": [{"type": "Video", "id": "x"}]}))
    assert "offers nothing" in reason_of(v3({"type": "Choice", "items": []}))


@pytest.mark.parametrize(
    "body",
    [
        {
            "type": "SpecificResource",
            "source": IMAGE,
            "selector": {"type": "iiif:ImageApiSelector", "region": "1,2,3,4"},
        },
        {
            "@type": "oa:SpecificResource",
            "full": IMAGE,
            "selector": {"@type": "iiif:ImageApiSelector", "region": "1,2,3,4"},
        },
        {
            "type": "SpecificResource",
            "source": IMAGE,
            "selector": {"type": "FragmentSelector", "value": "xywh=1,2,3,4"},
        },
        {"source": IMAGE, "selector": [{"type": "SvgSelector", "value": "<svg/>"}, "xywh=1,2,3,4"]},
        {**IMAGE, "@id": "https://lib.example/p1.jpg#xywh=1,2,3,4"},
        {**IMAGE, "@id": "https://lib.example/iiif/p1/1,2,3,4/full/0/default.jpg"},
    ],
)
def test_a_part_of_an_image(body):
    assert image_of(v3(body)).region == Region(1, 2, 3, 4)


def test_an_image_given_by_its_address_is_mended():
    images, _, problems = read(v3("https://lib.example/p1.jpg#xywh=1,2,3,4"))
    assert images[0].region == Region(1, 2, 3, 4)
    assert "address alone" in problems[0]


def selected(**selector):
    return v3({"type": "SpecificResource", "source": IMAGE, "selector": {"type": "ImageApiSelector", **selector}})


@pytest.mark.parametrize(
    ("words", "rotation", "mirrored"),
    [("90", 90, False), ("!180", 180, True), ("0", 0, False), ("360", 0, False), ("!0", 0, True)],
)
def test_rotation(words, rotation, mirrored):
    image = image_of(selected(rotation=words))
    assert (image.rotation, image.mirrored) == (rotation, mirrored)


def test_the_square_in_the_middle():
    assert image_of(selected(region="square")).region == Region(0, 500, 3000, 3000)


@pytest.mark.parametrize(
    ("selector", "reason"),
    [
        ({"rotation": "22.5"}, "22.5 degrees"),
        ({"rotation": "upside down"}, "degrees"),
        ({"rotation": "nan"}, "degrees"),
        ({"region": "somewhere"}, "somewhere"),
        ({"refinedBy": {"type": "FragmentSelector"}}, "a part of a part"),
        ({"type": "SvgSelector", "value": "<svg/>"}, "SvgSelector"),
    ],
)
def test_parts_that_cannot_be_read_are_left_out_and_named(selector, reason):
    assert reason in reason_of(selected(**selector))


def test_the_rotation_in_the_address_counts():
    image = image_of(v3({**IMAGE, "@id": "https://lib.example/iiif/p1/full/full/90/default.jpg"}))
    assert (image.rotation, image.width, image.height) == (90, 4000, 3000)


@pytest.mark.parametrize(
    ("words", "size", "expected"),
    [
        ("!1024,1024", (768, 1024), (0, 0)),
        ("!1024,1024", (3000, 4000), (3000, 4000)),
        ("768,", (768, 1024), (0, 0)),
        ("768,", (3000, 4000), (3000, 4000)),
        ("768,1024", (768, 1024), (0, 0)),
        ("pct:25", (750, 1000), (0, 0)),
        ("full", (3000, 4000), (3000, 4000)),
        ("max", (3000, 4000), (3000, 4000)),
    ],
)
def test_the_size_of_a_smaller_image_is_not_that_of_the_original(words, size, expected):
    body = {
        **IMAGE,
        "@id": f"https://lib.example/iiif/p1/full/{words}/0/default.jpg",
        "width": size[0],
        "height": size[1],
    }
    image = image_of(v3(body))
    assert (image.width, image.height) == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"type": "Sound", "id": "x"}, "a Sound"),
        ({"type": "Video", "id": "x"}, "a Video"),
        ({"type": "Document", "format": "application/pdf", "id": "x"}, "a Document"),
        ({"type": "Image", "format": "video/mp4", "id": "x"}, "video/mp4"),
        ({"@type": "cnt:ContentAsText", "chars": "x"}, "a ContentAsText"),
        ({"type": "Canvas", "id": "x"}, "a Canvas"),
        ({"type": "Image"}, "neither an address nor an image service"),
        ({"type": "SpecificResource"}, "nothing is painted"),
        ("", "no body"),
        ("rdf:nil", "nothing is painted"),
        (None, "no body"),
        (5, "nothing is painted"),
    ],
)
def test_what_is_no_image_is_left_out_and_named(body, reason):
    assert reason in reason_of(v3(body))


def test_images_keep_their_place_in_the_numbering_and_films_have_none():
    outcomes = list(PaintingReader(CANVAS, Findings()).read(v3([{"type": "Image"}, {"type": "Video", "id": "x"}])))
    assert [outcome.image for outcome in outcomes] == [True, False]


def test_choices_inside_choices_end():
    body = IMAGE
    for _ in range(10):
        body = {"type": "Choice", "items": [body]}
    assert "inside too many others" in reason_of(v3(body))


@pytest.mark.parametrize(
    "canvas",
    [
        {"items": ["https://lib.example/page1"]},
        {"items": [{"id": "https://lib.example/page1", "type": "AnnotationPage"}]},
    ],
)
def test_content_that_lies_elsewhere_is_named(canvas):
    assert "https://lib.example/page1" in reason_of(canvas)


def test_what_is_mended_is_said():
    assert "no motivation" in read({"images": [{"resource": IMAGE}]})[2][0]
    assert "without an annotation" in read({"images": [{"motivation": "painting", **IMAGE}]})[2][0]
    styled = {"type": "SpecificResource", "source": IMAGE, "styleClass": "rotated"}
    assert "style sheet" in read(v3(styled))[2][0]


def test_notes_among_the_images_are_left_out_and_named():
    images, reasons, problems = read(v3(IMAGE, motivation="commenting"))
    assert (images, reasons) == ([], [])
    assert "commenting" in problems[0]


@pytest.mark.parametrize(
    "canvas", [{}, {"images": []}, {"items": [{"type": "AnnotationPage", "items": []}]}, {"items": None}]
)
def test_an_empty_canvas_has_nothing(canvas):
    assert read(canvas) == ([], [], ())
