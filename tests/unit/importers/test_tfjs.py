"""The reader of TensorFlow.js graph models, on small models written here."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from photorig.shared.errors import ModelError
from photorig.worker.importers import tfjs


def text(value: str) -> dict:
    return {"s": base64.b64encode(value.encode()).decode()}


def integers(*values: int) -> dict:
    return {"list": {"i": [str(value) for value in values]}}


def node(name: str, operator: str, *inputs: str, **attributes: dict) -> dict:
    return {"name": name, "op": operator, "input": list(inputs), "attr": attributes}


CONVOLVE = {
    "strides": integers(1, 1, 1, 1),
    "dilations": integers(1, 1, 1, 1),
    "padding": text("SAME"),
    "data_format": text("NHWC"),
}
INPUT = node(
    "image",
    "Placeholder",
    shape={"shape": {"dim": [{"size": str(n)} for n in (-1, 6, 6, 3)]}},
)


class Model:
    """Writes a graph model to a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: list[dict] = [INPUT]
        self.weights: list[dict] = []
        self.data = b""

    def constant(self, name: str, values: np.ndarray, **entry: object) -> None:
        dtype = "int32" if values.dtype == np.int32 else "float32"
        self.nodes.append(node(name, "Const"))
        self.weights.append({"name": name, "shape": list(values.shape), "dtype": dtype, **entry})
        self.data += values.tobytes()

    def read(self) -> tfjs.Graph:
        description = {
            "modelTopology": {"node": self.nodes},
            "weightsManifest": [{"paths": ["m.bin"], "weights": self.weights}],
        }
        (self.folder / "m.json").write_text(json.dumps(description))
        (self.folder / "m.bin").write_bytes(self.data)
        return tfjs.read_graph(self.folder / "m.json", self.folder / "m.bin")


@pytest.fixture
def model(tmp_path) -> Model:
    return Model(tmp_path)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_convolution_with_folded_scale_shift_and_clip_equals_the_steps_one_by_one(model, random):
    kernel = random.normal(size=(3, 3, 3, 4)).astype(np.float32)
    scale, shift = random.normal(size=(2, 4)).astype(np.float32)
    model.constant("kernel", kernel)
    model.constant("scale", scale)
    model.constant("shift", shift)
    model.constant("six", np.float32(6).reshape(()))
    model.constant("zero", np.float32(0).reshape(()))
    model.nodes += [
        node("a", "Conv2D", "image", "kernel", **CONVOLVE),
        node("b", "Mul", "a", "scale"),
        node("c", "AddV2", "b", "shift"),
        node("d", "Relu", "c"),
        node("e", "Minimum", "d", "six"),
        node("f", "Maximum", "e", "zero"),
        node("out", "Identity", "f"),
    ]
    network = tfjs.TFJSModule(model.read(), ["out:0"])
    image = torch.randn(2, 6, 6, 3) * 3
    expected = F.conv2d(
        image.permute(0, 3, 1, 2), torch.from_numpy(kernel).permute(3, 2, 0, 1), padding=1
    )
    expected = expected.permute(0, 2, 3, 1) * torch.from_numpy(scale) + torch.from_numpy(shift)
    assert torch.allclose(network(image)[0], expected.clamp(0, 6), atol=1e-5)
    assert len(network.steps) == 2  # one convolution and the output's name


def test_a_result_that_is_used_twice_is_not_folded_away(model, random):
    kernel = random.normal(size=(1, 1, 3, 3)).astype(np.float32)
    model.constant("kernel", kernel)
    model.constant("shift", np.array([1, 2, 3], np.float32))
    model.nodes += [
        node("a", "Conv2D", "image", "kernel", **CONVOLVE),
        node("b", "Add", "a", "shift"),
        node("out", "Sub", "b", "a"),
    ]
    result = tfjs.TFJSModule(model.read(), ["out"])(torch.randn(1, 6, 6, 3))[0]
    assert torch.allclose(result, torch.tensor([1.0, 2, 3]).expand(1, 6, 6, 3), atol=1e-5)


def test_each_channel_of_a_depthwise_convolution_has_its_own_kernel(model, random):
    kernel = random.normal(size=(3, 3, 3, 1)).astype(np.float32)
    scale = np.array([1, -2, 3], np.float32)
    model.constant("kernel", kernel)
    model.constant("scale", scale)
    model.nodes += [
        node("a", "DepthwiseConv2dNative", "image", "kernel", **CONVOLVE),
        node("b", "Mul", "a", "scale"),
        node("out", "Identity", "b"),
    ]
    image = torch.randn(1, 6, 6, 3)
    weight = torch.from_numpy(kernel).permute(2, 3, 0, 1)
    expected = F.conv2d(image.permute(0, 3, 1, 2), weight, padding=1, groups=3)
    result = tfjs.TFJSModule(model.read(), ["out"])(image)[0]
    assert torch.allclose(result, expected.permute(0, 2, 3, 1) * torch.from_numpy(scale), atol=1e-5)


def test_quantised_weights_get_their_values_back(model):
    stored = np.array([[0, 128, 255]], np.uint8)
    scaled = {"dtype": "uint8", "scale": 0.5, "min": -3.0}
    model.constant("bytes", stored, quantization=scaled)
    halves = np.array([0.1, -2], np.float16)
    model.constant("halves", halves, quantization={"dtype": "float16"})
    constants = model.read().constants
    assert constants["bytes"].tolist() == [[-3.0, 61.0, 124.5]]
    assert constants["halves"].dtype == np.float32
    assert np.array_equal(constants["halves"], halves.astype(np.float32))


def test_an_unknown_operator_is_refused_by_name(model):
    model.nodes.append(node("out", "WriteFile", "image"))
    with pytest.raises(ModelError, match="WriteFile is not supported"):
        tfjs.TFJSModule(model.read(), ["out"])


def test_an_operator_that_no_wanted_output_needs_does_not_matter(model):
    model.nodes += [node("other", "WriteFile", "image"), node("out", "Relu", "image")]
    image = torch.randn(1, 6, 6, 3)
    assert torch.equal(tfjs.TFJSModule(model.read(), ["out"])(image)[0], image.relu())


def test_a_missing_output_is_named(model):
    model.nodes.append(node("out", "Relu", "image"))
    with pytest.raises(ModelError, match="no output age"):
        tfjs.TFJSModule(model.read(), ["age"])


def test_dilated_convolutions_are_refused(model):
    model.constant("kernel", np.zeros((3, 3, 3, 3), np.float32))
    dilated = {**CONVOLVE, "dilations": integers(1, 2, 2, 1)}
    model.nodes.append(node("out", "Conv2D", "image", "kernel", **dilated))
    with pytest.raises(ModelError, match="out"):
        tfjs.TFJSModule(model.read(), ["out"])


def test_weights_of_the_wrong_length_are_refused(model):
    model.constant("kernel", np.zeros((3, 3), np.float32))
    model.nodes.append(node("out", "Relu", "image"))
    model.data += b"\0\0\0\0"
    with pytest.raises(ModelError, match="4 bytes too many"):
        model.read()
    model.data = model.data[:-12]
    with pytest.raises(ModelError, match="cannot be read"):
        model.read()


def test_nodes_that_wait_for_each_other_are_refused(model):
    model.nodes += [node("a", "Relu", "b"), node("b", "Relu", "a")]
    with pytest.raises(ModelError, match="lacks an input"):
        model.read()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"weightsManifest": [], "modelTopology": 3}'])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    (tmp_path / "m.json").write_text(content)
    (tmp_path / "m.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be read"):
        tfjs.read_graph(tmp_path / "m.json", tmp_path / "m.bin")


def test_a_long_chain_of_nodes_in_the_worst_order_is_read_within_a_second():
    nodes = [tfjs.Node(f"n{i}", "Relu", (f"n{i - 1}",), {}) for i in range(1, 20_000)]
    began = time.process_time()
    ordered = tfjs._in_order(nodes[::-1], {"n0"})
    assert time.process_time() - began < 1
    assert [node.name for node in ordered] == [node.name for node in nodes]


def test_convolutions_that_share_one_weight_beyond_measure_are_refused(model, random):
    model.constant("kernel", random.normal(size=(3, 3, 3, 3)).astype(np.float32))
    model.nodes += [
        node(f"c{i}", "Conv2D", "image" if i == 0 else f"c{i - 1}", "kernel", **CONVOLVE)
        for i in range(100)
    ]
    with pytest.raises(ModelError, match="over 16 times"):
        tfjs.TFJSModule(model.read(), ["c99"])


def test_a_model_that_is_nested_beyond_measure_is_a_sentence(tmp_path):
    (tmp_path / "m.json").write_bytes(b"[" * 100_000)
    (tmp_path / "m.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be read"):
        tfjs.read_graph(tmp_path / "m.json", tmp_path / "m.bin")
