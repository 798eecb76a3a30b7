"""More photos of the person in a portrait: inverted by its own generator, which then fits them all.

A further photo's code starts where the portrait's own face ends when it is driven to what that
photo shows, so the two differ by what driving does not know and by nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from photorig.shared.errors import InputError
from photorig.shared.parameters.arkit_amounts import amounts_of
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.generators.tuned_networks import tuned_network
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.reference import Reference
from photorig.worker.reenactment.bundle import ModelBundle

from .colour_match import in_light_of
from .edit_preservation import preserved_edits
from .inversion import invert
from .joint_tuning import tune_together
from .losses import FitLosses, View
from .models import FitModels, FitRun
from .same_person import FurtherPhoto
from .settings import FitSettings

_ROLL = FACE_SCHEMA.index["headRoll"]
_TRANSLATION = [FACE_SCHEMA.index[name] for name in ("headX", "headY", "headZ")]


def reference_steps(portrait: Portrait, settings: FitSettings, photos: int) -> int:
    """How many steps `with_references` makes with so many further photos."""
    further = settings.for_further(photos)
    tuning = 0 if portrait.tuning is None else further.tuning_steps + further.refine_steps
    return further.steps * photos + tuning


def with_references(
    portrait: Portrait, face: FaceMeasurement, others: Sequence[FurtherPhoto], run: FitRun
) -> Portrait:
    """The portrait with further photos of its person; its own code stays, its tuning goes on.

    Args:
        face: of the portrait, in its photo.

    Raises:
        InputError: a face cannot be seen once aligned.
    """
    models = run.models
    run = replace(run, settings=run.settings.for_further(len(others)))
    tuned = replace(models, network=tuned_network(models.network, portrait.tuning))
    views = [_inverted(portrait, face, other, replace(run, models=tuned)) for other in others]
    references = tuple(
        Reference(view.latents[0].cpu().numpy(), _shown(other.face, portrait.alignment))
        for view, other in zip(views, others, strict=True)
    )
    tuning = portrait.tuning
    if tuning is not None:
        losses = FitLosses.of(portrait.photo, portrait.alignment, models.losses, models.matte)
        own = View(models.latents(portrait.latents), losses)
        edits = preserved_edits(models.bundle, portrait.parameters, models.network.n_rows)
        tuning = tune_together([own, *views], tuning, edits, run)
    return replace(portrait, references=references, tuning=tuning, response=None)


def _inverted(portrait: Portrait, face: FaceMeasurement, other: FurtherPhoto, run: FitRun) -> View:
    """A further photo with its code, by the generator of the portrait."""
    models = run.models
    photo = in_light_of(other.photo, other.face, portrait.photo, face)
    start = models.latents(_driven(portrait, other.face.parameters, models.bundle))
    view = invert(View(start, _losses(photo, other, models)), run)
    # What driving does not move, colours and the finest texture, stays that of the first photo: it
    # would change with the pose, and hair and background with it (docs/measurements.md).
    rows = models.bundle.directions.shape[1]
    own = models.latents(portrait.latents)[:, rows:]
    return View(torch.cat([view.latents[:, :rows], own], 1), view.losses)


def _losses(photo: np.ndarray, other: FurtherPhoto, models: FitModels) -> FitLosses:
    alignment = Alignment.of_face(other.face.landmarks)
    try:
        return FitLosses.of(photo, alignment, models.losses, models.matte)
    except InputError as error:
        raise InputError(f"{other.name}: {error.message}", error.hint) from error


def _driven(portrait: Portrait, parameters: np.ndarray, bundle: ModelBundle) -> np.ndarray:
    """(n_rows, w_dim): the portrait's face driven to what another photo shows."""
    shift = bundle.within_range(portrait, amounts_of(parameters) - portrait.shown)
    motion = bundle.clamped_motion(bundle.motion_of(portrait, shift))
    return bundle.shifted(portrait.latents, motion)


def _shown(face: FaceMeasurement, alignment: Alignment) -> np.ndarray:
    """(n,) float32: parameters of a face once its aligned square lies as that of ``alignment``."""
    shown = face.parameters.astype(np.float32, copy=True)
    shown[_TRANSLATION] = 0
    shown[_ROLL] += alignment.roll - Alignment.of_face(face.landmarks).roll
    return shown
