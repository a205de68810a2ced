"""What importers of ONNX files ask of their inputs and of the labels that come with them."""

from __future__ import annotations

from pathlib import Path

from limner.core.errors import BundleError
from limner.models.importers.protocol import Wishes
from limner.models.onnx_file import OnnxFile, TensorInfo, read_onnx


def peek_onnx(path: Path) -> OnnxFile | None:
    """What an ONNX file says of itself; None where it is none."""
    if path.suffix.lower() != ".onnx" or not path.is_file():
        return None
    try:
        return read_onnx(path)
    except BundleError:
        return None


def is_image(tensor: TensorInfo, *, channels: int = 1) -> bool:
    """Whether a tensor is one image of three colours, with the colours on some axis."""
    shape = tensor.shape
    return len(shape) == 4 and shape[0] in (1, None) and shape[channels] in (3, None)


def the_image(file: OnnxFile, *, channels: int = 1) -> TensorInfo:
    """The input for the image; raises `BundleError` saying what the network takes."""
    images = [tensor for tensor in file.inputs if is_image(tensor, channels=channels)]
    if len(images) == 1:
        return images[0]
    raise BundleError(f"The network should take one image, and takes {described(file.inputs)}.")


def described(tensors: tuple[TensorInfo, ...]) -> str:
    """Tensors with their shapes, for messages."""
    return "; ".join(
        f"{each.name}: {' × '.join('?' if length is None else str(length) for length in each.shape)}"
        for each in tensors
    )


def wished_labels(wishes: Wishes) -> tuple[str, ...]:
    """The labels that are wished for; raises `BundleError` where none are."""
    if not wishes.labels:
        raise BundleError("The network does not say what its labels are called.", hint="Give them, in order.")
    return wishes.labels


def by_name(file: OnnxFile, roles: dict[str, str]) -> tuple[str, ...] | None:
    """What each output is by its name, `-` for others; None unless all roles are there.

    ``roles`` gives the role of each name; several names may stand for one.
    """
    # TensorFlow counts the outputs of a node: ``detection_boxes:0``.
    found = tuple(roles.get(output.name.partition(":")[0].lower(), "-") for output in file.outputs)
    given = [role for role in found if role != "-"]
    return found if sorted(given) == sorted(set(roles.values())) else None


def trimmed(roles: tuple[str, ...]) -> list[str]:
    """Roles without what is not needed at their end."""
    last = max(at for at, role in enumerate(roles) if role != "-")
    return [*roles[: last + 1]]
