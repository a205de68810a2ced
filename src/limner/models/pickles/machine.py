"""A machine that reads pickles into plain data.

A pickle is a program for a small stack machine. Python's own one imports whatever the program names and
calls it; this one knows the same instructions, has no way to import or call anything, and counts what
it does. Names become records, and the few constructors that tensors and arrays need are our own
(`limner.models.pickles.constructors`). The instructions are those of ``pickletools`` in Python's library.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from limner.core.errors import CheckpointError, UnsafeCheckpointError
from limner.models.pickles.values import Global, Opaque

#: A large detector has 150,000.
_MOST_INSTRUCTIONS = 1_000_000
_DEEPEST = 1_000
_LONGEST_LINE = 1_000
_LONGEST_TEXT = 16 << 20
#: Bytes of a whole number; the number by which torch knows its files has 10.
_LONGEST_NUMBER = 128
#: Longer texts of Python 2 are raw numbers.
_LONGEST_OLD_TEXT = 4_096

#: Something that our own code makes of the arguments in a pickle.
Constructor = Callable[..., object]


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
        except KeyError as error:
            raise BrokenPickleError(f"it has an instruction that does not exist ({error})") from error
        except (IndexError, struct.error) as error:
            raise BrokenPickleError("it ends too early") from error
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
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
        elif isinstance(maker, OurConstructor):
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


class OurConstructor:
    """One of our own functions, which stands for a name in pickles."""

    def __init__(self, make: Constructor) -> None:
        self.make = make


class HasState:
    """A value of ours that is finished by what follows it in the pickle."""

    def restore(self, state: object) -> None:
        """Take what the pickle says; raises ``ValueError``."""
        raise NotImplementedError


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
