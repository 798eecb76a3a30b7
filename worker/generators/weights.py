"""The generator's weights as plain numpy arrays, the same for every backend.

MobileStyleGAN for faces at 1024² comes as an OpenVINO network inside the PyPI package
``random-face`` (card ``random-face``). Its mapping network is StyleGAN2-FFHQ's own, so W is
StyleGAN2's W.

W+ is (16, 512), StyleGAN2-1024's rows without the last two. Row 0 modulates the 4² convolution,
rows 2i+1 and 2i+2 the two convolutions of block i at 8·2^i (i = 0…6), row 15 the image head.
Sizes below 1024 leave after an earlier block through a preview head of the project's own, which
reads the rows of the blocks that it skips: see preview_head.py.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from photorig.shared.errors import InputError, ModelError
from photorig.worker.importers.openvino_ir import read_constants
from photorig.worker.registry import fetch, own_weights
from photorig.worker.registry.registry import MODELS_FOLDER

logger = logging.getLogger(__name__)

SIZES: tuple[int, ...] = (256, 512, 1024)
N_ROWS = 16
W_DIM = 512
N_BLOCKS = 7
SLOPE = 0.2
"""Negative slope of every leaky ReLU."""

MODEL_CARD = "random-face"
STATISTICS_FILE = "latent-statistics.safetensors"
HEADS_FILE = "preview-heads.safetensors"


def blocks_for(size: int) -> int:
    """How many synthesis blocks an image of that size needs: 5, 6 or 7.

    Raises:
        InputError: the generator has no such size.
    """
    if size not in SIZES:
        sizes = ", ".join(map(str, SIZES))
        raise InputError(f"the generator has no size {size}", f"Choose one of {sizes}.")
    return int(math.log2(size)) - 3


@dataclass(frozen=True)
class AffineWeights:
    """weight (channels, 512), bias (channels,): a row of latents → a factor a channel."""

    weight: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class ConvolutionWeights:
    """Depthwise 3×3 → convolution → noise and bias → leaky ReLU.

    Attributes:
        depthwise: (channels, 1, 3, 3), or None where there is no depthwise part.
        weight: (out, in, 1, 1), or (out, in, 3, 3) where there is no depthwise part.
        bias: (out,).
        noise: (1, 1, side, side), already times its strength; the same for every image.
    """

    depthwise: np.ndarray | None
    weight: np.ndarray
    bias: np.ndarray
    noise: np.ndarray


@dataclass(frozen=True)
class BlockWeights:
    """Inverse Haar upsampling and two convolutions, each with its modulation."""

    upsampling: AffineWeights
    modulation1: AffineWeights
    convolution1: ConvolutionWeights
    modulation2: AffineWeights
    convolution2: ConvolutionWeights


@dataclass(frozen=True)
class ImageHeadWeights:
    """weight (12, channels, 1, 1) and bias (12,): features → RGB in wavelet bands."""

    modulation: AffineWeights
    weight: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class MappingWeights:
    """Eight linear layers (512, 512), (512,)."""

    layers: tuple[AffineWeights, ...]


@dataclass(frozen=True)
class LatentStatistics:
    """Mean and standard deviation of w over random z, (512,) float32 each."""

    mean: np.ndarray
    std: np.ndarray


@dataclass(frozen=True)
class GeneratorWeights:
    """All there is to a generator.

    Attributes:
        constant: (1, 512, 4, 4), where the synthesis begins.
        model_id: SHA-256 over the published network's weights; names the latent space.
        preview_heads: tensors of the preview heads by image size, see preview_head.py.
    """

    mapping: MappingWeights
    constant: np.ndarray
    modulation0: AffineWeights
    convolution0: ConvolutionWeights
    blocks: tuple[BlockWeights, ...]
    image_head: ImageHeadWeights
    statistics: LatentStatistics
    model_id: str
    preview_heads: Mapping[int, Mapping[str, np.ndarray]] = field(default_factory=dict)

    @cached_property
    def pixels_id(self) -> str:
        """SHA-256 over model_id and preview heads: equal where the same latents give one image."""
        digest = hashlib.sha256(self.model_id.encode())
        for size, head in sorted(self.preview_heads.items()):
            for name, values in sorted(head.items()):
                digest.update(f"{size}.{name}".encode() + np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def load_weights() -> GeneratorWeights:
    """The default generator's weights, fetched if need be, with the project's preview heads.

    Raises:
        ModelError: the weights cannot be had or are not those of this network.
    """
    tensors = load_file(own_weights(STATISTICS_FILE))
    statistics = LatentStatistics(tensors["mean_latent"], tensors["latent_std"])
    return read_weights(fetch(MODEL_CARD), statistics, _load_preview_heads())


def _load_preview_heads() -> dict[int, dict[str, np.ndarray]]:
    """The preview heads; none where they have not been trained yet, so that they can be."""
    if not (MODELS_FOLDER / HEADS_FILE).exists():
        logger.warning("there are no preview heads; small images are made from 1024² images")
        return {}
    return split_by_size(load_file(own_weights(HEADS_FILE)))


def split_by_size(tensors: Mapping[str, np.ndarray]) -> dict[int, dict[str, np.ndarray]]:
    """Tensors named ``256.linear.weight`` → by size, ``linear.weight`` in float32."""
    heads: dict[int, dict[str, np.ndarray]] = {}
    for name, values in tensors.items():
        size, _, name_in_head = name.partition(".")
        heads.setdefault(int(size), {})[name_in_head] = values.astype(np.float32)
    return heads


def read_weights(
    folder: Path,
    statistics: LatentStatistics,
    preview_heads: Mapping[int, Mapping[str, np.ndarray]],
) -> GeneratorWeights:
    """Reads ``MappingNetwork`` and ``SynthesisNetwork`` (.xml and .bin each) of a folder.

    Raises:
        ModelError: a file or a constant that the network needs is missing.
    """
    reader = _SynthesisReader(folder / "SynthesisNetwork.xml")
    return GeneratorWeights(
        mapping=_read_mapping(folder / "MappingNetwork.xml"),
        constant=reader.constant("m.input.input"),
        modulation0=reader.affine("m.conv1.conv", scale=(9 * 512) ** -0.5),
        convolution0=reader.convolution("m.conv1", band_order(512)),
        blocks=tuple(reader.block(index) for index in range(N_BLOCKS)),
        image_head=reader.image_head(),
        statistics=statistics,
        model_id=_model_id(folder),
        preview_heads=preview_heads,
    )


def _model_id(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in ("MappingNetwork.bin", "SynthesisNetwork.bin"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def _read_mapping(description: Path) -> MappingWeights:
    constants = [constant.values for constant in read_constants(description)]
    weights = [values for values in constants if values.shape == (W_DIM, W_DIM)]
    # OpenVINO folds what adds an axis to them into the constants.
    biases = [values.reshape(-1) for values in constants if values.size == W_DIM]
    if len(weights) != 8 or len(biases) != 8:
        raise ModelError("the mapping network does not have eight layers")
    return MappingWeights(tuple(map(AffineWeights, weights, biases)))


def band_order(channels: int) -> np.ndarray:
    """Indices that sort the file's channels, [ll | lh, hl, hh of channel 0 | …], by band."""
    low = np.arange(channels // 4)
    return np.concatenate([low] + [channels // 4 + 3 * low + band for band in range(3)])


class _SynthesisReader:
    """Picks the layers of the synthesis network out of the constants of its file.

    Scales that the published graph applies one by one are folded into the modulations: 1/√fan-in
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

    def constant(self, name: str) -> np.ndarray:
        if name not in self._by_name:
            raise ModelError(f"the synthesis network has no constant named {name}")
        return self._by_name[name]

    def affine(self, name: str, scale: float, order: np.ndarray | None = None) -> AffineWeights:
        weight = self.constant(f"{name}.modulation.weight") * np.float32(scale)
        bias = self.constant(f"{name}.modulation.bias").flatten() * np.float32(scale)
        if order is None:
            return AffineWeights(weight, bias)
        return AffineWeights(weight[order], bias[order])

    def convolution(self, name: str, order: np.ndarray | None = None) -> ConvolutionWeights:
        """The next convolution in file order (which is the order of the noise maps)."""
        depthwise, weight = None, f"{name}.conv.weight"
        if f"{name}.conv.weight_dw" in self._by_name:
            depthwise = self.constant(f"{name}.conv.weight_dw").squeeze(1)
            weight = f"{name}.conv.weight_permute"
        weights, bias = self.constant(weight), self.constant(f"{name}.bias").flatten()
        if order is not None:
            weights, bias = weights[order], bias[order]
        return ConvolutionWeights(depthwise, weights, bias, next(self._noise))

    def block(self, index: int) -> BlockWeights:
        name = f"m.layers.{index}"
        channels1 = self.constant(f"{name}.conv1.conv.modulation.weight").shape[0]
        channels2 = self.constant(f"{name}.conv2.conv.modulation.weight").shape[0]
        is_last = index == N_BLOCKS - 1
        return BlockWeights(
            upsampling=self.affine(f"{name}.up", 0.5, band_order(4 * channels1)),
            modulation1=self.affine(f"{name}.conv1.conv", (9 * channels1) ** -0.5),
            convolution1=self.convolution(f"{name}.conv1"),
            modulation2=self.affine(f"{name}.conv2.conv", (9 * channels2) ** -0.5),
            convolution2=self.convolution(
                f"{name}.conv2", None if is_last else band_order(channels2)
            ),
        )

    def image_head(self) -> ImageHeadWeights:
        name, order = f"m.layers.{N_BLOCKS - 1}.to_img", band_order(12)
        return ImageHeadWeights(
            modulation=self.affine(f"{name}.conv", 0.5 * 64**-0.5),
            weight=self.constant(f"{name}.conv.weight")[order],
            bias=self.constant(f"{name}.bias").flatten()[order] * np.float32(0.5),
        )
