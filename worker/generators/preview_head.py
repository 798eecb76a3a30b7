"""Preview heads: images of 256² and 512² from the features of an earlier block.

The published network gives 1024² only. A preview head turns the features after block 4 (128²) or
block 5 (256²) into what the 1024² image looks like averaged down, so that a preview frame costs
less. It stands in for the blocks that it skips and so reads their rows of latents too: that is
where the colours are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from photorig.shared.errors import ModelError

from .layers import as_tensor, inverse_haar, pointwise
from .weights import N_ROWS, SLOPE, W_DIM

N_BANDS = 12
N_COMPONENTS = 64
N_STYLE = 128


@dataclass(frozen=True)
class HeadShape:
    """The form of a preview head.

    Attributes:
        size: side of its image in pixels.
        channels: channels of the features it reads, which have half that side.
        first_row: first row of latents it reads; it reads all rows from there on.
        width: channels of its inner layers.
    """

    size: int
    channels: int
    first_row: int
    width: int


HEAD_SHAPES = (HeadShape(256, 256, 11, 56), HeadShape(512, 128, 13, 32))


class StyleEncoder(nn.Module):
    """Latents → style (b, N_STYLE): principal components of what the skipped layers see of them.

    The projection is computed, not learned (worker/training/preview_heads/style_projection.py); a
    small layer beside it gives products of components, which one modulation after the other makes.
    """

    projection: Tensor
    offset: Tensor

    def __init__(self, first_row: int) -> None:
        super().__init__()
        self.first_row = first_row
        n_inputs = (N_ROWS - first_row) * W_DIM
        self.register_buffer("projection", torch.zeros(N_COMPONENTS, n_inputs))
        self.register_buffer("offset", torch.zeros(N_COMPONENTS))
        self.hidden = nn.Linear(N_COMPONENTS, N_STYLE - N_COMPONENTS)

    def forward(self, latents: Tensor) -> Tensor:
        rows = latents[:, self.first_row :].flatten(1)
        components = functional.linear(rows, self.projection, self.offset)
        return torch.cat((components, functional.leaky_relu(self.hidden(components), SLOPE)), 1)


class StyleAffine(nn.Module):
    """Style (b, N_STYLE) → one value for each channel (b, channels, 1, 1)."""

    def __init__(self, channels: int, initial: float) -> None:
        super().__init__()
        self.linear = nn.Linear(N_STYLE, channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.constant_(self.linear.bias, initial)

    def forward(self, style: Tensor) -> Tensor:
        factors: Tensor = self.linear(style)
        return factors[:, :, None, None]


class SeparableLayer(nn.Module):
    """Modulation → depthwise 3×3 → 1×1 convolution → leaky ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.modulation = StyleAffine(channels, 1.0)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        features = self.depthwise(features * self.modulation(style))
        return functional.leaky_relu(_pointwise(self.pointwise, features), SLOPE)


class PreviewHead(nn.Module):
    """A modulated linear map to 12 wavelet channels, and a narrow non-linear branch beside it."""

    feature_scale: Tensor

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.shape = shape
        self.style = StyleEncoder(shape.first_row)
        self.register_buffer("feature_scale", torch.ones(1, shape.channels, 1, 1))
        self.modulation = StyleAffine(shape.channels, 1.0)
        self.linear = nn.Conv2d(shape.channels, N_BANDS, 1)
        self.reduce = nn.Conv2d(shape.channels, shape.width, 1)
        self.layer1 = SeparableLayer(shape.width)
        self.layer2 = SeparableLayer(shape.width)
        self.output_modulation = StyleAffine(shape.width, 1.0)
        self.output = nn.Conv2d(shape.width, N_BANDS, 1)
        self.colour = StyleAffine(N_BANDS, 0.0)

    def forward(self, features: Tensor, latents: Tensor) -> Tensor:
        """features (b, channels, size/2, size/2), latents (b, 16, 512) → (b, 3, size, size)."""
        return inverse_haar(self.bands(features, latents))

    def bands(self, features: Tensor, latents: Tensor) -> Tensor:
        """The image as 12 wavelet channels (b, 12, size/2, size/2)."""
        style = self.style(latents)
        features = features * (self.modulation(style) * self.feature_scale)
        inner = functional.leaky_relu(_pointwise(self.reduce, features), SLOPE)
        inner = inner + self.layer1(inner, style)
        inner = self.layer2(inner, style) * self.output_modulation(style)
        bands = _pointwise(self.linear, features) + _pointwise(self.output, inner)
        return bands + self.colour(style)


def _pointwise(layer: nn.Conv2d, features: Tensor) -> Tensor:
    assert layer.bias is not None
    return pointwise(features, layer.weight, layer.bias)


def heads_from_tensors(
    tensors: Mapping[int, Mapping[str, np.ndarray]],
) -> dict[int, PreviewHead]:
    """Preview heads from their tensors by image size, as `weights.split_by_size` gives them.

    Raises:
        ModelError: a head is of another form.
    """
    heads = {}
    for shape in HEAD_SHAPES:
        if shape.size not in tensors:
            continue
        head = PreviewHead(shape)
        state = {name: as_tensor(values) for name, values in tensors[shape.size].items()}
        try:
            head.load_state_dict(state)
        except RuntimeError as error:
            raise ModelError(
                f"the preview head for {shape.size} is not of the expected form: {error}"
            ) from error
        heads[shape.size] = head.eval().requires_grad_(False)
    return heads


def heads_to_tensors(heads: dict[int, PreviewHead]) -> dict[str, Tensor]:
    """The heads as tensors named ``256.linear.weight`` and so on.

    In half precision, but for the projection of the latents, whose numbers are too small for that.
    """
    return {
        f"{size}.{name}": (tensor if name.startswith("style.") else tensor.half()).contiguous()
        for size, head in heads.items()
        for name, tensor in head.state_dict().items()
    }
