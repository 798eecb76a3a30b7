"""The generator as an OpenVINO graph, built from the weights without torch.

One graph makes one size of image from one latent code. Upsampling is written as the sums of the
inverse Haar transform followed by a depth-to-space, which the CPU plugin runs in two passes.

A graph in bf16 says itself where it rounds, and is compiled for f32. All arithmetic but that of the
large convolutions is f32: styles, since in bf16 a slow move's latents do not change from frame to
frame until they jump; the coarse convolutions, which are quick and whose rounding moves edges; and
everything that is added up. See docs/measurements.md, bf16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import openvino
from openvino import Node, Type
from openvino import opset13 as ops

from .regions import FIRST_ROW, MASK_SIDES, REGIONAL_ROWS, REGIONS, RegionalStyles, side_of_row
from .style_space import StyleOffsets, Styles, affine_slices
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

_FIRST_PRODUCTS, _FIRST_BUFFERS = 8, 10
"""Rows of latents from which on a convolution is rounded so far: from 64² and from 128² on."""


class _Rounding(IntEnum):
    """What of a convolution is bf16."""

    NOTHING = 0
    PRODUCTS = 1  # what the 1×1 convolution reads and gives
    BUFFERS = 2  # everything as large as the features, that is added up in f32 all the same

    @staticmethod
    def of(row: int, precision: str) -> _Rounding:
        """That of the convolution whose input a row of latents modulates."""
        if precision == "f32" or row < _FIRST_PRODUCTS:
            return _Rounding.NOTHING
        return _Rounding.PRODUCTS if row < _FIRST_BUFFERS else _Rounding.BUFFERS


@dataclass(frozen=True)
class _Regions:
    """Inputs of a graph whose regions differ, see `RegionalStyles`.

    Attributes:
        deltas: (K, rows, 512) for the rows of REGIONAL_ROWS.
        masks: (K, side²) by side.
    """

    deltas: Node
    masks: dict[int, Node]

    @staticmethod
    def inputs() -> _Regions:
        count = len(REGIONS)
        deltas = ops.parameter([count, len(REGIONAL_ROWS), W_DIM], np.float32, name="deltas")
        masks = {
            side: ops.parameter([count, side * side], np.float32, name=f"masks{side}")
            for side in MASK_SIDES
        }
        return _Regions(deltas, masks)

    def factors(self, weights: AffineWeights, own: Node, row: int) -> Node:
        """(1, side, side, channels) factors of a row (1, 512)."""
        side = side_of_row(row)
        deltas = ops.gather(self.deltas, np.array(row - FIRST_ROW), np.array(1))
        change = ops.matmul(deltas, ops.constant(weights.weight), False, True)
        change = ops.matmul(self.masks[side], change, True, False)
        shape = np.array([1, side, side, len(weights.bias)])
        change = ops.reshape(change, shape, special_zero=False)
        whole = ops.reshape(_affine(weights, own), np.array([1, 1, 1, -1]), special_zero=False)
        return ops.add(whole, change)

    def shares(self, affines: Sequence[AffineWeights], own: Node, row: int) -> list[Node] | None:
        """Factors of each affine map of a row; None where regions do not differ in it."""
        if row not in REGIONAL_ROWS:
            return None
        return [self.factors(affine, own, row) for affine in affines]

    @property
    def nodes(self) -> list[Node]:
        return [self.deltas, *self.masks.values()]


@dataclass(frozen=True)
class _Offsets:
    """Inputs of a graph whose factors differ, see `StyleOffsets`.

    Attributes:
        values: (1, n).
        rows: where the factors of each affine map of each row are in them.
    """

    values: Node
    rows: tuple[tuple[slice, ...], ...]

    @staticmethod
    def inputs(weights: GeneratorWeights) -> _Offsets:
        rows = affine_slices(weights)
        values = ops.parameter([1, rows[-1][-1].stop], np.float32, name="offsets")
        return _Offsets(values, rows)

    def shares(self, affines: Sequence[AffineWeights], own: Node, row: int) -> list[Node] | None:
        """(1, 1, 1, channels) factors of each affine map of a row (1, 512); None beyond the rows
        whose factors may differ."""
        if row >= len(self.rows):
            return None
        shares, shape = [], np.array([1, 1, 1, -1])
        for affine, part in zip(affines, self.rows[row], strict=True):
            ends = (np.array([part.start]), np.array([part.stop]))
            change = ops.slice(self.values, *ends, np.array([1]), np.array([1]))
            whole = ops.add(_affine(affine, own), change)
            shares.append(ops.reshape(whole, shape, special_zero=False))
        return shares

    @property
    def nodes(self) -> list[Node]:
        return [self.values]


def style_inputs(styles: Styles | None) -> list[np.ndarray]:
    """What a graph takes after the latents."""
    if styles is None:
        return []
    if isinstance(styles, StyleOffsets):
        return [np.ascontiguousarray(styles.values[None], np.float32)]
    by_side = styles.regions.by_side
    masks = [by_side[side].reshape(len(REGIONS), -1) for side in MASK_SIDES]
    return [np.ascontiguousarray(styles.deltas, np.float32), *masks]


def build_graph(
    weights: GeneratorWeights,
    size: int,
    as_bytes: bool = True,
    styled: type[Styles] | None = None,
    precision: str = "f32",
) -> openvino.Model:
    """A graph from latents (1, 16, 512) float32 to one image of that size.

    Args:
        as_bytes: (1, size, size, 3) uint8 if true; else (1, 3, size, size) float32, not clamped.
        styled: what it takes `style_inputs` of, too.
        precision: f32 or bf16; to be compiled for f32 in either case.

    Raises:
        InputError: the generator has no such size.
    """
    n_blocks = blocks_for(size)
    head = weights.preview_heads.get(size)
    is_exact = size == SIZES[-1] or head is None
    latents = ops.parameter([1, N_ROWS, W_DIM], np.float32, name="latents")
    regions = _changes(weights, styled)
    n_blocks = N_BLOCKS if is_exact else n_blocks
    features = _features(weights, latents, n_blocks, regions, precision)
    rounding = _Rounding.of(N_ROWS - 1, precision)
    if head is not None and not is_exact:
        image = _preview_head(head, features, latents, rounding)
    else:
        row = _row(latents, N_ROWS - 1)
        image = _image_head(weights.image_head, features, row, rounding)
        image = _averaged(image, SIZES[-1] // size)
    output = _bytes(image) if as_bytes else image
    inputs = [latents, *(regions.nodes if regions else ())]
    return openvino.Model([output], inputs, f"mobile-stylegan-{size}")


def _changes(weights: GeneratorWeights, styled: type[Styles] | None) -> _Regions | _Offsets | None:
    if styled is RegionalStyles:
        return _Regions.inputs()
    return _Offsets.inputs(weights) if styled is StyleOffsets else None


def _features(
    weights: GeneratorWeights,
    latents: Node,
    n_blocks: int,
    regions: _Regions | _Offsets | None,
    precision: str,
) -> Node:
    constant, own = ops.constant(weights.constant), _row(latents, 0)
    shares = None if regions is None else regions.shares([weights.modulation0], own, 0)
    if shares is None:
        first = ops.multiply(constant, _factors(weights.modulation0, own))
    else:
        first = _channels_first(ops.multiply(_channels_last(constant), shares[0]))
    features = _convolution(weights.convolution0, first)
    for index in range(n_blocks):
        block, row = weights.blocks[index], 2 * index + 1
        features = _block(block, features, latents, row, regions, precision)
    return features


def _block(
    weights: BlockWeights,
    features: Node,
    latents: Node,
    row: int,
    regions: _Regions | _Offsets | None,
    precision: str,
) -> Node:
    """``row`` is the first of the block's two."""
    first, second = (_row(latents, row), _row(latents, row + 1))
    affines = (weights.upsampling, weights.modulation1)
    shares = None if regions is None else regions.shares(affines, first, row)
    if shares is None:
        features = ops.multiply(features, _upsampling_factors(weights, first))
    else:
        factors = ops.multiply(shares[0], ops.concat([shares[1]] * 4, axis=3))
        features = _channels_first(ops.multiply(_channels_last(features), factors))
    rounding = _Rounding.of(row, precision)
    features = _convolution(weights.convolution1, _inverse_haar(features, rounding), rounding)
    shares = None
    if regions is not None:
        shares = regions.shares([weights.modulation2], second, row + 1)
    if shares is None:
        features = ops.multiply(features, _factors(weights.modulation2, second))
    else:
        features = _channels_first(ops.multiply(_channels_last(features), shares[0]))
    return _convolution(weights.convolution2, features, _Rounding.of(row + 1, precision))


def _upsampling_factors(weights: BlockWeights, row: Node) -> Node:
    four_times = ops.concat([_factors(weights.modulation1, row)] * 4, axis=1)
    return ops.multiply(_factors(weights.upsampling, row), four_times)


def _channels_last(features: Node) -> Node:
    return ops.transpose(features, np.array([0, 2, 3, 1]))


def _channels_first(features: Node) -> Node:
    return ops.transpose(features, np.array([0, 3, 1, 2]))


def _image_head(weights: ImageHeadWeights, features: Node, row: Node, rounding: _Rounding) -> Node:
    features = ops.multiply(features, _factors(weights.modulation, row))
    weight, bias = _as_phases(weights.weight), _as_phases(weights.bias)
    return _interleaved(_plain_convolution(features, weight, bias, rounding))


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


def _preview_head(
    head: Mapping[str, np.ndarray], features: Node, latents: Node, rounding: _Rounding
) -> Node:
    """PreviewHead.forward of preview_head.py.

    Two convolutions read the features: as one they are read once.
    """
    style = _style(head, latents)
    factors = _style_factors(head, "modulation", style)
    features = ops.multiply(features, ops.multiply(factors, head["feature_scale"]))
    weight, bias = (
        np.concatenate([head[f"reduce.{part}"], _as_phases(head[f"linear.{part}"])])
        for part in ("weight", "bias")
    )
    both = _product(features, weight, bias, rounding)
    parts = np.array([len(head["reduce.bias"]), len(head["linear.bias"])])
    inner, phases = map(_exact, ops.variadic_split(both, np.array(1), parts).outputs())
    inner = _leaky_relu(inner)
    inner = ops.add(inner, _separable_layer(head, "layer1", inner, style, rounding))
    inner = _separable_layer(head, "layer2", inner, style, rounding)
    inner = ops.multiply(inner, _style_factors(head, "output_modulation", style))
    weight, bias = (_as_phases(head[f"output.{part}"]) for part in ("weight", "bias"))
    phases = ops.add(phases, _plain_convolution(inner, weight, bias))
    colour = (_as_phases(head[f"colour.linear.{part}"]) for part in ("weight", "bias"))
    return _interleaved(ops.add(phases, _factors(AffineWeights(*colour), style)))


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
    head: Mapping[str, np.ndarray], name: str, features: Node, style: Node, rounding: _Rounding
) -> Node:
    features = ops.multiply(features, _style_factors(head, f"{name}.modulation", style))
    features = _depthwise_convolution(features, head[f"{name}.depthwise.weight"], rounding)
    weight, bias = head[f"{name}.pointwise.weight"], head[f"{name}.pointwise.bias"]
    return _leaky_relu(_plain_convolution(features, weight, bias, rounding))


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


def _convolution(
    weights: ConvolutionWeights, features: Node, rounding: _Rounding = _Rounding.NOTHING
) -> Node:
    if weights.depthwise is not None:
        features = _depthwise_convolution(features, weights.depthwise, rounding)
    features = _plain_convolution(features, weights.weight, weights.bias, rounding)
    return _leaky_relu(ops.add(features, weights.noise))


def _plain_convolution(
    features: Node, weight: np.ndarray, bias: np.ndarray, rounding: _Rounding = _Rounding.NOTHING
) -> Node:
    return _exact(_product(features, weight, bias, rounding))


def _product(features: Node, weight: np.ndarray, bias: np.ndarray, rounding: _Rounding) -> Node:
    """A convolution with its bias, in bf16 where it is rounded."""
    kernels, offset = ops.constant(weight), ops.constant(bias.reshape(1, -1, 1, 1))
    pad = [weight.shape[-1] // 2] * 2
    if rounding >= _Rounding.PRODUCTS:
        # Summed in f32, bias and all, and rounded once.
        features, kernels, offset = _rounded(features), _rounded(kernels), _rounded(offset)
    return ops.add(ops.convolution(features, kernels, [1, 1], pad, pad, [1, 1]), offset)


def _depthwise_convolution(features: Node, weight: np.ndarray, rounding: _Rounding) -> Node:
    kernels = ops.constant(weight[:, None])
    if rounding >= _Rounding.BUFFERS:
        features, kernels = _rounded(features), _rounded(kernels)
    convolved: Node = ops.group_convolution(features, kernels, [1, 1], [1, 1], [1, 1], [1, 1])
    return convolved


def _leaky_relu(features: Node) -> Node:
    return ops.prelu(features, np.array([SLOPE], np.float32))


def _inverse_haar(bands: Node, rounding: _Rounding = _Rounding.NOTHING) -> Node:
    """See layers.inverse_haar. The four phases go band after band into a depth-to-space."""
    is_rounded = rounding >= _Rounding.BUFFERS
    parts = ops.split(_rounded(bands) if is_rounded else bands, np.array(1), 4).outputs()
    ll, lh, hl, hh = map(_exact, parts)
    even, odd = ops.add(ll, lh), ops.subtract(ll, lh)
    cross_even, cross_odd = ops.add(hl, hh), ops.subtract(hl, hh)
    phases = [
        ops.add(even, cross_even),
        ops.subtract(even, cross_even),
        ops.add(odd, cross_odd),
        ops.subtract(odd, cross_odd),
    ]
    if is_rounded:
        phases = [_rounded(phase) for phase in phases]
    return _interleaved(ops.concat(phases, axis=1))


def _interleaved(phases: Node) -> Node:
    """Doubles the resolution: (1, 4c, h, w), each pixel's four → (1, c, 2h, 2w)."""
    return ops.depth_to_space(phases, "blocks_first", 2)


def _as_phases(values: np.ndarray) -> np.ndarray:
    """Weights or biases (4c, …) of bands → of what the inverse Haar transform makes of them.

    Where nothing lies between a convolution and the transform, the one contains the other.
    """
    ll, lh, hl, hh = np.split(values, 4)
    even, odd, cross_even, cross_odd = ll + lh, ll - lh, hl + hh, hl - hh
    return np.concatenate([even + cross_even, even - cross_even, odd + cross_odd, odd - cross_odd])


def _rounded(values: Node) -> Node:
    """In bf16."""
    return _of_type(values, Type.bf16)


def _exact(values: Node) -> Node:
    """In f32, as all arithmetic between convolutions is."""
    return _of_type(values, Type.f32)


def _of_type(values: Node, kind: Type) -> Node:
    return (
        values if values.get_element_type() == kind else ops.convert(values, kind.get_type_name())
    )
