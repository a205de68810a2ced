import pytest

from limner.annotations.annotation import Json
from limner.annotations.formats.protocol import ParseContext
from limner.annotations.formats.w3c_manifests import canvases_of, first_choice, listed, unwrapped
from limner.annotations.page import Canvas
from limner.annotations.shapes import Box

IMAGE = {"id": "https://x.example/a.jpg", "type": "Image", "width": 20, "height": 10}


@pytest.mark.parametrize(
    "body",
    [
        IMAGE,
        [IMAGE],
        {"type": "Choice", "items": [IMAGE, {"id": "https://x.example/b.jpg"}]},
        {"@type": "oa:Choice", "default": IMAGE, "item": [{"@id": "https://x.example/b.jpg"}]},
        {"type": "SpecificResource", "source": IMAGE, "selector": {"type": "ImageApiSelector", "region": "0,0,1,1"}},
        {"@type": "oa:SpecificResource", "full": IMAGE},
        {"type": "Choice", "items": [{"type": "SpecificResource", "source": [IMAGE]}]},
    ],
)
def test_the_image_in_a_body(body: Json):
    assert first_choice(body) == IMAGE


@pytest.mark.parametrize("body", [None, [], "https://x.example/a.jpg", {"type": "Choice", "items": []}])
def test_no_image(body: Json):
    assert first_choice(body) == {}


def test_the_place_of_an_image_on_its_canvas():
    painting = {
        "body": IMAGE,
        "target": {"source": "c", "selector": {"type": "FragmentSelector", "value": "xywh=5,6,7,8"}},
    }
    canvas = {"id": "c", "width": 100, "height": 50, "items": [{"items": [painting]}], "annotations": {"id": "x"}}
    (entry,) = canvases_of({"items": [canvas]}, ParseContext())
    assert (entry.id, entry.annotations) == ("c", [{"id": "x"}])
    assert [(page.width, page.canvas) for page in entry.pages] == [(20, Canvas("c", 100, 50, Box(5, 6, 7, 8)))]


def test_a_canvas_without_an_image_is_a_page_of_its_own():
    (entry,) = canvases_of({"items": [{"id": "https://x.example/c/7", "width": 100, "height": 50}]}, ParseContext())
    assert [(page.id, page.name, page.sized) for page in entry.pages] == [("https://x.example/c/7", "7", False)]


def test_only_the_first_sequence_counts_and_what_is_no_canvas_is_reported():
    context = ParseContext()
    good = {"@id": "c", "width": "100", "height": 50}
    manifest: dict[str, Json] = {"sequences": [{"canvases": [good, "c2", {"@id": "c3"}]}, {"canvases": [good]}]}
    assert [entry.id for entry in canvases_of(manifest, context)] == ["c"]
    assert context.problems == [
        "canvas 2 was passed over: it is no object.",
        "canvas 3 was passed over: it lacks 'width'.",
    ]


def test_values_as_lists_and_literals():
    assert [listed(value) for value in (None, [], [1], 1, "a")] == [[], [], [1], [1], ["a"]]
    assert [unwrapped(value) for value in ({"@type": "@json", "@value": 3}, {"a": 1}, 4)] == [3, {"a": 1}, 4]
