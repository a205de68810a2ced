"""Checkpoints for tests: written by torch from stand-in classes, and hostile ones by hand."""

from __future__ import annotations

import io
import struct
import sys
import types
import zipfile
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


@contextmanager
def stand_ins(classes: Mapping[str, type]):
    """Let classes be pickled under names of modules that do not exist: ``{"models.yolo.Detect": …}``."""
    before = dict(sys.modules)
    own = [(each, each.__module__, each.__qualname__, each.__name__) for each in classes.values()]
    for name, each in classes.items():
        module, _, short = name.rpartition(".")
        each.__module__, each.__qualname__, each.__name__ = module, short, short
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
        setattr(sys.modules[module], short, each)
    try:
        yield
    finally:
        for each, module, qualname, short in own:
            each.__module__, each.__qualname__, each.__name__ = module, qualname, short
        for name in set(sys.modules) - set(before):
            del sys.modules[name]


def saved(value: object, path: Path, *, old: bool = False) -> Path:
    """A file of ``torch.save``."""
    torch.save(value, path, _use_new_zipfile_serialization=not old)
    return path


def archive(path: Path, pickle: bytes, parts: Mapping[str, bytes] | None = None, *, compressed: bool = False) -> Path:
    """An archive like those of torch with any pickle in it."""
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as opened:
        opened.writestr("model/data.pkl", pickle)
        for name, data in (parts or {}).items():
            opened.writestr(f"model/{name}", data)
    return path


def calling(module: str, name: str, *args: str) -> bytes:
    """A pickle that has a function called when Python reads it."""
    given = b"".join(b"X" + struct.pack("<I", len(arg)) + arg.encode() for arg in args)
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(" + given + b"tR."


def tensor_pickle(numel: int, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> bytes:
    """The pickle of a dictionary with one float tensor, whose header says anything."""
    out = io.BytesIO()

    def whole(value: int) -> bytes:
        return b"\x8a\x08" + struct.pack("<q", value)

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    out.write(b"\x80\x02}" + text("weight") + b"ctorch._utils\n_rebuild_tensor_v2\n(")
    out.write(b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + whole(numel) + b"tQ")
    out.write(whole(offset))
    for lengths in (shape, strides):
        out.write(b"(" + b"".join(map(whole, lengths)) + b"t")
    out.write(b"\x89}tRs.")
    return out.getvalue()


def plain(value: Any) -> Any:
    """Tensors as lists, for comparing."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value
