"""Pivotal tuning: the generator's weights moved until one code gives the photo's person.

Roich et al. 2021. Tuned to one picture alone, a generator paints that picture into the place where
the face is at rest: lips keep showing the photo's teeth while the jaw opens. So every step also
rehearses a motion, which has to change the picture as it did before the tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from photorig.worker.faces.landmarker import Region
from photorig.worker.generators.network import Network
from photorig.worker.generators.tuned_networks import tunable, tuned_network, tuning_between
from photorig.worker.generators.tuning import WeightTuning

from .fine_tuning import fine_tune
from .inversion import invert
from .losses import SMALL, View, change_distance, landmark_distance, picture
from .models import FitRun
from .optimizer import Adam
from .rehearsed_motions import Motion, Part

_EYES, _MOUTH = (33, 133, 263, 362), (13, 14)  # landmarks
_MIDDLE_OF_NOSE, _FEATHER = 0.4, 4.0  # from the eyes to the mouth; pixels of 256


def tune(view: View, motions: Sequence[Motion], run: FitRun) -> WeightTuning | None:
    """A tuning that makes a code the photo's person; the run's network stays as it is. None where
    there are no steps."""
    settings, steps, losses = run.settings.tuning, run.settings.tuning_steps, view.losses
    if not steps and not run.settings.refine_steps:
        return None
    tuned = _movable(run.models.network)
    with torch.no_grad():
        rest = picture(run.models.network, view.latents)
    # As many as there are steps for: to look at a motion before the tuning takes time, too.
    found = (_Rehearsal.of(motion, view, rest, run.models.network) for motion in motions[:steps])
    rehearsals = [rehearsal for rehearsal in found if rehearsal is not None]

    def loss_of(step: int) -> Tensor:
        """At rest and in one motion, at 256²."""
        image = picture(tuned, view.latents)
        loss = losses.at_rest(image, settings.identity)
        if rehearsals:
            loss = loss + in_motion(rehearsals[step % len(rehearsals)], image)
        return loss

    def in_motion(rehearsal: _Rehearsal, rest: Tensor) -> Tensor:
        image, places = picture(tuned, rehearsal.latents), rehearsal.landmarks_px
        misplaced = landmark_distance(losses.seen(image, rehearsal.regions), places)
        moved_identity = losses.identity(image, settings.moved_identity, places)
        loss = settings.landmarks * misplaced + moved_identity
        if rehearsal.change is not None:
            change = change_distance(image - rest - rehearsal.change)
            loss = loss + settings.change * change
        return loss

    Adam({settings.learning_rate: tunable(tuned)}).run(steps, loss_of, run.on_step)
    fine_tune(tuned, [view], [rehearsal.latents for rehearsal in rehearsals], run)
    return tuning_between(run.models.network, tuned)


def tune_with_code(start: View, run: FitRun) -> tuple[View, WeightTuning]:
    """Code and weights at once, at 256² and without rehearsals: a likeness in few steps, from a
    first guess."""
    tuned = _movable(run.models.network)
    return invert(start, run, moving=tuned), tuning_between(run.models.network, tuned)


def _movable(network: Network) -> Network:
    """A copy of the network whose weights may move."""
    tuned = tuned_network(network, None)
    for weight in tunable(tuned):
        weight.requires_grad_(True)
    return tuned


@dataclass(frozen=True)
class _Rehearsal:
    """A motion, and what it did before the tuning.

    Attributes:
        latents: (1, n_rows, w_dim), moved.
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
    @torch.no_grad()
    def of(motion: Motion, view: View, rest: Tensor, network: Network) -> _Rehearsal | None:
        """None where no face is seen any more; ``rest`` (1, 3, 256, 256) is the still picture."""
        moved = motion.applied(view.latents)
        image = picture(network, moved)
        region = view.losses.networks.landmarker.detect(image.clamp(0, 1))[0]
        if region is None:
            return None
        landmarks = view.losses.seen(image, [region])
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
