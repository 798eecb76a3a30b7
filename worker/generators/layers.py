"""The layers MobileStyleGAN is made of, as plain differentiable torch modules.

MobileStyleGAN (Belousov, "MobileStyleGAN: A Lightweight Convolutional Neural Network for
High-Fidelity Image Synthesis", 2021) replaces StyleGAN2's convolutions by depthwise-separable ones
and its upsampling by inverse Haar wavelet transforms: the channels of a low-resolution map are
sub-bands of the next higher resolution. Demodulation is constant and folded into the weights.

Channels that an inverse Haar transform reads are stored band after band: all ``ll``, then all
``lh``, ``hl`` and ``hh``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .regions import MASK_SIDES, REGIONAL_ROWS, side_of_row
from .weights import SLOPE, AffineWeights, BlockWeights, ConvolutionWeights, ImageHeadWeights


def as_tensor(values: np.ndarray) -> Tensor:
    """A float32 tensor with memory of its own; arrays read from a file cannot be written to."""
    return torch.from_numpy(np.array(values, dtype=np.float32))


def inverse_haar(bands: Tensor) -> Tensor:
    """Doubles the resolution: (b, 4c, h, w) bands [ll | lh | hl | hh] → (b, c, 2h, 2w).

    The transform's factor 1/2 is left out: the weights in front of it contain it.
    """
    batch, channels, height, width = bands.shape
    # Channels last: neighbours in memory stay together, which is quicker than a pixel shuffle.
    ll, lh, hl, hh = bands.permute(0, 2, 3, 1).chunk(4, dim=-1)
    even, odd, cross_even, cross_odd = ll + lh, ll - lh, hl + hh, hl - hh
    upper = torch.stack((even + cross_even, even - cross_even), dim=3)
    lower = torch.stack((odd + cross_odd, odd - cross_odd), dim=3)
    image = torch.stack((upper, lower), dim=2)
    return image.reshape(batch, 2 * height, 2 * width, channels // 4).permute(0, 3, 1, 2)


def haar(image: Tensor) -> Tensor:
    """The opposite of `inverse_haar`: (b, c, 2h, 2w) → (b, 4c, h, w) bands [ll | lh | hl | hh]."""
    a, b = image[..., ::2, ::2], image[..., ::2, 1::2]
    c, d = image[..., 1::2, ::2], image[..., 1::2, 1::2]
    return torch.cat((a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d), dim=1) / 4


def pointwise(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """1×1 convolution of (b, c, h, w) with (out, c, 1, 1).

    Torch takes a slow path for these kernels; with the channels last they are a matrix product.
    """
    product = functional.linear(features.permute(0, 2, 3, 1), weight[:, :, 0, 0], bias)
    return product.permute(0, 3, 1, 2)


RegionalRow = tuple[Tensor, Tensor]
"""Shifts (k, w_dim) of a row of W+ in k regions, and where these are, (k, h, w) in [0, 1]; of each
image of a batch, with that before."""

FactorChange = RegionalRow | Tensor
"""What factors differ by from those of the latents: by region, or (b, channels) added to them."""


def regional_rows(deltas: Tensor, *masks: Tensor) -> dict[int, RegionalRow]:
    """By row of latents, how regions differ: what `difference_arrays` has of regions, of all images
    or, with the batch before, of each."""
    by_side = dict(zip(MASK_SIDES, masks, strict=True))
    return {
        row: (deltas[..., index, :], by_side[side_of_row(row)])
        for index, row in enumerate(REGIONAL_ROWS)
    }


def on_regions(changes: Tensor, masks: Tensor) -> Tensor:
    """Changes (k, channels) in regions (k, h, w) → (channels, h, w), the batch before or not."""
    batch = "b" if changes.ndim == 3 else ""
    return torch.einsum(f"{batch}kc,{batch}khw->{batch}chw", changes, masks)


class Affine(nn.Module):
    """A row of latents (b, 512) → one factor for each channel, (b, channels, 1, 1)."""

    def __init__(self, weights: AffineWeights) -> None:
        super().__init__()
        self.weight = nn.Parameter(as_tensor(weights.weight))
        self.bias = nn.Parameter(as_tensor(weights.bias))

    def forward(self, latent: Tensor, change: FactorChange | None = None) -> Tensor:
        """(b, channels, 1, 1), or (b, channels, h, w) where regions differ."""
        factors = functional.linear(latent, self.weight, self.bias)[:, :, None, None]
        if change is None:
            return factors
        if isinstance(change, Tensor):
            return factors + change[:, :, None, None]
        deltas, masks = change
        return factors + on_regions(deltas @ self.weight.T, masks)


class NoisyConvolution(nn.Module):
    """Depthwise 3×3 (where there is one) → convolution → fixed noise and bias → leaky ReLU."""

    noise: Tensor

    def __init__(self, weights: ConvolutionWeights) -> None:
        super().__init__()
        depthwise = weights.depthwise
        self.depthwise = None if depthwise is None else nn.Parameter(as_tensor(depthwise))
        self.weight = nn.Parameter(as_tensor(weights.weight))
        self.bias = nn.Parameter(as_tensor(weights.bias))
        self.register_buffer("noise", as_tensor(weights.noise))

    def forward(self, features: Tensor) -> Tensor:
        if self.depthwise is not None:
            features = functional.conv2d(
                features, self.depthwise, padding=1, groups=features.shape[1]
            )
        if self.depthwise is None:
            features = functional.conv2d(features, self.weight, self.bias, padding=1)
        else:
            features = pointwise(features, self.weight, self.bias)
        return functional.leaky_relu(features + self.noise, SLOPE)


class SynthesisBlock(nn.Module):
    """Inverse Haar upsampling and two convolutions, each modulated by a row of latents.

    The upsampling and the first convolution read the same row. A factor of a channel commutes
    with the inverse Haar transform, so both are applied at the low resolution.
    """

    def __init__(self, weights: BlockWeights) -> None:
        super().__init__()
        self.upsampling_modulation = Affine(weights.upsampling)
        self.modulation1 = Affine(weights.modulation1)
        self.convolution1 = NoisyConvolution(weights.convolution1)
        self.modulation2 = Affine(weights.modulation2)
        self.convolution2 = NoisyConvolution(weights.convolution2)

    def forward(
        self,
        features: Tensor,
        row1: Tensor,
        row2: Tensor,
        changes1: Sequence[FactorChange | None] = (None, None),
        changes2: Sequence[FactorChange | None] = (None,),
    ) -> Tensor:
        factors = self.upsampling_modulation(row1, changes1[0])
        factors = factors * self.modulation1(row1, changes1[1]).repeat(1, 4, 1, 1)
        features = self.convolution1(inverse_haar(features * factors))
        return self.convolution2(features * self.modulation2(row2, changes2[0]))


class ImageHead(nn.Module):
    """Features → RGB: modulated 1×1 convolution to 12 wavelet channels → inverse Haar."""

    def __init__(self, weights: ImageHeadWeights) -> None:
        super().__init__()
        self.modulation = Affine(weights.modulation)
        self.weight = nn.Parameter(as_tensor(weights.weight))
        self.bias = nn.Parameter(as_tensor(weights.bias))

    def forward(self, features: Tensor, row: Tensor) -> Tensor:
        return inverse_haar(pointwise(features * self.modulation(row), self.weight, self.bias))
