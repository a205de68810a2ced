from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from limner.core.errors import BundleError
from limner.models.onnx_file import TensorInfo, read_onnx
from tests.models.networks import OPSET, fixed_outputs, network, save


def external(name: str = "w", location: str = "../../secret") -> onnx.TensorProto:
    """A tensor whose data is said to lie in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def model_with(**parts) -> onnx.ModelProto:
    """A model that is not checked."""
    graph = helper.make_graph(
        parts.get("nodes", []), "g", [], [], parts.get("tensors", []), sparse_initializer=parts.get("sparse", [])
    )
    return helper.make_model(graph, opset_imports=OPSET, functions=parts.get("functions", []))


def holding(attribute) -> onnx.NodeProto:
    node = helper.make_node("Constant", [], ["c"])
    node.attribute.append(attribute)
    return node


def test_inputs_outputs_and_metadata(tmp_path: Path):
    model = fixed_outputs(
        {"boxes": np.zeros((1, 5, 4), np.float32), "labels": np.zeros(5, np.int64)}, ("h", 64), {"a": "é"}
    )
    file = read_onnx(save(model, tmp_path / "m.onnx"))
    assert file.inputs == (TensorInfo("images", (1, 3, None, 64), "float32"),)
    assert file.outputs == (TensorInfo("boxes", (1, 5, 4), "float32"), TensorInfo("labels", (5,), "int64"))
    assert file.metadata == {"a": "é"}
    assert file.producer == "limner-tests"


def test_old_files_list_weights_among_the_inputs(tmp_path: Path):
    node = helper.make_node("Add", ["x", "w"], ["y"])
    weights = {"w": np.ones(3, np.float32)}
    model = network([node], {"x": [3], "w": [3]}, {"y": [3]}, initializers=weights)
    assert [each.name for each in read_onnx(save(model, tmp_path / "m.onnx")).inputs] == ["x"]


SUBGRAPH = helper.make_graph([], "sub", [], [], [external()])


@pytest.mark.parametrize(
    "model",
    [
        model_with(tensors=[external()]),
        model_with(tensors=[external(location="beside.bin")]),
        model_with(nodes=[holding(helper.make_attribute("value", external()))]),
        model_with(nodes=[holding(helper.make_attribute("values", [external()]))]),
        model_with(nodes=[holding(helper.make_attribute("body", SUBGRAPH))]),
        model_with(nodes=[holding(helper.make_attribute("bodies", [SUBGRAPH]))]),
        model_with(sparse=[helper.make_sparse_tensor(external(), numpy_helper.from_array(np.arange(4)), [9])]),
        model_with(
            functions=[
                helper.make_function("d", "f", [], [], [holding(helper.make_attribute("value", external()))], OPSET)
            ]
        ),
        model_with(nodes=[helper.make_node("EPContext", [], ["c"], ep_cache_context="../../secret")]),
    ],
    ids=["weights", "beside", "attribute", "list", "subgraph", "subgraphs", "sparse", "function", "compiled"],
)
def test_what_reaches_outside_is_refused(model, tmp_path: Path):
    with pytest.raises(BundleError, match=r"refused.*another file|refused.*other files"):
        read_onnx(save(model, tmp_path / "m.onnx"))


def test_a_location_alone_is_enough_to_refuse(tmp_path: Path):
    tensor = external()
    tensor.ClearField("data_location")  # ONNX Runtime might look at either
    with pytest.raises(BundleError, match="refused"):
        read_onnx(save(model_with(tensors=[tensor]), tmp_path / "m.onnx"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"no network at all", "is no ONNX file"),
        (b"\x80" * 50, "does not end"),
        (b"\x3a\xff\xff\xff\xff\x0f", "ends too early"),
        (b"\x08\x07", "holds no network"),
        (b"\x0b", "unknown kind"),
        (b"\x12\x00" * 1_100_000, "too many fields"),
    ],
    ids=["empty", "text", "varint", "short", "no graph", "group", "many fields"],
)
def test_what_is_no_onnx_is_refused(content, message, tmp_path: Path):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=message):
        read_onnx(path)


def wrapped(number: int, content: bytes) -> bytes:
    """A field that holds a message."""
    length, size = len(content), []
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([number << 3 | 2, *size, length]) + content


def test_deep_nesting_is_refused(tmp_path: Path):
    graph = b""
    for _ in range(3000):  # a graph in an attribute of a node of a graph
        graph = wrapped(1, wrapped(5, wrapped(6, graph)))
    (tmp_path / "m.onnx").write_bytes(b"\x08\x08" + wrapped(7, graph))
    with pytest.raises(BundleError, match="nested too deeply"):
        read_onnx(tmp_path / "m.onnx")


def test_a_missing_file_is_a_bundle_error(tmp_path: Path):
    with pytest.raises(BundleError, match=r"m\.onnx cannot be read"):
        read_onnx(tmp_path / "m.onnx")


GOOD = fixed_outputs({"output0": np.zeros((1, 2, 6), np.float32)}).SerializeToString()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=6))
def test_damage_ends_in_a_bundle_error_or_does_no_harm(tmp_path_factory, at, junk):
    path = tmp_path_factory.mktemp("damaged") / "m.onnx"
    path.write_bytes(GOOD[:at] + junk + GOOD[at + len(junk) :])
    try:
        read_onnx(path)
    except BundleError:
        return


def test_every_cut_is_noticed_or_leaves_whole_fields(tmp_path: Path):
    path = tmp_path / "m.onnx"
    refused = 0
    for length in range(len(GOOD)):
        path.write_bytes(GOOD[:length])
        try:
            read_onnx(path)
        except BundleError:
            refused += 1
    assert refused > 0.9 * len(GOOD)
