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

from photorig.worker.generators.network import Network
from photorig.worker.generators.tuning import WeightTuning

from .fine_tuning import View, finish
from .losses import SMALL, Likeness, Onlookers, Target, likeness, pixel_distance
from .optimizer import Descent
from .pivotal_tuning import tuning_between
from .rehearsed_motions import Motion

_LIKENESS = Likeness(0.5, 0.5, 4.0)
_SCALES = (2, 4, 8)  # pixels of 256 at which rehearsed motions are kept


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


def tuned_network(generator: Network, tuning: WeightTuning | None) -> Network:
    """A copy of the generator with a tuning."""
    tuned = copy.deepcopy(generator)
    weights = dict(tuned.named_parameters())
    with torch.no_grad():
        for name, delta in (tuning.deltas if tuning else {}).items():
            weights[name].add_(torch.from_numpy(delta).float().to(weights[name].device))
    return tuned


def tune_together(
    views: Sequence[View],
    tuning: WeightTuning,
    generator: Network,
    eyes: Onlookers,
    motions: Sequence[Motion],
    steps: tuple[int, int],
    on_step: Callable[[float], None],
    settings: JointSettings | None = None,
) -> WeightTuning:
    """The tuning of the first view, taken further to fit all of them; ``generator`` stays.

    Args:
        motions: of the first view.
        steps: at 256² and of the finishing; the first view is looked at in each of the former.
        on_step: called with the loss after each step; what it raises ends the tuning.
    """
    practice = _Practice(views, generator, tuning, eyes, motions, settings or JointSettings())
    tuned = practice.network
    weights = [value for name, value in tuned.named_parameters() if tuned.is_tunable(name)]
    for weight in weights:
        weight.requires_grad_(True)
    rate = practice.settings.rate
    Descent({rate: weights}).run(steps[0], practice.small, on_step)
    moved = [views[0].latents + torch.from_numpy(motion.shift) for motion in motions]
    finish(tuned, views, moved, eyes, steps[1], on_step)
    return tuning_between(generator, tuned)


class _Practice:
    """The losses of the steps of one tuning."""

    def __init__(
        self,
        views: Sequence[View],
        generator: Network,
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
