"""What paths say."""

import pytest

from limner.operations.datasets.layout import ImageIndex, folder_of, read_lists, split_in_folders, split_in_name


def test_images_are_found_by_path_name_and_stem() -> None:
    index = ImageIndex(["a/1.jpg", "b/1.jpg", "b/2.PNG", "notes.txt"])
    assert index.named("1.jpg", "b/labels/1.txt") == "b/1.jpg"
    assert index.named("a/1.jpg", "all.json") == "a/1.jpg"
    assert index.named("2.png", "all.json") == "b/2.PNG"
    assert index.named("2", "all.json") == "b/2.PNG"
    assert index.named("2.jpg", "all.json") is None
    assert index.found("2.jpg", "all.json") == "b/2.PNG"
    assert index.found("notes.txt", "all.json") is None
    assert index.found("../../a/1.jpg", "b/x.json") == "a/1.jpg"


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("annotations/instances_train2017.json", "train"),
        ("val.json", "val"),
        ("validation-set.jsonl", "val"),
        ("trainval.json", None),
        ("testament.json", None),
        ("test_b.json", "test"),
    ],
)
def test_names_of_files_may_tell_a_split(path: str, split: str | None) -> None:
    assert split_in_name(path) == split


def test_folders_may_tell_a_split_and_a_document() -> None:
    assert split_in_folders("valid/images/1.jpg") == "val"
    assert split_in_folders("images/Train/1.jpg") == "train"
    assert split_in_folders("trainers/1.jpg") is None
    assert split_in_folders("train.json") is None
    assert folder_of("train/images/ms 22/1.jpg") == "ms 22"
    assert folder_of("train/images/1.jpg") == ""


def test_a_folder_for_two_splits_tells_nothing() -> None:
    text = "train: images\nval: images\ntest: ./images/held out/\n"
    listed = read_lists(["data.yaml"], lambda _: text)
    assert listed.of("images/1.jpg") is None
    assert listed.of("top/images/held out/1.jpg") == "test"


def test_lists_name_pages_with_or_without_folder_and_suffix() -> None:
    files = {"ImageSets/Main/train.txt": "a\nb.c 1\n\n", "ImageSets/Main/val.txt": "images/d.jpg -1\n"}
    listed = read_lists([*files], files.__getitem__)
    assert [listed.of(f"x/{name}.jpg") for name in ("a", "b.c", "d", "e")] == ["train", "train", "val", None]
    assert listed.files == set(files)
