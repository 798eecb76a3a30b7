"""MobileStyleGAN for faces at 1024² as a differentiable torch module.

The weights are the constants of the OpenVINO network that the PyPI package ``random-face`` holds
(card ``random-face``). Its mapping network is StyleGAN2-FFHQ's own, so W is StyleGAN2's W.

W+ is (16, 512), StyleGAN2-1024's rows without the last two. Row 0 modulates the 4² convolution,
rows 2i+1 and 2i+2 the two convolutions of block i at 8·2^i (i = 0…6), row 15 the image head.
Sizes below 1024 leave after an earlier block through a preview head of the project's own.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from photorig.shared.errors import InputError, ModelError
from photorig.worker.registry import fetch, own_weights
from photorig.worker.registry.registry import MODELS_FOLDER

from .layers import SLOPE, Affine, ImageHead, NoisyConvolution, SynthesisBlock
from .openvino_ir import read_constants
from .preview_head import HEADS_FILE, PreviewHead, load_preview_heads

logger = logging.getLogger(__name__)

SIZES = (256, 512, 1024)
N_ROWS = 16
W_DIM = 512
N_BLOCKS = 7
MODEL_CARD = "random-face"
STATISTICS_FILE = "latent-statistics.safetensors"


def blocks_for(size: int) -> int:
    """How many synthesis blocks an image of that size needs: 5, 6 or 7."""
    if size not in SIZES:
        sizes = ", ".join(map(str, SIZES))
        raise InputError(f"the generator has no size {size}", f"Choose one of {sizes}.")
    return int(math.log2(size)) - 3


class MappingNetwork(nn.Module):
    """z (b, 512) → w (b, 512): normalisation, then eight linear layers with leaky ReLU."""

    def __init__(self, weights: list[Tensor], biases: list[Tensor]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(weights)
        self.biases = nn.ParameterList(biases)

    def forward(self, z: Tensor) -> Tensor:
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = functional.leaky_relu(functional.linear(x, weight, bias), SLOPE) * math.sqrt(2)
        return x


@dataclass(frozen=True)
class LatentStatistics:
    """Mean and standard deviation of w over random z, (512,) float32 each."""

    mean: Tensor
    std: Tensor


class MobileStyleGAN(nn.Module):
    """Latents in, images out. Frozen; gradients flow to the latents.

    Attributes:
        model_id: SHA-256 over the network's weights; names the latent space.
        mean_latent, latent_std: (512,) float32, see `LatentStatistics`.
    """

    n_rows = N_ROWS
    w_dim = W_DIM
    sizes = SIZES
    mean_latent: Tensor
    latent_std: Tensor

    def __init__(
        self,
        mapping: MappingNetwork,
        constant: Tensor,
        modulation0: Affine,
        convolution0: NoisyConvolution,
        blocks: list[SynthesisBlock],
        image_head: ImageHead,
        statistics: LatentStatistics,
        model_id: str,
    ) -> None:
        super().__init__()
        self.mapping = mapping
        self.constant = nn.Parameter(constant)
        self.modulation0, self.convolution0 = modulation0, convolution0
        self.blocks = nn.ModuleList(blocks)
        self.image_head = image_head
        self.preview_heads = nn.ModuleDict()
        self.register_buffer("mean_latent", statistics.mean)
        self.register_buffer("latent_std", statistics.std)
        self.model_id = model_id
        self.requires_grad_(False)
        self.eval()

    def set_preview_heads(self, heads: Mapping[int, PreviewHead]) -> None:
        """Uses these heads for sizes below 1024 from now on."""
        self.preview_heads = nn.ModuleDict({str(size): head for size, head in heads.items()})
        self.preview_heads.requires_grad_(False)
        self.preview_heads.eval()

    def map(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """z (b, 512) → w (b, 512), pulled towards the mean latent by ``truncation``."""
        w = self.mapping(z)
        if truncation == 1.0:
            return w
        return self.mean_latent + truncation * (w - self.mean_latent)

    def expand(self, w: Tensor) -> Tensor:
        """w (b, 512) → latents (b, 16, 512) with the same row sixteen times."""
        return w[:, None, :].expand(-1, N_ROWS, -1)

    def features(self, latents: Tensor, n_blocks: int = N_BLOCKS) -> Iterator[Tensor]:
        """The hidden features after each of the first ``n_blocks`` blocks: 8², 16², … 512²."""
        features = self.convolution0(self.constant * self.modulation0(latents[:, 0]))
        for i in range(n_blocks):
            features = self.blocks[i](features, latents[:, 2 * i + 1], latents[:, 2 * i + 2])
            yield features

    def forward(self, latents: Tensor, size: int = 1024, exact: bool = False) -> Tensor:
        """latents (b, 16, 512) → images (b, 3, size, size) in about [-1, 1], not clamped.

        Args:
            exact: makes sizes below 1024 by averaging the 1024 image, which is what the preview
                heads were trained to give, instead of by the preview heads.
        """
        n_blocks = blocks_for(size)
        if size == SIZES[-1]:
            return self.image_head(self._last_features(latents, n_blocks), latents[:, 15])
        if exact or str(size) not in self.preview_heads:
            return functional.avg_pool2d(self.forward(latents, SIZES[-1]), SIZES[-1] // size)
        return self.preview_heads[str(size)](self._last_features(latents, n_blocks), latents)

    def _last_features(self, latents: Tensor, n_blocks: int) -> Tensor:
        last = self.constant
        for last in self.features(latents, n_blocks):
            pass
        return last


def to_uint8(images: Tensor) -> np.ndarray:
    """Images (b, 3, h, w) in [-1, 1] → (b, h, w, 3) uint8, clamped and rounded."""
    levels = ((images.detach().float().clamp(-1, 1) + 1) * 127.5).round()
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def load_mobile_stylegan() -> MobileStyleGAN:
    """The project's generator with its preview heads, frozen, in evaluation mode, on the CPU.

    Raises:
        ModelError: the weights cannot be fetched or are not those of this network.
    """
    folder = fetch(MODEL_CARD)
    statistics = read_statistics(own_weights(STATISTICS_FILE))
    network = read_mobile_stylegan(folder, statistics)
    network.set_preview_heads(_preview_heads())
    return network


def _preview_heads() -> dict[int, PreviewHead]:
    """The preview heads; none where they have not been trained yet, so that they can be."""
    if not (MODELS_FOLDER / HEADS_FILE).exists():
        logger.warning("there are no preview heads; small images are made from 1024² images")
        return {}
    return load_preview_heads()


def read_statistics(path: Path) -> LatentStatistics:
    """The fixed mean and spread of w, measured once by ``photorig.worker.training.statistics``."""
    from safetensors.torch import load_file

    tensors = load_file(path)
    return LatentStatistics(tensors["mean_latent"], tensors["latent_std"])


def read_mobile_stylegan(folder: Path, statistics: LatentStatistics) -> MobileStyleGAN:
    """Builds the network from the files ``MappingNetwork`` and ``SynthesisNetwork`` (.xml, .bin).

    Raises:
        ModelError: a constant that the network needs is missing.
    """
    model_id = hashlib.sha256()
    for name in ("MappingNetwork.bin", "SynthesisNetwork.bin"):
        model_id.update((folder / name).read_bytes())
    constants = read_constants(folder / "MappingNetwork.xml")
    weights = [_tensor(c.values) for c in constants if c.values.shape == (W_DIM, W_DIM)]
    biases = [_tensor(c.values) for c in constants if c.values.shape == (W_DIM,)]
    if len(weights) != 8 or len(biases) != 8:
        raise ModelError("the mapping network does not have eight layers")
    reader = _SynthesisReader(folder / "SynthesisNetwork.xml")
    return MobileStyleGAN(
        MappingNetwork(weights, biases),
        reader.tensor("m.input.input"),
        reader.affine("m.conv1.conv", scale=(9 * 512) ** -0.5),
        reader.convolution("m.conv1", band_order(512)),
        [reader.block(i) for i in range(N_BLOCKS)],
        reader.image_head(),
        statistics,
        model_id.hexdigest(),
    )


def band_order(channels: int) -> Tensor:
    """Indices that sort the file's channels, [ll | lh, hl, hh of channel 0 | …], by band."""
    low = torch.arange(channels // 4)
    return torch.cat([low] + [channels // 4 + 3 * low + band for band in range(3)])


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))


class _SynthesisReader:
    """Picks the layers of the synthesis network out of the constants of its file.

    Scales that the exported graph applies one by one are folded into the modulations: 1/√fan-in
    of each convolution and the 1/2 of each inverse Haar transform.
    """

    def __init__(self, description: Path) -> None:
        constants = read_constants(description)
        self._by_name = {constant.name: constant.values for constant in constants}
        self._noise = iter(
            constant.values
            for constant in constants
            if constant.values.shape[:2] == (1, 1) and constant.values[0, 0].size > 1
        )

    def tensor(self, name: str) -> Tensor:
        if name not in self._by_name:
            raise ModelError(f"the synthesis network has no constant named {name}")
        return _tensor(self._by_name[name])

    def affine(self, name: str, scale: float, order: Tensor | None = None) -> Affine:
        weight = self.tensor(f"{name}.modulation.weight") * scale
        bias = self.tensor(f"{name}.modulation.bias").flatten() * scale
        return Affine(weight, bias) if order is None else Affine(weight[order], bias[order])

    def convolution(self, name: str, order: Tensor | None = None) -> NoisyConvolution:
        """The next convolution in file order (which is the order of the noise maps)."""
        depthwise, weight = None, f"{name}.conv.weight"
        if f"{name}.conv.weight_dw" in self._by_name:
            depthwise = self.tensor(f"{name}.conv.weight_dw").squeeze(1)
            weight = f"{name}.conv.weight_permute"
        weights, bias = self.tensor(weight), self.tensor(f"{name}.bias").flatten()
        if order is not None:
            weights, bias = weights[order], bias[order]
        return NoisyConvolution(depthwise, weights, bias, _tensor(next(self._noise)))

    def block(self, index: int) -> SynthesisBlock:
        name = f"m.layers.{index}"
        channels1 = self.tensor(f"{name}.conv1.conv.modulation.weight").shape[0]
        channels2 = self.tensor(f"{name}.conv2.conv.modulation.weight").shape[0]
        is_last = index == N_BLOCKS - 1
        return SynthesisBlock(
            self.affine(f"{name}.up", 0.5, band_order(4 * channels1)),
            self.affine(f"{name}.conv1.conv", (9 * channels1) ** -0.5),
            self.convolution(f"{name}.conv1"),
            self.affine(f"{name}.conv2.conv", (9 * channels2) ** -0.5),
            self.convolution(f"{name}.conv2", None if is_last else band_order(channels2)),
        )

    def image_head(self) -> ImageHead:
        name, order = f"m.layers.{N_BLOCKS - 1}.to_img", band_order(12)
        return ImageHead(
            self.affine(f"{name}.conv", 0.5 * 64**-0.5),
            self.tensor(f"{name}.conv.weight")[order],
            self.tensor(f"{name}.bias").flatten()[order] * 0.5,
        )
