"""ONNX files that YOLOv5 or ultralytics (YOLOv5u, v8, 11 and later) have exported.

Both write names and stride into the file's metadata. The heads differ in shape: YOLOv5 gives a row of
5 + labels for each box, YOLOv8 and later a column of 4 + labels; with suppression inside the network
there is a row of 6. Networks that segment add coefficients to each, and an output of prototypes.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from limner.core.errors import BundleError
from limner.models.bundle import Bundle, make_bundle
from limner.models.bundle_files import write_bundle
from limner.models.importers.protocol import Wishes, name_from
from limner.models.importers.yolo_fields import labels_from, yolo_fields
from limner.models.onnx_file import OnnxFile, TensorInfo, read_onnx
from limner.models.runtimes.onnx import answered_shapes

#: Longer metadata holds no names of labels.
_LONGEST_TEXT = 1_000_000
_DEFAULT_SIDE = 640
#: No network takes larger images, whatever its metadata says.
_LONGEST_SIDE = 16_384


@dataclass(frozen=True, slots=True)
class _Head:
    """How the network answers."""

    #: Name of the decoder.
    decoder: str
    #: Mask coefficients for each box.
    masks: int


class OnnxYolo:
    """The importer called ``onnx-yolo``."""

    name = "onnx-yolo"
    title = "ONNX files exported by YOLOv5 or ultralytics"

    def accepts(self, path: Path) -> bool:
        """An ONNX file with ``names`` or ``stride`` in its metadata."""
        if path.suffix.lower() != ".onnx" or not path.is_file():
            return False
        try:
            return bool({"names", "stride"} & set(read_onnx(path).metadata))
        except BundleError:
            return False

    def convert(self, path: Path, folder: Path, wishes: Wishes) -> Bundle:
        """Copy the network and describe it; raises `BundleError`."""
        file = _with_shapes(path, read_onnx(path))
        labels = labels_from(None if wishes.labels else _plain(file, "names"), wishes.labels)
        head = _head(file, len(labels))
        ultralytics = _by_ultralytics(file)
        image = _image_input(file)
        height, width = (image.shape[2] or 0, image.shape[3] or 0)
        if not (height and width):
            height, width = _trained_size(file)
        stride = _plain(file, "stride")
        fields = yolo_fields(
            ultralytics=ultralytics,
            decoder=head.decoder,
            masks=head.masks,
            labels=labels,
            size=(width, height),
            stride=32 if stride is None else stride,
            dynamic=None in image.shape[2:],
        )
        fields["input"] |= {"name": image.name, "dtype": image.dtype}
        fields |= {
            "name": wishes.name or name_from(path),
            "version": wishes.version or "1",
            "description": file.metadata.get("description", "")[:10_000],
            "licence": file.metadata.get("license", "")[:200],
            "provenance": {"source": path.name, "converter": f"limner {self.name}"},
        }
        return write_bundle(make_bundle(fields), folder, path)


#: The importer, for the registry.
ONNX_YOLO = OnnxYolo()


def import_onnx(path: Path, folder: Path, name: str | None = None, labels: tuple[str, ...] | None = None) -> Path:
    """Make a bundle folder of an ONNX file exported by YOLOv5 or ultralytics; raises `BundleError`."""
    ONNX_YOLO.convert(path, folder, Wishes(name=name, labels=labels))
    return folder


def _by_ultralytics(file: OnnxFile) -> bool:
    """YOLOv5 writes nothing but names and stride."""
    return bool({"author", "task", "imgsz"} & set(file.metadata))


def _plain(file: OnnxFile, key: str) -> object:
    """A Python literal in the metadata, or None; only literals are read, nothing is evaluated."""
    text = file.metadata.get(key)
    if text is None:
        return None
    try:
        if len(text) > _LONGEST_TEXT:
            raise ValueError("it is too long")
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise BundleError(f"The {key} in the metadata of the network cannot be read: {error}.") from error


def _image_input(file: OnnxFile) -> TensorInfo:
    """The input for the image: 1 × 3 × height × width."""
    first = file.inputs[0] if len(file.inputs) == 1 else None
    if first is None or len(first.shape) != 4 or first.shape[0] not in (1, None) or first.shape[1] not in (3, None):
        shapes = "; ".join(f"{each.name}: {_shape(each)}" for each in file.inputs)
        raise BundleError(f"The network should take one image of 1 × 3 × height × width, and takes {shapes}.")
    return first


def _with_shapes(path: Path, file: OnnxFile) -> OnnxFile:
    """The file with the shapes of its outputs; those that it leaves open are found by trying it.

    Exports for any image size do not say how long a row of their outputs is, and that tells which
    program made them. Only files that this importer accepts come here.
    """
    if not any(None in output.shape[1:] for output in file.outputs):
        return file
    image = _image_input(file)
    height, width = _trained_size(file)
    blank = np.zeros((1, 3, image.shape[2] or height, image.shape[3] or width), image.dtype or "float32")
    shapes = answered_shapes(path, image.name, blank)
    outputs = (replace(output, shape=shape) for output, shape in zip(file.outputs, shapes, strict=True))
    return replace(file, outputs=tuple(outputs))


def _shape(tensor: TensorInfo) -> str:
    return " × ".join("?" if length is None else str(length) for length in tensor.shape)


def _head(file: OnnxFile, labels: int) -> _Head:
    """Which decoder reads the outputs, by their shapes; raises `BundleError`."""
    task = file.metadata.get("task", "detect")
    if task not in ("detect", "segment"):
        raise BundleError(f"The network was made for the task {task}; Limner reads detect and segment.")
    main = next((output for output in file.outputs if len(output.shape) == 3), None)
    prototypes = next((output for output in file.outputs if len(output.shape) == 4), None)
    if main is None:
        raise BundleError("The network has no output of boxes (1 × rows × columns).")
    masks = (prototypes.shape[1] or 0) if prototypes else 0
    _, rows, columns = main.shape
    # In the order of likelihood: with one label, a row of YOLOv5 and one after suppression have both 6.
    v5, v8 = (columns == 5 + labels + masks, "yolov5"), (rows == 4 + labels + masks, "yolov8")
    done = (columns == 6 + masks, "rows")
    order = (v8, done, v5) if _by_ultralytics(file) else (v5, v8, done)
    for fits, decoder in order:
        if fits:
            return _Head(decoder, masks)
    raise BundleError(
        f"The network gives {_shape(main)} numbers, which fits no YOLO with {labels} labels and {masks} prototypes.",
        hint="Check the labels.",
    )


def _trained_size(file: OnnxFile) -> tuple[int, int]:
    """Height and width that the network was trained at; raises `BundleError` for sizes beyond reason."""
    match _plain(file, "imgsz"):
        case [int(height), int(width)]:
            size = height, width
        case int(side):
            size = side, side
        case _:
            size = _DEFAULT_SIDE, _DEFAULT_SIDE
    if not all(1 <= side <= _LONGEST_SIDE for side in size):
        raise BundleError(f"The network's metadata names an image size of {size[1]} × {size[0]}.")
    return size
