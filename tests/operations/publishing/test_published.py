import json

from iiif_prezi3 import Manifest

from limner.annotations.annotation import Annotation
from limner.annotations.document import AnnotatedPage, Document
from limner.annotations.formats.iiif import IIIF
from limner.annotations.page import Canvas, Page
from limner.annotations.shapes import Box
from limner.operations.publishing.places import Place
from limner.operations.publishing.published import published_document
from tests.annotations.formats.files import one_file

PLACE = Place("https://limner.example", "k" * 32)
SERVICE = {"id": "https://lib.example/iiif/1", "type": "ImageService3", "profile": "level1"}
#: A library's manifest, whose canvas is twice as large as its image.
MANIFEST = {
    "type": "Manifest",
    "id": "https://lib.example/m",
    "items": [
        {
            "id": "https://lib.example/c",
            "type": "Canvas",
            "width": 400,
            "height": 200,
            "items": [
                {
                    "type": "AnnotationPage",
                    "items": [
                        {
                            "type": "Annotation",
                            "motivation": "painting",
                            "target": "https://lib.example/c",
                            "body": {"id": "https://lib.example/1.jpg", "type": "Image", "service": [SERVICE]},
                        }
                    ],
                }
            ],
        }
    ],
}


def _manifest(page: Page, *, served: bool, **metadata: object) -> dict:
    found = Annotation(id="a", shape=Box(10, 20, 30, 40), label="initial", score=0.75)
    document = Document(id="d", title="Ms 22", pages=[AnnotatedPage(page, (found,))], metadata=metadata)
    made = json.loads(one_file(IIIF, published_document(document, 0, PLACE, PLACE.base, served=served)))
    Manifest(**made)
    return made


def _body(manifest: dict) -> dict:
    return manifest["items"][0]["items"][0]["items"][0]["body"]


def test_images_of_ours_get_our_service_and_a_thumbnail() -> None:
    made = _manifest(Page(id="p", name="p.tif", index=4, width=1000, height=500, source="p.tif"), served=True)
    service = f"{PLACE.base}/0/images/4"
    assert made["id"] == PLACE.manifest
    assert _body(made) == {
        "id": f"{service}/full/max/0/default.jpg",
        "type": "Image",
        "format": "image/jpeg",
        "width": 1000,
        "height": 500,
        "service": [{"id": service, "type": "ImageService3", "profile": "level2"}],
    }
    (thumbnail,) = made["items"][0]["thumbnail"]
    assert (thumbnail["id"], thumbnail["width"]) == (f"{service}/full/256,128/0/default.jpg", 256)


def test_a_small_image_has_a_thumbnail_of_its_own_size() -> None:
    made = _manifest(Page(id="p", name="p.png", index=0, width=9, height=5), served=True)
    assert made["items"][0]["thumbnail"][0]["id"].endswith("/full/9,5/0/default.jpg")


def test_an_image_of_a_library_keeps_its_service_and_its_canvas() -> None:
    canvas = Canvas("https://lib.example/c", 400, 200)
    page = Page(id="p", name="1.jpg", index=0, width=200, height=100, source="https://lib.example/1.jpg", canvas=canvas)
    for served in (False, True):
        made = _manifest(page, served=served, manifest=MANIFEST)
        assert _body(made)["id"] == "https://lib.example/1.jpg"
        assert _body(made)["service"] == [SERVICE]
        (annotation,) = made["items"][0]["annotations"][0]["items"]
        assert annotation["target"] == "https://lib.example/c#xywh=20,40,60,80"
        assert "thumbnail" not in made["items"][0]


def test_files_are_linked_for_the_whole_and_for_each_page() -> None:
    made = _manifest(Page(id="p", name="p.png", index=4, width=9, height=5), served=True)
    assert {link["id"].rpartition("/")[2]: link["format"] for link in made["rendering"]} == {
        "alto": "application/zip",
        "page": "application/zip",
        "hocr": "application/xhtml+xml",
    }
    assert [link["id"] for link in made["items"][0]["rendering"]] == [
        f"{PLACE.base}/0/pages/4/{name}" for name in ("alto", "page", "hocr")
    ]
