"""Datasets as other programs write them, taken in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from limner.annotations.shapes import Box
from limner.core.errors import AddressRefusedError, DatasetError, FormatError, SourceError, UnknownNameError, UsageError
from limner.operations.datasets.gathering import Imported, Wishes
from limner.operations.datasets.importing import How, import_dataset
from limner.sources.protocol import SourceContext
from limner.training.datasets.labels import LabelMap
from limner.training.datasets.splits import Shares
from limner.training.datasets.store import DatasetStore
from tests.operations.datasets.files import BOX, coco, drawn, packed, voc, written, yolo_line
from tests.sources.iiif.loopback import Canned, IIIFServer

_IMAGES = {f"{n}.png": drawn(n) for n in range(4)}


class Importer:
    """Takes things in, as the command and the server do."""

    def __init__(self, folder: Path, store: DatasetStore, context: SourceContext) -> None:
        self.folder, self.store, self.context = folder, store, context

    def __call__(
        self, spec: str | Path | Mapping[str, str | bytes], how: How | None = None, **wishes: object
    ) -> Imported:
        if isinstance(spec, Mapping):
            spec = written(self.folder / "given", spec)
        return import_dataset(spec, self.store, Wishes(**{"name": "d", **wishes}), how or How(), self.context)


@pytest.fixture
def take(tmp_path: Path, store: DatasetStore, context: SourceContext) -> Importer:
    return Importer(tmp_path, store, context)


def splits(done: Imported) -> dict[str, str]:
    return {page.page.name: page.split for page in done.dataset.pages}


def boxes(done: Imported) -> list[Box]:
    return [each.shape for page in done.dataset.pages for each in page.annotations]


_LAYOUTS: dict[str, tuple[str, dict[str, str | bytes]]] = {
    "coco, a file a split": (
        "coco",
        {
            "annotations/instances_train2017.json": coco(["0.png", "1.png"]),
            "annotations/instances_val2017.json": coco(["2.png", "3.png"]),
            **{f"images/{name}": data for name, data in _IMAGES.items()},
        },
    ),
    "coco, a folder a split": (
        "coco",
        {
            "train/_annotations.coco.json": coco(["0.png", "1.png"]),
            "valid/_annotations.coco.json": coco(["2.png", "3.png"]),
            **{f"{'train' if n < 2 else 'valid'}/{n}.png": drawn(n) for n in range(4)},
        },
    ),
    "yolo": (
        "yolo",
        {
            "data.yaml": "train: images/train\nval: images/val\nnames: [seal]\n",
            **{f"labels/{'train' if n < 2 else 'val'}/{n}.txt": yolo_line() for n in range(4)},
            **{f"images/{'train' if n < 2 else 'val'}/{n}.png": drawn(n) for n in range(4)},
        },
    ),
    "yolo, folders that only data.yaml tells apart": (
        "yolo",
        {
            "data.yaml": "train: ../a/images\nval: ../b/images\nnames: {0: seal}\n",
            **{f"{'a' if n < 2 else 'b'}/labels/{n}.txt": yolo_line() for n in range(4)},
            **{f"{'a' if n < 2 else 'b'}/images/{n}.png": drawn(n) for n in range(4)},
        },
    ),
    "yolo, lists of images": (
        "yolo",
        {
            "data.yaml": "train: train.txt\nval: val.txt\nnames: [seal]\n",
            "train.txt": "./images/0.png\n./images/1.png\n",
            "val.txt": "./images/2.png\n./images/3.png\n",
            "README.txt": "Four pages.",
            **{f"labels/{n}.txt": yolo_line() for n in range(4)},
            **{f"images/{n}.png": drawn(n) for n in range(4)},
        },
    ),
    "voc": (
        "voc",
        {
            "ImageSets/Main/train.txt": "0\n1\n",
            "ImageSets/Main/val.txt": "2\n3\n",
            "ImageSets/Main/trainval.txt": "0\n1\n2\n3\n",
            **{f"Annotations/{n}.xml": voc(f"{n}.png") for n in range(4)},
            **{f"JPEGImages/{n}.png": drawn(n) for n in range(4)},
        },
    ),
}


@pytest.mark.parametrize("as_zip", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("layout", _LAYOUTS)
def test_layouts_are_known_with_their_splits(take: Importer, tmp_path: Path, layout: str, as_zip: bool) -> None:
    form, files = _LAYOUTS[layout]
    spec: Path | dict[str, str | bytes] = files
    if as_zip:
        spec = tmp_path / "sent.zip"
        spec.write_bytes(packed({f"top/{path}": content for path, content in files.items()}))
    done = take(spec)
    assert (done.format, done.kept_splits, done.problems) == (form, True, ())
    assert splits(done) == {"0.png": "train", "1.png": "train", "2.png": "val", "3.png": "val"}
    assert boxes(done) == [Box(*BOX)] * 4
    assert done.dataset.labels == ("seal",)
    page = done.dataset.pages[0]
    assert done.dataset.image_path(page).read_bytes() == drawn(0)


def test_images_of_one_name_belong_to_the_annotations_beside_them(take: Importer) -> None:
    labels = {"train": yolo_line(), "val": ""}
    files = {f"{split}/labels/1.txt": line for split, line in labels.items()}
    done = take({**files, "train/images/1.png": drawn(1), "val/images/1.png": drawn(2)})
    assert [(page.split, len(page.annotations)) for page in done.dataset.pages] == [("train", 1), ("val", 0)]
    assert [done.dataset.image_path(page).read_bytes() for page in done.dataset.pages] == [drawn(1), drawn(2)]
    assert [page.page.name for page in done.dataset.pages] == ["1.png", "1-2.png"]


def test_one_split_alone_is_split_here(take: Importer) -> None:
    names = [f"{n}.png" for n in range(20)]
    files = {"train.json": coco(names), **{name: drawn(n) for n, name in enumerate(names)}}
    done = take(files, shares=Shares(0.5, 0.25, 0.25))
    assert not done.kept_splits
    assert Counter(splits(done).values()) == {"train": 10, "val": 5, "test": 5}
    again = take(files, shares=Shares(0.5, 0.25, 0.25))
    assert again.dataset == done.dataset  # the same content is not another version
    other = take(files, shares=Shares(0.5, 0.25, 0.25), seed=4)
    assert other.dataset.version == "2"


def test_pages_of_a_folder_or_a_pattern_stay_together(take: Importer) -> None:
    names = [f"ms{n // 5}/f{n}.png" for n in range(20)]
    files = {"all.json": coco(names), **{name: drawn(n) for n, name in enumerate(names)}}
    for how in (How(documents="folder"), How(documents=r"^(ms\d+)/")):
        done = take(files, how, name="folders")
        assert {page.document for page in done.dataset.pages} == {"ms0", "ms1", "ms2", "ms3"}
        torn = Counter(document for document, _ in {(page.document, page.split) for page in done.dataset.pages})
        assert set(torn.values()) == {1}
    assert len({page.document for page in take(files).dataset.pages}) == 20
    with pytest.raises(UsageError, match="no pattern"):
        How(documents="(")


def test_documents_that_a_coco_file_names_are_kept(take: Importer) -> None:
    plain = json.loads(coco(list(_IMAGES)))
    for n, image in enumerate(plain["images"]):
        image["document"] = f"ms {n % 2}"
    done = take({"c.json": json.dumps(plain), **_IMAGES})
    assert [page.document for page in done.dataset.pages] == ["ms 0", "ms 1", "ms 0", "ms 1"]


def test_labels_are_mapped_and_crowds_are_zones(take: Importer) -> None:
    rules = LabelMap.parse(["seal=stamp", "sael=stamp"])
    done = take({"c.json": coco(["0.png"]), **_IMAGES}, labels=rules)
    assert done.dataset.labels == ("stamp",)
    done = take({"c.json": coco(["0.png"]), **_IMAGES}, labels=LabelMap.parse(["sael=blot"]))
    assert any("'sael'" in problem for problem in done.problems)
    done = take({"c.json": coco(["0.png"], iscrowd=1), **_IMAGES}, looked_for=("seal",))
    (page,) = done.dataset.pages
    assert (page.annotations, page.ignore, page.exhaustive) == ((), (Box(*BOX),), {"seal"})
    assert done.dataset.labels == ("seal",)


def test_what_voc_calls_difficult_may_be_ignored(take: Importer) -> None:
    files = {"0.xml": voc("0.png", difficult=1), "0.png": drawn(0)}
    assert len(boxes(take(files))) == 1
    (page,) = take(files, difficult_ignored=True).dataset.pages
    assert (page.annotations, page.ignore) == ((), (Box(*BOX),))


def test_labelme_with_paths_of_another_machine(take: Importer) -> None:
    shape = {"label": "seal", "points": [[8, 16], [40, 40]], "shape_type": "rectangle", "flags": {}}
    plain = {"shapes": [shape], "imagePath": "..\\..\\scans\\0.png", "imageWidth": 96, "imageHeight": 64}
    done = take({"json/0.json": json.dumps(plain), "images/0.png": drawn(0)})
    assert (done.format, boxes(done)) == ("labelme", [Box(*BOX)])


def test_what_cannot_be_read_is_reported_and_the_rest_is_taken(take: Importer) -> None:
    files: dict[str, str | bytes] = {
        "a.json": coco(["0.png", "gone.png", "broken.png", "../../../etc/passwd", "other.png"]),
        "broken.json": "{",
        "0.png": drawn(0),
        "1.png": drawn(1),
        "broken.png": drawn(1)[:60],
        "other.png": drawn(1, (30, 200)),
    }
    done = take(files, How(format="coco"))
    assert splits(done).keys() == {"0.png"}
    said = "\n".join(done.problems)
    for part in ("1 files were passed over", "2 images are not there", "gone.png, ../../../etc/passwd"):
        assert part in said
    assert "broken.png was passed over: broken.png cannot be decoded" in said
    assert "other.png was passed over: its file says 96 × 64" in said
    assert "1 images have no annotations" in said


def test_images_without_annotations_may_be_pages(take: Importer) -> None:
    done = take({"c.json": coco(["0.png"]), **_IMAGES}, How(unannotated=True))
    assert sorted(len(page.annotations) for page in done.dataset.pages) == [0, 0, 0, 1]


def test_more_pages_are_added_to_the_newest_version(take: Importer) -> None:
    first = take({"c.json": coco(["0.png", "1.png"]), **_IMAGES})
    more = take(written(take.folder / "more", {"c.json": coco(["2.png"], label="blot"), **_IMAGES}), append=True)
    assert more.dataset.ref == "d@2"
    assert [page.page.name for page in more.dataset.pages] == ["0.png", "1.png", "2.png"]
    assert more.dataset.labels == ("seal", "blot")
    kept = {page.image: page.split for page in first.dataset.pages}
    assert all(page.split == kept.get(page.image, page.split) for page in more.dataset.pages)
    assert take.store.get("d@1") == first.dataset


@pytest.mark.parametrize(
    ("files", "how", "error"),
    [
        ({"a.txt": "hello"}, How(), FormatError),
        ({"0.png": b"x"}, How(), FormatError),
        ({"c.json": coco(["gone.png"])}, How(), DatasetError),
        ({"c.json": coco(["gone.png"])}, How(format="voc"), FormatError),
        ({"c.json": coco(["gone.png"])}, How(format="vco"), UnknownNameError),
    ],
)
def test_what_is_no_dataset_is_refused(
    take: Importer, files: dict[str, str | bytes], how: How, error: type[Exception]
) -> None:
    with pytest.raises(error):
        take(files, how)
    assert take.store.list() == []


def test_a_file_that_is_not_there_is_refused(take: Importer) -> None:
    with pytest.raises(UsageError, match="no file or folder"):
        take(take.folder / "nowhere")


def test_yaml_that_would_fill_the_memory_is_not_read(take: Importer) -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nnames: {0: *b}\n"
    done = take({"data.yaml": bomb, "labels/0.txt": yolo_line(), "images/0.png": drawn(0)})
    assert done.dataset.labels == ("class 0",)
    assert "aliases" in done.problems[0]


def test_a_zip_file_is_fetched_and_so_are_images_that_are_elsewhere(take: Importer, tmp_path: Path) -> None:
    library = written(tmp_path / "library", _IMAGES)
    with IIIFServer(library) as server:
        plain = json.loads(coco(["0.png", "1.png"]))
        plain["images"][0]["coco_url"] = server.file_url("0")
        plain["images"][1]["coco_url"] = "http://10.0.0.1/1.png"
        archive = packed({"c.json": json.dumps(plain)})
        server.answer("/sent.zip", Canned(body=archive, headers={"Content-Type": "application/zip"}))
        done = take(f"{server.url}/sent.zip")
    assert [page.page.name for page in done.dataset.pages] == ["0.png"]
    assert boxes(done) == [Box(*BOX)]
    assert any("1.png was passed over" in problem and "10.0.0.1" in problem for problem in done.problems)
    with pytest.raises(AddressRefusedError):
        take("http://10.0.0.1/sent.zip")


def test_an_address_of_something_else_is_refused(take: Importer, tmp_path: Path) -> None:
    with IIIFServer(written(tmp_path / "library", _IMAGES)) as server, pytest.raises(SourceError, match="no dataset"):
        take(server.file_url("0"))


def test_an_import_keeps_its_title_and_licence(take: Importer) -> None:
    done = take({"c.json": coco(["0.png"]), **_IMAGES}, title="Seals", licence="CC0-1.0")
    card = take.store.card("d")
    assert (card.title, card.licence, card.source) == ("Seals", "CC0-1.0", "given")
    assert replace(done.dataset, version="1") == done.dataset
