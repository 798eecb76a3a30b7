"""MobileStyleGAN for faces at 1024² as a differentiable torch module. The weights: weights.py."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import (
    Affine,
    FactorChange,
    ImageHead,
    NoisyConvolution,
    SynthesisBlock,
    as_tensor,
    regional_rows,
)
from .network import Network, Stage
from .preview_head import PreviewHead, heads_from_tensors
from .style_space import STYLE_ROWS, Styles, difference_arrays
from .tuning import is_tunable
from .weights import (
    N_BLOCKS,
    N_ROWS,
    SIZES,
    SLOPE,
    W_DIM,
    GeneratorWeights,
    MappingWeights,
    blocks_for,
    load_weights,
)

_UNCHANGED = (None, None)


class MappingNetwork(nn.Module):
    """z (b, 512) → w (b, 512): normalisation, then eight linear layers with leaky ReLU."""

    def __init__(self, weights: MappingWeights) -> None:
        super().__init__()
        self.weights = nn.ParameterList(as_tensor(layer.weight) for layer in weights.layers)
        self.biases = nn.ParameterList(as_tensor(layer.bias) for layer in weights.layers)

    def forward(self, z: Tensor) -> Tensor:
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = functional.leaky_relu(functional.linear(x, weight, bias), SLOPE) * math.sqrt(2)
        return x


class MobileStyleGAN(Network):
    """The project's generator."""

    n_rows = N_ROWS
    w_dim = z_dim = W_DIM
    sizes = SIZES

    def __init__(self, weights: GeneratorWeights) -> None:
        super().__init__()
        self.model_id = weights.model_id
        self.mapping = MappingNetwork(weights.mapping)
        self.constant = nn.Parameter(as_tensor(weights.constant))
        self.modulation0 = Affine(weights.modulation0)
        self.convolution0 = NoisyConvolution(weights.convolution0)
        self.blocks = nn.ModuleList(SynthesisBlock(block) for block in weights.blocks)
        self.image_head = ImageHead(weights.image_head)
        self.preview_heads = nn.ModuleDict()
        self.register_buffer("mean_latent", as_tensor(weights.statistics.mean))
        self.register_buffer("latent_std", as_tensor(weights.statistics.std))
        self.set_preview_heads(heads_from_tensors(weights.preview_heads))
        self.requires_grad_(False)
        self.eval()

    def set_preview_heads(self, heads: Mapping[int, PreviewHead]) -> None:
        """Uses these heads for sizes below 1024 from now on."""
        self.preview_heads = nn.ModuleDict({str(size): head for size, head in heads.items()})
        self.preview_heads.requires_grad_(False)
        self.preview_heads.eval()

    def map(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """z (b, 512) → w (b, 512), pulled towards the mean latent by ``truncation``."""
        w = self.mapping(z.to(self.mean_latent.device))
        if truncation != 1.0:
            w = self.mean_latent + truncation * (w - self.mean_latent)
        return w.to(z.device)

    def features(
        self, latents: Tensor, n_blocks: int = N_BLOCKS, *differences: Tensor
    ) -> Iterator[Tensor]:
        """The hidden features after each of the first ``n_blocks`` blocks: 8², 16², … 512².

        Args:
            differences: as of `drawn`.
        """
        rows = self._factor_changes(differences)
        change0 = rows.get(0, _UNCHANGED)[0]
        features = self.convolution0(self.constant * self.modulation0(latents[:, 0], change0))
        for i in range(n_blocks):
            first, second = 2 * i + 1, 2 * i + 2
            features = self.blocks[i](
                features,
                latents[:, first],
                latents[:, second],
                rows.get(first, _UNCHANGED),
                rows.get(second, _UNCHANGED),
            )
            yield features

    def styles(self, latents: Tensor) -> Tensor:
        """Latents (b, 16, 512) → their vectors of StyleSpace (b, n), see style_space.py."""
        affines = enumerate(self.style_affines)
        return torch.cat(
            [a(latents[:, row])[..., 0, 0] for row, of_row in affines for a in of_row], 1
        )

    @property
    def style_affines(self) -> list[tuple[Affine, ...]]:
        """As `style_space.row_affines`."""
        rows: list[tuple[Affine, ...]] = [(self.modulation0,)]
        for block in cast("list[SynthesisBlock]", list(self.blocks)):
            rows += [(block.upsampling_modulation, block.modulation1), (block.modulation2,)]
        return rows[:STYLE_ROWS]

    def _factor_changes(
        self, differences: Sequence[Tensor]
    ) -> Mapping[int, Sequence[FactorChange | None]]:
        """By row, what the factors of each of its affine maps differ by."""
        if not differences:
            return {}
        if len(differences) > 1:
            return {row: (one, one) for row, one in regional_rows(*differences).items()}
        rows, (offsets,) = self.style_affines, differences
        offsets = offsets if offsets.ndim > 1 else offsets[None]
        parts = iter(offsets.split([len(affine.bias) for row in rows for affine in row], 1))
        return {number: [next(parts) for _ in row] for number, row in enumerate(rows)}

    def forward(
        self,
        latents: Tensor,
        size: int = 1024,
        exact: bool = False,
        styles: Styles | Tensor | None = None,
    ) -> Tensor:
        """latents (b, 16, 512) → images (b, 3, size, size) in about [-1, 1], not clamped.

        Args:
            exact: makes sizes below 1024 by averaging the 1024 image, which is what the preview
                heads were trained to give, instead of by the preview heads.
            styles: by how much regions of all images, or their factors, differ from the latents;
                as a tensor (b, n), offsets of each image's own vector of StyleSpace.
        """
        if isinstance(styles, Tensor):
            differences = [styles]
        else:
            arrays = difference_arrays(styles, W_DIM)
            differences = [torch.from_numpy(each).to(self.constant.device) for each in arrays]
        return self.drawn(latents, size, *differences, exact=exact)

    def drawn(
        self, latents: Tensor, size: int, *differences: Tensor, exact: bool = False
    ) -> Tensor:
        """As `forward`.

        Args:
            differences: what `difference_arrays` gives, of all images or, with the batch before,
                of each.
        """
        n_blocks = blocks_for(size)
        if size == SIZES[-1]:
            last = self._last_features(latents, n_blocks, *differences)
            return self.image_head(last, latents[:, 15])
        if exact or str(size) not in self.preview_heads:
            whole = self.drawn(latents, SIZES[-1], *differences)
            return functional.avg_pool2d(whole, SIZES[-1] // size)
        features = self._last_features(latents, n_blocks, *differences)
        return self.preview_heads[str(size)](features, latents)

    def begun(self, latents: Tensor, size: int) -> Stage:
        """See `Network.begun`."""
        latents = latents.to(self.constant.device)
        *_, features = self.features(latents, blocks_for(size))
        return Stage(latents, size, features)

    def small(self, stage: Stage) -> Tensor:
        """See `Network.small`."""
        image: Tensor = self.preview_heads[str(stage.size)](stage.features, stage.latents)
        return image

    def larger(self, stage: Stage) -> dict[int, Tensor]:
        """See `Network.larger`."""
        latents, features, images = stage.latents, stage.features, {}
        for i in range(blocks_for(stage.size), N_BLOCKS):
            features = self.blocks[i](features, latents[:, 2 * i + 1], latents[:, 2 * i + 2])
            for size, head in self.preview_heads.items():
                if blocks_for(int(size)) == i + 1:
                    images[int(size)] = head(features, latents)
        images[SIZES[-1]] = self.image_head(features, latents[:, -1])
        return images

    def is_tunable(self, name: str) -> bool:
        """See `Network.is_tunable`."""
        return is_tunable(name)

    def is_beyond(self, name: str, size: int) -> bool:
        """See `Network.is_beyond`."""
        parts = name.split(".")
        shared = parts[0] == "blocks" and int(parts[1]) < blocks_for(size)
        shared |= parts[0] == "preview_heads" and int(parts[1]) == size
        return is_tunable(name) and not shared

    def _last_features(self, latents: Tensor, n_blocks: int, *differences: Tensor) -> Tensor:
        return deque(self.features(latents, n_blocks, *differences), maxlen=1)[0]


def to_uint8(images: Tensor) -> np.ndarray:
    """Images (b, 3, h, w) in [-1, 1] → (b, h, w, 3) uint8, clamped and rounded."""
    levels = ((images.detach().float().clamp(-1, 1) + 1) * 127.5).round()
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def load_mobile_stylegan() -> MobileStyleGAN:
    """The project's generator with its preview heads, frozen, in evaluation mode, on the CPU.

    Raises:
        ModelError: the weights cannot be fetched or are not those of this network.
    """
    return MobileStyleGAN(load_weights())
