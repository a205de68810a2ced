"""The memory of the machine that reads pickles, and the ways to read numbers and texts from one."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

_DEEPEST = 1_000
_LONGEST_LINE = 1_000
_LONGEST_TEXT = 16 << 20


class BrokenPickleError(Exception):
    """The bytes are not what they should be; says why."""


class Stack:
    """Values, marks and memory while a pickle is read.

    ``find`` gives what a dotted name stands for, ``load`` what a persistent id does.
    """

    def __init__(
        self, data: memoryview, find: Callable[[str], object], load: Callable[[object], object], at: int = 0
    ) -> None:
        self.data = data
        #: Where the next instruction is.
        self.at = at
        self.find = find
        self.load = load
        #: The last is at the top.
        self.values: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._marks: list[int] = []

    def clear(self) -> None:
        """Forget what the last pickle left."""
        self.values, self.memo, self._marks = [], {}, []

    def take(self, length: int) -> memoryview:
        """The next bytes; raises `BrokenPickleError` where there are not so many."""
        end = self.at + length
        if length < 0 or end > len(self.data):
            raise BrokenPickleError("it ends too early")
        part = self.data[self.at : end]
        self.at = end
        return part

    def number(self, form: str, size: int) -> int:
        """A number of fixed size, in the notation of ``struct``."""
        value: int = struct.unpack(form, self.take(size))[0]
        return value

    def line(self) -> str:
        """Text up to the end of the line."""
        part = bytes(self.data[self.at : self.at + _LONGEST_LINE])
        end = part.find(b"\n")
        if end < 0:
            raise BrokenPickleError("a line of it does not end")
        self.at += end + 1
        return part[:end].decode("utf-8")

    def text(self, length: int) -> str:
        """Text of some bytes."""
        if length > _LONGEST_TEXT:
            raise BrokenPickleError("a text in it is too long")
        return str(self.take(length), "utf-8", "surrogatepass")

    def push(self, value: object) -> None:
        """Put a value on top."""
        self.values.append(value)

    def pop(self) -> Any:  # noqa: ANN401  # whatever the pickle says
        """Take the value on top."""
        return self.values.pop()

    def mark(self) -> None:
        """Remember how high the stack is."""
        if len(self._marks) >= _DEEPEST:
            raise BrokenPickleError("it is nested too deeply")
        self._marks.append(len(self.values))

    def since_mark(self) -> list[Any]:
        """Take all values above the last mark, and the mark."""
        return self.last(len(self.values) - self._marks.pop())

    def last(self, count: int) -> list[Any]:
        """Take some values from the top."""
        start = len(self.values) - count
        if start < 0 or count < 0:
            raise BrokenPickleError("it takes more from the stack than there is")
        items = self.values[start:]
        del self.values[start:]
        return items

    def drop(self) -> None:
        """Take what is on top: a mark or a value, as Python does it."""
        if self._marks and self._marks[-1] == len(self.values):
            self._marks.pop()
        else:
            self.values.pop()
