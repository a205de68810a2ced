from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from limner.annotations.page import Canvas, Page
from limner.annotations.shapes import Box
from limner.sources.iiif.findings import Findings
from limner.sources.iiif.image_api import ImageService
from limner.sources.iiif.origin import Origin
from limner.sources.iiif.pages import ImagePage, manifest_pages, page_names, service_page, with_size
from limner.sources.iiif.painting import PaintedImage
from limner.sources.iiif.presentation import Manifest, read_presentation

ORIGIN = Origin("https://lib.example/ms/manifest.json")


def served(address: str) -> PaintedImage:
    return PaintedImage(resource="", services=(ImageService(id=address, version=2),))


@pytest.mark.parametrize(
    ("addresses", "names"),
    [
        (["https://gallica.bnf.fr/iiif/ark:/12148/btv1b8490076p/f1", "https://a.org/f2"], ["f1.jpg", "f2.jpg"]),
        (["https://stacks.example/iiif/hg676jb4964%2F0380_796-44"], ["0380_796-44.jpg"]),
        (["https://dlcs.io/iiif-img/6/b28857021_0001.jp2"], ["b28857021_0001.jpg"]),
        (["https://qdl.example/Add%20MS%207475_0001.jp2"], ["Add_MS_7475_0001.jpg"]),
        (["https://a.org/x/p1", "https://a.org/y/p1"], ["x_p1.jpg", "y_p1.jpg"]),
        (["https://a.org/x/P1", "https://a.org/x/p1"], ["x_P1.jpg", "x_p1-2.jpg"]),
        (["https://a.org/p1/image", "https://a.org/p2/default.jpg"], ["p1.jpg", "p2.jpg"]),
        (["https://a.org/x/p1"] * 3, ["x_p1.jpg", "x_p1-2.jpg", "x_p1-3.jpg"]),
        (["https://a.org", "http://[bad"], ["image.jpg", "[bad.jpg"]),
        (["https://a.org/..%2F..%2Fetc%2Fpasswd"], ["passwd.jpg"]),
        (["https://a.org/vudl%3A30473"], ["vudl_30473.jpg"]),
    ],
)
def test_names_come_from_the_address_of_the_service(addresses, names):
    assert page_names([served(address) for address in addresses]) == names


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        ("https://a.org/pages/page1-full.png", "page1-full.png"),
        ("https://a.org/pages/Page1.JPEG?x=1", "Page1.jpeg"),
        ("https://a.org/iiif/p1/full/full/0/default.jpg", "p1.jpg"),
        ("http://gallica.bnf.fr/ark:/12148/btv1b8419223t/f54.highres", "f54.highres.jpg"),
        ("images/p 1.tif", "p_1.tif"),
    ],
)
def test_plain_files_keep_their_suffix(resource, name):
    assert page_names([PaintedImage(resource=resource)]) == [name]


def annotation(on: str = "", **resource: Any) -> dict[str, Any]:
    service = {"@id": "https://lib.example/iiif/p1", "@type": "ImageService2", "profile": "level1"}
    body = {"@type": "dctypes:Image", "@id": "https://lib.example/iiif/p1/full/full/0/default.jpg", "service": service}
    return {"motivation": "sc:painting", "resource": body | {"width": 300, "height": 400} | resource, "on": on}


def read(*annotations: Any, width: Any = 30, height: Any = 40) -> Manifest:
    canvas = {
        "@id": "https://lib.example/c1",
        "label": "f. 1r",
        "width": width,
        "height": height,
        "images": [*annotations],
    }
    raw = {"@id": "https://lib.example/ms/manifest.json", "sequences": [{"canvases": [canvas]}]}
    found = read_presentation(raw, "x")
    assert isinstance(found, Manifest)
    return found


def pages(manifest: Manifest, origin: Origin = ORIGIN) -> tuple[list[Page], Findings]:
    findings = Findings()
    return [found.page for found in manifest_pages(manifest, origin, findings)], findings


def test_a_page():
    [page], findings = pages(read(annotation()))
    assert (page.name, page.index, page.label) == ("p1.jpg", 0, "f. 1r")
    assert (page.width, page.height) == (300, 400)
    assert page.source == "https://lib.example/iiif/p1/full/full/0/default.jpg"
    assert page.canvas == Canvas("https://lib.example/c1", 30, 40)
    assert page.to_canvas(Box(30, 40, 30, 40)) == Box(3, 4, 3, 4)
    assert (findings.skipped, findings.problems) == ((), ())


def test_ids_stay_the_same_and_are_told_apart():
    manifest = read(annotation(), annotation("https://lib.example/c1#xywh=0,0,3,4"))
    first, _ = pages(manifest)
    again, _ = pages(manifest)
    assert [page.id for page in first] == [page.id for page in again]
    assert len({page.id for page in first}) == 2


def test_images_are_placed_where_they_are_painted():
    found, _ = pages(read(annotation("https://lib.example/c1#xywh=percent:10,50,20,25"), annotation()))
    assert found[0].canvas.target == Box(3, 20, 6, 10)
    assert found[0].to_canvas(Box(0, 0, 300, 400)) == Box(3, 20, 6, 10)
    assert found[1].canvas.target is None


def test_the_size_of_the_service_counts_before_that_of_the_image():
    service = {"@id": "https://lib.example/iiif/p1", "@type": "ImageService2", "width": 3000, "height": 4000}
    [page], _ = pages(read(annotation(service=service)))
    assert (page.width, page.height) == (3000, 4000)


def test_the_page_of_a_part_has_the_size_of_the_part():
    part = annotation()
    selector = {"type": "ImageApiSelector", "region": "100,100,900,50", "rotation": "90"}
    part["resource"] = {"type": "SpecificResource", "source": part["resource"], "selector": selector}
    [page], _ = pages(read(part))
    assert (page.width, page.height) == (50, 200)


def test_a_part_outside_of_its_image_is_left_out_and_named():
    found, findings = pages(read(annotation(**{"@id": "https://lib.example/p.jpg#xywh=900,0,5,5"})))
    assert found == []
    assert "outside" in findings.skipped[0].reason


@pytest.mark.parametrize(("width", "height"), [(0, 0), (None, 40), ("x", "y")])
def test_a_canvas_without_a_size_takes_that_of_its_image(width, height):
    [page], findings = pages(read(annotation("https://lib.example/c1#xywh=0,0,3,4"), width=width, height=height))
    assert page.canvas == Canvas("https://lib.example/c1", 300, 400)
    assert "no size" in findings.problems[0]


def test_a_canvas_of_unknown_size_waits_for_its_image():
    findings = Findings()
    [found] = manifest_pages(read(annotation(width=0), width=0), ORIGIN, findings)
    assert (found.page.sized, found.page.canvas) == (False, None)
    page = with_size(found, (30, 40))
    assert (page.width, page.height, page.canvas) == (30, 40, Canvas("https://lib.example/c1", 30, 40))
    assert page.id == found.page.id


def test_a_place_that_cannot_be_told_is_none():
    target = {"source": "https://lib.example/c1", "selector": {"type": "SvgSelector"}}
    [page], _ = pages(read(annotation(target)))
    assert page.canvas is None


def test_relative_addresses_lead_to_the_web_or_stay_on_disk():
    service = {"@id": "iiif/p1", "@type": "ImageService2"}
    manifest = read(annotation(**{"@id": "p1.jpg", "service": service}))
    [page], findings = pages(manifest)
    assert page.source == "https://lib.example/ms/p1.jpg"
    assert "relative address" in findings.problems[0]
    on_disk = Findings()
    [found] = manifest_pages(manifest, Origin("m.json", Path("folder")), on_disk)
    assert (found.page.source, found.image.services) == ("p1.jpg", ())
    assert "without a host" in on_disk.problems[0]


def test_the_page_of_a_service():
    found = service_page(ImageService(id="https://lib.example/iiif/p1", version=3, width=30, height=40))
    assert isinstance(found, ImagePage)
    assert (found.page.name, found.page.width, found.page.height) == ("p1.jpg", 30, 40)
    assert (found.page.canvas, found.page.source) == (None, "https://lib.example/iiif/p1")


def test_labels_of_several_images_on_a_canvas_name_the_image():
    found, _ = pages(read(annotation(label="Detail"), annotation()))
    assert [page.label for page in found] == ["f. 1r · Detail", "f. 1r"]
