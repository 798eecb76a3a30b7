"""The generator as an OpenVINO graph, built from the weights without torch.

One graph makes one size of image from one latent code. Upsampling is written as the sums of the
inverse Haar transform followed by a depth-to-space, which the CPU plugin runs in two passes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import openvino
from openvino import Node
from openvino import opset13 as ops

from .weights import (
    N_BLOCKS,
    N_ROWS,
    SIZES,
    SLOPE,
    W_DIM,
    AffineWeights,
    BlockWeights,
    ConvolutionWeights,
    GeneratorWeights,
    ImageHeadWeights,
    blocks_for,
)


def build_graph(weights: GeneratorWeights, size: int, as_bytes: bool = True) -> openvino.Model:
    """A graph from latents (1, 16, 512) float32 to one image of that size.

    Args:
        as_bytes: (1, size, size, 3) uint8 if true; else (1, 3, size, size) float32, not clamped.

    Raises:
        InputError: the generator has no such size.
    """
    n_blocks = blocks_for(size)
    head = weights.preview_heads.get(size)
    is_exact = size == SIZES[-1] or head is None
    latents = ops.parameter([1, N_ROWS, W_DIM], np.float32, name="latents")
    features = _features(weights, latents, N_BLOCKS if is_exact else n_blocks)
    if head is not None and not is_exact:
        image = _preview_head(head, features, latents)
    else:
        image = _image_head(weights.image_head, features, _row(latents, N_ROWS - 1))
        image = _averaged(image, SIZES[-1] // size)
    output = _bytes(image) if as_bytes else image
    return openvino.Model([output], [latents], f"mobile-stylegan-{size}")


def _features(weights: GeneratorWeights, latents: Node, n_blocks: int) -> Node:
    constant = ops.constant(weights.constant)
    first = ops.multiply(constant, _factors(weights.modulation0, _row(latents, 0)))
    features = _convolution(weights.convolution0, first)
    for index in range(n_blocks):
        row1, row2 = _row(latents, 2 * index + 1), _row(latents, 2 * index + 2)
        features = _block(weights.blocks[index], features, row1, row2)
    return features


def _block(weights: BlockWeights, features: Node, row1: Node, row2: Node) -> Node:
    modulation1 = _factors(weights.modulation1, row1)
    four_times = ops.concat([modulation1] * 4, axis=1)
    factors = ops.multiply(_factors(weights.upsampling, row1), four_times)
    features = _inverse_haar(ops.multiply(features, factors))
    features = _convolution(weights.convolution1, features)
    features = ops.multiply(features, _factors(weights.modulation2, row2))
    return _convolution(weights.convolution2, features)


def _image_head(weights: ImageHeadWeights, features: Node, row: Node) -> Node:
    features = ops.multiply(features, _factors(weights.modulation, row))
    return _inverse_haar(_plain_convolution(features, weights.weight, weights.bias))


def _averaged(image: Node, factor: int) -> Node:
    if factor == 1:
        return image
    sides = [factor, factor]
    pooled: Node = ops.avg_pool(image, sides, [0, 0], [0, 0], sides, exclude_pad=True)
    return pooled


def _bytes(image: Node) -> Node:
    levels = ops.add(ops.multiply(image, np.float32(127.5)), np.float32(127.5))
    levels = ops.round(ops.clamp(levels, 0.0, 255.0), mode="half_to_even")
    return ops.convert(ops.transpose(levels, np.array([0, 2, 3, 1])), np.uint8)


# --------------------------------------------------------------------------- preview heads


def _preview_head(head: Mapping[str, np.ndarray], features: Node, latents: Node) -> Node:
    """PreviewHead.forward of preview_head.py."""
    style = _style(head, latents)
    factors = _style_factors(head, "modulation", style)
    features = ops.multiply(features, ops.multiply(factors, head["feature_scale"]))
    inner = _leaky_relu(_named_convolution(head, "reduce", features))
    inner = ops.add(inner, _separable_layer(head, "layer1", inner, style))
    inner = _separable_layer(head, "layer2", inner, style)
    inner = ops.multiply(inner, _style_factors(head, "output_modulation", style))
    bands = ops.add(
        _named_convolution(head, "linear", features), _named_convolution(head, "output", inner)
    )
    return _inverse_haar(ops.add(bands, _style_factors(head, "colour", style)))


def _style(head: Mapping[str, np.ndarray], latents: Node) -> Node:
    """StyleEncoder.forward of preview_head.py: (1, n_style)."""
    projection = head["style.projection"]
    first_row = N_ROWS - projection.shape[1] // W_DIM
    rows = ops.slice(latents, np.array([first_row]), np.array([N_ROWS]), np.array([1]), [1])
    rows = ops.reshape(rows, np.array([1, projection.shape[1]]), special_zero=False)
    components = _affine(AffineWeights(projection, head["style.offset"]), rows)
    hidden = AffineWeights(head["style.hidden.weight"], head["style.hidden.bias"])
    return ops.concat([components, _leaky_relu(_affine(hidden, components))], axis=1)


def _style_factors(head: Mapping[str, np.ndarray], name: str, style: Node) -> Node:
    weight, bias = head[f"{name}.linear.weight"], head[f"{name}.linear.bias"]
    return _factors(AffineWeights(weight, bias), style)


def _separable_layer(
    head: Mapping[str, np.ndarray], name: str, features: Node, style: Node
) -> Node:
    features = ops.multiply(features, _style_factors(head, f"{name}.modulation", style))
    features = _depthwise_convolution(features, head[f"{name}.depthwise.weight"])
    return _leaky_relu(_named_convolution(head, f"{name}.pointwise", features))


def _named_convolution(head: Mapping[str, np.ndarray], name: str, features: Node) -> Node:
    return _plain_convolution(features, head[f"{name}.weight"], head[f"{name}.bias"])


# --------------------------------------------------------------------------- layers


def _row(latents: Node, index: int) -> Node:
    return ops.gather(latents, np.array(index), np.array(1))


def _factors(weights: AffineWeights, row: Node) -> Node:
    """A row (1, n) → (1, channels, 1, 1)."""
    shape = np.array([1, len(weights.bias), 1, 1])
    return ops.reshape(_affine(weights, row), shape, special_zero=False)


def _affine(weights: AffineWeights, row: Node) -> Node:
    """A row (1, n) → (1, channels)."""
    product = ops.matmul(row, ops.constant(weights.weight), False, True)
    return ops.add(product, weights.bias.reshape(1, -1))


def _convolution(weights: ConvolutionWeights, features: Node) -> Node:
    if weights.depthwise is not None:
        features = _depthwise_convolution(features, weights.depthwise)
    features = _plain_convolution(features, weights.weight, weights.bias)
    return _leaky_relu(ops.add(features, weights.noise))


def _plain_convolution(features: Node, weight: np.ndarray, bias: np.ndarray) -> Node:
    pad = [weight.shape[-1] // 2] * 2
    convolved = ops.convolution(features, ops.constant(weight), [1, 1], pad, pad, [1, 1])
    return ops.add(convolved, bias.reshape(1, -1, 1, 1))


def _depthwise_convolution(features: Node, weight: np.ndarray) -> Node:
    kernels = ops.constant(weight[:, None])
    convolved: Node = ops.group_convolution(features, kernels, [1, 1], [1, 1], [1, 1], [1, 1])
    return convolved


def _leaky_relu(features: Node) -> Node:
    return ops.prelu(features, np.array([SLOPE], np.float32))


def _inverse_haar(bands: Node) -> Node:
    """See layers.inverse_haar. The four phases go band after band into a depth-to-space."""
    ll, lh, hl, hh = ops.split(bands, np.array(1), 4).outputs()
    even, odd = ops.add(ll, lh), ops.subtract(ll, lh)
    cross_even, cross_odd = ops.add(hl, hh), ops.subtract(hl, hh)
    phases = [
        ops.add(even, cross_even),
        ops.subtract(even, cross_even),
        ops.add(odd, cross_odd),
        ops.subtract(odd, cross_odd),
    ]
    return ops.depth_to_space(ops.concat(phases, axis=1), "blocks_first", 2)
