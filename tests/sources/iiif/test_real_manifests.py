"""The reader against manifests of real institutions, as they are and damaged."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limner.core.errors import NotIIIFError
from limner.sources.iiif.findings import Findings
from limner.sources.iiif.jsonld import canonical_url, parse_json
from limner.sources.iiif.origin import Origin
from limner.sources.iiif.pages import manifest_pages
from limner.sources.iiif.presentation import Collection, Manifest, read_presentation

#: Where facts.json, which was counted by a small script, differs from what is in the file.
CORRECTIONS: dict[str, dict[str, Any]] = {
    # The body is a Sound: it is painted, but it is no image.
    "v3/mirador-0002-mvm-audio.json": {"n_painted": 0, "n_canvases_without_image": 1, "n_without_service": 0},
    # A draft of version 3: canvases in `sequences`, which the script did not look for. It has one, with a film.
    "v3/manifesto-lunchroom-manners.json": {"n_canvases": 1, "n_canvases_without_image": 1},
    # The same, with a PDF and an image of its cover.
    "v3/manifesto-pres3-pdf.json": {"n_canvases": 1, "n_painted": 1, "n_without_service": 1},
    # `dcterms:conformsTo` says 1.1.
    "v2/manifesto-scroll.json": {"image_apis": {"1": 1}},
}


def counts(found: Manifest) -> dict[str, Any]:
    images = [entry for canvas in found.canvases for entry in canvas.images]
    return {
        "version": found.version,
        "id": found.id,
        "n_canvases": len(found.canvases),
        "n_painted": len(images),
        "n_canvases_without_image": sum(not canvas.images for canvas in found.canvases),
        "n_canvases_with_several": sum(len(canvas.images) > 1 for canvas in found.canvases),
        "n_without_service": sum(not entry.services for entry in images),
        "image_apis": dict(Counter(str(service.version) for entry in images for service in entry.services)),
    }


def test_all_real_manifests_are_read_with_their_counts(manifests: Path, facts: dict[str, Any]):
    assert len(facts) == 50
    for name, fact in facts.items():
        value = parse_json((manifests / name).read_bytes(), name)
        if fact["type"] is None:
            with pytest.raises(NotIIIFError):
                read_presentation(value, name)
            continue
        found = read_presentation(value, name)
        if isinstance(found, Collection):
            assert "Collection" in fact["type"]
            assert found.members
            continue
        expected = fact | CORRECTIONS.get(name, {})
        assert counts(found) == {key: expected[key] for key in counts(found)}, name
        assert found.title == (fact["label"] or found.id)
        offered = [canvas for canvas in found.canvases for entry in canvas.images if "choice" in str(found.problems)]
        assert bool(offered) == bool(fact["n_with_choice"])


def test_first_and_last_canvas_of_real_manifests(manifests: Path, facts: dict[str, Any]):
    for name, fact in facts.items():
        for key, place in (("first_canvas", 0), ("last_canvas", -1)):
            if not (expected := fact.get(key)):
                continue
            found = read_presentation(parse_json((manifests / name).read_bytes(), name), name).canvases[place]
            assert (found.id, found.label) == (expected["id"], (expected["label"] or "").strip()), name
            assert (found.width, found.height) == (float(expected["width"] or 0), float(expected["height"] or 0)), name
            if name in CORRECTIONS:
                continue
            services = [entry["first"].get("service", []) for entry in expected["images"]]
            assert [{service.id for service in image.services} for image in found.images] == [
                {canonical_url(service["id"]).rstrip("/") for service in entry} for entry in services
            ], name


def test_parts_and_rotations_of_a_real_manifest(manifests: Path):
    found = read_presentation(parse_json((manifests / "v3/manifesto-presentation3-paging.json").read_bytes(), "x"), "x")
    parts = [entry for canvas in found.canvases for entry in canvas.images if entry.region]
    turned = [entry for canvas in found.canvases for entry in canvas.images if entry.rotation]
    assert [(entry.region.x, entry.region.y, entry.region.width, entry.region.height) for entry in parts] == [
        (140, 870, 1800, 1778)
    ] * 3
    assert {(entry.width, entry.height) for entry in parts} == {(0, 0)}  # what is announced is the size of the part
    assert [entry.rotation for entry in turned] == [180]


SMALL = (
    "v2/parser-body-choice.json",
    "v2/parser-thumbnails.json",
    "v2/mirador-019.json",
    "v2/manifesto-scroll.json",
    "v3/parser-exhibition-1.json",
    "v3/parser-bodleian.json",
    "v3/manifesto-lunchroom-manners.json",
    "v3/mirador-001.json",
    "v3/parser-wellcome-collection.json",
    "v2/parser-biblissima-collection.json",
)
ODD = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        10**30,
        1.5,
        "",
        "x",
        "rdf:nil",
        "#xywh=1,2,3,4",
        "http://[",
        "ä ö",
        "\x00",
        [],
        [[]],
        {},
        {"id": []},
        {"@value": 5},
        [None, {}],
        {"type": "Choice"},
        {"type": "SpecificResource", "source": {}},
    ]
)


def slots(value: Any) -> list[tuple[Any, Any]]:
    """Every container with every key in it."""
    pairs = [(value, key) for key in (value if isinstance(value, dict) else range(len(value)))]
    return pairs + [
        slot for container, key in pairs if isinstance(container[key], dict | list) for slot in slots(container[key])
    ]


def mutate(value: Any, data: st.DataObject) -> Any:
    """Drop, replace, repeat or swap some parts."""
    for _ in range(data.draw(st.integers(1, 6))):
        places = slots(value)
        if not places:
            return value
        container, key = places[data.draw(st.integers(0, len(places) - 1))]
        match data.draw(st.sampled_from(["drop", "odd", "wrap", "first", "swap"])):
            case "drop":
                del container[key]
            case "odd":
                container[key] = copy.deepcopy(data.draw(ODD))
            case "wrap":
                container[key] = [container[key], copy.deepcopy(container[key])]
            case "first" if isinstance(container[key], list | dict) and container[key]:
                container[key] = next(iter(container[key]))
            case "swap":
                other, place = places[data.draw(st.integers(0, len(places) - 1))]
                container[key] = copy.deepcopy(other.get(place) if isinstance(other, dict) else (other or [None])[-1])
    return value


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_damaged_manifests_give_a_result_or_are_no_iiif(manifests: Path, data: st.DataObject):
    name = data.draw(st.sampled_from(SMALL))
    value = mutate(json.loads((manifests / name).read_text()), data)
    origin = data.draw(st.sampled_from([Origin("https://lib.example/m.json"), Origin("m.json", Path("/nowhere"))]))
    try:
        found = read_presentation(value, name)
    except NotIIIFError:
        return
    if isinstance(found, Collection):
        assert all(member.id or member.embedded for member in found.members)
        return
    findings = Findings()
    pages = manifest_pages(found, origin, findings)
    assert len({page.page.id for page in pages}) == len({page.page.name.casefold() for page in pages}) == len(pages)
    assert len({page.page.index for page in pages}) == len(pages)
    covered = {entry.where for entry in (*found.skipped, *findings.skipped)}
    for canvas in found.canvases:
        assert canvas.images or canvas.id in covered
