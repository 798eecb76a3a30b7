"""Pivotal tuning: the generator's weights moved until one code gives the photo's person.

Roich et al. 2021. Tuned to one picture alone, a generator paints that picture into the place where
the face is at rest: lips keep showing the photo's teeth while the jaw opens. So every step also
rehearses a motion, which has to change the picture as it did before the tuning.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from photorig.worker.faces.landmarker import Region
from photorig.worker.generators.network import Network
from photorig.worker.generators.tuning import WeightTuning

from .fine_tuning import View, finish
from .inversion import InversionSettings, LatentDistribution, invert
from .losses import SMALL, Likeness, Onlookers, Target, likeness, pixel_distance
from .optimizer import Descent
from .rehearsed_motions import Motion, Part

_AT_REST, _IN_MOTION = Likeness(0.5, 0.5, 4.0), Likeness(0.2, 0.3)
_EYES, _MOUTH = (33, 133, 263, 362), (13, 14)  # landmarks
_MIDDLE_OF_NOSE, _FEATHER = 0.4, 4.0  # from the eyes to the mouth; pixels of 256
_CHANGE_SCALES = (2, 4, 8)  # pixels of 256


@dataclass(frozen=True)
class TuningSettings:
    """What counts how much, beside a pixel distance of weight 1.

    Attributes:
        rate: of Adam, on the weights.
        change: of how differently from before a rehearsed motion changes the picture.
        landmarks: of a pixel of 256 by which a rehearsed motion ends elsewhere.
        moved_likeness: of the person in a rehearsed motion.
    """

    rate: float = 1e-3
    likeness: Likeness = _AT_REST
    change: float = 1.0
    landmarks: float = 0.02
    moved_likeness: Likeness = _IN_MOTION


def tune(
    latents: Tensor,
    target: Target,
    generator: Network,
    eyes: Onlookers,
    motions: list[Motion],
    settings: TuningSettings,
    steps: tuple[int, int],
    on_step: Callable[[float], None],
) -> WeightTuning | None:
    """A tuning that makes latents (1, 16, 512) the target's person; ``generator`` stays as it is.

    Args:
        steps: at 256² and of the finishing; None is returned where there are none.
        on_step: called with the loss after each step; what it raises ends the tuning.
    """
    if not any(steps):
        return None
    tuned, weights = _movable(generator)
    practice = _Practice(tuned, latents, target, eyes, settings)
    with torch.no_grad():
        rest = generator(latents, SMALL) * 0.5 + 0.5
    # As many as there are steps for: to look at a motion before the tuning takes time, too.
    found = (_Rehearsal.of(m, latents, rest, generator, eyes) for m in motions[: steps[0]])
    practice.rehearsals = [rehearsal for rehearsal in found if rehearsal is not None]
    Descent({settings.rate: weights}).run(steps[0], practice.small, on_step)
    moved = [rehearsal.latents for rehearsal in practice.rehearsals]
    finish(tuned, [View(latents, target)], moved, eyes, steps[1], on_step)
    return tuning_between(generator, tuned)


def tune_with_code(
    start: Tensor,
    target: Target,
    generator: Network,
    distribution: LatentDistribution,
    eyes: Onlookers,
    inversion: InversionSettings,
    rate: float,
    steps: int,
    on_step: Callable[[float], None],
) -> tuple[Tensor, WeightTuning]:
    """Code and weights at once, at 256² and without rehearsals: a likeness in few steps.

    Args:
        start: first guess (1, 16, 512).
        rate: of Adam, on the weights.

    Returns:
        Latents (1, 16, 512), and the tuning with which they give the target's person.
    """
    tuned, weights = _movable(generator)
    latents = invert(
        start,
        target,
        tuned,
        distribution,
        eyes,
        [],
        inversion,
        steps,
        on_step,
        weights={rate: weights},
    )
    return latents, tuning_between(generator, tuned)


def tuning_between(generator: Network, tuned: Network) -> WeightTuning:
    """What a tuned copy of a generator has that the generator has not."""
    after = dict(tuned.named_parameters())
    return WeightTuning(
        {
            name: (after[name].detach() - value).half().cpu().numpy()
            for name, value in generator.named_parameters()
            if generator.is_tunable(name)
        }
    )


def _movable(generator: Network) -> tuple[Network, list[Tensor]]:
    """A copy of the generator, and its weights that a tuning may move."""
    tuned = copy.deepcopy(generator)
    weights = [value for name, value in tuned.named_parameters() if tuned.is_tunable(name)]
    for weight in weights:
        weight.requires_grad_(True)
    return tuned, list(weights)


@dataclass(frozen=True)
class _Rehearsal:
    """A motion, and what it did before the tuning.

    Attributes:
        latents: (1, 16, 512), moved.
        change: (1, 3, 256, 256), what it changed in its part of the picture, 0 elsewhere; None
            where all of the picture moved.
        landmarks_px: (1, 478, 3), where they were then.
        regions: crop that the landmarks were measured in.
    """

    latents: Tensor
    change: Tensor | None
    landmarks_px: Tensor
    regions: list[Region]

    @staticmethod
    def of(
        motion: Motion,
        latents: Tensor,
        rest: Tensor,
        generator: Network,
        eyes: Onlookers,
    ) -> _Rehearsal | None:
        """None where no face is seen any more; ``rest`` (1, 3, 256, 256) is the still picture."""
        with torch.no_grad():
            moved = latents + torch.from_numpy(motion.shift)
            image = generator(moved, SMALL) * 0.5 + 0.5
            region = eyes.landmarker.detect(image.clamp(0, 1))[0]
            if region is None:
                return None
            landmarks = eyes.landmarker.measure(image, [region]).landmarks_px
        change = None
        if motion.part != "head":
            change = (image - rest) * _within(motion.part, landmarks)
        return _Rehearsal(moved, change, landmarks, [region])


def _within(part: Part, landmarks_px: Tensor) -> Tensor:
    """(1, 1, 256, 1): 1 in the rows of the picture that a motion of this part may change.

    Directions change a little everywhere, and now and then they put glasses on a mouth that opens.
    """
    if part == "face":
        return torch.ones(1, 1, SMALL, 1)
    eyes, mouth = (landmarks_px[0, list(rows), 1].mean() for rows in (_EYES, _MOUTH))
    below = (torch.arange(SMALL) - (eyes + (mouth - eyes) * _MIDDLE_OF_NOSE)) / _FEATHER
    rows = torch.sigmoid(below if part == "mouth" else -below)
    return rows[None, None, :, None]


class _Practice:
    """The losses of the steps of one tuning."""

    def __init__(
        self,
        network: Network,
        latents: Tensor,
        target: Target,
        eyes: Onlookers,
        settings: TuningSettings,
    ) -> None:
        self._network, self._latents, self._target = network, latents, target
        self._eyes, self._settings = eyes, settings
        self.rehearsals: list[_Rehearsal] = []

    def small(self, step: int) -> Tensor:
        """At rest and in one motion, at 256²."""
        image = self._network(self._latents, SMALL) * 0.5 + 0.5
        loss = self._at_rest(image)
        if self.rehearsals:
            rehearsal = self.rehearsals[step % len(self.rehearsals)]
            loss = loss + self._in_motion(rehearsal, image)
        return loss

    def _at_rest(self, image: Tensor) -> Tensor:
        distance = pixel_distance(image, self._target.small, self._target.weight)
        return distance + likeness(
            image,
            self._target.landmarks_px,
            self._target,
            self._eyes,
            self._settings.likeness,
        )

    def _in_motion(self, rehearsal: _Rehearsal, rest: Tensor) -> Tensor:
        settings, eyes = self._settings, self._eyes
        image = self._network(rehearsal.latents, SMALL) * 0.5 + 0.5
        seen = eyes.landmarker.measure(image, rehearsal.regions).landmarks_px
        misplaced = (seen - rehearsal.landmarks_px)[..., :2].abs().mean()
        loss = settings.landmarks * misplaced + self._moved_likeness(image, rehearsal)
        if rehearsal.change is not None:
            difference = image - rest - rehearsal.change
            # Not pixel by pixel: what a motion uncovers may look as this person does.
            distances = [F.avg_pool2d(difference, s).abs().mean() for s in _CHANGE_SCALES]
            loss = loss + settings.change * torch.stack(distances).sum()
        return loss

    def _moved_likeness(self, image: Tensor, rehearsal: _Rehearsal) -> Tensor:
        weights = self._settings.moved_likeness
        return likeness(image, rehearsal.landmarks_px, self._target, self._eyes, weights)
