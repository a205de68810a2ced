"""A machine that reads pickles into plain data.

A pickle is a program for a small stack machine. Python's own one imports whatever the program names and
calls it; this one knows the same instructions, has no way to import or call anything, and counts what
it does. Names become records, and the few constructors that tensors and arrays need are our own
(`limner.models.pickles.constructors`). The instructions are those of ``pickletools`` in Python's library.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from limner.core.errors import CheckpointError, UnsafeCheckpointError
from limner.models.pickles.constructors import restore_array
from limner.models.pickles.values import Constructor, Global, HasState, Opaque

#: A large detector has 150,000.
_MOST_INSTRUCTIONS = 1_000_000
_DEEPEST = 1_000
_LONGEST_LINE = 1_000
_LONGEST_TEXT = 16 << 20
#: Bytes of a whole number; the number by which torch knows its files has 10.
_LONGEST_NUMBER = 128
#: Longer texts of Python 2 are raw numbers.
_LONGEST_OLD_TEXT = 4_096


class BrokenPickleError(Exception):
    """The bytes are not what they should be; says why."""


class Machine:
    """Reads one pickle after the other from some bytes.

    ``find`` gives a `Global` or one of our constructors for a dotted name, or raises
    `UnsafeCheckpointError`; ``load`` gives what a persistent id stands for.
    """

    def __init__(
        self,
        data: memoryview,
        find: Callable[[str], Global | Constructor],
        load: Callable[[object], object],
        at: int = 0,
    ) -> None:
        self.data = data
        #: Where the next pickle begins.
        self.at = at
        self._find = find
        self._load = load
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> object:
        """The value of the next pickle; raises `BrokenPickleError` or `UnsafeCheckpointError`."""
        self._stack, self._marks, self._memo = [], [], {}
        table = _INSTRUCTIONS
        try:
            for _ in range(_MOST_INSTRUCTIONS):
                code = self.data[self.at]
                self.at += 1
                if code == _STOP:
                    return self._stack.pop()
                table[code](self)
        except (IndexError, struct.error) as error:
            raise BrokenPickleError("it ends too early") from error
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise BrokenPickleError(f"its instructions do not fit together: {error}") from error
        raise BrokenPickleError(f"it has more than {_MOST_INSTRUCTIONS} instructions")

    # -- reading bytes

    def _take(self, length: int) -> memoryview:
        end = self.at + length
        if length < 0 or end > len(self.data):
            raise BrokenPickleError("it ends too early")
        part = self.data[self.at : end]
        self.at = end
        return part

    def _number(self, form: str, size: int) -> int:
        value: int = struct.unpack(form, self._take(size))[0]
        return value

    def _line(self) -> str:
        part = bytes(self.data[self.at : self.at + _LONGEST_LINE])
        end = part.find(b"\n")
        if end < 0:
            raise BrokenPickleError("a line of it does not end")
        self.at += end + 1
        return part[:end].decode("utf-8")

    def _text(self, length: int) -> str:
        if length > _LONGEST_TEXT:
            raise BrokenPickleError("a text in it is too long")
        return str(self._take(length), "utf-8", "surrogatepass")

    # -- the stack

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _mark(self) -> None:
        if len(self._marks) >= _DEEPEST:
            raise BrokenPickleError("it is nested too deeply")
        self._marks.append(len(self._stack))

    def _since_mark(self) -> list[Any]:
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _pop(self) -> None:
        # As Python does it: a mark can be popped like a value.
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self._stack.pop()

    # -- numbers and texts

    def _int_line(self) -> None:
        text = self._line()
        if text in ("00", "01"):
            self._push(text == "01")
            return
        if len(text) > _LONGEST_NUMBER:
            raise BrokenPickleError("a number in it is too long")
        self._push(int(text.rstrip("L")))

    def _long(self, length: int) -> None:
        if length > _LONGEST_NUMBER:
            raise BrokenPickleError("a number in it is too long")
        self._push(int.from_bytes(self._take(length), "little", signed=True))

    def _old_text(self, length: int) -> None:
        """A text of Python 2, which may be raw bytes."""
        part = bytes(self._take(length))
        self._push(part.decode("latin-1") if length <= _LONGEST_OLD_TEXT else part)

    def _old_text_line(self) -> None:
        text = self._line()
        if len(text) < 2 or text[0] != text[-1] or text[0] not in "'\"" or "\\" in text:
            raise BrokenPickleError("a text in it is not quoted plainly")
        self._push(text[1:-1])

    # -- containers

    def _tuple(self, length: int) -> None:
        items = self._stack[-length:]
        if len(items) < length:
            raise IndexError
        self._stack[-length:] = [tuple(items)]

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, Opaque):
            target.elements.extend(items)
        elif type(target) is list:
            target.extend(items)
        else:
            raise BrokenPickleError("it puts things into what is no list")

    def _append(self) -> None:
        value = self._stack.pop()
        self._extend([value])

    def _fill(self, items: list[Any]) -> None:
        target = self._stack[-1]
        entries = target.entries if isinstance(target, Opaque) else target
        if not isinstance(entries, dict) or len(items) % 2:
            raise BrokenPickleError("it puts entries into what is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            entries[_checked_key(key)] = value

    def _set_item(self) -> None:
        items = self._stack[-2:]
        del self._stack[-2:]
        self._fill(items)

    def _add(self) -> None:
        items = self._since_mark()
        target = self._stack[-1]
        if type(target) is not set:
            raise BrokenPickleError("it puts things into what is no set")
        target.update(map(_checked_key, items))

    # -- names and what is made of them

    def _global(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise BrokenPickleError("it names a class by something that is no name")
        self._push(self._find(f"{module}.{name}"))

    def _global_lines(self) -> None:
        module = self._line()
        self._global(module, self._line())

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._global(module, name)

    def _reduce(self) -> None:
        args, maker = self._stack.pop(), self._stack.pop()
        self._make(maker, args)

    def _new_object_with_names(self) -> None:
        named, args, maker = self._stack.pop(), self._stack.pop(), self._stack.pop()
        if named:
            raise BrokenPickleError("it makes an object with named arguments")
        self._make(maker, args)

    def _make(self, maker: object, args: object) -> None:
        if type(args) is not tuple:
            raise BrokenPickleError("it makes an object with arguments that are no tuple")
        if isinstance(maker, Global):
            self._push(Opaque(maker.name, args))
        elif isinstance(maker, Constructor):
            self._push(maker.make(*args))
        else:
            raise UnsafeCheckpointError(f"It calls a value ({type(maker).__name__}), which is never done.")

    def _build(self) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        if isinstance(target, Opaque):
            _set_state(target, state)
        elif isinstance(target, HasState):
            target.restore(state)
        elif isinstance(target, np.ndarray):
            restore_array(target, state)
        elif not isinstance(target, dict):  # an OrderedDict of tensors carries versions that mean nothing here
            raise BrokenPickleError("it gives attributes to what has none")

    def _persistent(self) -> None:
        self._push(self._load(self._stack.pop()))

    # -- memory

    def _remember(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _recall(self, index: int) -> None:
        if index not in self._memo:
            raise BrokenPickleError("it recalls what it never stored")
        self._push(self._memo[index])


def _set_state(target: Opaque, state: object) -> None:
    """The attributes of an instance: a dictionary, or a pair of them where it has slots."""
    parts = state if type(state) is tuple and len(state) == 2 else (state,)
    for part in parts:
        if isinstance(part, dict):
            target.state.update({str(key): value for key, value in part.items()})
        elif part is not None:
            target.state["state"] = state


def _checked_key(key: object) -> Any:
    """The key, if it is plain: what is nested can take for ever to hash."""
    flat = key if type(key) is tuple and len(key) <= 64 else (key,)
    if not all(each is None or isinstance(each, str | int | float | bytes | Global) for each in flat):
        raise BrokenPickleError(f"a key in it is no plain value but {type(key).__name__}")
    return key


_Instruction: TypeAlias = Callable[[Machine], object]


def _sized(read: Callable[[Machine, int], object], form: str, size: int) -> _Instruction:
    """An instruction that is followed by a number."""
    return lambda m: read(m, m._number(form, size))


def _pushing(make: Callable[[Machine], object]) -> _Instruction:
    """An instruction that puts a value on the stack."""
    return lambda m: m._push(make(m))


def _refused(what: str) -> _Instruction:
    def refuse(_: Machine) -> None:
        raise BrokenPickleError(f"it uses {what}, which no program that Limner knows writes")

    return refuse


def _push_text(m: Machine, length: int) -> None:
    m._push(m._text(length))


def _push_bytes(m: Machine, length: int) -> None:
    m._push(bytes(m._take(length)))


def _pairs(items: list[Any]) -> dict[Any, Any]:
    """A dictionary from keys and values in turn."""
    return {_checked_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


_STOP = ord(".")
_NUMBERS: dict[str, _Instruction] = {
    "I": Machine._int_line,
    "L": Machine._int_line,
    "F": _pushing(lambda m: float(m._line())),
    "J": _pushing(lambda m: m._number("<i", 4)),
    "K": _pushing(lambda m: m._number("<B", 1)),
    "M": _pushing(lambda m: m._number("<H", 2)),
    "G": _pushing(lambda m: struct.unpack(">d", m._take(8))[0]),
    "\x8a": _sized(Machine._long, "<B", 1),
    "\x8b": _sized(Machine._long, "<i", 4),
    "N": _pushing(lambda _: None),
    "\x88": _pushing(lambda _: True),
    "\x89": _pushing(lambda _: False),
}
_TEXTS: dict[str, _Instruction] = {
    "S": Machine._old_text_line,
    "T": _sized(Machine._old_text, "<i", 4),
    "U": _sized(Machine._old_text, "<B", 1),
    "V": _pushing(lambda m: m._line()),
    "X": _sized(_push_text, "<I", 4),
    "\x8c": _sized(_push_text, "<B", 1),
    "\x8d": _sized(_push_text, "<Q", 8),
    "B": _sized(_push_bytes, "<I", 4),
    "C": _sized(_push_bytes, "<B", 1),
    "\x8e": _sized(_push_bytes, "<Q", 8),
    "\x96": _sized(_push_bytes, "<Q", 8),
}
_CONTAINERS: dict[str, _Instruction] = {
    "(": Machine._mark,
    "0": Machine._pop,
    "1": lambda m: m._since_mark() and None,
    "2": _pushing(lambda m: m._stack[-1]),
    ")": _pushing(lambda _: ()),
    "]": _pushing(lambda _: []),
    "}": _pushing(lambda _: {}),
    "\x8f": _pushing(lambda _: set()),
    "t": _pushing(lambda m: tuple(m._since_mark())),
    "\x85": lambda m: m._tuple(1),
    "\x86": lambda m: m._tuple(2),
    "\x87": lambda m: m._tuple(3),
    "l": _pushing(lambda m: m._since_mark()),
    "d": _pushing(lambda m: _pairs(m._since_mark())),
    "\x91": _pushing(lambda m: frozenset(map(_checked_key, m._since_mark()))),
    "a": Machine._append,
    "e": lambda m: m._extend(m._since_mark()),
    "s": Machine._set_item,
    "u": lambda m: m._fill(m._since_mark()),
    "\x90": Machine._add,
}
_OBJECTS: dict[str, _Instruction] = {
    "c": Machine._global_lines,
    "\x93": Machine._stack_global,
    "R": Machine._reduce,
    "\x81": Machine._reduce,
    "\x92": Machine._new_object_with_names,
    "b": Machine._build,
    "Q": Machine._persistent,
    "i": _refused("old instances"),
    "o": _refused("old instances"),
    "P": _refused("persistent names as text"),
    **dict.fromkeys("\x82\x83\x84", _refused("registered extensions")),
    **dict.fromkeys("\x97\x98", _refused("data outside the file")),
}
_MEMORY: dict[str, _Instruction] = {
    "\x80": lambda m: m._take(1),
    "\x95": lambda m: m._take(8),
    "p": lambda m: m._remember(int(m._line())),
    "q": _sized(Machine._remember, "<B", 1),
    "r": _sized(Machine._remember, "<I", 4),
    "\x94": lambda m: m._remember(len(m._memo)),
    "g": lambda m: m._recall(int(m._line())),
    "h": _sized(Machine._recall, "<B", 1),
    "j": _sized(Machine._recall, "<I", 4),
}
_KNOWN = {ord(code): run for each in (_NUMBERS, _TEXTS, _CONTAINERS, _OBJECTS, _MEMORY) for code, run in each.items()}
_INSTRUCTIONS = [_KNOWN.get(code, _refused(f"the unknown instruction {code}")) for code in range(256)]
