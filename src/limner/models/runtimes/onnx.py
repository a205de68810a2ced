"""ONNX Runtime: loads the ``model.onnx`` of a bundle."""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from limner.core.errors import ModelError
from limner.models.bundle import Bundle
from limner.models.bundle_files import read_bundle
from limner.models.predictor import TaskPredictor
from limner.models.protocol import RuntimeOptions

if TYPE_CHECKING:
    import onnxruntime

#: Best first; the processor is always there.
_PREFERRED = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")

_FEW_CORES = 4


class OnnxSession:
    """A network that ONNX Runtime has loaded; several threads may run it at once."""

    def __init__(self, session: onnxruntime.InferenceSession, ref: str) -> None:
        self._session = session
        self._ref = ref
        #: Names of the inputs that have to be given.
        self.inputs: tuple[str, ...] = tuple(each.name for each in session.get_inputs())
        #: What executes it, best first: not always what was asked for.
        self.providers: tuple[str, ...] = tuple(session.get_providers())

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Sequence[npt.NDArray[Any]]:
        """The outputs in the order of the file; raises `ModelError`."""
        with _as_model_error(f"The model {self._ref} failed"):
            outputs: Sequence[npt.NDArray[Any]] = self._session.run(None, dict(inputs))
        return outputs


class OnnxRuntime:
    """The runtime called ``onnx``."""

    name = "onnx"

    def load(self, bundle: Bundle, options: RuntimeOptions) -> TaskPredictor:
        """Load a bundle; its weights must be those that it names. Raises `ModelError`."""
        if bundle.folder is None or bundle.input is None:
            raise ModelError(f"The model {bundle.ref} has no files that ONNX Runtime could load.")
        if read_bundle(bundle.folder).sha256 != bundle.sha256:
            raise ModelError(f"The model {bundle.ref} was replaced while it was being loaded.", hint="Try again.")
        session = open_session(bundle, options)
        expected = {bundle.input.name, bundle.input.size_input} - {None}
        if set(session.inputs) != expected:
            raise ModelError(
                f"The network of {bundle.ref} takes {', '.join(session.inputs)}, and its bundle names "
                f"{', '.join(sorted(map(str, expected)))}."
            )
        return TaskPredictor(bundle, session, session.providers)


#: The runtime, for the registry.
ONNX = OnnxRuntime()


def open_session(bundle: Bundle, options: RuntimeOptions) -> OnnxSession:
    """Load the weights of a bundle; raises `ModelError`."""
    import onnxruntime

    chosen = choose_providers(available_providers(), options.providers, has_tensorrt=_has_tensorrt())
    dynamic = bundle.input is not None and bundle.input.dynamic
    with _as_model_error(f"The network of {bundle.ref} cannot be loaded"):
        session = onnxruntime.InferenceSession(
            str(bundle.weights_path), _session_options(options.threads, dynamic=dynamic), providers=chosen
        )
    return OnnxSession(session, bundle.ref)


def answered_shapes(path: Path, name: str, image: npt.NDArray[Any]) -> list[tuple[int, ...]]:
    """Shapes of the outputs of an ONNX file for one input; raises `ModelError` when it fails."""
    return [tuple(output.shape) for output in answers(path, {name: image})]


def answers(path: Path, inputs: Mapping[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """The outputs of an ONNX file that is no bundle yet, on the processor; raises `ModelError` when it fails."""
    return answers_to(path, [inputs])[0]


def answers_to(path: Path, questions: Sequence[Mapping[str, npt.NDArray[Any]]]) -> list[list[npt.NDArray[Any]]]:
    """The same for several inputs, one after the other."""
    import onnxruntime

    with _as_model_error(f"The network in {path.name} cannot be tried"):
        session = onnxruntime.InferenceSession(
            str(path), _session_options(0, dynamic=True), providers=["CPUExecutionProvider"]
        )
        return [[*session.run(None, dict(inputs))] for inputs in questions]


def choose_providers(available: Sequence[str], asked: Sequence[str], *, has_tensorrt: bool) -> list[str]:
    """Execution providers, best first; raises `ModelError` when one that was asked for is not there."""
    if missing := [name for name in asked if name not in available]:
        raise ModelError(
            f"ONNX Runtime has no {', '.join(missing)} here.",
            hint=f"It has {', '.join(available)}; see the docs on GPUs.",
        )
    # The wheels for CUDA always name TensorRT, whether its libraries are there or not.
    usable = [name for name in _PREFERRED if name in available and (has_tensorrt or not name.startswith("Tensorrt"))]
    return [*asked] if asked else usable


@cache
def available_providers() -> tuple[str, ...]:
    """The execution providers of the ONNX Runtime that is installed; those of CUDA can be used from now on."""
    import onnxruntime

    found = tuple(onnxruntime.get_available_providers())
    if "CUDAExecutionProvider" in found and importlib.util.find_spec("nvidia") is not None:
        onnxruntime.preload_dlls()  # of the packages of `onnxruntime-gpu[cuda,cudnn]`, which no path leads to
    return found


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_tensorrt() -> bool:
    return ctypes.util.find_library("nvinfer") is not None


def _session_options(threads: int, *, dynamic: bool) -> onnxruntime.SessionOptions:
    """Tuned for the latency of one image."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # ONNX Runtime counts the cores of the machine, not those that a container may use.
    options.intra_op_num_threads = threads or cores()
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # A pattern of allocations holds for one input size; kept for many, it only takes memory.
    options.enable_mem_pattern = not dynamic
    # Threads that wait in a loop gain a tenth when alone, and on few cores take as much from the
    # threads that decode the next page.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if cores() > _FEW_CORES else "0")
    options.log_severity_level = 3
    # Not `session.set_denormal_as_zero`: it changes how the calling thread reckons ever after.
    return options


@contextmanager
def _as_model_error(what: str) -> Iterator[None]:
    """Turn what ONNX Runtime raises into `ModelError`."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = (each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception))
    kinds: tuple[type[Exception], ...] = (RuntimeError, ValueError, *own)
    try:
        yield
    except kinds as error:
        raise ModelError(f"{what}: {str(error).strip().splitlines()[0]}") from error
