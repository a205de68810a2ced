"""Models on another server, asked through the Open Inference Protocol v2: Triton, KServe, OpenVINO Model Server.

The bundle says how an image becomes the input and how the outputs are read, as for a network of its own;
only what runs it is elsewhere. Tensors go as bytes where the server announces the extension for them, and
as JSON where not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit

import numpy as np
import numpy.typing as npt
from pydantic import Field

from limner.core.errors import BundleError, LimnerError, ModelError
from limner.models.bundle import Bundle
from limner.models.predictor import TaskPredictor
from limner.models.protocol import Reply, RuntimeOptions, Sender
from limner.models.runtimes.text_lines import parameters_of
from limner.models.tasks.specs import Spec

Array: TypeAlias = npt.NDArray[Any]

_TYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64",
    "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64",
    "FP16": "float16", "FP32": "float32", "FP64": "float64",
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _TYPES.items()}
#: The extension for tensors as bytes: https://github.com/kserve/open-inference-protocol
_BINARY = "binary_tensor_data"
_LENGTH = "inference-header-content-length"
#: Longer axes, or more of them, are no answer to one image.
_MOST_NUMBERS = 500_000_000


class Parameters(Spec):
    """``parameters`` of a bundle for this runtime."""

    url: str = Field(
        pattern=r"^https?://", max_length=2000, description="Address of the server, up to what comes before `/v2`."
    )
    model: str = Field(min_length=1, max_length=500, description="Name of the model there.")
    model_version: str = Field(
        default="", max_length=200, description="Version of the model there; empty for its choice."
    )
    outputs: tuple[str, ...] = Field(
        default=(), description="Names of the outputs in the order of the decoder; empty for the server's order."
    )
    timeout: float = Field(default=60.0, gt=0, le=3600, description="Seconds that one answer may take.")
    binary: bool | None = Field(
        default=None, description="Whether tensors go as bytes; null to go by what the server announces."
    )


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output as the server describes it."""

    name: str
    #: As numpy calls it.
    dtype: str


class RemoteSession:
    """A network on another server; several threads may ask at once."""

    def __init__(self, parameters: Parameters, send: Sender) -> None:
        self._send = send
        self._timeout = parameters.timeout
        self._root = parameters.url.rstrip("/") + "/v2"
        version = f"/versions/{quote(parameters.model_version, safe='')}" if parameters.model_version else ""
        self._model = f"{self._root}/models/{quote(parameters.model, safe='')}{version}"
        self._host = urlsplit(parameters.url).hostname or ""
        about = self._ask("GET", self._model)
        self.inputs = _tensors(about, "inputs", self._host)
        self.outputs = _chosen(_tensors(about, "outputs", self._host), parameters.outputs)
        self.binary = self._announces_binary() if parameters.binary is None else parameters.binary

    def run(self, inputs: Mapping[str, Array]) -> Sequence[Array]:
        """The outputs in the order of the bundle; raises `ModelError`."""
        header, body = render_request(inputs, [each.name for each in self.outputs], binary=self.binary)
        reply = self._reply("POST", f"{self._model}/infer", header, body)
        try:
            found = parse_response(reply.body, reply.headers.get(_LENGTH))
            return [found[each.name] for each in self.outputs]
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ModelError(f"The answer of {self._host} cannot be read: {error}.") from error

    def _announces_binary(self) -> bool:
        extensions = self._ask("GET", self._root).get("extensions")
        return isinstance(extensions, list) and _BINARY in extensions

    def _ask(self, method: str, url: str) -> dict[str, Any]:
        """A JSON object from the server."""
        try:
            value = json.loads(self._reply(method, url, {}, b"").body)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{self._host} does not speak the Open Inference Protocol: no JSON came.") from error
        if not isinstance(value, dict):
            raise ModelError(f"{self._host} does not speak the Open Inference Protocol: no JSON object came.")
        return value

    def _reply(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            reply = self._send(method, url, headers, body, self._timeout)
        except LimnerError as error:
            raise ModelError(f"The model server cannot be asked: {error.message}", hint=error.hint) from error
        if reply.status != 200:
            raise ModelError(f"{self._host} answered with status {reply.status}{_reason(reply.body)}")
        return reply


class RemoteRuntime:
    """The runtime called ``remote``."""

    name = "remote"

    def load(self, bundle: Bundle, options: RuntimeOptions) -> TaskPredictor:
        """Ask the server what the model is; raises `ModelError` when it is not there or not as the bundle says."""
        if bundle.input is None or bundle.decoder is None:
            raise BundleError(f"The bundle {bundle.ref} does not say how its network is fed and read.")
        if options.send is None:
            raise ModelError(f"The model {bundle.ref} is on another server, and there is no way to the network here.")
        session = RemoteSession(parameters_of(bundle, Parameters), options.send)
        expected: dict[str, str] = {bundle.input.name: bundle.input.dtype}
        if bundle.input.size_input:
            expected[bundle.input.size_input] = "int64"
        given = {each.name: each.dtype for each in session.inputs}
        if given != expected:
            raise ModelError(
                f"The model {bundle.ref} takes {_listed(given)}, and its bundle names {_listed(expected)}."
            )
        return TaskPredictor(bundle, session, (f"{self.name}: {urlsplit(str(bundle.parameters['url'])).netloc}",))


#: The runtime, for the registry.
REMOTE = RemoteRuntime()


def render_request(
    inputs: Mapping[str, Array], outputs: Sequence[str], *, binary: bool
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request for inference."""
    described: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name, values in inputs.items():
        tensor: dict[str, Any] = {"name": name, "shape": [*values.shape], "datatype": _NAMES[values.dtype.name]}
        if binary:
            part = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
            parts.append(part)
            described.append({**tensor, "parameters": {"binary_data_size": len(part)}})
        elif values.dtype == np.float16:
            raise ModelError("Numbers of 16 bits cannot go as JSON, and the server takes no bytes.")
        else:
            described.append({**tensor, "data": values.ravel().tolist()})
    asked = [{"name": name, **({"parameters": {"binary_data": True}} if binary else {})} for name in outputs]
    head = json.dumps({"inputs": described, "outputs": asked}).encode()
    if not binary:
        return {"Content-Type": "application/json"}, head
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return headers, b"".join([head, *parts])


def parse_response(body: bytes, header: str | None) -> dict[str, Array]:
    """The outputs in an answer by their names; raises `ValueError`, `KeyError` or `TypeError`.

    ``header`` is the length of the JSON where bytes of tensors come after it.
    """
    end = len(body) if header is None else int(header)
    if not 0 <= end <= len(body):
        raise ValueError("its header is longer than all of it")
    rest, out = body[end:], {}
    for tensor in json.loads(body[:end])["outputs"]:
        shape = tuple(int(length) for length in tensor["shape"])
        dtype = np.dtype(_TYPES[tensor["datatype"]])
        if any(length < 0 for length in shape) or math.prod(shape) > _MOST_NUMBERS:
            raise ValueError(f"an output of shape {shape} is not possible")
        size = tensor.get("parameters", {}).get("binary_data_size")
        if size is None:
            values = np.asarray(tensor["data"], dtype)
        else:
            if size != math.prod(shape) * dtype.itemsize or size > len(rest):
                raise ValueError(f"{size} bytes are no output of shape {shape}")
            values = np.frombuffer(rest[:size], dtype.newbyteorder("<")).astype(dtype, copy=False)
            rest = rest[size:]
        out[str(tensor["name"])] = values.reshape(shape)
    return out


def _tensors(about: Mapping[str, Any], key: str, host: str) -> tuple[Tensor, ...]:
    try:
        return tuple(Tensor(str(each["name"]), _TYPES[each["datatype"]]) for each in about[key])
    except (KeyError, TypeError) as error:
        raise ModelError(f"{host} describes the {key} of the model in a way that cannot be read: {error}.") from error


def _chosen(outputs: tuple[Tensor, ...], wanted: tuple[str, ...]) -> tuple[Tensor, ...]:
    """The outputs in the order in which the bundle names them."""
    named = {each.name: each for each in outputs}
    if missing := [name for name in wanted if name not in named]:
        raise ModelError(f"The model gives {', '.join(named)}, and no {', '.join(missing)}.")
    return tuple(named[name] for name in wanted) if wanted else outputs


def _reason(body: bytes) -> str:
    """What the server says of an error, as far as it can be read."""
    try:
        said = str(json.loads(body[:100_000])["error"])[:300]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "."
    return f": {said}"


def _listed(tensors: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({dtype})" for name, dtype in tensors.items()) or "nothing"
