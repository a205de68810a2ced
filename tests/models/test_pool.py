from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from limner.core.errors import BundleError, ModelError, ModelNotFoundError
from limner.core.registry import Registry
from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.models.bundle_files import read_bundle
from limner.models.pool import Loaded, ModelPool, estimated_memory
from limner.models.protocol import Options
from limner.models.store import ModelStore
from tests.models.networks import bright_boxes_bundle, noop_bundle

SECONDS = 20


class Counted:
    """A predictor that only counts."""

    wanted_side = 8

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.predicted = 0
        self.closed = threading.Event()

    def predict(self, pixels, size, options):
        self.predicted += 1
        return []

    def close(self) -> None:
        assert not self.closed.is_set()
        self.closed.set()


class Weighed(Counted):
    """One that knows its memory."""

    memory = 70


class Gated:
    """A runtime whose loading takes as long as the test wants."""

    name = "gated"

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.began = threading.Event()
        self.gates: dict[str, threading.Event] = {}
        self.errors: dict[str, BaseException] = {}
        self.kind = Counted

    def load(self, bundle, options):
        self.loads.append(bundle.name)
        self.began.set()
        if bundle.name in self.gates:
            assert self.gates[bundle.name].wait(SECONDS)
        if bundle.name in self.errors:
            raise self.errors[bundle.name]
        return self.kind(bundle)


@pytest.fixture
def gated() -> Gated:
    return Gated()


@pytest.fixture
def make(tmp_path: Path, gated: Gated):
    """Pools over models `a`, `b`, `c`, … that take 40 bytes each."""

    def make(budget: int = 1000, patience: float = SECONDS) -> ModelPool:
        builtin: Registry[Bundle] = Registry("limner.tests.nothing", "built-in model")
        for name in "abcdef":
            builtin.add(name, Bundle(name=name, task="ocr", runtime="gated", memory=40))
        runtimes = Registry("limner.tests.nothing", "runtime")
        runtimes.add("gated", gated)
        settings = Settings(data=tmp_path, model_memory=budget)
        return ModelPool(ModelStore(tmp_path, builtin), settings, runtimes=runtimes, patience=patience)

    return make


def names(pool: ModelPool) -> list[str]:
    return [loaded.ref.partition("@")[0] for loaded in pool.loaded()]


def test_a_model_is_loaded_once_and_kept(make, gated):
    pool = make()
    with pool.use("a") as first, pool.use("a@1") as second:
        assert first is second
        assert pool.loaded() == (Loaded("a@1", 40, 2),)
    with pool.use("a") as third:
        assert third is first
    assert gated.loads == ["a"]
    assert pool.loaded() == (Loaded("a@1", 40, 0),)


def test_many_who_wait_share_one_load(make, gated):
    pool, gate = make(), threading.Event()
    gated.gates["a"] = gate

    def work(_: int) -> Counted:
        with pool.use("a") as predictor:
            return predictor

    with ThreadPoolExecutor(16) as executor:
        waiting = [executor.submit(work, i) for i in range(16)]
        assert gated.began.wait(SECONDS)
        gate.set()
        assert len({id(each.result(SECONDS)) for each in waiting}) == 1
    assert gated.loads == ["a"]


def test_users_of_another_model_do_not_wait(make, gated):
    pool, gate = make(), threading.Event()
    with pool.use("b"):
        pass
    gated.gates["a"] = gate
    gated.began.clear()
    with ThreadPoolExecutor(1) as executor:
        loading = executor.submit(lambda: pool.warm("a"))
        assert gated.began.wait(SECONDS)
        for name in "bc":  # one loaded before, and one that is loaded meanwhile
            with pool.use(name) as predictor:
                assert predictor.bundle.name == name
        assert not loading.done()
        gate.set()
        loading.result(SECONDS)


def test_the_least_recently_used_goes(make):
    pool = make(budget=120)
    kept = {}
    for name in "abc":
        with pool.use(name) as kept[name]:
            pass
    with pool.use("a"):
        pass
    with pool.use("d"):
        assert names(pool) == ["c", "a", "d"]
    assert kept["b"].closed.is_set()
    assert not kept["a"].closed.is_set()


def test_what_is_in_use_stays(make):
    pool = make(budget=80)
    with pool.use("a") as used:
        with pool.use("b"):
            pass
        with pool.use("c"):
            assert names(pool) == ["a", "c"]
        assert not used.closed.is_set()


def test_a_request_waits_for_memory_and_gets_it(make):
    pool = make(budget=40)
    entered, done = threading.Event(), threading.Event()

    def hold() -> None:
        with pool.use("a"):
            entered.set()
            assert done.wait(SECONDS)

    with ThreadPoolExecutor(2) as executor:
        holding = executor.submit(hold)
        assert entered.wait(SECONDS)
        waiting = executor.submit(lambda: pool.warm("b"))
        assert names(pool) == ["a"]
        done.set()
        waiting.result(SECONDS)
        holding.result(SECONDS)
    assert names(pool) == ["b"]


def test_patience_ends(make, gated):
    pool = make(budget=40, patience=0.05)
    with (
        pool.use("a"),
        pytest.raises(ModelError, match="no memory for the model b@1: others are in use"),
        pool.use("b"),
    ):
        pass
    with pool.use("b"):  # tried again once there is room
        assert gated.loads == ["a", "b"]


def test_a_model_above_the_budget_is_refused_at_once(make, gated):
    pool = make(budget=39)
    with pytest.raises(ModelError, match=r"needs about 40 bytes of memory.*39.*LIMNER_MODEL_MEMORY"), pool.use("a"):
        pass
    assert gated.loads == []


def test_a_predictor_that_knows_its_memory_is_believed(make, gated):
    pool = make(budget=110)
    gated.kind = Weighed
    with pool.use("a"), pool.use("b"):
        assert sum(each.memory for each in pool.loaded()) == 140
    gated.kind = Counted
    with pool.use("c"):
        assert names(pool) == ["b", "c"]


def test_an_error_goes_to_all_who_wait_and_is_not_kept(make, gated):
    pool, gate = make(), threading.Event()
    gated.gates["a"] = gate
    gated.errors["a"] = BundleError("The file is damaged.", hint="Add it again.")

    def work(_: int) -> None:
        with pool.use("a"):
            pass

    with ThreadPoolExecutor(8) as executor:
        waiting = [executor.submit(work, i) for i in range(8)]
        assert gated.began.wait(SECONDS)
        gate.set()
        errors = [each.exception(SECONDS) for each in waiting]
    assert {str(error) for error in errors} == {"The file is damaged. Add it again."}
    assert {type(error) for error in errors} == {BundleError}
    # Whoever loads gets the error itself, the others one of their own: tracebacks are not shared.
    assert len({id(error) for error in errors}) == 8 - len(gated.loads) + 1
    assert pool.loaded() == ()
    gated.errors.clear()
    with pool.use("a") as predictor:
        assert predictor.bundle.name == "a"


def test_errors_of_other_kinds_become_model_errors_for_those_who_wait(make, gated):
    pool, gate = make(), threading.Event()
    gated.gates["a"] = gate
    gated.errors["a"] = ZeroDivisionError("oh")
    with ThreadPoolExecutor(2) as executor:
        first = executor.submit(lambda: pool.warm("a"))
        assert gated.began.wait(SECONDS)
        second = executor.submit(lambda: pool.warm("a"))
        while next(iter(pool._entries.values())).users < 2:
            time.sleep(0.001)
        gate.set()
        kinds = {type(first.exception(SECONDS)), type(second.exception(SECONDS))}
    assert kinds == {ZeroDivisionError, ModelError}


def test_an_unknown_model_is_not_found(make):
    with pytest.raises(ModelNotFoundError), make().use("z"):
        pass


def test_an_error_of_the_user_leaves_the_model_loaded(make):
    pool = make()
    with pytest.raises(KeyError), pool.use("a"):
        raise KeyError
    assert pool.loaded() == (Loaded("a@1", 40, 0),)


def test_warming_predicts_once(make):
    pool = make()
    pool.warm("a")
    with pool.use("a") as predictor:
        assert predictor.predicted == 1


def test_closing(make):
    pool = make()
    with pool.use("a") as used:
        with pool.use("b") as idle:
            pass
        pool.close()
        assert idle.closed.is_set()
        assert not used.closed.is_set()
        with pytest.raises(ModelError, match="closed"), pool.use("a"):
            pass
    assert used.closed.is_set()
    pool.close()
    assert pool.loaded() == ()


def test_many_threads_many_models_little_memory(make, gated):
    pool, most = make(budget=80), []

    def work(at: int) -> None:
        for turn in range(25):
            with pool.use("abcdef"[(at * 7 + turn) % 6]) as predictor:
                assert not predictor.closed.is_set()
                predictor.predict(None, None, None)
                most.append(sum(each.memory for each in pool.loaded()))

    with ThreadPoolExecutor(6) as executor:
        for each in [executor.submit(work, at) for at in range(6)]:
            each.result(SECONDS)
    assert max(most) <= 80
    assert all(each.users == 0 for each in pool.loaded())


def test_memory_is_reckoned_from_the_weights(tmp_path: Path):
    bundle = read_bundle(noop_bundle(tmp_path / "noop"))
    assert estimated_memory(bundle) == 64_000_000 + 2 * bundle.weights.size
    assert estimated_memory(bundle.changed(memory=5)) == 5


def test_a_real_model_and_one_put_in_its_place(tmp_path: Path):
    store = ModelStore(tmp_path / "models", Registry("limner.tests.nothing", "built-in model"))
    store.add(read_bundle(noop_bundle(tmp_path / "first", name="boxes")))
    pool = ModelPool(store, Settings(data=tmp_path, threads=1))
    image = np.zeros((256, 256, 3), np.uint8)
    image[:128, :128] = 255
    with pool.use("boxes") as predictor:
        assert predictor.predict(image, (256, 256), Options()) == []
    store.add(read_bundle(bright_boxes_bundle(tmp_path / "second", name="boxes")), replace=True)
    with pool.use("boxes") as predictor:
        assert len(predictor.predict(image, (256, 256), Options())) == 1
    pool.close()


def test_a_bundle_is_lent_wherever_it_was_found(make, gated):
    pool = make()
    bundle = pool._store.get("a")
    with pool.use_bundle(bundle) as one, pool.use("a") as same, pool.use_bundle(bundle.changed(title="Other")) as other:
        assert one is same
        assert other is not one
        assert other.bundle.title == "Other"
