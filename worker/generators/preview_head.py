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

from .layers import as_tensor, inverse_haar
from .weights import N_ROWS, SLOPE, W_DIM

N_BANDS = 12


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


class StyleAffine(nn.Module):
    """Several rows of latents, normalised and flattened → one value for each channel."""

    def __init__(self, n_inputs: int, channels: int, initial: float) -> None:
        super().__init__()
        self.linear = nn.Linear(n_inputs, channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.constant_(self.linear.bias, initial)

    def forward(self, style: Tensor) -> Tensor:
        factors: Tensor = self.linear(style)
        return factors[:, :, None, None]


class SeparableLayer(nn.Module):
    """Modulation → depthwise 3×3 → 1×1 convolution → leaky ReLU."""

    def __init__(self, n_style: int, channels: int) -> None:
        super().__init__()
        self.modulation = StyleAffine(n_style, channels, 1.0)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        features = self.pointwise(self.depthwise(features * self.modulation(style)))
        return functional.leaky_relu(features, SLOPE)


class PreviewHead(nn.Module):
    """A modulated linear map to 12 wavelet channels, and a narrow non-linear branch beside it."""

    latent_center: Tensor
    latent_scale: Tensor
    feature_scale: Tensor

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.shape = shape
        n_style = (N_ROWS - shape.first_row) * W_DIM
        self.register_buffer("latent_center", torch.zeros(W_DIM))
        self.register_buffer("latent_scale", torch.ones(W_DIM))
        self.register_buffer("feature_scale", torch.ones(1, shape.channels, 1, 1))
        self.modulation = StyleAffine(n_style, shape.channels, 1.0)
        self.linear = nn.Conv2d(shape.channels, N_BANDS, 1)
        self.reduce = nn.Conv2d(shape.channels, shape.width, 1)
        self.layer1 = SeparableLayer(n_style, shape.width)
        self.layer2 = SeparableLayer(n_style, shape.width)
        self.output_modulation = StyleAffine(n_style, shape.width, 1.0)
        self.output = nn.Conv2d(shape.width, N_BANDS, 1)
        self.colour = StyleAffine(n_style, N_BANDS, 0.0)

    def forward(self, features: Tensor, latents: Tensor) -> Tensor:
        """features (b, channels, size/2, size/2), latents (b, 16, 512) → (b, 3, size, size)."""
        return inverse_haar(self.bands(features, latents))

    def bands(self, features: Tensor, latents: Tensor) -> Tensor:
        """The image as 12 wavelet channels (b, 12, size/2, size/2)."""
        rows = latents[:, self.shape.first_row :]
        style = ((rows - self.latent_center) / self.latent_scale).flatten(1)
        features = features * (self.modulation(style) * self.feature_scale)
        inner = functional.leaky_relu(self.reduce(features), SLOPE)
        inner = inner + self.layer1(inner, style)
        inner = self.layer2(inner, style) * self.output_modulation(style)
        bands: Tensor = self.linear(features) + self.output(inner) + self.colour(style)
        return bands


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
    """The heads as tensors named ``256.linear.weight`` and so on, in half precision."""
    return {
        f"{size}.{name}": tensor.half().contiguous()
        for size, head in heads.items()
        for name, tensor in head.state_dict().items()
    }
