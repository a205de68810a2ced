"""Static quantisation: a network whose convolutions and products reckon with 8 bits.

Which numbers occur inside is found by letting the network see the pages of a calibration folder. Only
convolutions and products of matrices are changed: what comes after them, where boxes of 0 to 640 and scores
of 0 to 1 lie in one tensor, stays as it is.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import LimnerError, ModelError, UsageError
from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.models.bundle_files import write_bundle
from limner.models.importers.extras import need_extra
from limner.models.tasks.letterbox import Buffers, plan_input, prepare
from limner.operations.accuracy.labelled import IMAGE_SUFFIXES
from limner.operations.exporting.folders import exportable, new_folder
from limner.sources.decode import decode_file
from limner.sources.protocol import Want

#: More pages add nothing to what is known of the numbers, only time.
MOST_PAGES = 300
_CHANGED = ["Conv", "MatMul", "Gemm"]
_SUFFIX = "int8"


def calibration_images(folder: Path) -> list[Path]:
    """The images of a calibration folder, at most `MOST_PAGES`; raises `UsageError` where there are none."""
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.")
    found = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    if not found:
        raise UsageError(f"{folder} holds no images.", hint="Put some dozens of pages there, as the model will see.")
    # Spread over all of them, not the beginning.
    step = max(1, len(found) // MOST_PAGES)
    return found[::step][:MOST_PAGES]


def quantise(bundle: Bundle, images: Sequence[Path], folder: Path, settings: Settings) -> Bundle:
    """Write a bundle with a network of 8 bits into a new folder; raises `ModelError` where that is not possible."""
    need_extra("train", ("onnx",), "Quantisation")
    source = exportable(bundle)
    with new_folder(folder) as target:
        with _errors_named(bundle), tempfile.TemporaryDirectory(prefix="limner-int8-") as scratch:
            _write(source, images, target / "model.onnx", Path(scratch), settings)
        version = f"{bundle.version}-{_SUFFIX}"[:64]
        about = f"{bundle.provenance.source}; int8, calibrated on {len(images)} pages".removeprefix("; ")
        changed = source.changed(
            version=version,
            title=f"{bundle.title} (int8)" if bundle.title else "",
            # What was measured of the network before says nothing of this one.
            figures={},
            page_seconds=None,
            memory=None,
            weights=None,
            provenance=bundle.provenance.model_copy(update={"source": about, "converter": "limner models export"}),
        )
        return write_bundle(changed, target)


def _write(source: Bundle, images: Sequence[Path], path: Path, scratch: Path, settings: Settings) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = scratch / "ready.onnx"
    quant_pre_process(str(source.weights_path), str(ready), skip_symbolic_shape=True)
    quantize_static(
        str(ready),
        str(path),
        _Pages(source, images, settings),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=_CHANGED,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        # Processors before VNNI add two products into 16 bits, which 7 bits of weight never fill.
        reduce_range=True,
    )


class _Pages:
    """Gives the network the calibration pages, one after the other (onnxruntime's ``CalibrationDataReader``)."""

    def __init__(self, bundle: Bundle, images: Sequence[Path], settings: Settings) -> None:
        self._inputs = _inputs(bundle, images, settings)

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        """The next page's inputs; None after the last."""
        return next(self._inputs, None)

    def __iter__(self) -> _Pages:
        return self

    def __next__(self) -> dict[str, npt.NDArray[Any]]:
        return next(self._inputs)


def _inputs(bundle: Bundle, images: Sequence[Path], settings: Settings) -> Iterator[dict[str, npt.NDArray[Any]]]:
    if bundle.input is None:
        raise ModelError(f"The bundle {bundle.ref} does not say how its network is fed.")
    buffers = Buffers()
    for image in images:
        picture = decode_file(image, Want(bundle.wanted_side), settings)
        plan = plan_input(bundle.input, (picture.width, picture.height))
        inputs = {bundle.input.name: prepare(picture.pixels, bundle.input, plan, buffers).copy()}
        if bundle.input.size_input:
            inputs[bundle.input.size_input] = np.array([plan.canvas], np.int64)
        yield inputs


@contextmanager
def _errors_named(bundle: Bundle) -> Iterator[None]:
    """What onnxruntime's tools raise as `ModelError`; what they only have to say is left out."""
    log = logging.getLogger()
    level = log.level
    log.setLevel(max(level, logging.ERROR))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except LimnerError:
        raise
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"The network of {bundle.ref} cannot be quantised: {said}") from error
    finally:
        log.setLevel(level)
