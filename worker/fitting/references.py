"""More photos of the person in a portrait: inverted by its own generator, which then fits them all.

A further photo's code starts where the portrait's own face ends when it is driven to what that
photo shows, so the two differ by what driving does not know and by nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from photorig.shared.errors import InputError
from photorig.shared.parameters.arkit_amounts import amounts_of
from photorig.shared.parameters.schema import ARKIT_52
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.reference import Reference
from photorig.worker.reenactment.bundle import ModelBundle

from .colour_match import in_light_of
from .fine_tuning import View
from .fit import CountedSteps, FitModels, FitProgress, FitSettings
from .inversion import invert
from .joint_tuning import tune_together, tuned_network
from .losses import Target, target_of
from .rehearsed_motions import rehearsed_motions
from .same_person import FurtherPhoto

_ROLL = ARKIT_52.index["headRoll"]
_TRANSLATION = [ARKIT_52.index[name] for name in ("headX", "headY", "headZ")]


@dataclass(frozen=True)
class _Effort:
    """Steps: of each further inversion, of the tuning at 256² and of its finishing."""

    inversion: int
    small: int
    finishing: int

    @staticmethod
    def of(settings: FitSettings, photos: int) -> _Effort:
        """For so many further photos, less than for the first: the person is known by then."""
        return _Effort(
            settings.steps // 2,
            math.ceil(settings.tuning_steps / 2) * photos,
            math.ceil(settings.refine_steps / 2) * (photos + 1) if settings.refine_steps else 0,
        )


def with_references(
    portrait: Portrait,
    face: FaceMeasurement,
    others: Sequence[FurtherPhoto],
    models: FitModels,
    settings: FitSettings | None = None,
    on_progress: Callable[[FitProgress], None] | None = None,
    should_cancel: Callable[[], bool] | None = None,
) -> Portrait:
    """The portrait with further photos of its person; its own code stays, its tuning goes on.

    Args:
        face: of the portrait, in its photo.

    Raises:
        InputError: a face cannot be seen once aligned.
        Cancelled: ``should_cancel`` said so.
    """
    settings = settings or FitSettings()
    effort = _Effort.of(settings, len(others))
    total = effort.inversion * len(others)
    if portrait.tuning is not None:
        total += effort.small + effort.finishing
    on_step = CountedSteps(total, on_progress, should_cancel)
    network = tuned_network(models.generator, portrait.tuning)
    seeing = replace(models, generator=network)
    views = [
        _inverted(portrait, face, other, seeing, settings, effort, on_step) for other in others
    ]
    references = tuple(
        Reference(view.latents[0].numpy(), _shown(other.face, portrait.alignment))
        for view, other in zip(views, others, strict=True)
    )
    tuning = portrait.tuning
    if tuning is not None:
        own = target_of(portrait.photo, portrait.alignment, models.eyes, models.matte)
        tuning = tune_together(
            [View(torch.from_numpy(portrait.latents)[None], own), *views],
            tuning,
            models.generator,
            models.eyes,
            rehearsed_motions(models.bundle, portrait.parameters, models.generator.n_rows),
            (effort.small, effort.finishing),
            on_step,
        )
    return replace(portrait, references=references, tuning=tuning, response=None)


def _inverted(
    portrait: Portrait,
    face: FaceMeasurement,
    other: FurtherPhoto,
    models: FitModels,
    settings: FitSettings,
    effort: _Effort,
    on_step: Callable[[float], None],
) -> View:
    """A further photo with its code, by the generator of the portrait."""
    photo = in_light_of(other.photo, other.face, portrait.photo, face)
    target = _target(photo, other, models)
    start = _driven(portrait, other.face.parameters, models.bundle)
    latents = invert(
        start=torch.from_numpy(start)[None],
        target=target,
        generator=models.generator,
        distribution=models.distribution,
        eyes=models.eyes,
        motions=[],
        settings=settings.inversion,
        steps=effort.inversion,
        on_step=on_step,
    )
    # What driving does not move, colours and the finest texture, stays that of the first photo: it
    # would change with the pose, and hair and background with it (docs/measurements.md).
    rows = models.bundle.directions.shape[1]
    own = torch.from_numpy(portrait.latents)[None, rows:]
    return View(torch.cat([latents[:, :rows], own], 1), target)


def _target(photo: np.ndarray, other: FurtherPhoto, models: FitModels) -> Target:
    try:
        return target_of(photo, Alignment.of_face(other.face.landmarks), models.eyes, models.matte)
    except InputError as error:
        raise InputError(f"{other.name}: {error.message}", error.hint) from error


def _driven(portrait: Portrait, parameters: np.ndarray, bundle: ModelBundle) -> np.ndarray:
    """(16, 512): the portrait's face driven to what another photo shows."""
    shift = bundle.within_range(portrait, amounts_of(parameters) - portrait.shown)
    motion = bundle.bearable(bundle.motion_of(portrait, shift))
    return bundle.shifted(portrait.latents, motion)


def _shown(face: FaceMeasurement, alignment: Alignment) -> np.ndarray:
    """(n,) float32: parameters of a face once its aligned square lies as that of ``alignment``."""
    shown = face.parameters.astype(np.float32, copy=True)
    shown[_TRANSLATION] = 0
    shown[_ROLL] += alignment.roll - Alignment.of_face(face.landmarks).roll
    return shown
