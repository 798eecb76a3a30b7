"""Pivotal tuning: the generator's weights moved until one code gives the photo's person.

Roich et al. 2021. Tuned to one picture alone, a generator paints that picture into the place where
the face is at rest: lips keep showing the photo's teeth while the jaw opens. So every step also
makes an edit, which has to change the picture as it did before the tuning.
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

from .edit_preservation import Edit, Part
from .fine_tuning import fine_tune
from .inversion import invert
from .losses import SMALL, View, change_distance, landmark_distance, picture
from .models import FitRun
from .optimizer import Adam

_EYES, _MOUTH = (33, 133, 263, 362), (13, 14)  # landmarks
_MIDDLE_OF_NOSE, _FEATHER = 0.4, 4.0  # from the eyes to the mouth; pixels of 256


def tune(view: View, edits: Sequence[Edit], run: FitRun) -> WeightTuning | None:
    """A tuning that makes a code the photo's person; the run's network stays as it is. None where
    there are no steps."""
    settings, steps, losses = run.settings.tuning, run.settings.tuning_steps, view.losses
    if not steps and not run.settings.refine_steps:
        return None
    tuned = _movable(run.models.network)
    with torch.no_grad():
        rest = picture(run.models.network, view.latents)
    # As many as there are steps for: to look at an edit before the tuning takes time, too.
    found = (_PreservedEdit.of(edit, view, rest, run.models.network) for edit in edits[:steps])
    preserved = [edit for edit in found if edit is not None]

    def loss_of(step: int) -> Tensor:
        """At rest and in one motion, at 256²."""
        image = picture(tuned, view.latents)
        loss = losses.at_rest(image, settings.identity)
        if preserved:
            loss = loss + in_motion(preserved[step % len(preserved)], image)
        return loss

    def in_motion(edit: _PreservedEdit, rest: Tensor) -> Tensor:
        image, places = picture(tuned, edit.latents), edit.landmarks_px
        misplaced = landmark_distance(losses.seen(image, edit.regions), places)
        moved_identity = losses.identity(image, settings.moved_identity, places)
        loss = settings.landmarks * misplaced + moved_identity
        if edit.change is not None:
            change = change_distance(image - rest - edit.change)
            loss = loss + settings.change * change
        return loss

    Adam({settings.learning_rate: tunable(tuned)}).run(steps, loss_of, run.on_step)
    fine_tune(tuned, [view], [edit.latents for edit in preserved], run)
    return tuning_between(run.models.network, tuned)


def tune_with_code(start: View, run: FitRun) -> tuple[View, WeightTuning]:
    """Code and weights at once, at 256², preserving no edits: a likeness in few steps, from a first
    guess."""
    tuned = _movable(run.models.network)
    return invert(start, run, moving=tuned), tuning_between(run.models.network, tuned)


def _movable(network: Network) -> Network:
    """A copy of the network whose weights may move."""
    tuned = tuned_network(network, None)
    for weight in tunable(tuned):
        weight.requires_grad_(True)
    return tuned


@dataclass(frozen=True)
class _PreservedEdit:
    """An edit, and what it did before the tuning.

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
    def of(edit: Edit, view: View, rest: Tensor, network: Network) -> _PreservedEdit | None:
        """None where no face is seen any more; ``rest`` (1, 3, 256, 256) is the still picture."""
        moved = edit.applied(view.latents)
        image = picture(network, moved)
        region = view.losses.networks.landmarker.detect(image.clamp(0, 1))[0]
        if region is None:
            return None
        landmarks = view.losses.seen(image, [region])
        change = None
        if edit.part != "head":
            change = (image - rest) * _within(edit.part, landmarks)
        return _PreservedEdit(moved, change, landmarks, [region])


def _within(part: Part, landmarks_px: Tensor) -> Tensor:
    """(1, 1, 256, 1): 1 in the rows of the picture that an edit of this part may change.

    Directions change a little everywhere, and now and then they put glasses on a mouth that opens.
    """
    if part == "face":
        return landmarks_px.new_ones(1, 1, SMALL, 1)
    eyes, mouth = (landmarks_px[0, list(rows), 1].mean() for rows in (_EYES, _MOUTH))
    rows_of_picture = torch.arange(SMALL, device=landmarks_px.device)
    below = (rows_of_picture - (eyes + (mouth - eyes) * _MIDDLE_OF_NOSE)) / _FEATHER
    rows = torch.sigmoid(below if part == "mouth" else -below)
    return rows[None, None, :, None]
