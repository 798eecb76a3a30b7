"""A photo made drivable: align → first guess → inversion → tuning.

The inversion finds a code whose image looks like the person and which can be driven; what no code
gives, the likeness itself, hair and colours, the tuning gives to the generator.
"""

from __future__ import annotations

import numpy as np
import torch

from photorig.shared.errors import InputError
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.generators.tuning import WeightTuning
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait

from .edit_preservation import preserved_edits
from .inversion import invert
from .losses import FitLosses, View
from .models import FitRun
from .pivotal_tuning import tune, tune_with_code

SMALLEST_FACE = 96
"""Side of the aligned square, in photo pixels, below which there is too little to fit."""


def fit_portrait(photo: np.ndarray, face: FaceMeasurement, name: str, run: FitRun) -> Portrait:
    """Make a portrait of one face in a photo. Nothing in it is random.

    Args:
        photo: (h, w, 3) uint8 sRGB.
        face: which face, as `Net3D.analyze` measured it in this photo.
        name: what the portrait shall be called.

    Raises:
        InputError: the face is too small or cannot be seen once aligned.
    """
    alignment = Alignment.of_face(face.landmarks)
    _check_size(alignment.side)
    losses = FitLosses.of(photo, alignment, run.models.losses, run.models.matte)
    with torch.no_grad():
        start = run.models.first_guess(losses.small)
    view, tuning = _fitted(View(start, losses), face, run)
    return Portrait(
        latents=view.latents[0].cpu().numpy(),
        parameters=face.parameters,
        photo=photo,
        alignment=alignment,
        model_id=run.models.network.model_id,
        name=name,
        tuning=tuning,
    )


def _fitted(start: View, face: FaceMeasurement, run: FitRun) -> tuple[View, WeightTuning | None]:
    """The code, from a first guess, and the tuning that belongs to it."""
    if not run.settings.total:
        return start, None
    if run.settings.learning_rate_with_code:
        return tune_with_code(start, run)
    edits = preserved_edits(run.models.bundle, face.parameters, run.models.network.n_rows)
    view = invert(start, run, edits)
    return view, tune(view, edits, run)


def _check_size(side: float) -> None:
    if side < SMALLEST_FACE:
        raise InputError(
            f"The head fills only {side:.0f} pixels of the photo",
            f"It has to fill at least {SMALLEST_FACE}, better 500: use a larger photo.",
        )
