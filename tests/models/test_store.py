from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import BundleError, ModelNotFoundError, UsageError
from limner.core.registry import Registry
from limner.models.bundle import Bundle
from limner.models.bundle_files import file_sha256, read_bundle
from limner.models.store import ModelStore, version_key
from tests.models.networks import noop_bundle

TEXT = Bundle(name="text", task="ocr", runtime="rapidocr", labels=("line",))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    builtin: Registry[Bundle] = Registry("limner.tests.nothing", "built-in model")
    builtin.add("text", TEXT)
    return ModelStore(tmp_path / "models", builtin)


@pytest.fixture
def make(tmp_path: Path):
    """Bundles that lie somewhere else."""
    numbers = itertools.count()
    return lambda name, version="1": read_bundle(noop_bundle(tmp_path / str(next(numbers)), name=name, version=version))


def refs(store: ModelStore) -> list[str]:
    return [bundle.ref for bundle in store.list()]


def test_an_empty_store_has_what_is_built_in(store):
    assert store.list() == (TEXT,)
    assert store.get("text") is TEXT
    assert not store.folder.exists()


def test_models_are_copied_and_found_by_name_and_version(store, make):
    bundle = make("figures")
    added = store.add(bundle)
    assert added.folder == store.folder / "figures" / "1"
    assert file_sha256(added.weights_path) == bundle.sha256
    assert store.get("figures") == store.get("figures@1") == added
    assert bundle.folder.is_dir()
    assert sorted(path.name for path in store.folder.iterdir()) == [".lock", "figures"]


def test_the_newest_version_is_meant(store, make):
    for version in ("9", "10", "2"):
        store.add(make("figures", version))
    assert store.get("figures").version == "10"
    assert store.get("figures@2").version == "2"
    assert refs(store) == ["figures@2", "figures@9", "figures@10", "text@1"]


@pytest.mark.parametrize(
    "versions",
    [
        ["1", "2", "10"],
        ["1.9", "1.10", "2"],
        ["1.0-rc1", "1.0", "1.0.1"],
        ["2024-01-31", "2024-02-01"],
        ["a", "b", "1"],
    ],
)
def test_versions_sort_by_their_numbers(versions):
    assert sorted(versions, key=version_key) == versions


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,6}[a-z0-9]", fullmatch=True), min_size=2, max_size=5))
def test_any_versions_can_be_compared(versions):
    assert len(sorted(versions, key=version_key)) == len(versions)


def test_a_version_that_is_there_is_not_replaced_unasked(store, make):
    first, second = store.add(make("figures")), make("figures").changed(title="better")
    with pytest.raises(BundleError, match="There is a model figures@1 already"):
        store.add(second)
    assert store.get("figures").title == first.title
    store.add(second, replace=True)
    assert store.get("figures").title == "better"
    assert sorted(path.name for path in store.folder.iterdir()) == [".lock", "figures"]


@pytest.mark.parametrize(
    ("name", "version", "message"), [("text", "1", "built in"), ("default", "1", "alias"), ("best", "1", "alias")]
)
def test_names_that_are_taken(store, make, name, version, message):
    store.add(make("figures"))
    store.alias("best", "figures")
    with pytest.raises(BundleError, match=message):
        store.add(make(name, version))


def test_a_newer_version_of_a_built_in_model_takes_its_place(store, make):
    store.add(make("text", "2"))
    assert store.get("text").ref == "text@2"
    assert store.get("text@1") is TEXT
    store.remove("text@2")
    assert store.get("text") is TEXT


def test_removing(store, make):
    store.add(make("figures"))
    store.add(make("figures", "2"))
    assert store.remove("figures") == "figures@2"
    assert store.remove("figures@1") == "figures@1"
    assert sorted(path.name for path in store.folder.iterdir()) == [".lock"]
    with pytest.raises(ModelNotFoundError):
        store.remove("figures")
    with pytest.raises(UsageError, match="built in"):
        store.remove("text")


def test_aliases(store, make):
    store.add(make("figures"))
    store.alias("best", "figures")
    store.alias("pinned", "figures@1")
    store.add(make("figures", "2"))
    assert store.get("best").ref == "figures@2"
    assert store.get("pinned").ref == "figures@1"
    assert store.aliases() == {"best": "figures", "pinned": "figures@1"}
    store.alias("best", "text")
    assert store.get("best") is TEXT
    store.alias("best", None)
    assert store.aliases() == {"pinned": "figures@1"}
    with pytest.raises(ModelNotFoundError, match="no alias 'best'"):
        store.alias("best", None)


def test_the_default_is_text_until_it_is_set(store, make):
    assert store.get("default") is TEXT
    store.add(make("figures"))
    store.alias("default", "figures")
    assert store.get("default").name == "figures"


@pytest.mark.parametrize(
    ("alias", "target", "error", "message"),
    [
        ("figures", "text", UsageError, "is the name of a model"),
        ("best", "nothing", ModelNotFoundError, "no model called 'nothing'"),
        ("best", "other", UsageError, "is an alias itself"),
        ("best", "default", UsageError, "is an alias itself"),
        ("../best", "text", UsageError, "cannot be the name of an alias"),
        ("best@1", "text", UsageError, "cannot be the name"),
    ],
)
def test_aliases_that_cannot_be(store, make, alias, target, error, message):
    store.add(make("figures"))
    store.alias("other", "figures")
    with pytest.raises(error, match=message):
        store.alias(alias, target)


def test_a_model_that_an_alias_needs_stays(store, make):
    store.add(make("figures"))
    store.add(make("figures", "2"))
    store.alias("best", "figures")
    store.alias("pinned", "figures@1")
    with pytest.raises(UsageError, match="The alias 'pinned' stands for figures@1"):
        store.remove("figures@1")
    store.remove("figures@2")  # `best` falls back to the other version
    store.alias("pinned", None)
    with pytest.raises(UsageError, match="The alias 'best'"):
        store.remove("figures")
    with pytest.raises(UsageError, match="'best' is an alias; the model behind it is figures@1"):
        store.remove("best")


@pytest.mark.parametrize(
    "name", ["", "@", "figures@", "../models", "figures@../1", "figures@1@2", ".lock", "a/b", "Figures", "é"]
)
def test_names_that_are_none_are_not_found(store, make, name):
    store.add(make("figures"))
    with pytest.raises(ModelNotFoundError):
        store.get(name)
    with pytest.raises(ModelNotFoundError):
        store.remove(name)


def test_near_names_are_named(store, make):
    store.add(make("figures"))
    with pytest.raises(ModelNotFoundError, match="Did you mean figures"):
        store.get("figure")


def test_an_alias_whose_model_was_removed_by_hand(store, make):
    store.add(make("figures"))
    store.alias("best", "figures")
    (store.folder / "figures").rename(store.folder / ".gone")
    with pytest.raises(ModelNotFoundError, match="The alias 'best' stands for figures, which is not installed"):
        store.get("best")


def test_damaged_models_do_not_hide_the_others(store, make):
    store.add(make("figures"))
    store.add(make("broken"))
    (store.folder / "broken" / "1" / "bundle.json").write_text("{")
    (store.folder / "not a model").mkdir()
    (store.folder / "not a model" / "x").mkdir()
    assert refs(store) == ["figures@1", "text@1"]
    assert list(store.damaged()) == ["broken@1"]
    with pytest.raises(BundleError, match=r"bundle\.json cannot be used"):
        store.get("broken")


@pytest.mark.parametrize("content", ["{", "[]", '"x"'])
def test_damaged_aliases_are_named(store, make, content):
    store.add(make("figures"))
    (store.folder / ".aliases.json").write_text(content)
    with pytest.raises(BundleError, match=r"aliases\.json is damaged"):
        store.get("figures")


def test_a_failed_addition_leaves_nothing(store, make):
    bundle = make("figures")
    bundle.weights_path.write_bytes(b"x" * bundle.weights.size)
    with pytest.raises(BundleError, match="SHA-256"):
        store.add(bundle)
    assert [path.name for path in store.folder.iterdir()] == []
    assert refs(store) == ["text@1"]


ADD = """
import sys
from pathlib import Path
from limner.core.errors import BundleError
from limner.models.bundle_files import read_bundle
from limner.models.store import ModelStore
store, bundle = ModelStore(Path(sys.argv[1])), read_bundle(Path(sys.argv[2]))
try:
    store.add(bundle)
except BundleError:
    print("there already")
else:
    print("added")
for i in range(10):
    store.alias(f"a{sys.argv[3]}-{i}", "figures")
"""


def test_several_processes_at_once(store, make):
    bundle = make("figures")
    run = [sys.executable, "-c", ADD, str(store.folder), str(bundle.folder)]
    processes = [subprocess.Popen([*run, str(i)], stdout=subprocess.PIPE, text=True) for i in range(3)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert said == ["added", "there already", "there already"]
    assert refs(store) == ["figures@1", "text@1"]
    assert len(json.loads((store.folder / ".aliases.json").read_text())) == 30
