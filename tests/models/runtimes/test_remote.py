"""Models on another server: a real one, on loopback, that runs a real network."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import BundleError, ModelError
from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.models.bundle_files import read_bundle
from limner.models.protocol import Options, RuntimeOptions
from limner.models.runtimes.onnx import ONNX
from limner.models.runtimes.remote import REMOTE, parse_response, render_request
from limner.models.store import ModelStore
from limner.operations.models import add_model
from limner.operations.services import Services, model_calls
from tests.models.networks import bright_boxes_bundle
from tests.models.runtimes.inference_server import InferenceServer, inference_server

LOOPBACK = {"model_networks": "127.0.0.0/8"}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle that runs here."""
    return read_bundle(bright_boxes_bundle(tmp_path_factory.mktemp("bundles") / "bright", side=64))


@pytest.fixture(params=[True, False], ids=["bytes", "json"])
def server(request: pytest.FixtureRequest, local: Bundle) -> Iterator[InferenceServer]:
    with inference_server(local.weights_path, binary=request.param) as made:
        yield made


@pytest.fixture
def options(tmp_path: Path) -> Iterator[RuntimeOptions]:
    calls = model_calls(Settings(data=tmp_path, **LOOPBACK))
    yield RuntimeOptions(threads=1, send=calls)
    calls.close()


def remote(local: Bundle, url: str, **parameters: object) -> Bundle:
    """The same bundle, run elsewhere."""
    fields = local.model_dump() | {"runtime": "remote", "weights": None}
    return Bundle.model_validate(fields | {"parameters": {"url": url, "model": "page", **parameters}})


def page() -> np.ndarray:
    image = np.zeros((64, 128, 3), np.uint8)
    image[16:32, 32:96] = 255
    image[48:56, 8:16] = (255, 40, 40)
    return image


def boxes(found) -> list[tuple]:
    return [(each.label, round(each.score, 4), each.shape.bounds.corners) for each in found]


def test_the_same_answers_as_here(server: InferenceServer, local: Bundle, options: RuntimeOptions) -> None:
    predictor = REMOTE.load(remote(local, server.url), options)
    wanted = boxes(ONNX.load(local, RuntimeOptions(threads=1)).predict(page(), (128, 64), Options()))
    assert len(wanted) >= 1
    assert boxes(predictor.predict(page(), (128, 64), Options())) == wanted
    path, kind = server.seen[-1]
    assert path == "/v2/models/page/infer"
    assert kind == ("application/octet-stream" if server.binary else "application/json")
    assert predictor.providers == (f"remote: {server.url[7:]}",)


def test_a_version_and_the_order_of_outputs(server: InferenceServer, local: Bundle, options: RuntimeOptions) -> None:
    bundle = remote(local, server.url + "/", model_version="3", outputs=["boxes", "scores"])
    predictor = REMOTE.load(bundle, options)
    assert predictor.predict(page(), (128, 64), Options())
    assert server.seen[-1][0] == "/v2/models/page/versions/3/infer"
    with pytest.raises(ModelError, match="gives boxes, scores, and no masks"):
        REMOTE.load(remote(local, server.url, outputs=["masks"]), options)


def test_it_is_added_and_used_like_any_other(server: InferenceServer, local: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    described = remote(local, server.url).changed(name="elsewhere")
    (folder / "bundle.json").write_text(described.model_dump_json())
    settings = Settings(data=tmp_path / "data", **LOOPBACK)
    with Services(settings) as services:
        added = add_model(ModelStore(settings.models_dir), folder, send=services.model_calls)
        assert added.bundle.ref == "elsewhere@1"
        with services.pool.use("elsewhere") as predictor:
            (best, *_) = predictor.predict(page(), (128, 64), Options())
    assert best.provenance.name == "elsewhere"


def test_private_addresses_are_refused_unless_they_are_named(
    server: InferenceServer, local: Bundle, tmp_path: Path
) -> None:
    calls = model_calls(Settings(data=tmp_path, source_networks="127.0.0.0/8"))  # which is for sources
    try:
        with pytest.raises(ModelError, match="LIMNER_MODEL_NETWORKS"):
            REMOTE.load(remote(local, server.url), RuntimeOptions(send=calls))
    finally:
        calls.close()
    assert not server.seen
    with pytest.raises(ModelError, match="no way to the network"):
        REMOTE.load(remote(local, server.url), RuntimeOptions())


def test_a_model_that_is_not_there(server: InferenceServer, local: Bundle, options: RuntimeOptions) -> None:
    with pytest.raises(ModelError, match=r"status 404: Request for unknown model: /v2/models/a%2F\.\.%2Fb"):
        REMOTE.load(remote(local, server.url, model="a/../b"), options)


def test_a_server_that_is_not_there(local: Bundle, options: RuntimeOptions) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        with pytest.raises(ModelError, match="cannot be asked"):
            REMOTE.load(remote(local, f"http://127.0.0.1:{probe.getsockname()[1]}"), options)


def test_a_server_that_takes_too_long(server: InferenceServer, local: Bundle, options: RuntimeOptions) -> None:
    predictor = REMOTE.load(remote(local, server.url, timeout=0.3), options)
    server.go_on = threading.Event()
    with pytest.raises(ModelError, match=r"did not answer within 0\.3 s"):
        predictor.predict(page(), (128, 64), Options())


def test_an_input_of_another_name_is_refused(server: InferenceServer, local: Bundle, options: RuntimeOptions) -> None:
    assert local.input is not None
    bundle = remote(local, server.url).changed(input=local.input.model_copy(update={"name": "x", "dtype": "uint8"}))
    with pytest.raises(ModelError, match=r"takes images \(float32\), and its bundle names x \(uint8\)"):
        REMOTE.load(bundle, options)


@pytest.mark.parametrize(
    ("status", "headers", "body", "message"),
    [
        (500, {}, b'{"error": "out of memory"}', "status 500: out of memory"),
        (302, {"Location": "http://169.254.169.254/"}, b"", "status 302"),
        (200, {}, b"<html>", "cannot be read"),
        (200, {}, b'{"outputs": []}', "cannot be read"),
        (200, {"Inference-Header-Content-Length": "900"}, b"{}", "header is longer"),
    ],
)
def test_answers_that_make_no_sense(
    server: InferenceServer,
    local: Bundle,
    options: RuntimeOptions,
    status: int,
    headers: dict,
    body: bytes,
    message: str,
) -> None:
    predictor = REMOTE.load(remote(local, server.url), options)
    server.instead = (status, headers, body)
    with pytest.raises(ModelError, match=message):
        predictor.predict(page(), (128, 64), Options())


def test_several_threads_ask_at_once(server: InferenceServer, local: Bundle, options: RuntimeOptions) -> None:
    predictor = REMOTE.load(remote(local, server.url), options)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(predictor.predict(page(), (128, 64), Options()))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [found[0]] * 4


@pytest.mark.parametrize("parameters", [{"url": "ftp://x"}, {"timeout": 0}, {"uri": "x"}, {"model": ""}])
def test_odd_parameters_are_refused(local: Bundle, options: RuntimeOptions, parameters: dict) -> None:
    with pytest.raises(BundleError, match="parameters of bright"):
        REMOTE.load(
            remote(local, "http://example.org").changed(parameters={"url": "http://x", "model": "a"} | parameters),
            options,
        )


TENSOR = st.tuples(st.sampled_from(["float32", "float16", "int64", "uint8"]), st.lists(st.integers(1, 4), max_size=3))


@given(st.lists(TENSOR, min_size=1, max_size=4))
def test_bytes_come_back_as_they_went(tensors: list) -> None:
    """The body of a request has the form of an answer, but for the name of its list."""
    random = np.random.default_rng(0)
    arrays = {f"t{at}": random.integers(0, 200, shape).astype(dtype) for at, (dtype, shape) in enumerate(tensors)}
    headers, body = render_request(arrays, ["x"], binary=True)
    end = int(headers["Inference-Header-Content-Length"])
    head = json.dumps({"outputs": json.loads(body[:end])["inputs"]}).encode()
    found = parse_response(head + body[end:], str(len(head)))
    assert [*found] == [*arrays]
    for name, values in arrays.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


def test_half_numbers_do_not_go_as_json() -> None:
    with pytest.raises(ModelError, match="16 bits"):
        render_request({"x": np.zeros(3, np.float16)}, ["y"], binary=False)


@pytest.mark.parametrize(
    "tensor",
    [
        {"shape": [1 << 40], "datatype": "FP32", "data": []},
        {"shape": [-1, -4], "datatype": "FP32", "data": [0] * 4},
        {"shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 1 << 60}},
        {"shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
    ],
)
def test_impossible_outputs_are_refused(tensor: dict) -> None:
    body = json.dumps({"outputs": [{"name": "x", **tensor}]}).encode()
    with pytest.raises((ValueError, KeyError)):
        parse_response(body, None)
