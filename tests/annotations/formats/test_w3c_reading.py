"""Annotations as other programs write them."""

import json
from collections.abc import Mapping

import pytest

from limner.annotations.annotation import ByPerson, Json
from limner.annotations.document import AnnotatedPage
from limner.annotations.formats.protocol import ParseContext
from limner.annotations.formats.w3c import W3C
from limner.annotations.page import Canvas
from limner.annotations.shapes import Box, Polygon
from limner.core.errors import FormatError
from tests.annotations.formats.files import problems_of

C1, C2 = "https://x.example/canvas/1", "https://x.example/canvas/2"
SVG = '<svg><path d="M0,0 L10,0 L10,10 Z"/></svg>'


def note(target: Json = f"{C1}#xywh=1,2,3,4", **changes: Json) -> dict:
    body = {"type": "TextualBody", "purpose": "tagging", "value": "dog"}
    return {"id": "https://x.example/a/1", "type": "Annotation", "body": body, "target": target, **changes}


def page(*items: Json, **changes: Json) -> dict:
    return {"id": "https://x.example/list", "type": "AnnotationPage", "items": list(items), **changes}


def read(value: Json) -> list[AnnotatedPage]:
    pages, problems = problems_of(W3C, {"a.json": json.dumps(value)})
    assert problems == []
    return pages


OPEN_ANNOTATION = {
    "@context": "http://iiif.io/api/presentation/2/context.json",
    "@id": "https://x.example/list",
    "@type": "sc:AnnotationList",
    "resources": [
        {
            "@id": "https://x.example/a/1",
            "@type": "oa:Annotation",
            "motivation": ["oa:commenting", "oa:tagging"],
            "resource": [
                {"@type": "dctypes:Text", "format": "text/html", "chars": "<p>What a <b>dog</b></p><p>!</p>"},
                {"@type": "oa:Tag", "format": "text/html", "chars": "dog"},
            ],
            "on": [
                {
                    "@type": "oa:SpecificResource",
                    "full": C1,
                    "selector": {
                        "@type": "oa:Choice",
                        "default": {"@type": "oa:FragmentSelector", "value": "xywh=0,0,10,10"},
                        "item": {"@type": "oa:SvgSelector", "value": SVG},
                    },
                    "within": {"@id": "https://x.example/manifest", "@type": "sc:Manifest"},
                }
            ],
        }
    ],
}


def test_open_annotations_of_mirador_2_are_read():
    ((sheet),) = read(OPEN_ANNOTATION)
    (found,) = sheet.annotations
    assert (found.id, found.label, found.text) == ("https://x.example/a/1", "dog", None)
    assert dict(found.attributes) == {"comment": "What a dog\n!"}
    assert found.shape == Polygon(((0, 0), (10, 0), (10, 10)))


def test_a_transcription_in_presentation_2_is_text():
    resource = {"@type": "cnt:ContentAsText", "format": "text/plain", "chars": "in principio"}
    value = {"@type": "oa:Annotation", "motivation": "sc:painting", "resource": resource, "on": f"{C1}#xywh=1,2,3,4"}
    ((sheet),) = read([value])
    assert (sheet.annotations[0].label, sheet.annotations[0].text) == ("text", "in principio")


def test_annotations_of_annotorious_are_read():
    value = {
        "@context": "http://www.w3.org/ns/anno.jsonld",
        "id": "1f3a",
        "type": "Annotation",
        "body": [
            {"purpose": "tagging", "value": "dog", "creator": {"id": "me"}},
            {"purpose": "tagging", "value": "animal"},
            {"purpose": "commenting", "value": "good"},
        ],
        "target": {
            "source": "https://x.example/a.jpg",
            "selector": {
                "type": "FragmentSelector",
                "conformsTo": "http://www.w3.org/TR/media-frags/",
                "value": "xywh=pixel:1.5,2.25,3,4",
            },
        },
        "creator": {"id": "https://x.example/ann"},
    }
    ((sheet),) = read([value])
    (found,) = sheet.annotations
    assert sheet.page.name == "a.jpg"
    assert (found.id, found.label, found.shape) == ("1f3a", "dog", Box(1.5, 2.25, 3, 4))
    assert dict(found.attributes) == {"tags": ["animal"], "comment": "good"}
    assert found.provenance == ByPerson("https://x.example/ann")


@pytest.mark.parametrize(
    "value",
    [
        note(),
        [note()],
        [[note()]],
        page(note()),
        [page(note())],
        page(page(note())),
        {"type": "AnnotationCollection", "first": page(note())},
        {"@type": "sc:AnnotationList", "resources": [note()]},
        {"type": "AnnotationPage", "items": note()},
    ],
)
def test_every_way_to_hold_annotations(value: Json):
    ((sheet),) = read(value)
    assert (sheet.page.id, sheet.page.name, sheet.page.source) == (C1, "1", C1)
    assert [(each.label, each.shape) for each in sheet.annotations] == [("dog", Box(1, 2, 3, 4))]


def test_annotations_are_put_to_the_canvases_they_point_to():
    pages = read(page(note(), note(f"{C2}#xywh=5,6,7,8"), note(f"{C1}#xywh=9,9,9,9")))
    assert [(each.page.id, len(each.annotations), each.page.index) for each in pages] == [(C1, 2, 0), (C2, 1, 1)]
    assert [each.id for each in pages[0].annotations] == ["https://x.example/a/1", "https://x.example/a/1-2"]


def test_several_targets_become_several_annotations():
    target = [f"{C1}#xywh=1,2,3,4", {"source": C1, "selector": {"type": "SvgSelector", "value": SVG}}]
    ((sheet),) = read(page(note(target)))
    assert [each.id for each in sheet.annotations] == ["https://x.example/a/1", "https://x.example/a/1-2"]


def test_percentages_need_the_size_of_the_image():
    files = {"a.json": json.dumps(page(note("https://x.example/a.jpg#xywh=percent:10,10,50,50")))}
    context = ParseContext(size_of={"a.jpg": (200, 100)}.get)
    (sheet,) = W3C.parse(files, context)
    assert (sheet.annotations[0].shape, sheet.page.width, context.problems) == (Box(20, 10, 100, 50), 200, [])
    (sheet,), problems = problems_of(W3C, files)
    assert sheet.annotations == ()
    assert len(problems) == 1
    assert problems[0].endswith("it is in percent of an image whose size is not known.")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (note(f"{C1}#xywh=1,2,0,4"), "A box has no area"),
        (note({"source": C1, "selector": {"type": "SvgSelector", "value": "<svg"}}), "its SVG cannot be read"),
        (note({"source": C1, "selector": {"type": "PointSelector", "x": 1, "y": 1}}), "its selector cannot be used"),
        (note(C1), "the whole image, whose size is not known"),
        (note(None), "it has no target"),
        (note({"source": C1, "selector": {"type": "SvgSelector", "value": 5}}), "its SVG"),
        (note(body={"type": "Image", "id": "https://x.example/i.jpg"}, motivation="painting"), "it shows an image"),
    ],
)
def test_what_cannot_be_used_is_reported_and_the_rest_is_read(bad: dict, reason: str):
    good = note(f"{C1}#xywh=5,6,7,8", id="https://x.example/a/2")
    (sheet,), problems = problems_of(W3C, {"a.json": json.dumps(page(bad, good))})
    assert [each.id for each in sheet.annotations] == ["https://x.example/a/2"]
    assert len(problems) == 1
    assert problems[0].startswith("a.json, annotation https://x.example/a/1 was passed over: ")
    assert reason in problems[0]


@pytest.mark.parametrize("value", [{}, 5, "text", {"type": "Collection"}, {"@type": "sc:Collection"}, None])
def test_other_files_are_refused_by_name(value: Json):
    with pytest.raises(FormatError, match=r"a\.json holds no annotations"):
        list(W3C.parse({"a.json": json.dumps(value)}, ParseContext()))


def test_things_too_deep_in_each_other_are_refused():
    text = '{"type":"AnnotationPage","items":[' * 480 + "]}" * 480
    with pytest.raises(FormatError, match=r"a\.json"):
        list(W3C.parse({"a.json": text}, ParseContext()))


def test_annotations_in_other_files_are_reported():
    _, problems = problems_of(
        W3C, {"a.json": json.dumps([page(note()), {"id": "https://x.example/b", "type": "AnnotationPage"}])}
    )
    assert problems == ["a.json: the annotations at https://x.example/b are in another file."]


def canvas_3(identifier: str, **changes: Json) -> dict:
    painting = {
        "type": "Annotation",
        "motivation": "painting",
        "target": identifier,
        "body": {"id": f"{identifier}/full/max/0/default.jpg", "type": "Image", "width": 800, "height": 400},
    }
    return {
        "id": identifier,
        "type": "Canvas",
        "width": 400,
        "height": 200,
        "items": [{"type": "AnnotationPage", "items": [painting]}],
        **changes,
    }


def manifest_3(*canvases: Mapping) -> dict:
    return {"id": "https://x.example/m", "type": "Manifest", "items": list(canvases)}


def test_a_manifest_gives_its_canvases_in_order_also_those_without_annotations():
    first, second = read(manifest_3(canvas_3(C1), canvas_3(C2, annotations=[page(note(f"{C2}#xywh=10,10,20,20"))])))
    assert (first.page.name, first.page.width, first.annotations) == ("1.jpg", 800, ())
    assert first.page.canvas == Canvas(C1, 400, 200)
    assert second.annotations[0].shape == Box(20, 20, 40, 40)


def test_annotations_of_a_manifest_may_point_to_other_canvases_and_their_places():
    first, second = read(
        manifest_3(canvas_3(C1, annotations=[page(note(f"{C2}#xywh=percent:0,0,50,50"))]), canvas_3(C2))
    )[:2]
    assert (first.page.id, second.page.id) == (f"{C1}/full/max/0/default.jpg", f"{C2}/full/max/0/default.jpg")


def test_on_a_canvas_with_two_images_annotations_go_to_the_one_they_lie_on():
    def painting(name: str, x: int) -> dict:
        body = {"id": f"https://x.example/{name}.jpg", "type": "Image", "width": 200, "height": 200}
        return {"type": "Annotation", "motivation": "painting", "body": body, "target": f"{C1}#xywh={x},0,200,200"}

    items = [{"type": "AnnotationPage", "items": [painting("left", 0), painting("right", 200)]}]
    notes = [page(note(f"{C1}#xywh=210,10,20,20"), note(f"{C1}#xywh=10,10,20,20"))]
    left, right = read(manifest_3(canvas_3(C1, items=items, annotations=notes)))
    assert (left.page.name, [each.shape for each in left.annotations]) == ("left.jpg", [Box(10, 10, 20, 20)])
    assert (right.page.name, [each.shape for each in right.annotations]) == ("right.jpg", [Box(10, 10, 20, 20)])


def test_a_canvas_that_is_there_twice_keeps_all_its_pages():
    twice = manifest_3(canvas_3(C1, annotations=[page(note())]), canvas_3(C2), canvas_3(C1))
    pages = read(twice)
    assert [(sheet.page.canvas.id, len(sheet.annotations)) for sheet in pages] == [(C1, 1), (C1, 0), (C2, 0)]


def test_a_manifest_of_presentation_2_with_its_annotations():
    image = {
        "@type": "oa:Annotation",
        "on": C1,
        "resource": {"@id": "https://x.example/a.jpg", "@type": "dctypes:Image"},
    }
    annotations = {**OPEN_ANNOTATION, "@context": None}
    canvas = {
        "@id": C1,
        "@type": "sc:Canvas",
        "width": 40,
        "height": 20,
        "images": [image],
        "otherContent": [annotations],
    }
    manifest = {"@id": "m", "@type": "sc:Manifest", "sequences": [{"canvases": [canvas]}]}
    ((sheet),) = read(manifest)
    assert (sheet.page.name, sheet.page.width, len(sheet.annotations)) == ("a.jpg", 40, 1)


def test_annotations_of_a_manifest_that_are_elsewhere_and_canvases_without_size_are_reported():
    broken = {"id": "https://x.example/canvas/3", "type": "Canvas"}
    value = manifest_3(
        canvas_3(C1, annotations=["https://x.example/list"]),
        broken,
        {"id": C2, "type": "Canvas", "width": 9, "height": 0},
    )
    pages, problems = problems_of(W3C, {"a.json": json.dumps(value)})
    assert len(pages) == 1
    assert problems == [
        "canvas 2 was passed over: it lacks 'width'.",
        f"canvas 3 was passed over: The canvas {C2} has no area: 9 × 0.",
        "a.json: the annotations at https://x.example/list are in another file.",
    ]
