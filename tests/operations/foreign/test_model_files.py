"""Models as clients name them: by the file of their weights."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from limner.core.settings import Settings
from limner.models.bundle_files import read_bundle
from limner.operations.foreign.model_files import changed_at, known_name, models_by_name, stem_of
from limner.operations.library import ModelLibrary
from limner.operations.services import Services
from tests.models.networks import bright_boxes_bundle


@pytest.fixture
def library(tmp_path: Path) -> ModelLibrary:
    services = Services(Settings(data=tmp_path / "data"))
    services.store.add(read_bundle(bright_boxes_bundle(tmp_path / "bright_2.1", side=64)))
    services.store.alias("yolo_last", "bright_2.1")
    services.store.alias("gone", "bright_2.1@1")
    return services.libraries.of("a" * 32)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("yolo_last.pt", "yolo_last"),
        ("Yolo.PT", "Yolo"),
        (" a.b.pth ", "a.b"),
        ("../../models/a.onnx", "a"),
        ("C:\\models\\a.pt", "a"),
        ("a.zip", "a.zip"),
        (".pt", ""),
    ],
)
def test_the_stem_of_a_file_name(name: str, stem: str) -> None:
    assert stem_of(name) == stem


@pytest.mark.parametrize("name", ["bright_2.1", "bright_2.1.pt", "Bright_2.1.pt", "Bright 2.1.pt", "a/bright_2.1.pt"])
def test_a_model_is_found_by_its_file(library: ModelLibrary, name: str) -> None:
    assert known_name(name, library) == "bright_2.1"


def test_a_version_and_an_alias_are_found_too(library: ModelLibrary) -> None:
    assert known_name("bright_2.1@1", library) == "bright_2.1@1"
    assert known_name("yolo_last.pt", library) == "yolo_last"


@pytest.mark.parametrize(("name", "back"), [("nobody.pt", "nobody"), (".pt", ".pt"), ("\0", "\0")])
def test_what_nobody_knows_comes_back(library: ModelLibrary, name: str, back: str) -> None:
    assert known_name(name, library) == back


def test_names_and_aliases_are_listed_with_what_they_stand_for(library: ModelLibrary) -> None:
    found = models_by_name(library)
    assert {name for name, bundle in found.items() if bundle.name == "bright_2.1"} == {
        "bright_2.1",
        "yolo_last",
        "gone",
    }
    assert "text" in found
    for bundle in found.values():
        assert datetime(2020, 1, 1, tzinfo=UTC) < changed_at(bundle)
