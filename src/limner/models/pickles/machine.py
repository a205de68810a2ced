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

from limner.core.errors import UnsafeCheckpointError
from limner.models.pickles.constructors import restore_array
from limner.models.pickles.stack import BrokenPickleError, Stack
from limner.models.pickles.values import Constructor, Global, HasState, Opaque

#: The largest detectors have 100,000; so many take less than half a second.
_MOST_INSTRUCTIONS = 500_000
#: Bytes of a whole number; the number by which torch knows its files has 10.
_LONGEST_NUMBER = 128
#: Longer texts of Python 2 are raw numbers.
_LONGEST_OLD_TEXT = 4_096
_LONGEST_KEY = 64
_STOP = ord(".")

_Instruction: TypeAlias = Callable[[Stack], object]


class Machine(Stack):
    """Reads one pickle after the other from some bytes."""

    def run(self) -> object:
        """The value of the next pickle; raises `BrokenPickleError` or `UnsafeCheckpointError`."""
        self.clear()
        table, data = _TABLE, self.data
        try:
            for _ in range(_MOST_INSTRUCTIONS):
                code = data[self.at]
                self.at += 1
                if code == _STOP:
                    return self.pop()
                table[code](self)
        except (IndexError, struct.error) as error:
            raise BrokenPickleError("it ends too early") from error
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise BrokenPickleError(f"its instructions do not fit together: {error}") from error
        raise BrokenPickleError(f"it has more than {_MOST_INSTRUCTIONS} instructions")


def _whole_line(stack: Stack) -> None:
    """A whole number in digits, or a truth value."""
    text = stack.line()
    if len(text) > _LONGEST_NUMBER:
        raise BrokenPickleError("a number in it is too long")
    stack.push(text == "01" if text in ("00", "01") else int(text.rstrip("L")))


def _whole(stack: Stack, length: int) -> None:
    """A whole number in bytes."""
    if length > _LONGEST_NUMBER:
        raise BrokenPickleError("a number in it is too long")
    stack.push(int.from_bytes(stack.take(length), "little", signed=True))


def _old_text(stack: Stack, length: int) -> None:
    """A text of Python 2, which may be raw bytes."""
    part = bytes(stack.take(length))
    stack.push(part.decode("latin-1") if length <= _LONGEST_OLD_TEXT else part)


def _quoted(stack: Stack) -> None:
    """A text of Python 2 in quotation marks."""
    text = stack.line()
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "'\"" or "\\" in text:
        raise BrokenPickleError("a text in it is not quoted plainly")
    stack.push(text[1:-1])


def _text(stack: Stack, length: int) -> None:
    stack.push(stack.text(length))


def _bytes(stack: Stack, length: int) -> None:
    stack.push(bytes(stack.take(length)))


def _extend(stack: Stack, items: list[Any]) -> None:
    """Put values into the list on top."""
    target = stack.values[-1]
    if isinstance(target, Opaque):
        target.elements.extend(items)
    elif type(target) is list:
        target.extend(items)
    else:
        raise BrokenPickleError("it puts things into what is no list")


def _fill(stack: Stack, items: list[Any]) -> None:
    """Put entries into the dictionary on top."""
    target = stack.values[-1]
    entries = target.entries if isinstance(target, Opaque) else target
    if not isinstance(entries, dict):
        raise BrokenPickleError("it puts entries into what is no dictionary")
    entries.update(_pairs(items))


def _add(stack: Stack, items: list[Any]) -> None:
    """Put values into the set on top."""
    target = stack.values[-1]
    if type(target) is not set:
        raise BrokenPickleError("it puts things into what is no set")
    target.update(map(_checked_key, items))


def _pairs(items: list[Any]) -> dict[Any, Any]:
    """A dictionary from keys and values in turn."""
    return {_checked_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _checked_key(key: object) -> object:
    """The key, if it is plain: what is nested can take for ever to hash."""
    flat = key if type(key) is tuple and len(key) <= _LONGEST_KEY else (key,)
    if not all(each is None or isinstance(each, str | int | float | bytes | Global) for each in flat):
        raise BrokenPickleError(f"a key in it is no plain value but {type(key).__name__}")
    return key


def _name(stack: Stack, module: object, name: object) -> None:
    """What a class or function stands for."""
    if not (isinstance(module, str) and isinstance(name, str)):
        raise BrokenPickleError("it names a class by something that is no name")
    stack.push(stack.find(f"{module}.{name}"))


def _make(stack: Stack, maker: object, args: object) -> None:
    """What Python would call ``maker(*args)`` for: a record, or a value that our own code makes."""
    if type(args) is not tuple:
        raise BrokenPickleError("it makes an object with arguments that are no tuple")
    if isinstance(maker, Global):
        stack.push(Opaque(maker.name, args))
    elif isinstance(maker, Constructor):
        stack.push(maker.make(*args))
    else:
        what = maker.name if isinstance(maker, Opaque) else type(maker).__name__
        raise UnsafeCheckpointError(f"It calls what it got from {what[:200]}, and that is never done.")


def _make_with_names(stack: Stack) -> None:
    maker, args, named = stack.last(3)
    if named:
        raise BrokenPickleError("it makes an object with named arguments")
    _make(stack, maker, args)


def _build(stack: Stack) -> None:
    """Give the value below the top the attributes on top."""
    state = stack.pop()
    target = stack.values[-1]
    if isinstance(target, Opaque):
        _set_state(target, state)
    elif isinstance(target, HasState):
        target.restore(state)
    elif isinstance(target, np.ndarray):
        restore_array(target, state)
    elif not isinstance(target, dict):  # an OrderedDict of tensors carries versions that mean nothing here
        raise BrokenPickleError("it gives attributes to what has none")


def _set_state(target: Opaque, state: object) -> None:
    """The attributes of an instance: a dictionary, or a pair of them where it has slots."""
    for part in state if type(state) is tuple and len(state) == 2 else (state,):
        if isinstance(part, dict):
            target.state.update({str(key): value for key, value in part.items()})
        elif part is not None:
            target.state["state"] = state


def _remember(stack: Stack, index: int) -> None:
    stack.memo[index] = stack.values[-1]


def _recall(stack: Stack, index: int) -> None:
    if index not in stack.memo:
        raise BrokenPickleError("it recalls what it never stored")
    stack.push(stack.memo[index])


def _refused(what: str) -> _Instruction:
    def refuse(_: Stack) -> None:
        raise BrokenPickleError(f"it uses {what}, which no checkpoint needs")

    return refuse


def _sized(read: Callable[[Stack, int], object], form: str, size: int) -> _Instruction:
    """An instruction that is followed by a number."""
    return lambda stack: read(stack, stack.number(form, size))


def _pushing(make: _Instruction) -> _Instruction:
    """An instruction that puts a value on top."""
    return lambda stack: stack.push(make(stack))


_NUMBERS: dict[str, _Instruction] = {
    "I": _whole_line,
    "L": _whole_line,
    "F": _pushing(lambda stack: float(stack.line())),
    "J": _pushing(lambda stack: stack.number("<i", 4)),
    "K": _pushing(lambda stack: stack.number("<B", 1)),
    "M": _pushing(lambda stack: stack.number("<H", 2)),
    "G": _pushing(lambda stack: struct.unpack(">d", stack.take(8))[0]),
    "\x8a": _sized(_whole, "<B", 1),
    "\x8b": _sized(_whole, "<i", 4),
    "N": _pushing(lambda _: None),
    "\x88": _pushing(lambda _: True),
    "\x89": _pushing(lambda _: False),
}
_TEXTS: dict[str, _Instruction] = {
    "S": _quoted,
    "T": _sized(_old_text, "<i", 4),
    "U": _sized(_old_text, "<B", 1),
    "V": _pushing(lambda stack: stack.line()),
    "X": _sized(_text, "<I", 4),
    "\x8c": _sized(_text, "<B", 1),
    "\x8d": _sized(_text, "<Q", 8),
    "B": _sized(_bytes, "<I", 4),
    "C": _sized(_bytes, "<B", 1),
    "\x8e": _sized(_bytes, "<Q", 8),
    "\x96": _sized(_bytes, "<Q", 8),
}
_CONTAINERS: dict[str, _Instruction] = {
    "(": Stack.mark,
    "0": Stack.drop,
    "1": Stack.since_mark,
    "2": _pushing(lambda stack: stack.values[-1]),
    ")": _pushing(lambda _: ()),
    "]": _pushing(lambda _: []),
    "}": _pushing(lambda _: {}),
    "\x8f": _pushing(lambda _: set()),
    "t": _pushing(lambda stack: tuple(stack.since_mark())),
    "\x85": _pushing(lambda stack: tuple(stack.last(1))),
    "\x86": _pushing(lambda stack: tuple(stack.last(2))),
    "\x87": _pushing(lambda stack: tuple(stack.last(3))),
    "l": _pushing(Stack.since_mark),
    "d": _pushing(lambda stack: _pairs(stack.since_mark())),
    "\x91": _pushing(lambda stack: frozenset(map(_checked_key, stack.since_mark()))),
    "a": lambda stack: _extend(stack, stack.last(1)),
    "e": lambda stack: _extend(stack, stack.since_mark()),
    "s": lambda stack: _fill(stack, stack.last(2)),
    "u": lambda stack: _fill(stack, stack.since_mark()),
    "\x90": lambda stack: _add(stack, stack.since_mark()),
}
_OBJECTS: dict[str, _Instruction] = {
    "c": lambda stack: _name(stack, stack.line(), stack.line()),
    "\x93": lambda stack: _name(stack, *stack.last(2)),
    "R": lambda stack: _make(stack, *stack.last(2)),
    "\x81": lambda stack: _make(stack, *stack.last(2)),
    "\x92": _make_with_names,
    "b": _build,
    "Q": _pushing(lambda stack: stack.load(stack.pop())),
    "i": _refused("instances of old classes"),
    "o": _refused("instances of old classes"),
    "P": _refused("references as text"),
    **dict.fromkeys("\x82\x83\x84", _refused("registered extensions")),
    **dict.fromkeys("\x97\x98", _refused("data outside the file")),
}
_MEMORY: dict[str, _Instruction] = {
    "\x80": lambda stack: stack.take(1),
    "\x95": lambda stack: stack.take(8),
    "p": lambda stack: _remember(stack, int(stack.line())),
    "q": _sized(_remember, "<B", 1),
    "r": _sized(_remember, "<I", 4),
    "\x94": lambda stack: _remember(stack, len(stack.memo)),
    "g": lambda stack: _recall(stack, int(stack.line())),
    "h": _sized(_recall, "<B", 1),
    "j": _sized(_recall, "<I", 4),
}
_KNOWN = {ord(code): run for each in (_NUMBERS, _TEXTS, _CONTAINERS, _OBJECTS, _MEMORY) for code, run in each.items()}
_TABLE = [_KNOWN.get(code, _refused(f"the unknown instruction {code}")) for code in range(256)]
