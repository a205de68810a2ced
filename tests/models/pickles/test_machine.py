from __future__ import annotations

import collections
import pickle
import pickletools
import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import UnsafeCheckpointError
from limner.models.pickles.constructors import constructors
from limner.models.pickles.machine import Machine
from limner.models.pickles.stack import BrokenPickleError
from limner.models.pickles.values import Global, Opaque

OURS = constructors(lambda *_: None)


def read(data: bytes):
    return Machine(memoryview(data), lambda name: OURS.get(name) or Global(name), lambda saved: saved).run()


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.sets(st.integers())
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=60)
@given(plain, st.sampled_from([3, 4, 5]))
def test_plain_data_comes_back_as_it_was(value, protocol):
    assert read(pickle.dumps(value, protocol)) == value


def test_every_instruction_is_known_or_refused_by_name():
    for each in pickletools.opcodes:
        said = ""
        try:
            read(each.code.encode("latin-1") + b"." * 9)
        except (BrokenPickleError, UnsafeCheckpointError) as error:
            said = str(error)
        assert "unknown instruction" not in said, each.name


def test_old_protocols():
    value = {"a": [1, 2.5, None, True, -7, 10**30], "b": ("x", "y", "z", "w")}
    for protocol in (0, 1, 2):
        assert read(pickle.dumps(value, protocol)) == value


def test_shared_and_circular_parts_stay_so():
    shared = [1]
    first, second = read(pickle.dumps((shared, shared)))
    assert first is second
    circle = []
    circle.append(circle)
    found = read(pickle.dumps(circle))
    assert found[0] is found


class Layer:
    def __init__(self):
        self.size = 3


def test_an_instance_becomes_a_record():
    found = read(pickle.dumps(Layer()))
    assert isinstance(found, Opaque)
    assert (found.name, found.kind, found.state, found.get("none", 5)) == (f"{__name__}.Layer", "Layer", {"size": 3}, 5)


def test_kinds_of_list_and_dictionary_become_records():
    found = read(pickle.dumps(collections.Counter("aab")))
    assert found.name == "collections.Counter"
    found = read(pickle.dumps(collections.UserList([1, 2])))
    assert found.state["data"] == [1, 2]


def test_nothing_is_called():
    called = []

    class Trap:
        def __reduce__(self):
            return called.append, (1,)

    with pytest.raises(UnsafeCheckpointError, match=r"builtins\.getattr"):
        read(pickle.dumps(Trap()))
    assert called == []


def repeated(head: bytes, part: bytes, count: int, tail: bytes) -> bytes:
    return b"\x80\x04" + head + part * count + tail + b"."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends too early"),
        (b"\x80\x04", "ends too early"),
        (b"\x80\x04.", "ends too early"),
        (b"\x80\x04X\xff\xff\xff\x7fabc", "too long"),
        (b"\x80\x04B\xff\xff\xff\x7fabc", "ends too early"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**63) + b"abc", "ends too early"),
        (b"\x80\x04\x8b\xff\xff\xff\x7f", "number in it is too long"),
        (b"I" + b"9" * 900 + b"\n.", "number in it is too long"),
        (b"V" + b"a" * 2000, "does not end"),
        (b"\x80\x04j\xff\xff\xff\xff.", "never stored"),
        (b"\x80\x04NNs.", "ends too early"),
        (b"\x80\x04Ns.", "takes more from the stack"),
        (b"\x80\x04}]Ns.", "key in it is no plain value but list"),
        (b"\x80\x04N)R.", "calls what it got"),
        (b"\x80\x04)N\x81.", "no tuple"),
        (b"\x80\x04Nq\x00K\x01b.", "attributes to what has none"),
        (b"\x80\x04\x82\x01.", "registered extensions"),
        (b"\x80\x04\x97.", "outside the file"),
        (b"\x80\x04(i__main__\nX\n.", "old classes"),
        (b"\x80\x04\xff.", "unknown instruction 255"),
        (b"\x80\x04e.", "ends too early"),
        (b"\x80\x04KK\x93.", "stack|no name"),
        (b"S'a\\x41'\n.", "not quoted"),
        (repeated(b"", b"(", 2000, b""), "nested too deeply"),
        (repeated(b"", b"N0", 300_000, b"N"), "instructions"),
        # A key that doubles with every step would take for ever to hash.
        (repeated(b"}Nq\x000", b"h\0h\0\x86q\x000", 60, b"h\0Ns"), "key in it is no plain value but tuple"),
    ],
)
def test_what_is_broken_is_refused(data, message):
    with pytest.raises((BrokenPickleError, UnsafeCheckpointError), match=message):
        read(data)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=60), st.integers(0, 400))
def test_any_bytes_are_read_or_refused(noise, at):
    good = pickle.dumps({"a": [Layer(), 1.5, (1, "x", b"y")], "b": {1, 2}}, 4)
    data = good[: at % len(good)] + noise + good[at % len(good) :]
    with suppress(BrokenPickleError, UnsafeCheckpointError):
        read(data)
