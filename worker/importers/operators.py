"""The TFLite operators of the face networks as small modules; tensors are (b, h, w, c).

Convolutions see (b, c, h, w) views of the same memory, which PyTorch calls channels_last, so no
data is moved between operators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photorig.shared.errors import ModelError


def activation(code: int) -> Callable[[Tensor], Tensor] | None:
    """The function TFLite may fuse into an operator, None for none."""
    functions = {0: None, 1: torch.relu, 3: F.relu6}
    if code not in functions:
        raise ModelError(f"TFLite activation {code} is not supported")
    return functions[code]


def safe_sqrt(x: Tensor) -> Tensor:
    """Square root whose gradient stays finite at 0."""
    return torch.sqrt(x.clamp_min(1e-20))


def squared_difference(a: Tensor, b: Tensor) -> Tensor:
    return (a - b) ** 2


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(b, h, w, c) bilinear with half-pixel centres to (b, *size, c)."""
    channels_first = x.permute(0, 3, 1, 2)
    resized = F.interpolate(channels_first, size, mode="bilinear", align_corners=False)
    return resized.permute(0, 2, 3, 1)


def _weights(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32))


def _same_padding(length: int, size: int, stride: int) -> tuple[int, int]:
    """Padding before and after one axis for TFLite's SAME: the surplus goes after."""
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2


class Unary(nn.Module):
    """A function of one tensor."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Binary(nn.Module):
    """A function of two tensors, either of which may be a constant."""

    left: Tensor | None
    right: Tensor | None

    def __init__(
        self,
        function: Callable[[Tensor, Tensor], Tensor],
        left: np.ndarray | None,
        right: np.ndarray | None,
        fused: Callable[[Tensor], Tensor] | None,
    ) -> None:
        super().__init__()
        self.function, self.fused = function, fused
        self.register_buffer("left", None if left is None else _weights(left), persistent=False)
        self.register_buffer("right", None if right is None else _weights(right), persistent=False)

    def forward(self, *tensors: Tensor) -> Tensor:
        if self.right is not None:
            result = self.function(tensors[0], self.right)
        elif self.left is not None:
            result = self.function(self.left, tensors[0])
        else:
            result = self.function(tensors[0], tensors[-1])  # x*x arrives with both
        return result if self.fused is None else self.fused(result)


class Concatenation(nn.Module):
    """Joins tensors along an axis; constants are repeated for the batch."""

    def __init__(self, constants: Sequence[np.ndarray | None], axis: int) -> None:
        super().__init__()
        self.axis = axis
        for position, values in enumerate(constants):
            buffer = None if values is None else _weights(values)
            self.register_buffer(f"part{position}", buffer, persistent=False)
        self.count = len(constants)

    def forward(self, *tensors: Tensor) -> Tensor:
        given, batch = iter(tensors), tensors[0].shape[0]
        parts = []
        for position in range(self.count):
            constant = getattr(self, f"part{position}")
            if constant is None:
                parts.append(next(given))
            else:
                parts.append(constant.expand(batch, *constant.shape[1:]))
        return torch.cat(parts, self.axis)


class _FrozenPReLU(torch.autograd.Function):
    """PReLU whose slope gets no gradient: PyTorch's own computes one at much cost.

    x is (rows, columns), slope (columns,).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope)
        return F.prelu(x, slope)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        x, slope = ctx.saved_tensors
        positive = torch.ops.aten.threshold_backward(gradients[0], x, 0)
        return torch.lerp(positive, gradients[0], slope), None


class PReLU(nn.Module):
    """max(x, 0) + slope · min(x, 0) with a slope for each channel."""

    slope: Tensor

    def __init__(self, slope: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("slope", _weights(slope), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        # Whole image rows as one long axis: the few channels alone make too short an inner loop.
        rows = x.reshape(-1, x.shape[2] * x.shape[3])
        return cast(Tensor, _FrozenPReLU.apply(rows, self.slope.repeat(x.shape[2]))).view(x.shape)


class Convolution(nn.Module):
    """Convolution with bias and a fused activation.

    Args:
        weight: (out, in / groups, kernel height, kernel width).
        bias: (out,).
        padding: ``same`` or ``valid`` as TFLite defines them.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        weight: np.ndarray,
        bias: np.ndarray,
        stride: tuple[int, int],
        padding: str,
        activation: Callable[[Tensor], Tensor] | None,
        groups: int,
    ) -> None:
        super().__init__()
        tensor = _weights(weight).to(memory_format=torch.channels_last)
        self.register_buffer("weight", tensor, persistent=False)
        self.register_buffer("bias", _weights(bias), persistent=False)
        self.stride, self.padding, self.groups = stride, padding, groups
        self.fused = activation
        self.pointwise = tensor.shape[2:] == (1, 1) and stride == (1, 1) and groups == 1

    def forward(self, x: Tensor) -> Tensor:
        if self.pointwise:  # a matrix product over channels is faster than a convolution
            y = F.linear(x, self.weight.flatten(1), self.bias)
            return y if self.fused is None else self.fused(y)
        x = x.permute(0, 3, 1, 2)
        padding = (0, 0)
        if self.padding == "same":
            height, width = self.weight.shape[2:]
            top, bottom = _same_padding(x.shape[2], height, self.stride[0])
            left, right = _same_padding(x.shape[3], width, self.stride[1])
            if (top, left) == (bottom, right):
                padding = (top, left)
            else:
                x = F.pad(x, (left, right, top, bottom))
        y = F.conv2d(x, self.weight, self.bias, self.stride, padding, 1, self.groups)
        return (y if self.fused is None else self.fused(y)).permute(0, 2, 3, 1)


class TransposedConvolution(nn.Module):
    """Every pixel becomes a block of pixels: a transposed convolution whose blocks do not overlap.

    Args:
        weight: (in, out, block height, block width).
        bias: (out,).
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("weight", _weights(weight), persistent=False)
        self.register_buffer("bias", _weights(bias), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        block = (self.weight.shape[2], self.weight.shape[3])
        y = F.conv_transpose2d(x.permute(0, 3, 1, 2), self.weight, self.bias, block)
        return y.permute(0, 2, 3, 1)


class MaxPool(nn.Module):
    """Maximum over windows, padded with -inf for ``same``."""

    def __init__(self, size: tuple[int, int], stride: tuple[int, int], padding: str) -> None:
        super().__init__()
        self.size, self.stride, self.padding = size, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 3, 1, 2)
        if self.padding == "same":
            top, bottom = _same_padding(x.shape[2], self.size[0], self.stride[0])
            left, right = _same_padding(x.shape[3], self.size[1], self.stride[1])
            if top or bottom or left or right:
                x = F.pad(x, (left, right, top, bottom), value=float("-inf"))
        return F.max_pool2d(x, self.size, self.stride).permute(0, 2, 3, 1)
