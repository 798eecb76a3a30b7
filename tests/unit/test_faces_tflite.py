"""The TFLite reader and its operators."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from photorig.shared.errors import ModelError
from photorig.worker.faces import tflite, tflite_operators


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
