"""Checkpoints of torch, and pickles of arrays, read without running anything in them.

`read_checkpoint` gives plain data: dictionaries, lists, tuples, texts, numbers, numpy arrays, torch tensors,
and an `Opaque` record for an instance of a class whose module the caller knows. Anything else in the file
is refused by name. `peek_checkpoint` needs no torch and refuses nothing: it says what a file is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from limner.core.errors import CheckpointError, UnsafeCheckpointError
from limner.models.importers.extras import need_extra
from limner.models.pickles.archive import map_file, open_archive
from limner.models.pickles.constructors import RECORDS, STORAGES, VALUES, TensorMaker, constructors
from limner.models.pickles.machine import Machine
from limner.models.pickles.stack import BrokenPickleError
from limner.models.pickles.values import ITEM_SIZES, Constructor, Global, KnownModules, Storage, TensorHeader

if TYPE_CHECKING:
    import torch

#: How an old torch file begins: this number, then the version of its protocol.
_TORCH = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001

_Find = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Peek:
    """What a checkpoint is: its data with `TensorHeader`\\ s for tensors, and the classes that it names."""

    value: object
    #: Dotted names of all classes and functions in it that are no plain data.
    names: frozenset[str]


def read_checkpoint(path: Path, known: KnownModules = ()) -> object:
    """What a checkpoint holds, with torch tensors that are views of the file.

    ``known`` are modules (``models.yolo``, ``torch.nn``) whose classes, and those of modules below them, become
    `Opaque` records. Raises `UnsafeCheckpointError` naming the class that is not allowed, `CheckpointError`
    where the file is damaged or makes no sense, and `MissingExtraError` where torch is not installed.
    """
    need_extra("train", ("torch",), "Reading the numbers in a checkpoint")
    return _Reader(path, _finder(_torch_tensor, known, None), with_data=True).read()


def peek_checkpoint(path: Path) -> Peek:
    """What a checkpoint holds, without the numbers of its tensors; needs no torch. Raises `CheckpointError`.

    The last answer is remembered, for every importer asks.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror}.") from error
    found = _peek(path, about.st_mtime_ns, about.st_size)
    if isinstance(found, Peek):
        return found
    kind, message, hint = found
    raise kind(message, hint=hint)


@lru_cache(maxsize=1)
def _peek(path: Path, changed: int, size: int) -> Peek | tuple[type[CheckpointError], str, str | None]:
    """The same, with an error as a value; when the file has changed, it is another one."""
    del changed, size
    names: set[str] = set()
    try:
        value = _Reader(path, _finder(_header, (), names), with_data=False).read()
    except CheckpointError as error:
        return type(error), error.message, error.hint
    return Peek(value, frozenset(names))


def is_checkpoint(path: Path) -> bool:
    """Whether a file begins like a pickle or an archive; its suffix counts for nothing."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(4)
    return head == b"PK\x03\x04" or (head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"))


def refused_names(path: Path, known: KnownModules) -> list[str]:
    """The classes in a checkpoint that `read_checkpoint` would refuse; raises `CheckpointError`."""
    return sorted(name for name in peek_checkpoint(path).names if not _is_known(name, known))


def unknown_checkpoint(path: Path) -> CheckpointError:
    """Why nobody knows a checkpoint, for people."""
    try:
        peek = peek_checkpoint(path)
    except CheckpointError as error:
        return error
    if peek.names:
        first, *others = sorted(peek.names)
        more = f" (and {len(others)} others)" if others else ""
        return _unsafe(path.name, f"It names {first[:200]}{more}, and that class is not allowed.")
    keys = ", ".join(map(str, peek.value)) if isinstance(peek.value, dict) else type(peek.value).__name__
    return CheckpointError(f"{path.name} is a checkpoint that no importer knows. It holds {keys[:300]}.")


def state_dict(value: object) -> dict[str, torch.Tensor]:
    """The tensors in a dictionary of a checkpoint by their names; numpy arrays become tensors too."""
    import numpy as np
    import torch

    if not isinstance(value, Mapping):
        raise CheckpointError("There is no table of weights where one was expected.")
    out: dict[str, torch.Tensor] = {}
    for key, each in value.items():
        if isinstance(each, torch.Tensor):
            out[str(key)] = each
        elif isinstance(each, np.ndarray):
            # A copy: torch wants to be able to write, and the byte order of this machine.
            out[str(key)] = torch.from_numpy(each.astype(each.dtype.newbyteorder("=")))
    return out


def _unsafe(name: str, why: str) -> UnsafeCheckpointError:
    return UnsafeCheckpointError(
        f"{name} is refused. {why}",
        hint="Nothing in a checkpoint is ever run. Save the weights alone (a state_dict), or export to ONNX.",
    )


def _is_known(name: str, known: KnownModules) -> bool:
    return name in RECORDS or name in STORAGES or any(name.startswith(f"{module}.") for module in known)


def _finder(maker: TensorMaker, known: KnownModules, names: set[str] | None) -> _Find:
    """What a name in a pickle stands for: with ``names`` everything is taken down, and nothing refused."""
    ours: dict[str, Constructor] = constructors(maker)

    def find(name: str) -> object:
        if name in ours:
            return ours[name]
        if name in VALUES:
            return VALUES[name]
        if names is not None:
            names.update({name} - RECORDS - set(STORAGES))
        elif not _is_known(name, known):
            raise UnsafeCheckpointError(f"It names {name[:200]}, and that class is not allowed.")
        return Global(name)

    def attribute(owner: object = None, name: object = None) -> object:
        """A method of a class that may be named is named in its turn, and still not called."""
        if not isinstance(owner, Global) or not isinstance(name, str):
            raise UnsafeCheckpointError("It names builtins.getattr of a value, and that function is not allowed.")
        return find(f"{owner.name}.{name}")

    ours |= dict.fromkeys(("builtins.getattr", "__builtin__.getattr"), Constructor(attribute))
    return find


class _Reader:
    """Reads one file."""

    def __init__(self, path: Path, find: _Find, *, with_data: bool) -> None:
        self._name = path.name
        self._path = path
        self._find = find
        self._with_data = with_data
        self._data = map_file(path)

    def read(self) -> object:
        """The data in the file."""
        try:
            if bytes(self._data[:4]) == b"PK\x03\x04":
                return self._archive()
            if bytes(self._data[:1]) == b"\x80":
                return self._pickles()
        except BrokenPickleError as error:
            raise CheckpointError(f"{self._name} is damaged, or no checkpoint: {error}.") from error
        except UnsafeCheckpointError as error:
            raise _unsafe(self._name, error.message) from error
        raise CheckpointError(f"{self._name} is no checkpoint: it begins neither like an archive nor like a pickle.")

    def _archive(self) -> object:
        archive = open_archive(self._data, self._path)
        storages: dict[str, Storage] = {}

        def load(saved: object) -> object:
            dtype, key, length = _saved_storage(saved)
            if key not in archive.parts:
                raise BrokenPickleError(f"the numbers {key[:40]!r} of a tensor are missing")
            if key not in storages:
                part = archive.parts[key]
                if length * ITEM_SIZES[dtype] > len(part):
                    raise BrokenPickleError(
                        f"a tensor announces {length} numbers of {dtype}, and there are {len(part)} bytes"
                    )
                storages[key] = Storage(dtype, length, part if self._with_data else None)
            return storages[key]

        return Machine(archive.main, self._find, load).run()

    def _pickles(self) -> object:
        """An old torch file (several pickles, then the numbers) or a single pickle."""
        machine = Machine(self._data, self._find, _no_storages)
        first = machine.run()
        if first != _TORCH or type(first) is not int:
            return first
        if machine.run() != _PROTOCOL:
            raise BrokenPickleError("it is of an unknown version")
        machine.run()  # what machine it was written on
        start = machine.at
        # The numbers come last: a first reading finds where they begin.
        wanted: dict[str, Storage] = {}
        dry = Machine(self._data, self._find, lambda saved: wanted.setdefault(*_announced(saved)), start)
        dry.run()
        stored = self._stored(dry, wanted)
        return Machine(self._data, self._find, lambda saved: stored[_announced(saved)[0]], start).run()

    def _stored(self, machine: Machine, wanted: Mapping[str, Storage]) -> dict[str, Storage]:
        """The runs of numbers after the pickles, each after its length, in the order of their keys."""
        keys = machine.run()
        if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(wanted):
            raise BrokenPickleError("it has not the numbers that its tensors need")
        at, out = machine.at, {}
        for key in map(str, keys):
            storage = wanted[key]
            end = at + 8 + storage.length * ITEM_SIZES[storage.dtype]
            if end > len(self._data) or int.from_bytes(self._data[at : at + 8], "little") != storage.length:
                raise BrokenPickleError(f"a tensor announces {storage.length} numbers, and they are not there")
            data = self._data[at + 8 : end] if self._with_data else None
            out[key] = Storage(storage.dtype, storage.length, data)
            at = end
        return out


def _saved_storage(saved: object) -> tuple[str, str, int]:
    """Type, key and length of what a persistent id announces."""
    match saved:
        case ("storage", Global(name=name), str() as key, str(), int() as length, *_) if name in STORAGES:
            if 0 <= length < 1 << 48:
                return STORAGES[name], key, length
    raise BrokenPickleError("a tensor has numbers of an unknown kind")


def _announced(saved: object) -> tuple[str, Storage]:
    """A storage by its key, of which only the length is known yet."""
    dtype, key, length = _saved_storage(saved)
    return key, Storage(dtype, length, None)


def _no_storages(_: object) -> object:
    raise BrokenPickleError("it refers to numbers outside the pickle")


def _header(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> TensorHeader:
    del offset, strides
    return TensorHeader(shape, storage.dtype)


def _torch_tensor(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> object:
    """A tensor over the bytes of the file."""
    import torch

    dtype: torch.dtype = getattr(torch, storage.dtype)
    if not storage.length or storage.data is None or 0 in shape:
        return torch.empty(shape, dtype=dtype)
    data = storage.data[: storage.length * dtype.itemsize]
    flat = torch.frombuffer(data, dtype=dtype)
    if flat.data_ptr() % dtype.itemsize:  # old files put numbers anywhere, and some kernels need them aligned
        flat = flat.clone()
    return flat.as_strided(shape, strides, offset)
