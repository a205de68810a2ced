from __future__ import annotations

import argparse
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict, defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from limner.core.errors import BundleError, CheckpointError, UnsafeCheckpointError
from limner.models.importers.checkpoints import (
    is_checkpoint,
    peek_checkpoint,
    read_checkpoint,
    state_dict,
    unknown_checkpoint,
)
from limner.models.importers.protocol import importer_for
from limner.models.pickles.values import Global, Opaque, TensorHeader
from tests.models.importers.checkpoints import archive, calling, plain, saved, stand_ins, tensor_pickle

KINDS = [
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
    torch.complex64,
]


def weights() -> dict:
    base = torch.arange(24, dtype=torch.float32)
    return {
        "state": OrderedDict((str(kind), torch.arange(6).reshape(2, 3).to(kind)) for kind in KINDS),
        "parameter": torch.nn.Parameter(torch.ones(3)),
        "views": [base[3:7], base.reshape(4, 6).T, base[::5], base[5]],
        "empty": torch.empty(0, 4),
        "names": {0: "a", 1: "é"},
        "others": (None, True, 1.5, 2**70, torch.Size([1, 2]), torch.float16, torch.device("cpu"), Path("/a/b")),
        "kinds": {"set": {1, 2}, "frozen": frozenset({1}), "default": defaultdict(list, {"a": [1]})},
        "scalar": np.float64(0.5),
        "module": torch.nn.Linear(2, 3).state_dict(),
    }


@pytest.mark.parametrize("old", [False, True])
def test_what_torch_saves_is_read(tmp_path: Path, old):
    value = weights()
    found = read_checkpoint(saved(value, tmp_path / "w.pt", old=old))
    expected = value | {"others": (None, True, 1.5, 2**70, (1, 2), "float16", "cpu", "/a/b"), "scalar": 0.5}
    assert plain(found) == plain(expected)
    assert all(isinstance(each, torch.Tensor) for each in found["module"].values())
    # They are views of the file, and can be written to all the same: a copy is changed, not the file.
    found["state"]["torch.float32"].fill_(7)
    again = read_checkpoint(tmp_path / "w.pt")
    assert again["state"]["torch.float32"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("old", [False, True])
def test_a_peek_has_headers_only(tmp_path: Path, old):
    peek = peek_checkpoint(saved(weights(), tmp_path / "w.pt", old=old))
    assert peek.value["state"]["torch.bfloat16"] == TensorHeader((2, 3), "bfloat16")
    assert peek.names == frozenset()


def test_a_peek_needs_no_torch(tmp_path: Path):
    saved(weights(), tmp_path / "w.pt")
    code = (
        "import sys, pathlib; from limner.models.importers.checkpoints import peek_checkpoint;"
        "peek_checkpoint(pathlib.Path(sys.argv[1])); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path / "w.pt"], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickled_arrays_are_read(tmp_path: Path, protocol):
    arrays = {
        "c": np.arange(6, dtype=np.float32).reshape(2, 3),
        "f": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
        "long": np.arange(3000, dtype=np.float64),
        "bool": np.array([True, False]),
        "number": np.float32(1.5),
    }
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "somebody"}, protocol))
    if protocol < 2:  # nobody has written such a file since 2003
        with pytest.raises(CheckpointError, match="begins neither"):
            read_checkpoint(path)
        return
    found = read_checkpoint(path)
    assert found["__author__"] == "somebody"
    for name, array in arrays.items():
        np.testing.assert_array_equal(found["model"][name], array)
    assert set(state_dict(found["model"])) == {"c", "f", "long", "bool"}


def test_arrays_of_python_2(tmp_path: Path):
    """As Detectron2's oldest files are: texts and raw numbers are the same there."""
    raw = np.arange(2, dtype="<f4").tobytes()
    data = (
        b"\x80\x02}U\x01wcnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x02tcnumpy\ndtype\n"
        b"(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08" + raw + b"tbs."
    )
    (tmp_path / "R-50.pkl").write_bytes(data)
    assert read_checkpoint(tmp_path / "R-50.pkl")["w"].tolist() == [0, 1]


class Detect(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.nc = 3
        self.weight = torch.nn.Parameter(torch.ones(2))


def test_known_classes_become_records_and_others_are_refused(tmp_path: Path):
    with stand_ins({"models.yolo.Detect": Detect}):
        saved({"model": Detect(), "opt": argparse.Namespace(epochs=3)}, tmp_path / "w.pt")
    found = read_checkpoint(tmp_path / "w.pt", ("models",))
    assert isinstance(found["model"], Opaque)
    assert (found["model"].name, found["model"].get("nc")) == ("models.yolo.Detect", 3)
    assert found["model"].get("_parameters")["weight"].tolist() == [1, 1]
    assert found["opt"].state == {"epochs": 3}
    assert peek_checkpoint(tmp_path / "w.pt").names == {"models.yolo.Detect"}
    for known in ((), ("model",), ("models.yol",), ("models.yolo.Detect",)):
        with pytest.raises(UnsafeCheckpointError, match=r"w\.pt is refused\. It names models\.yolo\.Detect"):
            read_checkpoint(tmp_path / "w.pt", known)


HOSTILE = [
    ("os", "system"),
    ("posix", "system"),
    ("nt", "system"),
    ("subprocess", "Popen"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "getattr"),
    ("__builtin__", "apply"),
    ("builtins", "__import__"),
    ("operator", "attrgetter"),
    ("functools", "partial"),
    ("copyreg", "_reconstructor"),
    ("copyreg", "__newobj__"),
    ("torch", "load"),
    ("torch.serialization", "load"),
    ("torch.hub", "load"),
    ("torch.jit", "load"),
    ("torch.utils.data", "DataLoader"),
    ("numpy.testing._private.utils", "runstring"),
    ("numpy", "load"),
    ("numpy.f2py.capi_maps", "getinit"),
    ("torch._utils", "_rebuild_tensor_v2.__globals__"),
    ("torch._utils", "os.system"),
    ("collections", "OrderedDict.fromkeys"),
    ("torch.storage", "_load_from_bytes"),
    ("pip", "main"),
    ("runpy", "_run_code"),
    ("ctypes", "CDLL"),
    ("timeit", "timeit"),
    ("pty", "spawn"),
    ("importlib", "import_module"),
    ("types", "CodeType"),
    ("types", "FunctionType"),
    ("pickle", "loads"),
    ("code", "InteractiveInterpreter"),
]


@pytest.mark.parametrize("kind", ["archive", "plain"])
@pytest.mark.parametrize(("module", "name"), HOSTILE)
def test_hostile_pickles_are_refused_by_name(tmp_path: Path, module, name, kind):
    trace = tmp_path / "was-here"
    data = calling(module, name, f"touch {trace}")
    path = archive(tmp_path / "w.pt", data) if kind == "archive" else tmp_path / "w.pt"
    if kind == "plain":
        path.write_bytes(data)
    for known in ((), ("models", "torch.nn", "ultralytics")):
        with pytest.raises(UnsafeCheckpointError) as caught:
            read_checkpoint(path, known)
        assert f"{module}.{name}" in str(caught.value)
    with pytest.raises(UnsafeCheckpointError, match="names"):
        importer_for(path)
    assert not trace.exists()


def test_nothing_that_a_known_class_could_do_is_done(tmp_path: Path):
    """A chain of calls through records stays a record, or is refused."""
    trace = tmp_path / "was-here"
    path = archive(tmp_path / "w.pt", calling("models.common", "os.system", f"touch {trace}"))
    assert read_checkpoint(path, ("models",)).name == "models.common.os.system"
    # The result called once more: getattr(os, "system")("touch …").
    path = archive(tmp_path / "v.pt", calling("models.common", "getattr", "os", "system")[:-1] + b"(U\x01atR.")
    with pytest.raises(UnsafeCheckpointError, match=r"calls what it got from models\.common\.getattr"):
        read_checkpoint(path, ("models",))
    assert not trace.exists()


class Segment(Detect):
    def __init__(self):
        super().__init__()
        self.detect = Detect.forward


def test_a_method_of_a_known_class_is_a_name(tmp_path: Path):
    """As the heads of YOLOv5 that segment have one."""
    with stand_ins({"models.yolo.Detect": Detect, "models.yolo.Segment": Segment}):
        Detect.forward = lambda self: None
        Detect.forward.__module__, Detect.forward.__qualname__ = "models.yolo", "Detect.forward"
        torch.save(Segment(), tmp_path / "w.pt", pickle_protocol=2)
    assert read_checkpoint(tmp_path / "w.pt", ("models",)).get("detect") == Global("models.yolo.Detect.forward")
    # Reached from a class that everybody may name, it is refused.
    path = archive(tmp_path / "v.pt", b"\x80\x02cbuiltins\ngetattr\n(cbuiltins\nobject\nU\x0e__subclasses__tR.")
    with pytest.raises(UnsafeCheckpointError, match=r"names builtins\.object\.__subclasses__"):
        read_checkpoint(path, ("models",))


def test_arguments_of_our_constructors_are_checked(tmp_path: Path):
    for data in (
        b"\x80\x02cnumpy\ndtype\n(U\x01OtR.",
        b"\x80\x02cnumpy\ndtype\n(U\x08f4,(9,9)tR.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(ccollections\nOrderedDict\n(K\x00tU\x01btR.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))tR.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02c_codecs\nencode\n(U\x01aU\x05rot13tR.",
        b"\x80\x02ccollections\nOrderedDict\n(](]K\x01etatR.",
        b"\x80\x02cbuiltins\nset\n(](]etatR.",
        b"\x80\x02U\x07storageQ.",
    ):
        path = tmp_path / "w.pkl"
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match="is damaged"):
            read_checkpoint(path)


@pytest.mark.parametrize(
    ("numel", "shape", "strides", "offset"),
    [
        (8_000_000_000, (8_000_000_000,), (1,), 0),  # 30 GB announced
        (4, (5,), (1,), 0),
        (4, (2, 2), (4, 1), 0),
        (4, (2,), (1,), 3),
        (4, (2,), (1,), -1),
        (4, (1_000_000, 1_000_000), (0, 0), 0),  # one number a trillion times
        (4, (-1,), (1,), 0),
        (4, (2, 2), (1,), 0),
        (4, (1 << 62, 1 << 62), (1, 1), 0),
        (-4, (2,), (1,), 0),
    ],
)
def test_tensors_stay_inside_their_numbers(tmp_path: Path, numel, shape, strides, offset):
    path = archive(tmp_path / "w.pt", tensor_pickle(numel, shape, strides, offset), {"data/0": bytes(16)})
    for read in (read_checkpoint, peek_checkpoint):
        with pytest.raises(CheckpointError, match="damaged"):
            read(path)


def test_a_header_that_is_right_is_read(tmp_path: Path):
    numbers = struct.pack("<4f", 1, 2, 3, 4)
    path = archive(tmp_path / "w.pt", tensor_pickle(4, (2, 2), (2, 1)), {"data/0": numbers, "byteorder": b"little"})
    assert read_checkpoint(path)["weight"].tolist() == [[1, 2], [3, 4]]
    archive(path, tensor_pickle(4, (2, 2), (2, 1)), {"data/0": numbers, "byteorder": b"big"})
    with pytest.raises(CheckpointError, match="another order of bytes"):
        read_checkpoint(path)
    archive(path, tensor_pickle(4, (2, 2), (2, 1)), {"data/1": numbers})
    with pytest.raises(CheckpointError, match="numbers '0' of a tensor are missing"):
        read_checkpoint(path)


def test_zip_bombs_are_refused(tmp_path: Path):
    bomb = archive(tmp_path / "bomb.pt", bytes(50_000_000), compressed=True)
    assert bomb.stat().st_size < 100_000
    with pytest.raises(CheckpointError, match="compressed or encrypted"):
        read_checkpoint(bomb)


def test_archives_that_lie_are_refused(tmp_path: Path):
    good = archive(tmp_path / "good.pt", tensor_pickle(4, (4,), (1,)), {"data/0": bytes(16)}).read_bytes()
    start = good.rindex(b"PK\x01\x02")
    overlapping = bytearray(good)
    # The last part says that it begins where the first does, and that it is larger than the file.
    overlapping[start + 20 : start + 28] = struct.pack("<II", 10**9, 10**9)
    listed = bytearray(good)
    listed[good.rindex(b"PK\x05\x06") + 12 :][:4] = b""
    listed[good.rindex(b"PK\x05\x06") + 12 : good.rindex(b"PK\x05\x06") + 16] = struct.pack("<I", 1 << 30)
    for data, message in ((overlapping, "more than the file"), (listed, "announces a list of contents")):
        (tmp_path / "w.pt").write_bytes(bytes(data))
        with pytest.raises(CheckpointError, match=message):
            read_checkpoint(tmp_path / "w.pt")


def test_one_part_under_many_names_is_refused(tmp_path: Path):
    """What is stored once and listed a thousand times is larger when read than the file."""
    path = archive(tmp_path / "w.pt", tensor_pickle(4, (4,), (1,)), {"data/0": bytes(10_000)})
    data = path.read_bytes()
    with zipfile.ZipFile(path) as opened:
        directory = opened.start_dir
    end = data.rindex(b"PK\x05\x06")
    last = data[data.rindex(b"PK\x01\x02") : end]
    copies = b"".join(last.replace(b"data/0", f"data/{i}".encode()) for i in range(1, 9))
    entries = data[directory:end] + copies
    head = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 10, 10, len(entries), directory, 0)
    path.write_bytes(data[:directory] + entries + head)
    with pytest.raises(CheckpointError, match="overlap"):
        read_checkpoint(path)


@pytest.mark.parametrize("old", [False, True])
def test_cut_files_are_refused_wherever_they_are_cut(tmp_path: Path, old):
    whole = saved({"w": torch.arange(5000.0), "names": ["a"] * 50}, tmp_path / "w.pt", old=old).read_bytes()
    path = tmp_path / "cut.pt"
    for share in (0.001, 0.01, 0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(CheckpointError, match=r"cut\.pt"):
            read_checkpoint(path)
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint(path)
    assert not is_checkpoint(path)
    assert not is_checkpoint(tmp_path)


def test_damaged_files_are_read_or_refused_and_never_crash(tmp_path: Path):
    whole = saved(weights(), tmp_path / "w.pt").read_bytes()
    random = np.random.default_rng(3)
    for _ in range(60):
        data = bytearray(whole)
        for at in random.integers(0, len(whole), 4):
            data[at] = int(random.integers(0, 256))
        (tmp_path / "w.pt").write_bytes(bytes(data))
        with suppress(CheckpointError):
            read_checkpoint(tmp_path / "w.pt")


def test_other_files_are_no_checkpoints(tmp_path: Path):
    (tmp_path / "a.pt").write_bytes(b"<html>not found</html>")
    with pytest.raises(CheckpointError, match="begins neither like an archive nor like a pickle"):
        read_checkpoint(tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "b.pt", "w") as opened:
        opened.writestr("x/readme.txt", "hello")
    with pytest.raises(CheckpointError, match=r"no data\.pkl"):
        read_checkpoint(tmp_path / "b.pt")


def test_torchscript_is_named(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "s.pt", "w") as opened:
        for name in ("s/data.pkl", "s/constants.pkl", "s/code/__torch__.py"):
            opened.writestr(name, b"\x80\x02N.")
    with pytest.raises(CheckpointError, match="TorchScript"):
        read_checkpoint(tmp_path / "s.pt")


def test_a_checkpoint_that_nobody_knows_is_described(tmp_path: Path):
    path = saved({"generator": {"w": torch.ones(1)}, "step": 3}, tmp_path / "gan.pt")
    assert "It holds generator, step" in str(unknown_checkpoint(path))
    with pytest.raises(BundleError, match=r"gan\.pt is a checkpoint that no importer knows"):
        importer_for(path)


def test_a_table_of_weights_is_one(tmp_path: Path):
    with pytest.raises(CheckpointError, match="no table of weights"):
        state_dict([1])
