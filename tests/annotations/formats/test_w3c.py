import json
import re
from dataclasses import replace

import pytest
from hypothesis import given

from limner import __version__
from limner.annotations.annotation import Annotation, ByModel, ByPerson, Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.protocol import Feature
from limner.annotations.formats.w3c import W3C, base_url, web_address
from limner.annotations.masks import mask_from_array, polygons_to_array
from limner.annotations.page import Canvas, Page
from limner.annotations.shapes import Box, Mask, Polygon, Shape
from tests.annotations.formats.files import one_file, reread, written
from tests.annotations.strategies import documents

SHEET = Page(
    id="p", name="0001.jpg", index=0, width=200, height=100, canvas=Canvas("https://x.example/canvas/1", 400, 200)
)
BOX = Box(10, 20, 30, 40)


def found(shape: Shape = BOX, **changes: object) -> Annotation:
    return replace(Annotation(id="a1", shape=shape, label="figure"), **changes)


def document(*annotations: Annotation, page: Page = SHEET, error: str | None = None, **metadata: Json) -> Document:
    pages = [AnnotatedPage(page, annotations, error)]
    return Document(id="https://x.example/manifest", title="t", pages=pages, metadata=metadata)


def written_page(*annotations: Annotation, page: Page = SHEET, error: str | None = None, **metadata: Json) -> dict:
    return json.loads(one_file(W3C, document(*annotations, page=page, error=error, **metadata)))


def near(one: Shape, other: Shape) -> bool:
    """Equal up to the thousandths of a pixel that are written."""
    if not isinstance(one, Polygon):
        return one == other
    points = zip((p for r in one.rings for p in r), (p for r in other.rings for p in r), strict=True)
    return all(abs(a - c) < 0.001 and abs(b - d) < 0.001 for (a, b), (c, d) in points)


@given(documents(W3C.holds))
def test_on_images_nothing_is_lost(given: Document):
    assert reread(W3C, written(W3C, given)) == list(given.pages)


@given(documents(W3C.holds, canvas=True))
def test_on_canvases_nothing_but_rounding_is_lost(given: Document):
    read = reread(W3C, written(W3C, given))
    for one, other in zip(given.pages, read, strict=True):
        assert (one.page, one.error) == (other.page, other.error)
        for before, after in zip(one.annotations, other.annotations, strict=True):
            assert replace(before, shape=BOX) == replace(after, shape=BOX)
            assert near(before.shape, after.shape)


@given(documents(canvas=True))
def test_every_target_can_be_used_by_viewers(given: Document):
    for page, text in zip(given.pages, written(W3C, given).values(), strict=True):
        for item, annotation in zip(json.loads(text)["items"], page.annotations, strict=True):
            if isinstance(annotation.shape, Box):
                assert re.fullmatch(
                    re.escape(page.page.canvas.id) + r"#xywh=-?\d+,-?\d+,[1-9]\d*,[1-9]\d*", item["target"]
                )
            else:
                assert item["target"]["source"] == page.page.canvas.id
                path = re.fullmatch(
                    r'<svg xmlns="http://www.w3.org/2000/svg"><path fill-rule="evenodd" d="([^"]*)"/></svg>',
                    item["target"]["selector"]["value"],
                )[1]
                assert re.fullmatch(r"(M -?[\d.]+,-?[\d.]+( L -?[\d.]+,-?[\d.]+){2,} Z ?)+", path)


def test_an_annotation_as_a_whole():
    model = ByModel("zones", "2.1", "ab" * 32, {"threshold": 0.5})
    page = written_page(found(score=0.876543, text="Fig.", provenance=model, attributes={"n": 1}))
    identifier = f"{base_url(document())}/w3c/0001.json"
    assert page == {
        "@context": ["http://www.w3.org/ns/anno.jsonld", "http://iiif.io/api/presentation/3/context.json"],
        "id": identifier,
        "type": "AnnotationPage",
        "limner:page": {
            "@type": "@json",
            "@value": {
                "id": "p",
                "name": "0001.jpg",
                "index": 0,
                "width": 200,
                "height": 100,
                "canvas": {"id": "https://x.example/canvas/1", "width": 400, "height": 200},
            },
        },
        "items": [
            {
                "id": f"{identifier}#a1",
                "type": "Annotation",
                "motivation": ["supplementing", "tagging"],
                "body": [
                    {"type": "TextualBody", "purpose": "tagging", "value": "figure"},
                    {"type": "TextualBody", "purpose": "supplementing", "value": "Fig.", "format": "text/plain"},
                ],
                "target": "https://x.example/canvas/1#xywh=20,40,60,80",
                "creator": {
                    "type": "Software",
                    "name": "zones",
                    "schema:softwareVersion": "2.1",
                    "limner:weights": "ab" * 32,
                    "limner:parameters": {"@type": "@json", "@value": {"threshold": 0.5}},
                },
                "generator": {"type": "Software", "name": "Limner", "schema:softwareVersion": __version__},
                "limner:score": 0.87654,
                "limner:attributes": {"@type": "@json", "@value": {"n": 1}},
            }
        ],
    }


def test_a_label_alone_is_a_tag_and_a_person_a_person():
    (item,) = written_page(found(provenance=ByPerson("Ann")))["items"]
    assert item["motivation"] == "tagging"
    assert item["body"] == [{"type": "TextualBody", "purpose": "tagging", "value": "figure"}]
    assert item["creator"] == {"type": "Person", "name": "Ann"}


def test_a_box_that_was_rounded_is_also_given_as_it_is():
    rough, whole = found(Box(10.3, 20, 30, 40)), found(Box(10.5, 20, 30, 40))
    assert written_page(rough)["items"][0]["limner:box"]["@value"] == [10.3, 20, 30, 40]
    assert "limner:box" not in written_page(whole)["items"][0]


def test_a_box_that_somebody_has_moved_since_stays_where_it_was_moved():
    page = written_page(found(Box(10.3, 20.3, 30, 40)))
    page["items"][0]["target"] = page["items"][0]["target"].replace("xywh=21,", "xywh=100,")
    (read,) = reread(W3C, {"a.json": json.dumps(page)})
    assert read.annotations[0].shape.bounds.x == 50


@pytest.mark.parametrize(
    ("page", "metadata", "source"),
    [
        (SHEET, {}, "https://x.example/canvas/1"),
        (replace(SHEET, canvas=None, source="https://x.example/a b.jpg"), {}, "https://x.example/a%20b.jpg"),
        (replace(SHEET, canvas=None, name="fol 1#v.jpg"), {}, "fol%201%23v.jpg"),
        (replace(SHEET, canvas=None), {"base": "https://pub.example/x/"}, "https://pub.example/x/0001.jpg"),
    ],
)
def test_what_annotations_point_into(page: Page, metadata: dict, source: str):
    target = written_page(found(), page=page, **metadata)["items"][0]["target"]
    assert target.rpartition("#")[0] == source


@pytest.mark.parametrize(
    ("identifier", "written_as"),
    [
        ("a1", "#a1"),
        ("é/1 #", "#%C3%A9%2F1%20%23"),
        ("https://x.example/anno/1", "https://x.example/anno/1"),
        ("urn:uuid:1", "urn:uuid:1"),
        ("a: b", "#a%3A%20b"),
    ],
)
def test_ids_are_addresses_and_come_back(identifier: str, written_as: str):
    drawn = document(found(id=identifier))
    (item,) = json.loads(one_file(W3C, drawn))["items"]
    assert item["id"].endswith(written_as)
    assert re.match(r"\w+:", item["id"])
    assert reread(W3C, written(W3C, drawn))[0].annotations[0].id == identifier


def test_the_base_is_that_of_the_metadata_or_one_that_nobody_has():
    assert base_url(document(base="https://pub.example/x/")) == "https://pub.example/x"
    assert base_url(document()) == base_url(document(base=5))
    assert re.fullmatch(r"https://limner\.invalid/[0-9a-f-]{36}", base_url(document()))
    assert base_url(document()) != base_url(replace(document(), id="/home/me/scans"))


def test_files_are_named_after_their_images():
    pages = [AnnotatedPage(replace(SHEET, id=name, name=name)) for name in ("a.jpg", "a.png", "b c.tif")]
    paths = list(written(W3C, Document(id="d", title="t", pages=pages)))
    assert len(set(paths)) == 3
    assert paths[0] == "w3c/a.json"
    assert all(re.fullmatch(r"w3c/[^/]+\.json", path) for path in paths)


def test_a_failed_page_keeps_its_error():
    failed = document(page=Page(id="p", name="2.jpg", index=0), error="HTTP 404")
    assert reread(W3C, written(W3C, failed)) == list(failed.pages)


@pytest.mark.parametrize("text", ["<b>&", "two\nlines", "שלום", "\x00", "\u2028", ""])
def test_any_text_comes_back(text: str):
    drawn = document(found(text=text))
    assert reread(W3C, written(W3C, drawn))[0].annotations == (found(text=text),)


def test_halves_of_characters_do_not_break_the_file():
    text = one_file(W3C, document(found(id="\ud800", text="a\ud800", attributes={"\ud800": 1})))
    assert json.loads(text.encode())["items"][0]["body"][1]["value"] == "a?"
    assert base_url(replace(document(), id="/scans/\udcff"))


def test_a_mask_in_parts_comes_back_as_one():
    inside = polygons_to_array(
        [Polygon(((10, 10), (50, 10), (50, 50), (10, 50))), Polygon(((80, 50), (90, 50), (90, 90), (80, 90)))], 200, 100
    )
    drawn = document(found(mask_from_array(inside)), page=replace(SHEET, canvas=None))
    (read,) = reread(W3C, written(W3C, drawn))
    assert read.annotations[0].shape == mask_from_array(inside)
    assert isinstance(read.annotations[0].shape, Mask)
    assert set(Feature) - W3C.holds == {Feature.MASK}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://x.example/a b?c=d%20e#f", "https://x.example/a%20b?c=d%20e#f"),
        ("http://x.example/é", "http://x.example/%C3%A9"),
        ("file:///a", ""),
        ("a.jpg", ""),
    ],
)
def test_addresses_on_the_web(text: str, address: str):
    assert web_address(text) == address
