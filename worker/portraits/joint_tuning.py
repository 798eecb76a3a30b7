"""One tuning of the generator for several photos of a person at once.

The tuning of the portrait's own photo (pivotal_tuning.py) is taken further until the code of each
photo gives that photo. What it has learned about its own photo, at rest and in rehearsed motions,
it has to keep.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from photorig.worker.generators.mobile_stylegan import MobileStyleGAN
from photorig.worker.generators.tuning import WeightTuning, is_tunable
from photorig.worker.generators.weights import blocks_for
from photorig.worker.portraits.descent import Descent
from photorig.worker.portraits.fit_target import (
    LARGE,
    SMALL,
    Likeness,
    Onlookers,
    Target,
    likeness,
    pixel_distance,
)
from photorig.worker.portraits.rehearsed_motions import Motion

_LIKENESS = Likeness(0.5, 0.5)
_SCALES = (2, 4, 8)  # pixels of 256 at which rehearsed motions are kept


@dataclass(frozen=True)
class View:
    """A photo and its code: latents (1, 16, 512)."""

    latents: Tensor
    target: Target


@dataclass(frozen=True)
class JointSettings:
    """What counts how much, beside a pixel distance of weight 1.

    Attributes:
        rate: of Adam, on the weights.
        kept: of how far a rehearsed motion of the first photo looks different than before.
    """

    rate: float = 3e-4
    likeness: Likeness = _LIKENESS
    kept: float = 1.0


def tuned_network(generator: MobileStyleGAN, tuning: WeightTuning | None) -> MobileStyleGAN:
    """A copy of the generator with a tuning."""
    tuned = copy.deepcopy(generator)
    weights = dict(tuned.named_parameters())
    with torch.no_grad():
        for name, delta in (tuning.deltas if tuning else {}).items():
            weights[name].add_(torch.from_numpy(delta).float())
    return tuned


def tune_together(
    views: Sequence[View],
    tuning: WeightTuning,
    generator: MobileStyleGAN,
    eyes: Onlookers,
    motions: Sequence[Motion],
    steps: tuple[int, int],
    on_step: Callable[[float], None],
    settings: JointSettings | None = None,
) -> WeightTuning:
    """The tuning of the first view, taken further to fit all of them; ``generator`` stays.

    Args:
        motions: of the first view.
        steps: at 256² and at all sizes; the first view is looked at in each of the former.
        on_step: called with the loss after each step; what it raises ends the tuning.
    """
    practice = _Practice(views, generator, tuning, eyes, motions, settings or JointSettings())
    tuned = practice.network
    weights = [value for name, value in tuned.named_parameters() if is_tunable(name)]
    for weight in weights:
        weight.requires_grad_(True)
    rate = practice.settings.rate
    Descent({rate: weights}).run(steps[0], practice.small, on_step)
    Descent({rate: weights}).run(steps[1], practice.all_sizes, on_step)
    before, after = dict(generator.named_parameters()), dict(tuned.named_parameters())
    return WeightTuning(
        {
            name: (after[name].detach() - before[name]).half().numpy()
            for name in before
            if is_tunable(name)
        }
    )


class _Practice:
    """The losses of the steps of one tuning."""

    def __init__(
        self,
        views: Sequence[View],
        generator: MobileStyleGAN,
        tuning: WeightTuning,
        eyes: Onlookers,
        motions: Sequence[Motion],
        settings: JointSettings,
    ) -> None:
        self.settings = settings
        self.network = tuned_network(generator, tuning)
        self._views, self._eyes, self._motions = views, eyes, motions
        self._before = tuned_network(generator, tuning)

    def small(self, step: int) -> Tensor:
        """The first photo, one of the others and a motion, at 256²."""
        others = self._views[1:]
        loss = self._at_rest(self._views[0]) + self._at_rest(others[step % len(others)])
        if self._motions:
            loss = loss + self._kept(self._motions[step % len(self._motions)])
        return loss

    def all_sizes(self, step: int) -> Tensor:
        """One photo, by the preview heads and at full size."""
        view = self._views[step % len(self._views)]
        target, detail = view.target, view.target.detailed.shape[-1]
        images = _all_images(self.network, view.latents)
        loss = pixel_distance(images[SMALL], target.small, target.weight)
        loss = loss + self._likeness(images[SMALL], target)
        for size, image in images.items():
            side = min(size, detail)
            if side > SMALL:
                wanted = F.avg_pool2d(target.detailed, detail // side)
                loss = loss + pixel_distance(
                    F.avg_pool2d(image, size // side), wanted, target.weight
                )
        return loss

    def _at_rest(self, view: View) -> Tensor:
        image = self.network(view.latents, SMALL) * 0.5 + 0.5
        distance = pixel_distance(image, view.target.small, view.target.weight)
        return distance + self._likeness(image, view.target)

    def _likeness(self, image: Tensor, target: Target) -> Tensor:
        return likeness(image, target.landmarks_px, target, self._eyes, self.settings.likeness)

    def _kept(self, motion: Motion) -> Tensor:
        latents = self._views[0].latents + torch.from_numpy(motion.shift)
        with torch.no_grad():
            before = self._before(latents, SMALL)
        difference = (self.network(latents, SMALL) - before) * 0.5
        distances = [F.avg_pool2d(difference, scale).abs().mean() for scale in _SCALES]
        return self.settings.kept * torch.stack(distances).sum()


def _all_images(network: MobileStyleGAN, latents: Tensor) -> dict[int, Tensor]:
    """(1, 3, s, s) in [0, 1] by size, from one run through the network."""
    features = list(network.features(latents))
    images = {LARGE: network.image_head(features[-1], latents[:, -1])}
    for size, head in network.preview_heads.items():
        images[int(size)] = head(features[blocks_for(int(size)) - 1], latents)
    return {size: image * 0.5 + 0.5 for size, image in images.items()}
