"""The few constructors that tensors and arrays need, each of them our own code.

A pickle names functions of torch and numpy that put a tensor together. The names are looked up here and
nowhere else; what they stand for checks every number, raises ``ValueError`` at what cannot be, and makes
nothing larger than the bytes it is made from.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from limner.models.pickles.values import ITEM_SIZES, Constructor, Global, HasState, Storage

_MOST_AXES = 32
#: Kinds of numbers in arrays: truth values, whole numbers, fractions, complex ones.
_KINDS = "biufc"


class TensorMaker(Protocol):
    """Makes a tensor of a part of a storage; the part was checked to lie within it."""

    def __call__(self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> object:
        """The tensor; ``strides`` are counted in numbers."""


class DataType(HasState):
    """The type of the numbers of an array: its letter, and the order of its bytes once that is known."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or len(code) > 4 or np.dtype(code).kind not in _KINDS:
            raise ValueError(f"an array of {str(code)[:40]!r} holds no numbers")
        self.code = code.lstrip("<>=|")
        self.order = "="

    def restore(self, state: object) -> None:
        """``(version, byte order, …)``; what follows is for records, which are refused."""
        if not isinstance(state, tuple) or len(state) < 3 or any(part is not None for part in state[2:5]):
            raise ValueError("an array holds records")
        if state[1] not in ("<", ">", "=", "|"):
            raise ValueError("an array has an unknown order of bytes")
        self.order = str(state[1])

    @property
    def numpy(self) -> np.dtype[Any]:
        """As numpy has it."""
        return np.dtype(self.order.replace("|", "=") + self.code)


def restore_array(array: npt.NDArray[Any], state: object) -> None:
    """Fill an array that `empty_array` has made: version, shape, type, whether by columns, and bytes."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise ValueError("an array is described in an unknown way")
    _, shape, dtype, by_columns, data = state
    raw = data.encode("latin-1") if isinstance(data, str) else data
    kind, lengths = _checked_array(dtype, shape, raw)
    array.__setstate__((1, lengths, kind, bool(by_columns), raw))  # type: ignore[arg-type]


def empty_array(kind: object, shape: object, code: object) -> npt.NDArray[Any]:
    """``numpy._core.multiarray._reconstruct``: an array that is filled later."""
    del shape, code
    if kind != Global("numpy.ndarray"):
        raise ValueError("it makes an array of a class of its own")
    return np.empty(0, np.int8)


def _array_of(raw: object, dtype: object, shape: object, order: object = "C") -> npt.NDArray[Any]:
    """``numpy._core.numeric._frombuffer``: an array of some bytes."""
    kind, lengths = _checked_array(dtype, shape, raw)
    return np.frombuffer(raw, kind).reshape(lengths, order="F" if order == "F" else "C")  # type: ignore[call-overload, no-any-return]


def _checked_array(dtype: object, shape: object, raw: object) -> tuple[np.dtype[Any], tuple[int, ...]]:
    if not isinstance(dtype, DataType) or not isinstance(raw, bytes):
        raise ValueError("an array holds no numbers")
    lengths, kind = lengths_of(shape), dtype.numpy
    if math.prod(lengths) * kind.itemsize != len(raw):
        raise ValueError(f"an array of {lengths} {kind} has {len(raw)} bytes")
    return kind, lengths


def _scalar(dtype: object, raw: object = b"") -> object:
    """``numpy._core.multiarray.scalar``: one number."""
    data = raw.encode("latin-1") if isinstance(raw, str) else raw
    kind, _ = _checked_array(dtype, (), data)
    return np.frombuffer(data, kind)[0].item()  # type: ignore[call-overload]


def lengths_of(shape: object) -> tuple[int, ...]:
    """Lengths of axes, if they can be ones; raises ``ValueError``."""
    if not isinstance(shape, tuple | list) or len(shape) > _MOST_AXES:
        raise ValueError("an array or tensor has no shape")
    if not all(type(length) is int and 0 <= length < 1 << 48 for length in shape):
        raise ValueError("an array or tensor has impossible lengths")
    return tuple(shape)


class Tensors:
    """The constructors of torch, with one way to make a tensor."""

    def __init__(self, maker: TensorMaker) -> None:
        self._maker = maker

    def typed(self, storage: object, offset: object, shape: object, strides: object, *_: object) -> object:
        """``_rebuild_tensor`` and ``_rebuild_tensor_v2``: a view into a storage."""
        if not isinstance(storage, Storage) or type(offset) is not int or offset < 0:
            raise ValueError("a tensor has no numbers")
        lengths, steps = lengths_of(shape), lengths_of(strides)
        count = math.prod(lengths)
        if len(lengths) != len(steps):
            raise ValueError("a tensor has as many lengths as steps")
        last = offset + sum((length - 1) * step for length, step in zip(lengths, steps, strict=True))
        if count and (last >= storage.length or count > storage.length):
            raise ValueError(f"a tensor of {lengths} reaches outside its {storage.length} numbers")
        return self._maker(storage, offset, lengths, steps)

    def untyped(
        self, storage: object, offset: object, shape: object, strides: object, _grad: object, _hooks: object,
        dtype: object, *_: object,
    ) -> object:  # fmt: skip
        """``_rebuild_tensor_v3``: a view into bytes that says itself what they are."""
        if not isinstance(storage, Storage) or not isinstance(dtype, str) or dtype not in ITEM_SIZES:
            raise ValueError("a tensor has numbers of an unknown type")
        size = storage.length * ITEM_SIZES[storage.dtype]
        return self.typed(Storage(dtype, size // ITEM_SIZES[dtype], storage.data), offset, shape, strides)

    def subclass(self, maker: object, _kind: object, args: object, _state: object) -> object:
        """``_rebuild_from_type_v2``: a tensor with attributes; these are left out."""
        if not isinstance(maker, Constructor) or not isinstance(args, tuple):
            raise ValueError("a tensor of a class of its own is made in an unknown way")
        return maker.make(*args)

    @staticmethod
    def parameter(data: object, *_: object) -> object:
        """``_rebuild_parameter``: the tensor itself."""
        return data


def _pairs(items: object = (), *_: object) -> OrderedDict[Any, Any]:
    """``collections.OrderedDict`` of pairs; their keys are plain texts and numbers."""
    if not isinstance(items, list | tuple) or not all(
        isinstance(each, tuple | list) and len(each) == 2 for each in items
    ):
        raise ValueError("a dictionary is made of what are no pairs")
    if not all(isinstance(key, str | int) for key, _ in items):
        raise ValueError("a dictionary has keys that are no names")
    return OrderedDict(items)


def _encoded(text: object, encoding: object = "utf-8") -> bytes:
    """``_codecs.encode``: how bytes stand in old pickles."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8"):
        raise ValueError("bytes are written in an unknown way")
    return text.encode(str(encoding))


def _set_of(items: object = ()) -> set[Any]:
    if not isinstance(items, list | tuple) or not all(isinstance(each, str | int | float) for each in items):
        raise ValueError("a set holds what is no plain value")
    return set(items)


def _list_of(items: object = ()) -> list[Any]:
    if not isinstance(items, list | tuple):
        raise ValueError("a list is made of what is none")
    return list(items)


def _path(*parts: object) -> str:
    """A path, as text."""
    return "/".join(map(str, parts)).replace("//", "/") if all(isinstance(each, str) for each in parts) else ""


_PLAIN: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": _pairs,
    "collections.defaultdict": lambda *_: {},
    "_codecs.encode": _encoded,
    **dict.fromkeys(("builtins.set", "__builtin__.set"), _set_of),
    **dict.fromkeys(("builtins.frozenset", "__builtin__.frozenset"), lambda *items: frozenset(_set_of(*items))),
    **dict.fromkeys(("builtins.list", "__builtin__.list"), _list_of),
    **dict.fromkeys(("builtins.tuple", "__builtin__.tuple", "torch.Size"), lambda *items: tuple(_list_of(*items))),
    **dict.fromkeys(("builtins.dict", "__builtin__.dict"), lambda *items: dict(_pairs(*items))),
    "torch.device": lambda kind, index=None: f"{kind}" if index is None else f"{kind}:{index}",
    "torch.serialization._get_layout": str,
    "numpy.dtype": DataType,
    **{f"numpy.dtypes.{name}DType": partial(DataType, code) for name, code in (
        ("Float64", "f8"), ("Float32", "f4"), ("Float16", "f2"), ("Int64", "i8"), ("Int32", "i4"), ("Int16", "i2"),
        ("Int8", "i1"), ("UInt8", "u1"), ("Bool", "?"),
    )},
    **{
        f"numpy.{core}.{name}": make
        for core in ("core", "_core")
        for name, make in (
            ("multiarray._reconstruct", empty_array),
            ("multiarray.scalar", _scalar),
            ("numeric._frombuffer", _array_of),
        )
    },
    **{
        f"{module}.{name}": _path
        for module in ("pathlib", "pathlib._local")
        for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path")
    },
}  # fmt: skip


def constructors(maker: TensorMaker) -> dict[str, Constructor]:
    """Our constructors by the names that they have in pickles."""
    tensors = Tensors(maker)
    torch: dict[str, Callable[..., object]] = {
        "torch._utils._rebuild_tensor": tensors.typed,
        "torch._utils._rebuild_tensor_v2": tensors.typed,
        "torch._utils._rebuild_tensor_v3": tensors.untyped,
        "torch._utils._rebuild_parameter": tensors.parameter,
        "torch._utils._rebuild_parameter_with_state": tensors.parameter,
        "torch._tensor._rebuild_from_type_v2": tensors.subclass,
    }
    return {name: Constructor(make) for name, make in (_PLAIN | torch).items()}


#: Names that mean a plain value: types of numbers, of storages, of arrays.
VALUES: dict[str, object] = {
    **{f"torch.{name}": name for name in ITEM_SIZES},
    **{f"torch.{name}": dtype for name, dtype in (
        ("half", "float16"), ("float", "float32"), ("double", "float64"), ("long", "int64"), ("int", "int32"),
        ("strided", "strided"), ("contiguous_format", "contiguous_format"),
    )},
}  # fmt: skip

#: Types of storages, and of the numbers in them.
STORAGES = {
    f"torch.{name}Storage": dtype
    for name, dtype in (
        ("Double", "float64"), ("Float", "float32"), ("Half", "float16"), ("BFloat16", "bfloat16"), ("Long", "int64"),
        ("Int", "int32"), ("Short", "int16"), ("Char", "int8"), ("Byte", "uint8"), ("Bool", "bool"),
        ("ComplexFloat", "complex64"), ("ComplexDouble", "complex128"),
    )
} | {"torch.storage.UntypedStorage": "uint8", "torch.UntypedStorage": "uint8"}  # fmt: skip

#: Other classes that are well known and harmless as records.
RECORDS = frozenset(
    {
        "numpy.ndarray", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer", "torch.Tensor",
        "argparse.Namespace", "types.SimpleNamespace", "datetime.datetime", "datetime.date", "datetime.timedelta",
        "datetime.timezone", "uuid.UUID", "builtins.object", "builtins.int", "builtins.float", "builtins.str",
        "builtins.bool",
    }
)  # fmt: skip
