import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from iiif_prezi3 import Manifest

from limner.annotations.annotation import Annotation, Json
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.iiif import IIIF
from limner.annotations.formats.protocol import READERS, WRITERS, Feature, Format, ParseContext, ReadableFormat
from limner.annotations.formats.w3c import W3C
from limner.annotations.formats.w3c_manifests import canvases_of
from limner.annotations.page import Canvas, Page
from limner.annotations.shapes import Box, Polygon
from tests.annotations.formats.files import one_file, reread, written
from tests.annotations.strategies import documents

CANVAS = Canvas("https://lib.example/canvas/1", 400, 200)
SHEET = Page(
    id="p",
    name="0001.jpg",
    index=0,
    width=200,
    height=100,
    label="f. 1r",
    source="https://lib.example/1.jpg",
    canvas=CANVAS,
)
BOX = Box(10, 20, 30, 40)


def found(name: str = "a1", shape: Box | Polygon = BOX) -> Annotation:
    return Annotation(id=name, shape=shape, label="figure", score=0.5)


def document(*pages: AnnotatedPage, rights: str | None = None, **metadata: Json) -> Document:
    return Document(id="https://lib.example/manifest", title="A book", pages=pages, rights=rights, metadata=metadata)


def manifest(*pages: AnnotatedPage, rights: str | None = None, **metadata: Json) -> dict:
    text = one_file(IIIF, document(*pages, rights=rights, **metadata))
    Manifest(**json.loads(text))
    return json.loads(text)


@given(documents(canvas=True))
def test_every_document_is_a_manifest(given: Document):
    ((path, text),) = written(IIIF, given).items()
    assert path == "manifest.json"
    Manifest(**json.loads(text))


@given(documents(IIIF.holds))
def test_without_canvases_everything_can_be_read_again(given: Document):
    assert reread(W3C, {"m.json": one_file(IIIF, given)}) == list(given.pages)


@given(documents(IIIF.holds - {Feature.POLYGON, Feature.HOLES}, canvas=True))
def test_with_canvases_everything_can_be_read_again(given: Document):
    read = reread(W3C, {"m.json": one_file(IIIF, given)})
    # Two pages may have got the same canvas with another between them: then they change places.
    by_name = {each.page.name: replace(each, page=replace(each.page, index=0)) for each in read}
    assert len(read) == len(given.pages)
    for page in given.pages:
        assert by_name[page.page.name] == replace(page, page=replace(page.page, index=0))


def test_a_manifest_as_a_whole():
    made = manifest(AnnotatedPage(SHEET, (found(),)), base="https://pub.example/b/")
    (canvas,) = made.pop("items")
    assert made == {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": "https://pub.example/b/manifest.json",
        "type": "Manifest",
        "label": {"none": ["A book"]},
    }
    (annotations,) = canvas.pop("annotations")
    assert canvas == {
        "id": "https://lib.example/canvas/1",
        "type": "Canvas",
        "label": {"none": ["f. 1r"]},
        "width": 400,
        "height": 200,
        "items": [
            {
                "id": "https://pub.example/b/painting/0001/page",
                "type": "AnnotationPage",
                "items": [
                    {
                        "id": "https://pub.example/b/painting/0001",
                        "type": "Annotation",
                        "motivation": "painting",
                        "body": {
                            "id": "https://lib.example/1.jpg",
                            "type": "Image",
                            "format": "image/jpeg",
                            "width": 200,
                            "height": 100,
                        },
                        "target": "https://lib.example/canvas/1",
                    }
                ],
            }
        ],
    }
    assert annotations["id"] == "https://pub.example/b/annotations/0001"
    (item,) = annotations["items"]
    assert item["target"] == "https://lib.example/canvas/1#xywh=20,40,60,80"
    assert (item["motivation"], item["limner:score"]) == ("tagging", 0.5)


def test_images_of_one_canvas_are_painted_onto_it_together():
    left = replace(SHEET, canvas=replace(CANVAS, target=Box(0, 0, 200, 100)))
    right = replace(left, id="q", name="0002.jpg", index=1, canvas=replace(CANVAS, target=Box(200, 0, 200, 100)))
    other = replace(SHEET, id="r", name="0003.jpg", index=2, canvas=replace(CANVAS, id="https://lib.example/canvas/2"))
    made = manifest(*(AnnotatedPage(page, (found(),)) for page in (left, right, other)))
    first, second = made["items"]
    assert [painting["target"] for painting in first["items"][0]["items"]] == [
        "https://lib.example/canvas/1#xywh=0,0,200,100",
        "https://lib.example/canvas/1#xywh=200,0,200,100",
    ]
    assert [page["items"][0]["target"].rpartition("=")[2] for page in first["annotations"]] == [
        "10,20,30,40",
        "210,20,30,40",
    ]
    assert len(second["annotations"]) == 1
    identifiers = [
        each["id"] for canvas in made["items"] for each in (canvas, *canvas["items"], *canvas["annotations"])
    ]
    assert len(set(identifiers)) == len(identifiers)


def test_pages_without_a_canvas_get_one_of_their_size():
    local = replace(SHEET, canvas=None, source="/scans/0001.jpg", label=None)
    failed = Page(id="q", name="0002 é.png", index=1)
    first, second = manifest(AnnotatedPage(local, (found(),)), AnnotatedPage(failed, (), "HTTP 404"))["items"]
    assert (first["width"], first["height"], first["label"]) == (200, 100, {"none": ["0001.jpg"]})
    assert first["id"].startswith("https://limner.invalid/")
    assert first["annotations"][0]["items"][0]["target"] == f"{first['id']}#xywh=10,20,30,40"
    assert first["items"][0]["items"][0]["body"]["id"] == first["id"].replace("/canvas/0001", "/0001.jpg")
    assert (second["width"], second["height"]) == (1000, 1000)
    assert second["annotations"][0]["limner:error"] == "HTTP 404"
    assert second["items"][0]["items"][0]["body"]["format"] == "image/png"


def test_images_without_an_address_are_found_below_the_base():
    local = replace(SHEET, canvas=None, source="/scans/0001.jpg")
    (canvas,) = manifest(AnnotatedPage(local), base="https://pub.example/b")["items"]
    assert canvas["items"][0]["items"][0]["body"]["id"] == "https://pub.example/b/0001.jpg"


def test_a_canvas_keeps_its_size_in_whole_units():
    page = replace(SHEET, canvas=Canvas("https://lib.example/c", 0.4, 1000.6))
    (canvas,) = manifest(AnnotatedPage(page))["items"]
    assert (canvas["width"], canvas["height"]) == (1, 1001)


@pytest.mark.parametrize(
    ("rights", "key", "value"),
    [
        ("https://creativecommons.org/licenses/by/4.0/", "rights", "http://creativecommons.org/licenses/by/4.0/"),
        (
            "https://lib.example/terms",
            "metadata",
            [{"label": {"en": ["Rights"]}, "value": {"none": ["https://lib.example/terms"]}}],
        ),
    ],
)
def test_the_rights_of_the_document_are_kept(rights: str, key: str, value: Json):
    assert manifest(AnnotatedPage(SHEET), rights=rights)[key] == value


def test_what_the_manifest_says_of_itself_wins_and_nothing_is_said_twice():
    raw: Json = {"label": {"fr": ["Un livre"]}, "license": "https://lib.example/terms", "metadata": []}
    made = manifest(AnnotatedPage(SHEET), rights="https://lib.example/terms", manifest=raw)
    assert made["label"] == {"fr": ["Un livre"]}
    assert len(made["metadata"]) == 1


def test_files_that_belong_to_it_are_linked():
    links: Json = [
        {"id": "alto/{page}.xml", "label": "ALTO", "format": "application/xml"},
        {"id": "https://pub.example/book.pdf", "label": "PDF"},
        {"label": "no id"},
    ]
    made = manifest(AnnotatedPage(SHEET), base="https://pub.example/b", rendering=links)
    assert made["rendering"] == [{"id": "https://pub.example/book.pdf", "type": "Text", "label": {"none": ["PDF"]}}]
    assert made["items"][0]["rendering"] == [
        {
            "id": "https://pub.example/b/alto/0001.xml",
            "type": "Text",
            "label": {"none": ["ALTO"]},
            "format": "application/xml",
        }
    ]


@pytest.mark.parametrize("name", ["iiif", "w3c", "alto", "page", "hocr", "text"])
def test_the_formats_are_registered_under_their_names(name: str):
    assert isinstance(WRITERS.get(name), Format)
    assert WRITERS.get(name).name == name
    readable = name in READERS
    assert readable == (name in {"w3c", "alto", "page"})
    assert not readable or isinstance(READERS.get(name), ReadableFormat)


def test_an_empty_document_is_still_json():
    assert json.loads(one_file(IIIF, document()))["items"] == []


def test_canvases_are_made_while_the_file_is_written():
    made: list[int] = []

    class Pages:
        def __iter__(self):
            for index in range(3):
                made.append(index)
                yield AnnotatedPage(replace(SHEET, index=index, canvas=None))

    (file,) = IIIF.render(replace(document(), pages=Pages()))
    chunks = iter(file.chunks)
    next(chunks)
    assert made == []
    assert len("".join(chunks)) > 0
    assert made == [0, 1, 2]


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_real_manifests_come_out_valid_with_their_canvases(version: str, real_data: Callable[[str], Path]):
    paths = sorted(real_data(f"iiif-manifests/{version}").glob("*.json"))
    assert len(paths) > 20
    for path in paths:
        raw = json.loads(path.read_text("utf-8"))
        pages = list(_pages(raw))
        given = Document(
            id=str(raw.get("id", raw.get("@id"))), title=path.stem, pages=pages, metadata={"manifest": raw}
        )
        made = json.loads(one_file(IIIF, given))
        Manifest(**made)
        canvases = list(dict.fromkeys(page.page.canvas for page in pages))
        assert {canvas["id"] for canvas in made["items"]} == {canvas.id for canvas in canvases}
        context = ParseContext()
        read = list(W3C.parse({path.name: json.dumps(made)}, context)) if pages else []
        assert (context.problems, len(read)) == ([], len(pages))
        assert [page.annotations[0].shape for page in read] == [page.annotations[0].shape for page in pages]


def _pages(raw: dict[str, Json]):
    """Pages as a source would make them, with an annotation each."""
    index = 0
    for canvas in canvases_of(raw, ParseContext()):
        for page in canvas.pages:
            width, height = page.width or int(page.canvas.width), page.height or int(page.canvas.height)
            named = replace(page, id=f"p{index}", name=f"{index}.jpg", index=index, width=width, height=height)
            yield AnnotatedPage(named, (found(shape=Box(1, 1, 5, 5)),))
            index += 1
