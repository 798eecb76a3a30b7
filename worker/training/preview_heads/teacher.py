"""What preview heads learn from: features and images of the generator's full 1024² pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import openvino
import torch
from torch import Tensor, nn
from torch.nn import functional

from photorig.worker.generators.mobile_stylegan import MobileStyleGAN
from photorig.worker.generators.preview_head import HEAD_SHAPES

from .style_projection import StyleProjection, style_projection

N_PROJECTED = 2000
"""Latents that the style projection is computed from."""

BLOCK_BEFORE_HEAD = {256: 4, 512: 5}


@dataclass(frozen=True)
class Sample:
    """One image as the heads see it.

    Attributes:
        latents: (16, 512) float32.
        features: by head size, (channels, size/2, size/2) float16: what the head reads.
        images: by head size, (3, size, size) float16 in [-1, 1]: what it should make of it.
    """

    latents: Tensor
    features: dict[int, Tensor]
    images: dict[int, Tensor]


class _Taps(nn.Module):
    """The full pass, with the features that the preview heads read beside the image."""

    def __init__(self, network: MobileStyleGAN) -> None:
        super().__init__()
        self.network = network

    def forward(self, latents: Tensor) -> tuple[Tensor, ...]:
        features = list(self.network.features(latents))
        image = self.network.image_head(features[-1], latents[:, -1])
        return (*(features[BLOCK_BEFORE_HEAD[shape.size]] for shape in HEAD_SHAPES), image)


class Teacher:
    """Makes samples; OpenVINO runs the full pass about three times as fast as torch does."""

    def __init__(self, network: MobileStyleGAN, n_threads: int) -> None:
        self._network = network
        example = torch.zeros(1, network.n_rows, network.w_dim)
        graph = openvino.convert_model(_Taps(network), example_input=example)
        graph.reshape(list(example.shape))
        options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": n_threads}
        self._compiled = openvino.Core().compile_model(graph, "CPU", options)

    def projection(self, seed: int, first_row: int, n_components: int) -> StyleProjection:
        """The combinations of latents from a row on that matter to the skipped layers."""
        draws = (np.random.default_rng((seed, 2 * 10**6 + index)) for index in range(N_PROJECTED))
        latents = torch.stack([draw_latents(self._network, draw) for draw in draws])
        return style_projection(self._network, first_row, latents, n_components)

    def sample(self, seed: int, index: int) -> Sample:
        """Lesson number ``index`` of the course ``seed``; always the same one."""
        latents = draw_latents(self._network, np.random.default_rng((seed, index)))
        outputs = self._compiled(latents[None].numpy())
        image = torch.from_numpy(outputs[len(HEAD_SHAPES)]).clamp(-1, 1)
        features, images = {}, {}
        for position, shape in enumerate(HEAD_SHAPES):
            features[shape.size] = torch.from_numpy(outputs[position])[0].half()
            small = functional.avg_pool2d(image, image.shape[-1] // shape.size)
            images[shape.size] = small[0].half()
        return Sample(latents, features, images)


@torch.no_grad()
def draw_latents(network: MobileStyleGAN, random: np.random.Generator) -> Tensor:
    """Latents (16, 512) such as a driven portrait has, of three kinds.

    A plain face (truncation 0.5 to 1); one whose rows move along a direction, as an expression
    moves them, with a little noise in every row, as an inversion leaves it; and one whose rows
    from some row on lean towards another person's, as a style does.
    """
    z = torch.from_numpy(random.standard_normal((3, network.w_dim), dtype=np.float32))
    w, other, third = network.map(z)
    truncation = float(random.uniform(0.5, 1.0))
    latents = network.mean_latent + truncation * (w - network.mean_latent)
    latents = latents.repeat(network.n_rows, 1)
    kind = random.random()
    if kind < 0.4:
        return latents
    first = int(random.integers(0, network.n_rows))
    last = network.n_rows if kind < 0.7 else int(random.integers(first, network.n_rows)) + 1
    if kind < 0.7:
        latents[first:last] = torch.lerp(latents[first:last], other, float(random.uniform(0, 0.5)))
        return latents
    latents[first:last] += float(random.uniform(-0.4, 0.4)) * (third - other)
    noise = torch.from_numpy(random.standard_normal(latents.shape, dtype=np.float32))
    return latents + float(random.uniform(0, 0.15)) * network.latent_std * noise
