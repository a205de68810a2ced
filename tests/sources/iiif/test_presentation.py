from __future__ import annotations

import copy
from typing import Any

import pytest

from limner.core.errors import NotIIIFError
from limner.sources.iiif.presentation import Collection, Manifest, manifest_ref, read_presentation
from limner.sources.protocol import Skipped

ORIGIN = "https://lib.example/found/here.json"


def image(name: str) -> dict[str, Any]:
    return {"@type": "dctypes:Image", "@id": f"https://lib.example/{name}.jpg", "width": 30, "height": 40}


def canvas(name: str, *resources: Any, **more: Any) -> dict[str, Any]:
    images = [{"motivation": "sc:painting", "resource": resource} for resource in resources]
    return {"@id": f"https://lib.example/{name}", "@type": "sc:Canvas", "label": name, "width": 3, "height": 4} | {
        "images": images,
        **more,
    }


def manifest(*canvases: Any, **more: Any) -> dict[str, Any]:
    return {
        "@context": "http://iiif.io/api/presentation/2/context.json",
        "@id": "https://lib.example/ms/manifest.json",
        "@type": "sc:Manifest",
        "label": "Manuscript",
        "sequences": [{"canvases": list(canvases)}],
        **more,
    }


def read(value: Any) -> Manifest:
    found = read_presentation(value, ORIGIN)
    assert isinstance(found, Manifest)
    return found


def indices(found: Manifest) -> list[list[int]]:
    return [[place.index for place in canvas.places if place.image] for canvas in found.canvases]


def test_a_manifest():
    raw = manifest(canvas("c1", image("a")), license="https://lib.example/licence")
    found = read(raw)
    assert (found.id, found.version, found.title) == ("https://lib.example/ms/manifest.json", "2", "Manuscript")
    assert found.rights == "https://lib.example/licence"
    assert found.raw is raw
    assert (found.canvases[0].label, found.canvases[0].width, found.canvases[0].height) == ("c1", 3, 4)
    assert (found.skipped, found.problems, found.image_count) == ((), (), 1)


def test_with_one_image_a_canvas_the_index_follows_the_canvases():
    found = read(
        manifest(
            canvas("c1", image("a")), canvas("c2"), canvas("c3", {"@type": "dctypes:Image"}), canvas("c4", image("b"))
        )
    )
    assert indices(found) == [[0], [], [], [3]]
    assert found.skipped == (
        Skipped("https://lib.example/c2", "No image is painted on it."),
        Skipped("https://lib.example/c3", "Its image has neither an address nor an image service."),
    )


def test_several_images_on_a_canvas_are_numbered_through():
    film = {"@type": "dctypes:MovingImage", "@id": "https://lib.example/film"}
    found = read(manifest(canvas("c1", image("a"), film, image("b")), canvas("c2", film), canvas("c3", image("c"))))
    assert indices(found) == [[0, 1], [], [3]]
    assert len(found.skipped) == 2


def test_only_the_first_sequence_is_read_and_it_is_said():
    raw = manifest(canvas("c1", image("a")))
    raw["sequences"].append({"canvases": [canvas("c2", image("b"))]})
    found = read(raw)
    assert indices(found) == [[0]]
    assert "2 sequences" in found.problems[0]


def test_missing_and_repeated_canvas_ids():
    nameless = canvas("c1", image("a"))
    del nameless["@id"]
    named_by_image = copy.deepcopy(nameless)
    named_by_image["images"][0]["on"] = "https://lib.example/c9#xywh=0,0,1,1"
    found = read(manifest(nameless, named_by_image, canvas("c3", image("b")), canvas("c3", image("c"))))
    assert [entry.id for entry in found.canvases] == [
        "https://lib.example/ms/manifest.json/canvas/1",
        "https://lib.example/c9",
        "https://lib.example/c3",
        "https://lib.example/c3",
    ]
    assert [problem.partition(",")[0] for problem in found.problems] == [
        "A canvas has no id",
        "A canvas has no id",
        "The same canvas id stands more than once: https://lib.example/c3.",
    ]


@pytest.mark.parametrize(
    ("raw", "version"),
    [
        ({"@context": "http://www.shared-canvas.org/ns/context.json", "@type": "sc:Manifest"}, "1"),
        (
            {
                "@context": ["http://www.w3.org/ns/anno.jsonld", "http://iiif.io/api/presentation/3/context.json"],
                "type": "Manifest",
            },
            "3",
        ),
        ({"@type": "sc:Manifest"}, "2"),
        ({"type": "Manifest"}, "3"),
        ({"sequences": []}, "?"),
    ],
)
def test_versions(raw, version):
    found = read(raw)
    assert found.version == version
    assert found.id == ORIGIN
    assert "The manifest has no canvases." in found.problems


@pytest.mark.parametrize(
    ("raw", "rights"),
    [
        ({"license": ""}, None),
        ({"rights": "https://a.org/r", "license": "https://a.org/l"}, "https://a.org/r"),
        ({"license": ["https://a.org/1", "https://a.org/2"]}, "https://a.org/1"),
        ({"license": {"@id": "https://a.org/1"}}, "https://a.org/1"),
        ({"license": {"@value": "All rights reserved"}}, "All rights reserved"),
    ],
)
def test_rights(raw, rights):
    assert read(manifest(**raw)).rights == rights


@pytest.mark.parametrize(
    "raw",
    [
        {"@type": "sc:Manifest", "sequences": "https://lib.example/sequence"},
        {"@type": "sc:Manifest", "sequences": [7, {"canvases": "https://lib.example/c1"}]},
        {"type": "Manifest", "items": ["https://lib.example/c1", None, 5, []]},
        {"type": "Manifest", "items": {"type": "Canvas", "items": "https://lib.example/page"}},
        {"type": "Manifest", "items": {"type": "Canvas", "id": 5, "width": "wide", "items": {"items": {"body": 5}}}},
    ],
)
def test_odd_shapes_are_read_with_everything_left_out_named(raw):
    found = read(raw)
    assert found.image_count == 0
    assert found.skipped or found.problems
    assert len(found.skipped) >= len(found.canvases)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        5,
        "manifest",
        [],
        {},
        {"test": "Broken"},
        {"type": "AnnotationPage", "items": []},
        {"@type": "sc:Canvas", "images": []},
        {"@context": "http://iiif.io/api/presentation/3/context.json"},
        {"type": "FeatureCollection", "items": [{"type": "Canvas"}]},
    ],
)
def test_what_is_no_iiif(raw):
    with pytest.raises(NotIIIFError, match=r"here\.json is no IIIF"):
        read_presentation(raw, ORIGIN)


def test_a_manifest_or_collection_is_known_by_what_is_in_it():
    assert isinstance(read_presentation({"sequences": []}, ORIGIN), Manifest)
    assert isinstance(read_presentation({"items": [{"type": "Canvas"}]}, ORIGIN), Manifest)
    assert isinstance(read_presentation({"members": []}, ORIGIN), Collection)
    assert isinstance(read_presentation({"items": [{"type": "Manifest"}]}, ORIGIN), Collection)


def members(raw: Any) -> list[tuple[str, str, bool]]:
    found = read_presentation(raw, ORIGIN)
    assert isinstance(found, Collection)
    return [(member.id, member.kind, member.embedded is not None) for member in found.members]


def test_collections_of_every_version():
    assert members(
        {"type": "Collection", "items": [{"id": "m", "type": "Manifest"}, {"id": "c", "type": "Collection"}]}
    ) == [
        ("m", "Manifest", False),
        ("c", "Collection", False),
    ]
    old = {"@type": "sc:Collection", "manifests": ["m1", {"@id": "m2"}], "collections": [{"@id": "c"}], "next": "page2"}
    assert members(old) == [
        ("c", "Collection", False),
        ("m1", "Manifest", False),
        ("m2", "Manifest", False),
        ("page2", "Collection", False),
    ]
    assert members({"type": "Collection", "items": [{"type": "Manifest", "items": [{"type": "Canvas"}]}]}) == [
        ("", "Manifest", True)
    ]


def test_members_that_are_none_are_named():
    found = read_presentation({"type": "Collection", "items": [{"type": "Canvas", "id": "x"}, {}, 5]}, ORIGIN)
    assert [entry.reason for entry in found.skipped] == [
        "It is a Canvas, not a manifest or collection.",
        "It has no id.",
        "It has no id.",
    ]
    assert found.problems == ("The collection has no members.",)


@pytest.mark.parametrize(
    ("identity", "ref"),
    [
        ("https://lib.example/iiif/MS22/manifest.json", "MS22"),
        ("https://lib.example/iiif/MS22/manifest", "MS22"),
        ("https://lib.example/iiif/auto/wit1_man1/manifest.json?x=1", "wit1_man1"),
        ("https://gallica.bnf.fr/iiif/ark:/12148/btv1b8490076p/manifest.json", "btv1b8490076p"),
        ("https://digital.example/Item/vudl:30471/Manifest", "vudl:30471"),
        ("https://iiif.example/iiif/manifest/1234.json", "iiif"),
        ("https://lib.example/presentation/b28857021", "b28857021"),
        ("https://lib.example/b28857021.json", "b28857021"),
        ("https://lib.example/manifest.json", "lib.example"),
        ("manifest.json", "manifest"),
        ("http://[bad", "manifest"),
        ("", "manifest"),
    ],
)
def test_manifest_ref(identity, ref):
    assert manifest_ref(identity) == ref
