"""The numbers of a Tiny YOLO in the files of darknet and Keras, read without running anything in them.

Both come out the same: weights and bias of each layer that has some, in torch's order of the axes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import BundleError
from limner.models.importers.extras import need_extra

if TYPE_CHECKING:
    import h5py

Floats = npt.NDArray[np.float32]

#: Channels in and out of the convolutions, and units in and out of the first dense layers.
_CONVOLUTIONS = (
    (3, 16),
    (16, 32),
    (32, 64),
    (64, 128),
    (128, 256),
    (256, 512),
    (512, 1024),
    (1024, 1024),
    (1024, 1024),
)
_DENSE = ((49 * 1024, 256), (256, 4096))
_CELLS = 49
_BOXES = 2
HDF5 = b"\x89HDF\r\n\x1a\n"
#: More layers, or more numbers in one, are no Tiny YOLO.
_MOST_LAYERS = 200
_MOST_NUMBERS = 100_000_000


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with weights."""

    #: Convolution: out × in × height × width; dense: out × in.
    weights: Floats
    bias: Floats

    @property
    def dense(self) -> bool:
        """Whether it is no convolution."""
        return self.weights.ndim == 2


@dataclass(frozen=True, slots=True)
class TinyYoloFile:
    """What a file holds."""

    layers: tuple[Layer, ...]
    #: What is worth knowing of how it was read.
    note: str


def read_darknet(path: Path) -> TinyYoloFile:
    """A ``.weights`` file; raises `BundleError`."""
    size = path.stat().st_size
    if size < 20:
        raise BundleError(f"{path.name} is too short for a file of darknet: {size} bytes.")
    major, minor = (int(each) for each in np.fromfile(path, "<i4", 2))
    # As darknet reads it: how many images it has seen is counted in 8 bytes since version 0.2.
    begin = 20 if major * 10 + minor >= 2 and major < 1000 and minor < 1000 else 16
    count, rest = divmod(size - begin, 4)
    outputs = darknet_outputs(count)
    if rest or outputs is None:
        raise BundleError(
            f"{path.name} holds {count} numbers, which is no Tiny YOLO of version 1 (45,089,374 for 20 labels).",
            hint="Other networks of darknet: export them to ONNX.",
        )
    numbers = np.memmap(path, "<f4", "r", begin, (count,))
    # Files of the first versions hold dense weights by input; darknet marks them so.
    by_input = major > 1000 or minor > 1000
    return TinyYoloFile(tuple(_darknet_layers(numbers, outputs, by_input=by_input)), f"darknet {major}.{minor}")


def darknet_outputs(count: int) -> int | None:
    """Length of the answer of a Tiny YOLO with so many parameters; None where there is none."""
    fixed = sum(9 * cin * cout + cout for cin, cout in _CONVOLUTIONS) + sum(cin * cout + cout for cin, cout in _DENSE)
    outputs, rest = divmod(count - fixed, _DENSE[-1][1] + 1)
    if rest or outputs % _CELLS or outputs // _CELLS <= 5 * _BOXES:
        return None
    return outputs


def _darknet_layers(numbers: Floats, outputs: int, *, by_input: bool) -> Iterator[Layer]:
    at = 0

    def take(*shape: int) -> Floats:
        nonlocal at
        at += math.prod(shape)
        return numbers[at - math.prod(shape) : at].reshape(shape)

    for cin, cout in _CONVOLUTIONS:
        bias = take(cout)
        yield Layer(take(cout, cin, 3, 3), bias)
    for cin, cout in (*_DENSE, (_DENSE[-1][1], outputs)):
        bias = take(cout)
        yield Layer(take(cin, cout).T if by_input else take(cout, cin), bias)


def read_keras(path: Path) -> TinyYoloFile:
    """A Keras model or its weights as HDF5; raises `BundleError`."""
    need_extra("train", ("h5py",), "Reading a file of Keras")
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return _read_keras(file, path.name)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise BundleError(f"{path.name} cannot be read as a file of Keras: {error}.") from error


def _read_keras(file: h5py.File, name: str) -> TinyYoloFile:
    root = _group(file, "model_weights") if "model_weights" in file else file
    if "layer_names" not in root.attrs:
        raise BundleError(f"{name} is a file of HDF5, but not of Keras: it names no layers.")
    tables = [_layer_tables(root, layer) for layer in _texts(root.attrs["layer_names"])]
    kernels = [table for table in tables if table]
    for table in kernels:
        if len(table) != 2 or table[0].ndim not in (2, 4) or table[1].ndim != 1:
            raise BundleError(f"{name} has a layer that Tiny YOLO has not: arrays of {[each.shape for each in table]}.")
    first = next((table[0] for table in kernels if table[0].ndim == 4), None)
    if first is None:
        raise BundleError(f"{name} has no convolutions.")
    maps_first = first.shape[1] == 3 and first.shape[0] != 3  # out × in × 3 × 3, as Keras 1 for Theano kept them
    planes = _planes_first(file, maps_first=maps_first)
    turned = _text(file.attrs.get("backend", root.attrs.get("backend", ""))) == "theano"
    layers = [_keras_layer(*table, maps_first=maps_first, turned=turned) for table in kernels]
    if not planes:
        _by_planes(layers)
    order = "channels first" if planes else "channels last"
    return TinyYoloFile(
        tuple(layers), f"Keras {_text(root.attrs.get('keras_version', ''))}, {order}".replace(" ,", ",")
    )


def _layer_tables(root: h5py.Group, layer: str) -> list[Floats]:
    group = _group(root, layer)
    return [_array(group, weight) for weight in _texts(group.attrs["weight_names"])]


def _keras_layer(kernel: Floats, bias: Floats, *, maps_first: bool, turned: bool) -> Layer:
    if kernel.ndim == 2:
        return Layer(np.ascontiguousarray(kernel.T), bias)
    weights = kernel if maps_first else kernel.transpose(3, 2, 0, 1)
    # Theano convolves with the kernel turned by 180°, the others do not turn it.
    return Layer(np.ascontiguousarray(weights[:, :, ::-1, ::-1] if turned else weights), bias)


def _by_planes(layers: list[Layer]) -> None:
    """Sort the inputs of the first dense layer: Keras counts channel by channel in each cell, torch cell by cell."""
    at = next((at for at, layer in enumerate(layers) if layer.dense), 0)
    if at == 0:
        return
    channels, dense = len(layers[at - 1].bias), layers[at]
    side = math.isqrt(dense.weights.shape[1] // channels)
    if side * side * channels != dense.weights.shape[1]:
        raise BundleError(f"Its first dense layer takes {dense.weights.shape[1]} numbers, which fits no square grid.")
    cells = dense.weights.reshape(-1, side, side, channels).transpose(0, 3, 1, 2)
    layers[at] = Layer(np.ascontiguousarray(cells.reshape(len(cells), -1)), dense.bias)


def _planes_first(file: h5py.File, *, maps_first: bool) -> bool:
    """Whether the network works on channels × height × width: as its description says, else as its kernels look."""
    text = _text(file.attrs.get("model_config", "{}"))
    if len(text) > 10_000_000:
        raise BundleError("Its description is too long.")
    found = {value for value in _formats(json.loads(text or "{}"), 0) if value}
    return bool(found & {"channels_first", "th"}) if found else maps_first


def _formats(value: Any, depth: int) -> Iterator[str]:  # noqa: ANN401  # any JSON
    """Every order of axes that a description names."""
    if depth > 40:
        return
    if isinstance(value, dict):
        for key in ("data_format", "dim_ordering"):
            if isinstance(value.get(key), str) and value[key] != "default":
                yield value[key]
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _formats(child, depth + 1)


def _member(group: h5py.Group, name: str) -> Any:  # noqa: ANN401  # h5py's objects have no common class
    """Something inside the file; links that lead elsewhere are refused."""
    import h5py

    at: Any = group
    for part in name.strip("/").split("/"):
        if not isinstance(at, h5py.Group) or not isinstance(at.get(part, getlink=True), h5py.HardLink):
            raise BundleError(f"The file has no {name[:100]!r}, or only a link to it.")
        at = at[part]
    return at


def _group(group: h5py.Group, name: str) -> h5py.Group:
    import h5py

    found = _member(group, name)
    if not isinstance(found, h5py.Group):
        raise BundleError(f"{name[:100]!r} is no group.")
    return found


def _array(group: h5py.Group, name: str) -> Floats:
    """A table of numbers that lies in the file itself."""
    import h5py

    found = _member(group, name)
    if not isinstance(found, h5py.Dataset) or found.dtype.kind != "f" or not 1 <= found.ndim <= 4:
        raise BundleError(f"{name[:100]!r} holds no numbers of a layer.")
    if found.external or found.is_virtual:
        raise BundleError(f"The numbers of {name[:100]!r} are in another file, which is not read.")
    if found.size > _MOST_NUMBERS:
        raise BundleError(f"{name[:100]!r} announces {found.size} numbers, and no Tiny YOLO has so many in a layer.")
    return np.asarray(found[()], np.float32)


def _texts(values: Any) -> list[str]:  # noqa: ANN401  # an array of bytes or texts, by the version of Keras
    if len(values) > _MOST_LAYERS:
        raise BundleError(f"It has {len(values)} layers or tables in a layer, and no Tiny YOLO has so many.")
    return [_text(value) for value in values]


def _text(value: Any) -> str:  # noqa: ANN401  # bytes or text, by the version of Keras
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
