"""Which model answers a client that names none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.core.errors import ModelNotFoundError, UsageError
from limner.core.settings import Settings
from limner.models.bundle_files import read_bundle
from limner.operations.foreign.choice import model_for
from limner.operations.services import Services
from limner.storage.database import Database
from limner.storage.routes import DEFAULT, Routes
from limner.storage.workspaces import Workspaces
from tests.models.networks import classes_bundle, noop_bundle


class Place:
    """A workspace without any model but those that are built in."""

    def __init__(self, folder: Path, database: Database, services: Services) -> None:
        self.folder, self.database, self.services = folder, database, services
        self.workspace = Workspaces(database).ensure("default").id
        self.routes = Routes(database, self.workspace)
        self.library = services.libraries.of(self.workspace)

    def choose(self, *tasks: str) -> str:
        return model_for("other", tasks, self.database, self.services, workspace_id=self.workspace).ref

    def segmenter(self, name: str, *, own: bool = False, age: float = 0) -> None:
        """Add a model that segments; ``age`` is how many seconds ago it came."""
        store = self.library.store if own else self.services.store
        added = store.add(read_bundle(classes_bundle(self.folder / name)))
        assert added.folder is not None
        then = added.folder.stat().st_mtime - age
        os.utime(added.folder, (then, then))

    def detector(self, name: str) -> None:
        self.services.store.add(read_bundle(noop_bundle(self.folder / name)))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    settings = Settings(data=tmp_path / "data")
    database = Database(settings.database)
    database.upgrade()
    with Services(settings) as services:
        yield Place(tmp_path / "bundles", database, services)
    database.close()


def test_text_is_read_out_of_the_box(place: Place) -> None:
    assert place.choose("ocr") == "text@1"


def test_the_default_answers_where_it_will_do(place: Place) -> None:
    place.detector("boxes")
    place.services.store.alias("default", "boxes")
    assert place.choose("detect", "segment") == "boxes@1"
    assert place.choose("ocr") == "text@1"


def test_else_the_newest_that_will(place: Place) -> None:
    place.segmenter("a-new-one")
    place.segmenter("old", age=1000)
    assert place.choose("segment") == "a-new-one@1"
    place.segmenter("own", own=True, age=2000)
    assert place.choose("segment") == "own@1"


def test_the_route_of_that_name_comes_first_and_has_to_do(place: Place) -> None:
    place.segmenter("masks")
    place.detector("boxes")
    place.routes.set(DEFAULT, "boxes")
    assert place.choose("segment", "detect") == "boxes@1"
    place.routes.set("other", "masks")
    assert place.choose("segment", "detect") == "masks@1"
    with pytest.raises(UsageError, match="masks@1, which segments"):
        place.choose("ocr")


def test_none_at_all_says_what_to_do(place: Place) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no model here that segments\. Add one"):
        place.choose("segment")
