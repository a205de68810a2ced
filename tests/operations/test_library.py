"""The models that a workspace sees."""

import threading
from pathlib import Path

import pytest

from limner.core.errors import BundleError, ModelNotFoundError, NotFoundError, UsageError
from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.models.bundle_files import read_bundle
from limner.operations.library import ModelLibrary, workspace_folder
from limner.operations.services import Services
from tests.models.networks import bright_boxes_bundle


@pytest.fixture
def services(tmp_path: Path):
    with Services(Settings(data=tmp_path / "data")) as services:
        yield services


@pytest.fixture
def ours(services: Services) -> ModelLibrary:
    return services.libraries.of("ours")


@pytest.fixture
def theirs(services: Services) -> ModelLibrary:
    return services.libraries.of("theirs")


@pytest.fixture
def make(tmp_path: Path):
    """A function that makes a bundle."""

    def make(name: str = "seals", version: str = "1", **fields: object) -> Bundle:
        folder = tmp_path / "made" / f"{name}-{version}-{len(list(tmp_path.glob('made/*')))}"
        return read_bundle(bright_boxes_bundle(folder, side=64, name=name, version=version, **fields))

    return make


def refs(library: ModelLibrary) -> list[str]:
    return [bundle.ref for bundle in library.list()]


def test_a_workspace_sees_its_own_models_and_the_shared_ones(services, ours, theirs, make) -> None:
    services.store.add(make("shared"))
    ours.store.add(make("mine"))
    assert {"shared@1", "text@1", "mine@1"} <= set(refs(ours))
    assert "mine@1" not in refs(theirs)
    with pytest.raises(ModelNotFoundError):
        theirs.get("mine")
    with pytest.raises(ModelNotFoundError):
        services.store.get("mine")


def test_its_own_come_first_by_their_name(services, ours, theirs, make) -> None:
    services.store.add(make("seals", "3"))
    ours.store.add(make("seals", "2"))
    assert ours.get("seals").ref == "seals@2"
    assert theirs.get("seals").ref == "seals@3"
    assert ours.store.owns("seals@2")
    assert not ours.store.owns("seals@3")


def test_the_same_version_of_a_shared_model_is_not_covered(services, ours, make) -> None:
    services.store.add(make("seals", "1"))
    with pytest.raises(BundleError, match="shared"):
        ours.store.add(make("seals", "1"))
    with pytest.raises(BundleError, match="shared"):
        ours.store.add(make("text", "1"))


def test_only_its_own_are_removed(services, ours, make) -> None:
    services.store.add(make("seals"))
    ours.store.add(make("mine"))
    assert ours.store.remove("mine") == "mine@1"
    for shared in ("seals", "text"):
        with pytest.raises(UsageError, match="shared"):
            ours.store.remove(shared)
    assert services.store.get("seals")


def test_aliases_of_a_workspace_are_its_own(services, ours, theirs, make) -> None:
    services.store.add(make("seals"))
    services.store.alias("default", "seals")
    services.store.alias("best", "seals")
    ours.store.add(make("mine"))
    ours.store.alias("default", "mine")
    assert ours.get("default").ref == "mine@1"
    assert ours.get("best").ref == "seals@1"
    assert theirs.get("default").ref == "seals@1"
    services.store.alias("best", "text")
    assert ours.get("best").ref == "text@1"  # shared aliases are not copied
    with pytest.raises(ModelNotFoundError):
        ours.store.alias("best", None)
    ours.store.alias("default", None)
    assert ours.get("default").ref == "seals@1"


def test_without_anything_the_default_is_built_in(ours) -> None:
    assert ours.get("default").ref == "text@1"


def test_changes_are_seen_at_once_whoever_made_them(services, ours, make, tmp_path: Path) -> None:
    """Also those of another process, which has stores of its own over the same folders."""
    other = Services(Settings(data=tmp_path / "data"))
    elsewhere = other.libraries.of("ours")
    ours.store.add(make("seals", "1"))
    assert (ours.get("seals").ref, elsewhere.get("seals").ref) == ("seals@1", "seals@1")
    elsewhere.store.add(make("seals", "2"))
    assert (ours.get("seals").ref, elsewhere.get("seals").ref) == ("seals@2", "seals@2")
    elsewhere.store.alias("best", "seals@1")
    assert ours.get("best").ref == "seals@1"
    elsewhere.store.alias("best", "seals@2")
    assert ours.get("best").ref == "seals@2"
    elsewhere.store.add(make("seals", "2", title="New"), replace=True)
    assert ours.get("seals").title == "New"
    elsewhere.store.alias("best", None)
    elsewhere.store.remove("seals@2")
    assert ours.get("seals").ref == "seals@1"
    other.store.add(make("shared"))
    assert ours.get("shared").ref == "shared@1"
    other.close()


def test_what_is_known_is_not_read_again(ours, make) -> None:
    ours.store.add(make("seals"))
    assert ours.get("seals") is ours.get("seals")


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "nul\x00", "x" * 5000, "@", "a@../b", "."])
def test_names_that_are_none_are_not_found(ours, name: str) -> None:
    with pytest.raises(ModelNotFoundError):
        ours.get(name)


def test_models_of_one_name_in_two_workspaces_are_not_mixed_up(ours, theirs, make) -> None:
    """Their weights are the same, what is said of them is not."""
    ours.store.add(make("seals", title="Ours"))
    theirs.store.add(make("seals", title="Theirs"))
    with ours.use("seals") as one, theirs.use("seals") as other:
        assert (one.bundle.title, other.bundle.title) == ("Ours", "Theirs")


def test_a_model_is_loaded_once_for_all(services, ours, theirs, make) -> None:
    services.store.add(make("seals"))
    with ours.use("seals") as one, theirs.use("seals") as other:
        assert one is other
    assert [loaded.ref for loaded in services.pool.loaded()] == ["seals@1"]


def test_there_is_one_library_for_a_workspace(services) -> None:
    found: list[ModelLibrary] = []
    threads = [threading.Thread(target=lambda: found.append(services.libraries.of("w"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(library) for library in found}) == 1


@pytest.mark.parametrize("name", ["..", "a/b", "", "a.b", "é/"])
def test_the_folder_of_a_workspace_lies_below_the_data(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFoundError):
        workspace_folder(tmp_path, name)


def test_own_models_are_observed_without_their_name(services, ours, make) -> None:
    seen: list[str] = []
    services.observer = lambda model, _: seen.append(model)
    services.store.add(make("shared"))
    ours.store.add(make("mine"))
    for name in ("shared", "mine", "text"):
        services.observe(ours.get(name), {"model": 1.0})
    assert seen == ["shared@1", "of a workspace", "text@1"]
