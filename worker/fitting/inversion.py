"""Inversion: the code of W+ whose image looks like the photo, and that can still be driven.

Optimisation of the code (Abdal et al. 2019, Image2StyleGAN) from a first guess, in the space before
the mapping network's last non-linearity, where w is nearly normal, and in coordinates in which that
normal distribution is the same in all directions (Zhu et al. 2020, "Improved StyleGAN Embedding:
Where are the Good Latents?"). A step goes as far as faces differ there, so few of them are needed.
What keeps the code where faces can be driven matters as much as the likeness: it is pulled to that
distribution, and its rows to one another (Tov et al. 2021, "Designing an Encoder for StyleGAN Image
Manipulation").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from photorig.worker.generators.network import Network
from photorig.worker.generators.weights import SLOPE

from .losses import SMALL, Likeness, Onlookers, Target, likeness, misplacement, pixel_distance
from .optimizer import MEMORY, Descent
from .rehearsed_motions import Motion

_SAMPLES, _SEED = 2048, 7
_LIKENESS, _MOVED_LIKENESS = Likeness(0.5, 0.5, 4.0), Likeness(0.2, 0.3)
_LEAST_VARIANCE = 0.05  # of the mean variance: directions that w hardly uses count no more


@dataclass(frozen=True)
class InversionSettings:
    """What counts how much, beside a pixel distance of weight 1.

    Attributes:
        rate, offset_rate: of Adam, for what all rows share and for what each has of its own, in
            whitened coordinates.
        memory: of Adam, see `Descent`.
        landmarks: weight of a pixel of 256; looked at every so many steps, for it costs time.
        moved_likeness: of the person in a motion, every so many steps.
        distribution: weight of the mean squared whitened coordinate, 1 for a typical w.
        drift: weight of the rows' mean squared distance to what they share, in standard deviations.
    """

    rate: float = 0.14
    offset_rate: float = 0.04
    memory: float = MEMORY
    likeness: Likeness = _LIKENESS
    landmarks: float = 0.02
    landmark_interval: int = 3
    moved_likeness: Likeness = _MOVED_LIKENESS
    motion_interval: int = 2
    distribution: float = 0.02
    drift: float = 0.01


class LatentDistribution:
    """The distribution of w over random z, as a normal one before the last non-linearity."""

    def __init__(self, generator: Network) -> None:
        z = torch.randn(_SAMPLES, generator.z_dim, generator=torch.Generator().manual_seed(_SEED))
        with torch.no_grad():
            samples = _linear(generator.map(z))
            self._mean = samples.mean(0)
            variances, axes = torch.linalg.eigh(torch.cov(samples.T).double())
            variances = variances.clamp_min(0) + _LEAST_VARIANCE * variances.mean()
            self._whitening = (axes * variances.rsqrt()).float()
            self._colouring = (axes * variances.sqrt()).T.float()

    def coordinates(self, latents: Tensor) -> Tensor:
        """Whitened coordinates of latents (…, 512)."""
        return (_linear(latents) - self._mean) @ self._whitening

    def latents(self, coordinates: Tensor) -> Tensor:
        """Latents of whitened coordinates (…, 512)."""
        linear = coordinates @ self._colouring + self._mean
        return F.leaky_relu(linear, SLOPE) * 2**0.5

    def distance(self, latents: Tensor) -> Tensor:
        """Mean squared whitened coordinate of latents (…, 512)."""
        return self.coordinates(latents).square().mean()


def _linear(w: Tensor) -> Tensor:
    """Undoes the mapping network's last leaky ReLU."""
    return F.leaky_relu(w / 2**0.5, 1 / SLOPE)


def invert(
    start: Tensor,
    target: Target,
    generator: Network,
    distribution: LatentDistribution,
    eyes: Onlookers,
    motions: list[Motion],
    settings: InversionSettings,
    steps: int,
    on_step: Callable[[float], None],
    weights: Mapping[float, Iterable[Tensor]] | None = None,
) -> Tensor:
    """Latents (1, 16, 512) of the target, from a first guess (1, 16, 512).

    Args:
        distribution: of w of ``generator``.
        motions: in which the face has to stay the same person's, or the code cannot be driven.
        on_step: called with the loss after each step; what it raises ends the inversion.
        weights: of the generator, by rate, which follow the same loss; they are changed.
    """
    if steps == 0:
        return start
    coordinates = distribution.coordinates(start)
    shared = coordinates.mean(1, keepdim=True).clone().requires_grad_(True)
    offsets = (coordinates - shared.detach()).clone().requires_grad_(True)

    def loss_of(step: int) -> Tensor:
        latents = distribution.latents(shared + offsets)
        image = generator(latents, SMALL) * 0.5 + 0.5
        loss = pixel_distance(image, target.small, target.weight)
        loss = loss + likeness(image, target.landmarks_px, target, eyes, settings.likeness)
        loss = loss + settings.distribution * (shared + offsets).square().mean()
        loss = loss + settings.drift * offsets.square().mean()
        if settings.landmarks and step % settings.landmark_interval == 0:
            loss = loss + settings.landmarks * misplacement(image, target, eyes)
        interval = settings.motion_interval
        if motions and step % interval == interval - 1:
            motion = motions[step // interval % len(motions)]
            loss = loss + _moved_likeness(latents + torch.from_numpy(motion.shift))
        return loss

    def _moved_likeness(latents: Tensor) -> Tensor:
        image = generator(latents, SMALL) * 0.5 + 0.5
        with torch.no_grad():
            landmarks = eyes.landmarker.measure(image, target.regions).landmarks_px
        return likeness(image, landmarks, target, eyes, settings.moved_likeness)

    rates = {settings.rate: [shared], settings.offset_rate: [offsets]}
    Descent({**rates, **(weights or {})}, settings.memory).run(steps, loss_of, on_step)
    return distribution.latents(shared + offsets).detach()
