"""A torch network becomes an ONNX file, and both are asked the same before anybody trusts it.

Every importer that rebuilds a network ends here: `export_checked` writes the file with the tracing exporter,
runs network and file on the same inputs, and raises when their answers differ.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.errors import BundleError, CheckpointError
from limner.models.importers.extras import need_train
from limner.models.runtimes.onnx import answers_to

if TYPE_CHECKING:
    import torch

Arrays: TypeAlias = Sequence[npt.NDArray[Any]]

_OPSET = 17
#: A network with more numbers than this needs another file format: a protocol buffer ends at 2 GiB.
_MOST_PARAMETERS = 500_000_000


def largest_difference(expected: Arrays, actual: Arrays) -> float:
    """The largest |a − b| / (1 + |a|) in all outputs; infinite where they have different shapes."""
    if [each.shape for each in expected] != [each.shape for each in actual]:
        return float("inf")
    out = 0.0
    for one, other in zip(expected, actual, strict=True):
        a, b = one.astype(np.float64), other.astype(np.float64)
        both = np.isfinite(a) & np.isfinite(b)
        if not np.array_equal(a[~both], b[~both], equal_nan=True):
            return float("inf")
        out = max(out, float((np.abs(a[both] - b[both]) / (1 + np.abs(a[both]))).max(initial=0.0)))
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A torch network, and how it is to become ONNX."""

    module: torch.nn.Module
    #: Inputs to compare with, each a tuple for the module; it is traced with the first. Give two sizes where
    #: the network takes any.
    examples: tuple[tuple[torch.Tensor, ...], ...]
    inputs: tuple[str, ...] = ("images",)
    outputs: tuple[str, ...] = ("output0",)
    #: Axes that may vary and names for them, by input or output: ``{"images": {2: "height", 3: "width"}}``.
    dynamic: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    #: How the answers of network and file are compared …
    difference: Callable[[Arrays, Arrays], float] = largest_difference
    #: … and how much of that is allowed.
    tolerance: float = 1e-3


def export_checked(conversion: Conversion, path: Path) -> float:
    """Write the ONNX file and return by how much its answers differ from those of the network.

    Raises `BundleError` when the network cannot be written, or the answers differ by more than is allowed.
    """
    need_train("Converting a network to ONNX")
    import torch

    module = conversion.module.eval().float()
    if sum(each.numel() for each in module.parameters()) > _MOST_PARAMETERS:
        raise BundleError("The network has more than 500 million parameters, too many for an ONNX file.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), _quiet():
        expected = [_arrays(module(*example)) for example in conversion.examples]
        _export(conversion, module, path)
    given = [dict(zip(conversion.inputs, map(_numbers, each), strict=True)) for each in conversion.examples]
    actual = answers_to(path, given)
    worst = max(conversion.difference(*pair) for pair in zip(expected, actual, strict=True))
    if not worst <= conversion.tolerance:
        raise BundleError(
            f"The converted network gives other answers than the original: they differ by {worst:.3g}, and "
            f"{conversion.tolerance:g} is allowed.",
            hint="It was not installed. Please report the kind of model.",
        )
    return worst


def _numbers(tensor: torch.Tensor) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = tensor.numpy()
    return array


def load_strictly(module: torch.nn.Module, weights: Mapping[str, torch.Tensor], what: str) -> None:
    """Put weights into a network; raises `CheckpointError` naming those that are missing, left over or misshapen."""
    own = module.state_dict()
    # Networks of before 2018 have no such counters, and nothing that predicts uses them.
    missing = [name for name in own if name not in weights and not name.endswith("num_batches_tracked")]
    beyond = [name for name in weights if name not in own and not name.endswith("num_batches_tracked")]
    misshapen = [name for name in own if name in weights and own[name].shape != weights[name].shape]
    for names, problem in ((missing, "has no"), (beyond, "has also"), (misshapen, "has, of another shape,")):
        if names:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            raise CheckpointError(f"The checkpoint does not fit {what}: it {problem} {shown}.")
    module.load_state_dict(dict(weights), strict=False)


def sample_pixels(width: int, height: int) -> npt.NDArray[np.uint8]:
    """A drawn page for comparing networks, height × width × 3: the same each time."""
    random = np.random.default_rng(7)
    coarse = random.integers(150, 250, (max(2, height // 48), max(2, width // 48), 3), np.uint8)
    page = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    for _ in range(12):
        x, y = int(random.integers(0, width)), int(random.integers(0, height))
        w, h = int(random.integers(4, max(5, width // 3))), int(random.integers(4, max(5, height // 4)))
        colour = tuple(map(int, random.integers(0, 200, 3)))
        cv2.rectangle(page, (x, y), (x + w, y + h), colour, int(random.choice([-1, 2])))
    return page


def sample_tensor(width: int, height: int) -> torch.Tensor:
    """The same page as a network gets it: 1 × 3 × height × width, from 0 to 1."""
    import torch

    planes = sample_pixels(width, height).transpose(2, 0, 1)[None].astype(np.float32) / 255
    return torch.from_numpy(np.ascontiguousarray(planes))


def _export(conversion: Conversion, module: torch.nn.Module, path: Path) -> None:
    import torch

    kinds = (RuntimeError, ValueError, TypeError, torch.onnx.errors.OnnxExporterError)
    try:
        torch.onnx.export(
            module,
            conversion.examples[0],
            str(path),
            input_names=[*conversion.inputs],
            output_names=[*conversion.outputs],
            dynamic_axes={name: dict(axes) for name, axes in conversion.dynamic.items()},
            opset_version=_OPSET,
            dynamo=False,
        )
    except kinds as error:
        raise BundleError(f"The network cannot be written as ONNX: {str(error).strip().splitlines()[0]}") from error


def _arrays(answer: object) -> list[npt.NDArray[Any]]:
    """The tensors in an answer, in the order in which they become outputs."""
    import torch

    if isinstance(answer, torch.Tensor):
        return [answer.numpy()]
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list | tuple):
        return [array for each in answer for array in _arrays(each)]
    raise BundleError(f"The network gives a {type(answer).__name__}, and not tensors.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter has to say of itself and of numbers that it takes for constants.

    Whether they are constants is what the comparison is there to find.
    """
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
