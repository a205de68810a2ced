"""A small server that speaks the Open Inference Protocol v2 and runs an ONNX file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

_TYPES = {"tensor(float)": "FP32", "tensor(int64)": "INT64", "tensor(uint8)": "UINT8", "tensor(float16)": "FP16"}
_NUMPY = {"FP32": np.float32, "INT64": np.int64, "UINT8": np.uint8, "FP16": np.float16}


class InferenceServer(ThreadingHTTPServer):
    """Serves one network as the model ``page``, version ``3``."""

    daemon_threads = True

    def __init__(self, network: Path, *, binary: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
        self.binary = binary
        #: Path and content type of each request.
        self.seen: list[tuple[str, str]] = []
        #: What to answer instead of an inference: status, headers and body.
        self.instead: tuple[int, dict[str, str], bytes] | None = None
        #: Set to let an inference go on that was asked to wait.
        self.go_on: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def about(self) -> dict[str, Any]:
        def tensors(each):
            return [{"name": t.name, "datatype": _TYPES[t.type], "shape": [-1, *t.shape[1:]]} for t in each]

        return {
            "name": "page",
            "versions": ["3"],
            "platform": "onnxruntime_onnx",
            "inputs": tensors(self.session.get_inputs()),
            "outputs": tensors(self.session.get_outputs()),
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: InferenceServer

    def do_GET(self) -> None:
        self.server.seen.append((self.path, ""))
        if self.path == "/v2":
            extensions = ["model_repository", *(["binary_tensor_data"] if self.server.binary else [])]
            self._json(200, {"name": "test", "version": "1", "extensions": extensions})
        elif self.path in ("/v2/models/page", "/v2/models/page/versions/3"):
            self._json(200, self.server.about())
        else:
            self._json(404, {"error": f"Request for unknown model: {self.path}"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, self.headers.get("Content-Type", "")))
        if self.server.go_on is not None:
            self.server.go_on.wait(60)
        if self.server.instead is not None:
            self._send(*self.server.instead)
            return
        length = self.headers.get("Inference-Header-Content-Length")
        end = len(body) if length is None else int(length)
        request, rest = json.loads(body[:end]), body[end:]
        given = {}
        for tensor in request["inputs"]:
            kind = _NUMPY[tensor["datatype"]]
            if length is None:
                values = np.array(tensor["data"], kind)
            else:
                size = tensor["parameters"]["binary_data_size"]
                values, rest = np.frombuffer(rest[:size], kind), rest[size:]
            given[tensor["name"]] = values.reshape(tensor["shape"])
        wanted = [each["name"] for each in request["outputs"]]
        self._answer(wanted, self.server.session.run(wanted, given), binary=length is not None)

    def _answer(self, names: list[str], values: list[np.ndarray], *, binary: bool) -> None:
        outputs, parts = [], []
        for name, each in zip(names, values, strict=True):
            kind = next(key for key, dtype in _NUMPY.items() if dtype == each.dtype)
            tensor = {"name": name, "shape": [*each.shape], "datatype": kind}
            if binary:
                parts.append(each.tobytes())
                tensor["parameters"] = {"binary_data_size": len(parts[-1])}
            else:
                tensor["data"] = each.ravel().tolist()
            outputs.append(tensor)
        head = json.dumps({"model_name": "page", "outputs": outputs}).encode()
        headers = {"Inference-Header-Content-Length": str(len(head))} if binary else {}
        self._send(200, headers, b"".join([head, *parts]))

    def _json(self, status: int, value: object) -> None:
        self._send(status, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: tests print enough."""


@contextmanager
def inference_server(network: Path, *, binary: bool = True) -> Iterator[InferenceServer]:
    """A running server on a free port of loopback."""
    server = InferenceServer(network, binary=binary)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        if server.go_on is not None:
            server.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
