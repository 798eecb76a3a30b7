"""What LivePortrait computes for each frame, to compare whole frames with: its arithmetic alone.

Guo et al., "LivePortrait: Efficient Portrait Animation with Stitching and Retargeting Control",
2024: motion extractor (ConvNeXt V2 Tiny of the driving frame), dense motion (an hourglass of
volumes), the warped features' projection and the SPADE decoder to 512². The layers have the
published shapes, weights are random; sampling grids, softmaxes and what is done once a portrait are
left out, in its favour. Built here from the paper's figures, layer by layer.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass, field

import numpy as np
import openvino
from openvino import Node
from openvino import opset13 as ops

_MOTION_SIDE = 256
_DEPTHS, _WIDTHS = (3, 3, 9, 3), (96, 192, 384, 768)
_KEYPOINTS, _VOLUME, _COMPRESSED = 21, (16, 64, 64), 4
_HOURGLASS, _MOST_CHANNELS, _LEVELS = 32, 1024, 5
_FEATURES, _DECODED, _STYLE = 256, 512, 128


@dataclass
class _Layers:
    """Builds layers and counts what they multiply."""

    products: int = 0
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def convolved(
        self, value: Node, channels: int, side: int = 3, stride: int = 1, each_alone: bool = False
    ) -> Node:
        """A convolution of pictures (1, c, h, w) or volumes (1, c, d, h, w)."""
        shape = list(value.output(0).shape)
        before, around = shape[1], shape[2:]
        kernel = [side] * len(around)
        inputs = 1 if each_alone else before
        scale = 1 / math.sqrt(inputs * math.prod(kernel))
        weights = self.random.standard_normal((channels, inputs, *kernel), np.float32) * scale
        self.products += weights.size * math.prod(length // stride for length in around)
        pads = [(side - 1) // 2 if side != stride else 0] * len(around)
        strides, ones = [stride] * len(around), [1] * len(around)
        if each_alone:
            grouped = ops.constant(weights.reshape(before, channels // before, 1, *kernel))
            return ops.group_convolution(value, grouped, strides, pads, pads, ones)
        return ops.convolution(value, ops.constant(weights), strides, pads, pads, ones)

    def normed(self, value: Node) -> Node:
        """Over places, as instance normalisation; a batch's mean is folded into its convolution."""
        around = np.arange(2, len(value.output(0).shape))
        return ops.mvn(value, ops.constant(around), True, 1e-5, "inside_sqrt")

    def styled(self, value: Node, label: Node) -> Node:
        """SPADE: normed, then scaled and shifted by what is made of the label at its places."""
        channels = value.output(0).shape[1]
        shared = ops.relu(self.convolved(label, _STYLE))
        scale, shift = self.convolved(shared, channels), self.convolved(shared, channels)
        return ops.add(ops.multiply(self.normed(value), scale), shift)

    def spade_block(self, value: Node, label: Node, channels: int) -> Node:
        before = value.output(0).shape[1]
        inner = self.convolved(ops.relu(self.styled(value, label)), min(before, channels))
        inner = self.convolved(ops.relu(self.styled(inner, label)), channels)
        if before != channels:
            value = self.convolved(self.styled(value, label), channels, side=1)
        return ops.add(value, inner)


def _enlarged(value: Node, factors: list[float]) -> Node:
    return ops.interpolate(
        value,
        ops.constant(np.array(factors, np.float32)),
        "nearest",
        "scales",
        axes=ops.constant(np.arange(2, 2 + len(factors))),
    )


def _motion(layers: _Layers, picture: Node) -> Node:
    """ConvNeXt V2 Tiny without its heads, which multiply next to nothing."""
    value = layers.convolved(picture, _WIDTHS[0], side=4, stride=4)
    for stage, (depth, width) in enumerate(zip(_DEPTHS, _WIDTHS, strict=True)):
        if stage:
            value = layers.convolved(value, width, side=2, stride=2)
        for _ in range(depth):
            inner = layers.convolved(value, width, side=7, each_alone=True)
            inner = ops.gelu(layers.convolved(inner, 4 * width, side=1), "erf")
            value = ops.add(value, layers.convolved(inner, width, side=1))
    return value


def _dense_motion(layers: _Layers, volume: Node) -> tuple[Node, Node]:
    """Masks of keypoints (1, 22, 16, 64, 64), and what is hidden (1, 1, 64, 64)."""
    passed, value = [volume], volume
    for level in range(_LEVELS):
        width = min(_MOST_CHANNELS, _HOURGLASS * 2 ** (level + 1))
        value = ops.relu(layers.convolved(value, width))
        value = ops.avg_pool(value, [1, 2, 2], [0] * 3, [0] * 3, [1, 2, 2], True)
        passed.append(value)
    value = passed.pop()
    for level in reversed(range(_LEVELS)):
        width = min(_MOST_CHANNELS, _HOURGLASS * 2**level)
        value = ops.relu(layers.convolved(_enlarged(value, [1, 2, 2]), width))
        value = ops.concat([value, passed.pop()], 1)
    value = ops.relu(layers.convolved(value, value.output(0).shape[1]))
    masks = ops.softmax(layers.convolved(value, _KEYPOINTS + 1, side=7), 1)
    channels, (depth, height, width) = value.output(0).shape[1], _VOLUME
    flat = ops.reshape(value, ops.constant([1, channels * depth, height, width]), False)
    return masks, ops.sigmoid(layers.convolved(flat, 1, side=7))


def _decoded(layers: _Layers, features: Node, hidden: Node) -> Node:
    """The frame (1, 3, 512, 512) of warped features (1, 512, 64, 64)."""
    label = layers.convolved(ops.relu(layers.convolved(features, _FEATURES)), _FEATURES, side=1)
    label = ops.multiply(label, hidden)
    value = layers.convolved(label, _DECODED)
    for _ in range(6):
        value = layers.spade_block(value, label, _DECODED)
    for channels in (_FEATURES, _FEATURES // 4):
        value, label = _enlarged(value, [2, 2]), _enlarged(label, [2, 2])
        value = layers.spade_block(value, label, channels)
    value = layers.convolved(ops.relu(value), 3 * 4)
    return ops.sigmoid(ops.depth_to_space(value, "depth_first", 2))


def networks() -> tuple[openvino.Model, int]:
    """What is computed for a frame, and how many products that takes."""
    layers = _Layers()
    picture = ops.parameter([1, 3, _MOTION_SIDE, _MOTION_SIDE], np.float32)
    channels = (_KEYPOINTS + 1) * (_COMPRESSED + 1)
    volume = ops.parameter([1, channels, *_VOLUME], np.float32)
    features = ops.parameter([1, 32 * _VOLUME[0], *_VOLUME[1:]], np.float32)
    masks, hidden = _dense_motion(layers, volume)
    results = [_motion(layers, picture), masks, _decoded(layers, features, hidden)]
    return openvino.Model(results, [picture, volume, features]), layers.products


@dataclass(frozen=True)
class Yardstick:
    """What LivePortrait's networks take on one thread.

    Attributes:
        products: multiply-accumulates a frame.
        milliseconds: of processor time, the median.
    """

    products: int
    milliseconds: float


class LivePortrait:
    """Its networks, compiled for one thread; they are timed in turns with what stands beside them.

    Args:
        precision: f32 or bf16, as of the generator.
    """

    def __init__(self, precision: str) -> None:
        model, self._products = networks()
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        compiled = openvino.Core().compile_model(model, "CPU", options)
        self._request = compiled.create_infer_request()
        random = np.random.default_rng(1)
        self._inputs = [
            random.standard_normal(tuple(each.shape), np.float32) for each in model.inputs
        ]
        self._request.infer(self._inputs)
        self._taken: list[float] = []

    def look(self) -> None:
        """Time a frame."""
        start = time.process_time()
        self._request.infer(self._inputs)
        self._taken.append(1000 * (time.process_time() - start))

    @property
    def yardstick(self) -> Yardstick:
        return Yardstick(self._products, statistics.median(self._taken))
