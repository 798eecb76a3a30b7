"""The TFLite reader and its operators."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from photorig.shared.errors import ModelError
from photorig.worker.importers import operators as tflite_operators
from photorig.worker.importers import tflite

sys.path.insert(0, str(Path(__file__).parents[2] / "fuzz"))

import tiny_networks


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"no flat buffer at all", bytes(range(256))])
def test_a_file_that_is_no_network_is_refused(content):
    with pytest.raises(ModelError, match="cannot be read"):
        tflite.read_graph(content)


def test_same_padding_puts_the_surplus_behind_as_tflite_does():
    # 4 pixels, kernel 3, stride 2: one pixel of padding, which TFLite adds at the end.
    layer = tflite_operators.Convolution(
        np.ones((1, 1, 3, 3), np.float32), np.zeros(1, np.float32), (2, 2), "same", None, 1
    )
    image = torch.arange(16.0).view(1, 4, 4, 1)
    expected = image[0, 0:3, 0:3].sum(), image[0, 2:4, 2:4].sum()
    result = layer(image)
    assert result.shape == (1, 2, 2, 1)
    assert (result[0, 0, 0, 0], result[0, 1, 1, 0]) == expected


def test_a_pointwise_convolution_equals_the_general_one():
    weight = np.random.default_rng(0).normal(size=(5, 3, 1, 1)).astype(np.float32)
    bias = np.arange(5, dtype=np.float32)
    layer = tflite_operators.Convolution(weight, bias, (1, 1), "same", torch.relu, 1)
    image = torch.rand(2, 4, 4, 3)
    expected = F.conv2d(image.permute(0, 3, 1, 2), torch.from_numpy(weight), torch.from_numpy(bias))
    assert torch.allclose(layer(image), expected.relu().permute(0, 2, 3, 1), atol=1e-6)


def test_prelu_has_the_values_and_gradients_of_pytorch():
    slope = torch.tensor([0.1, -0.5, 2.0])
    image = torch.randn(2, 4, 5, 3, requires_grad=True)
    reference = image.detach().clone().requires_grad_(True)
    result = tflite_operators.PReLU(slope.numpy())(image)
    expected = F.prelu(reference.permute(0, 3, 1, 2), slope).permute(0, 2, 3, 1)
    assert torch.allclose(result, expected)
    weights = torch.randn_like(expected)
    (result * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.allclose(image.grad, reference.grad, atol=1e-6)


def test_max_pool_ignores_what_lies_outside():
    pool = tflite_operators.MaxPool((2, 2), (2, 2), "same")
    assert pool(-torch.ones(1, 3, 3, 1)).unique().tolist() == [-1.0]


def test_an_unknown_activation_is_refused():
    with pytest.raises(ModelError):
        tflite_operators.activation(4)


def test_a_transposed_convolution_makes_a_block_of_every_pixel():
    weight = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
    layer = tflite_operators.TransposedConvolution(weight, np.array([0.5], np.float32))
    image = torch.tensor([1.0, 10.0]).view(1, 1, 1, 2)
    expected = weight[0, 0] + 10 * weight[1, 0] + 0.5
    assert torch.equal(layer(image)[0, ..., 0], torch.from_numpy(expected))


def test_resizing_counts_from_pixel_centres():
    ramp = torch.arange(4.0).view(1, 1, 4, 1)
    resized = tflite_operators.resize(ramp, (1, 8))
    expected = (torch.arange(8.0) / 2 - 0.25).clamp(0, 3)
    assert torch.allclose(resized[0, 0, :, 0], expected)


@pytest.mark.weights("person-matte")
def test_the_person_matte_finds_the_person_and_leaves_the_background():
    from PIL import Image

    from photorig.worker.faces.segmentation import PersonMatte, refined

    astronaut = Path(__file__).parents[2] / "data" / "astronaut.jpg"
    picture = np.array(Image.open(astronaut).convert("RGB"))
    matte = PersonMatte().person(picture)
    fine = refined(matte, picture)
    height, width = picture.shape[:2]
    assert fine.shape == (height, width)
    assert fine[: height // 8, : width // 10].max() < 0.1, "the upper left is a flag"
    assert fine[height // 4, int(width * 0.44)] > 0.95, "the face"


def test_a_network_whose_tensors_all_name_the_same_weights_is_refused_before_it_takes_memory():
    content = np.zeros(1 << 20, np.uint8)
    tensors = [tiny_networks._tensor(0, (1 << 18,)) for _ in range(500)]
    graph = tiny_networks.Flat({0: tensors, 1: np.zeros(1, "<i4"), 2: np.zeros(1, "<i4")})
    buffers = [tiny_networks.Flat({0: content})]
    data = tiny_networks.Flat({0: ("I", 3), 1: [], 2: [graph], 4: buffers}).to_bytes()
    tracemalloc.start()
    with pytest.raises(ModelError, match="over 16 times"):
        tflite.read_graph(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 16 * len(data)


def test_what_no_reader_foresaw_is_a_sentence(monkeypatch):
    monkeypatch.setitem(tflite._BUILDERS, 40, lambda *_: [][1 << 70])
    with pytest.raises(ModelError, match="cannot be read"):
        tflite.TFLiteModule(tiny_networks.tflite())


def test_the_tiny_network_that_fuzzers_begin_with_runs():
    network = tflite.TFLiteModule(tiny_networks.tflite())
    assert network(torch.zeros(2, 6, 6, 3))[0].shape == (2, 1, 1, 2)
