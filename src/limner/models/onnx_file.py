"""What stands in an ONNX file, read without running anything.

ONNX files are protocol buffers. This walks through them field by field (tensors are stepped over,
not read), finds inputs, outputs and metadata, and refuses what reaches outside the file. The field
numbers are those of ``onnx.proto`` in the ONNX repository.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from limner.core.errors import BundleError

#: More fields than this are no network but an attack on our patience.
_MOST_FIELDS = 1_000_000
_DEEPEST = 32
_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}

#: A field's number and its value: a whole number, or the bytes of something longer.
_Field: TypeAlias = tuple[int, int | memoryview]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output of a network."""

    name: str
    #: Lengths of the axes; None where they may vary.
    shape: tuple[int | None, ...]
    #: Type of the numbers, as numpy calls it; empty when it is an unusual one.
    dtype: str


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What an ONNX file says of itself."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    #: The program that wrote it.
    producer: str
    #: Its ``metadata_props``.
    metadata: dict[str, str]


def read_onnx(path: Path) -> OnnxFile:
    """Read an ONNX file; raises `BundleError` when it is none, or keeps data in other files."""
    try:
        with path.open("rb") as file:
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:  # mmap refuses empty files with ValueError
        raise BundleError(f"{path.name} cannot be read as an ONNX file: {error}.") from error
    try:
        return _Reader().model(view)
    except _BrokenError as error:
        raise BundleError(f"{path.name} is no ONNX file, or a damaged one: {error}.") from error
    except _OutsideError as error:
        raise BundleError(
            f"{path.name} is refused: {error}.", hint="Save the network as one file with all its data inside."
        ) from error


class _BrokenError(Exception):
    """The bytes are not what they should be."""


class _OutsideError(Exception):
    """The network wants to read other files."""


@dataclass(slots=True)
class _Reader:
    """Counts fields on its way through one file."""

    fields: int = 0
    metadata: dict[str, str] = field(default_factory=dict)

    def walk(self, view: memoryview) -> Iterator[_Field]:
        """The fields of one message."""
        at = 0
        while at < len(view):
            self.fields += 1
            if self.fields > _MOST_FIELDS:
                raise _BrokenError("it has too many fields")
            key, at = _varint(view, at)
            value, at = _value(view, at, key & 7)
            yield key >> 3, value

    def model(self, view: memoryview) -> OnnxFile:
        """A ModelProto."""
        version, producer, graph = 0, "", None
        for number, value in self.walk(view):
            match number, value:
                case 1, int():
                    version = value
                case 2, memoryview():
                    producer = _text(value)
                case 7, memoryview():
                    graph = value
                case 14 | 20 | 25, memoryview():
                    self._rest(number, value)
        if not version or graph is None:
            raise _BrokenError("it holds no network")
        inputs, outputs = self.graph(graph, 0)
        return OnnxFile(inputs, outputs, producer, self.metadata)

    def _rest(self, number: int, view: memoryview) -> None:
        """What else a ModelProto has: metadata (14), how it is trained (20), functions of its own (25)."""
        if number == 14:
            self._remember(view)
            return
        for _, part in self._messages(view, *((1, 2) if number == 20 else (7,))):
            if number == 20:
                self.graph(part, 0)
            else:
                self.node(part, 0)

    def graph(self, view: memoryview, depth: int) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        """A GraphProto: its inputs (those that are no constants) and outputs."""
        if depth > _DEEPEST:
            raise _BrokenError("its parts are nested too deeply")
        constants: set[str] = set()
        inputs, outputs = [], []
        for number, part in self._messages(view, 1, 5, 11, 12, 15):
            match number:
                case 1:
                    self.node(part, depth)
                case 5:
                    constants.add(self.tensor(part))
                case 11:
                    inputs.append(self._info(part))
                case 12:
                    outputs.append(self._info(part))
                case 15:
                    self._sparse(part)
        return tuple(info for info in inputs if info.name not in constants), tuple(outputs)

    def node(self, view: memoryview, depth: int) -> None:
        """A NodeProto: look into the tensors and graphs among its attributes."""
        for number, part in self._messages(view, 4, 5):
            if number == 4 and bytes(part) == b"EPContext":
                raise _OutsideError("it is a compiled network that may read other files")
            if number == 5:
                self._attribute(part, depth)

    def _attribute(self, view: memoryview, depth: int) -> None:
        """An AttributeProto."""
        for number, part in self._messages(view, 5, 6, 10, 11, 22, 23):
            if number in (5, 10):
                self.tensor(part)
            elif number in (6, 11):
                self.graph(part, depth + 1)
            else:
                self._sparse(part)

    def tensor(self, view: memoryview) -> str:
        """A TensorProto: its name; raises when its data is elsewhere."""
        name = ""
        for number, value in self.walk(view):
            if number == 13 or (number == 14 and value == 1):
                raise _OutsideError("it keeps a part of its data in another file")
            if number == 8 and isinstance(value, memoryview):
                name = _text(value)
        return name

    def _sparse(self, view: memoryview) -> None:
        """A SparseTensorProto."""
        for _, part in self._messages(view, 1, 2):
            self.tensor(part)

    def _info(self, view: memoryview) -> TensorInfo:
        """A ValueInfoProto."""
        name, dtype, shape = "", "", []
        for number, part in self._messages(view, 1, 2):
            if number == 1:
                name = _text(part)
                continue
            for _, tensor in self._messages(part, 1):
                for key, value in self.walk(tensor):
                    if key == 1 and isinstance(value, int):
                        dtype = _TYPES.get(value, "")
                    elif key == 2 and isinstance(value, memoryview):
                        shape = [self._length(axis) for _, axis in self._messages(value, 1)]
        return TensorInfo(name, tuple(shape), dtype)

    def _length(self, view: memoryview) -> int | None:
        """A Dimension: a number, or None for a name or nothing."""
        for number, value in self.walk(view):
            if number == 1 and isinstance(value, int) and 0 < value < 1 << 31:
                return value
        return None

    def _messages(self, view: memoryview, *wanted: int) -> Iterator[tuple[int, memoryview]]:
        """The parts of a message that are under certain numbers."""
        for number, value in self.walk(view):
            if number in wanted:
                if not isinstance(value, memoryview):
                    raise _BrokenError("a field has the wrong type")
                yield number, value

    def _remember(self, view: memoryview) -> None:
        """A StringStringEntryProto of the metadata."""
        entry = {number: _text(part) for number, part in self._messages(view, 1, 2)}
        self.metadata[entry.get(1, "")] = entry.get(2, "")


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and where it ends."""
    value = shift = 0
    while at < len(view) and shift < 64:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
    raise _BrokenError("a number does not end")


def _value(view: memoryview, at: int, kind: int) -> tuple[int | memoryview, int]:
    """A value of some wire type, and where it ends."""
    if kind == 0:
        return _varint(view, at)
    if kind == 2:
        length, at = _varint(view, at)
    elif kind in (1, 5):
        length = 8 if kind == 1 else 4
    else:
        raise _BrokenError("a field is of an unknown kind")
    if at + length > len(view):
        raise _BrokenError("it ends too early")
    return view[at : at + length], at + length


def _text(view: memoryview) -> str:
    """Text; raises when it is none."""
    try:
        return str(view, "utf-8")
    except UnicodeDecodeError as error:
        raise _BrokenError("a name is no text") from error
