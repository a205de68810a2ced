"""What comes out of a pickle besides plain data: records that can do nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

#: Prefixes of modules whose classes become `Opaque` records, such as ``models.yolo`` or ``torch.nn``.
KnownModules: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function that a pickle names, by its dotted name: the name alone."""

    name: str


@dataclass(frozen=True, slots=True)
class Constructor:
    """A function of ours, which stands for a name in pickles."""

    make: Callable[..., object]


class HasState:
    """A value of ours that is finished by what follows it in the pickle."""

    def restore(self, state: object) -> None:
        """Take what the pickle says; raises ``ValueError``."""
        raise NotImplementedError


@dataclass(slots=True, eq=False)
class Opaque:
    """An instance of a class that we do not have: its name and what the pickle says of it."""

    #: Dotted name of the class, as in ``models.common.Conv``.
    name: str
    #: What it was made with.
    args: tuple[object, ...] = ()
    #: Its attributes.
    state: dict[str, object] = field(default_factory=dict)
    #: What was put into it, where it is a kind of list …
    elements: list[object] = field(default_factory=list)
    #: … or of dictionary.
    entries: dict[object, object] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The name of the class without its module."""
        return self.name.rpartition(".")[2]

    def get(self, key: str, default: object = None) -> object:
        """An attribute, or the default where it has none of that name."""
        return self.state.get(key, default)


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """What is known of a tensor whose numbers were not read."""

    shape: tuple[int, ...]
    #: As torch calls it: float32, bfloat16, int64.
    dtype: str


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers in a file, not read yet."""

    #: As torch calls it.
    dtype: str
    #: How many numbers.
    length: int
    #: Their bytes; None where only headers are wanted.
    data: memoryview | None


#: Bytes of one number, by the name of its type.
ITEM_SIZES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1,
    "uint8": 1, "bool": 1, "complex64": 8, "complex128": 16,
}  # fmt: skip
