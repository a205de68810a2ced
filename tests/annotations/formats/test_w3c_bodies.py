import pytest

from limner.annotations.annotation import ByModel, ByPerson, Json, Provenance
from limner.annotations.formats.w3c_bodies import annotation_of, precise
from limner.annotations.page import Page
from limner.annotations.shapes import Box, Polygon
from limner.core.errors import FormatError

PAGE = Page(id="p", name="p.jpg", index=0, width=100, height=100)


def textual(value: Json, purpose: Json = None, **changes: Json) -> dict[str, Json]:
    return {"type": "TextualBody", "value": value, **({"purpose": purpose} if purpose else {}), **changes}


@pytest.mark.parametrize(
    ("value", "label", "text", "attributes"),
    [
        ({"body": textual("dog", "tagging")}, "dog", None, {}),
        ({"body": textual(" dog ", "classifying")}, "dog", None, {}),
        ({"body": [textual("dog", "tagging"), textual("cat", "oa:tagging")]}, "dog", None, {"tags": ["cat"]}),
        ({"body": textual("dog"), "motivation": "tagging"}, "dog", None, {}),
        ({"body": textual("dog"), "motivation": "http://www.w3.org/ns/oa#tagging"}, "dog", None, {}),
        ({"body": textual("in", "supplementing")}, "text", "in", {}),
        ({"body": textual("in"), "motivation": "supplementing"}, "text", "in", {}),
        ({"body": textual("in", ["tagging", "transcribing"])}, "in", None, {}),
        ({"body": [textual("a", "supplementing"), textual("b", "transcribing")]}, "text", "a\nb", {}),
        ({"body": textual("nice", "commenting")}, "annotation", None, {"comment": "nice"}),
        ({"body": textual("nice"), "motivation": "oa:commenting"}, "commenting", None, {"comment": "nice"}),
        ({"body": textual("nice")}, "annotation", None, {"comment": "nice"}),
        ({"bodyValue": "nice"}, "annotation", None, {"comment": "nice"}),
        ({"body": [], "motivation": "highlighting"}, "highlighting", None, {}),
        ({"body": textual("", "tagging")}, "annotation", None, {}),
        (
            {"body": {"type": "Choice", "items": [textual("dog", "tagging"), textual("chien", "tagging")]}},
            "dog",
            None,
            {},
        ),
        (
            {"body": {"source": {"id": "http://v.example/dog", "label": {"en": ["dog"]}}, "purpose": "identifying"}},
            "dog",
            None,
            {},
        ),
        ({"body": {"source": "http://v.example/dog", "purpose": "classifying"}}, "http://v.example/dog", None, {}),
        ({"body": "http://v.example/dog", "motivation": "tagging"}, "http://v.example/dog", None, {}),
        ({"resource": {"@type": "oa:Tag", "chars": "dog"}, "motivation": "oa:commenting"}, "dog", None, {}),
        (
            {"resource": {"@type": "cnt:ContentAsText", "cnt:chars": "in"}, "motivation": "sc:painting"},
            "text",
            "in",
            {},
        ),
        ({"body": textual("a<br/>b &amp; <i>c</i>", "supplementing", format="text/html")}, "text", "a\nb & c", {}),
        ({"body": textual("a<br/>b", "supplementing", format="text/plain")}, "text", "a<br/>b", {}),
        ({"body": textual(5, "tagging")}, "annotation", None, {}),
        ({"limner:attributes": {"@type": "@json", "@value": {"a": 1}}}, "annotation", None, {"a": 1}),
        ({"limner:attributes": {"a": 1}}, "annotation", None, {"a": 1}),
        ({"limner:attributes": [1]}, "annotation", None, {}),
    ],
)
def test_what_bodies_say(value: dict[str, Json], label: str, text: str | None, attributes: dict[str, Json]):
    found = annotation_of(value, "")
    assert (found.label, found.text, dict(found.attributes)) == (label, text, attributes)


@pytest.mark.parametrize("kind", ["Image", "dctypes:Image", "Video", "Sound"])
def test_pictures_and_recordings_are_no_annotations(kind: str):
    with pytest.raises(FormatError, match="shows an image or plays a recording"):
        annotation_of({"body": {"type": kind, "id": "https://x.example/a"}}, "")


@pytest.mark.parametrize(
    ("value", "score"),
    [
        ({"limner:score": 0.5}, 0.5),
        ({"score": 1}, 1),
        ({"confidence": 0.25}, 0.25),
        ({"body": textual("dog", "tagging", confidence=0.75)}, 0.75),
        ({"score": 95}, None),
        ({"score": True}, None),
        ({"score": "0.5"}, None),
        ({"score": float("nan")}, None),
        ({}, None),
    ],
)
def test_scores(value: dict[str, Json], score: float | None):
    assert annotation_of(value, "").score == score


@pytest.mark.parametrize(
    ("creator", "provenance"),
    [
        ({"type": "Person", "name": "Ann"}, ByPerson("Ann")),
        ({"id": "https://x.example/ann"}, ByPerson("https://x.example/ann")),
        ([{"name": "Ann"}, {"name": "Bob"}], ByPerson("Ann")),
        ({"type": "Software", "name": "zones"}, ByModel("zones", "")),
        (
            {"type": "SoftwareAgent", "name": "zones", "schema:softwareVersion": "2", "limner:parameters": {"a": 1}},
            ByModel("zones", "2", "", {"a": 1}),
        ),
        ({"type": "Organization", "name": "BnF"}, None),
        ({"type": "Person"}, None),
        ("https://x.example/ann", None),
        (None, None),
    ],
)
def test_creators(creator: Json, provenance: Provenance | None):
    assert annotation_of({"creator": creator}, "").provenance == provenance


@pytest.mark.parametrize(
    ("identifier", "prefix", "expected"),
    [
        ("https://x.example/p#a%2F1", "https://x.example/p#", "a/1"),
        ("https://x.example/p#a", "", "https://x.example/p#a"),
        ("https://x.example/q#a", "https://x.example/p#", "https://x.example/q#a"),
        ("#a", "#", "#a"),
        ("https://x.example/p#", "https://x.example/p#", "https://x.example/p#"),
    ],
)
def test_ids_lose_the_prefix_that_we_gave_them(identifier: str, prefix: str, expected: str):
    assert annotation_of({"id": identifier}, prefix).id == expected
    assert annotation_of({"@id": identifier}, prefix).id == expected


@pytest.mark.parametrize("identifier", [None, "", 5])
def test_without_an_id_one_is_made(identifier: Json):
    assert len(annotation_of({"id": identifier}, "").id) == 32


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        ([1.4, 2, 3, 4], Box(1.4, 2, 3, 4)),
        ([1.6, 2, 3, 4], Box(1, 2, 3, 4)),
        ([1.4, 2, 0, 4], Box(1, 2, 3, 4)),
        ([1.4, 2, 3], Box(1, 2, 3, 4)),
        ("box", Box(1, 2, 3, 4)),
        (None, Box(1, 2, 3, 4)),
    ],
)
def test_the_precise_box_counts_where_it_rounds_to_the_target(said: Json, shape: Box):
    assert precise({"limner:box": said}, Box(1, 2, 3, 4), PAGE) == shape


def test_a_polygon_is_never_replaced_by_a_box():
    triangle = Polygon(((0, 0), (4, 0), (4, 4)))
    assert precise({"limner:box": [0, 0, 4, 4]}, triangle, PAGE) is triangle
