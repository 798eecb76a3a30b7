"""A photo made drivable: align → first guess → inversion → tuning.

The inversion finds a code whose image looks like the person and which can be driven; what no code
gives, the likeness itself, hair and colours, the tuning gives to the generator.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from photorig.shared.errors import Cancelled, InputError
from photorig.worker.faces.attributes import load_attributes
from photorig.worker.faces.landmarker import load_landmarker
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.faces.recognition import load_recognition
from photorig.worker.faces.segmentation import Matte, PersonMatte
from photorig.worker.generators import DEFAULT, load_network
from photorig.worker.generators.network import Network
from photorig.worker.generators.tuning import WeightTuning
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle, generator_of, load_bundle

from .encoder import FirstGuess, load_first_guess
from .inversion import InversionSettings, LatentDistribution, invert
from .losses import Likeness, Onlookers, Target, target_of
from .pivotal_tuning import TuningSettings, tune, tune_with_code
from .rehearsed_motions import rehearsed_motions

SMALLEST_FACE = 96
"""Side of the aligned square, in photo pixels, below which there is too little to fit."""


@dataclass(frozen=True)
class FitSettings:
    """How hard to try.

    Attributes:
        steps: of the inversion.
        tuning_steps: of the generator's weights at 256².
        refine_steps: of the weights that only larger pictures need, twice as slow.
        measures_response: whether the portrait is to be driven once, to learn how it answers.
        rate_with_code: at which the weights move during the inversion already, instead of
            afterwards; 0: they do not.
    """

    steps: int = 12
    tuning_steps: int = 30
    refine_steps: int = 12
    measures_response: bool = True
    rate_with_code: float = 0.0
    inversion: InversionSettings = field(default_factory=InversionSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)

    @property
    def total(self) -> int:
        """All steps there are."""
        return self.steps + self.tuning_steps + self.refine_steps


QUICK = FitSettings(
    steps=7,
    tuning_steps=0,
    refine_steps=0,
    measures_response=False,
    rate_with_code=8e-4,
    inversion=InversionSettings(
        rate=0.05,
        offset_rate=0.03,
        memory=0.75,
        likeness=Likeness(0.5, 0.0, 16.0),
        landmarks=0.0,
    ),
)
"""A likeness in seconds."""


@dataclass(frozen=True)
class FitModels:
    """What a fit looks through; frozen, on one device.

    Attributes:
        bundle: whose motions a tuned face has to keep.
    """

    generator: Network
    distribution: LatentDistribution
    first_guess: FirstGuess
    eyes: Onlookers
    matte: Matte
    bundle: ModelBundle


@dataclass(frozen=True)
class FitProgress:
    """Steps done, of how many, and the loss of the last one."""

    done: int
    total: int
    loss: float


def load_fit_models(bundle: str = DEFAULT, device: str = "cpu") -> FitModels:
    """A bundle's generator on a device, and those who look at its images on the CPU.

    Raises:
        ModelError: something cannot be had. InputError: the device is not there.
    """
    with ThreadPoolExecutor(1) as beside:  # a quick fit takes hardly longer than its models
        loading = beside.submit(_load_eyes)
        generator = load_network(generator_of(bundle), device)
        encoding = beside.submit(load_first_guess, bundle, generator)
        generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        distribution = LatentDistribution(generator)
        model = load_bundle(bundle)
        eyes, first_guess = loading.result(), encoding.result()
    return FitModels(generator, distribution, first_guess, eyes, PersonMatte(), model)


def _load_eyes() -> Onlookers:
    return Onlookers(load_landmarker(), load_recognition(), load_attributes())


def fit_portrait(
    photo: np.ndarray,
    face: FaceMeasurement,
    name: str,
    models: FitModels,
    settings: FitSettings | None = None,
    on_progress: Callable[[FitProgress], None] | None = None,
    should_cancel: Callable[[], bool] | None = None,
) -> Portrait:
    """Make a portrait of one face in a photo. Nothing in it is random.

    Args:
        photo: (h, w, 3) uint8 sRGB.
        face: which face, as `Net3D.analyze` measured it in this photo.
        name: what the portrait shall be called.

    Raises:
        InputError: the face is too small or cannot be seen once aligned.
        Cancelled: ``should_cancel`` said so.
    """
    settings = settings or FitSettings()
    alignment = Alignment.of_face(face.landmarks)
    _check_size(alignment.side)
    target = target_of(photo, alignment, models.eyes, models.matte)
    on_step = CountedSteps(settings.total, on_progress, should_cancel)
    with torch.no_grad():
        start = models.first_guess(target.small)
    latents, tuning = _likeness(start, target, face, models, settings, on_step)
    return Portrait(
        latents=latents[0].numpy(),
        parameters=face.parameters,
        photo=photo,
        alignment=alignment,
        model_id=models.generator.model_id,
        name=name,
        tuning=tuning,
    )


def _likeness(
    start: Tensor,
    target: Target,
    face: FaceMeasurement,
    models: FitModels,
    settings: FitSettings,
    on_step: Callable[[float], None],
) -> tuple[Tensor, WeightTuning | None]:
    """Latents (1, 16, 512) from a first guess, and the tuning that belongs to them."""
    generator, eyes = models.generator, models.eyes
    if settings.rate_with_code:
        return tune_with_code(
            start,
            target,
            generator,
            models.distribution,
            eyes,
            settings.inversion,
            settings.rate_with_code,
            settings.steps,
            on_step,
        )
    motions = rehearsed_motions(models.bundle, face.parameters, models.generator.n_rows)
    latents = invert(
        start,
        target,
        generator,
        models.distribution,
        eyes,
        motions,
        settings.inversion,
        settings.steps,
        on_step,
    )
    steps = (settings.tuning_steps, settings.refine_steps)
    tuning = tune(latents, target, generator, eyes, motions, settings.tuning, steps, on_step)
    return latents, tuning


def _check_size(side: float) -> None:
    if side < SMALLEST_FACE:
        raise InputError(
            f"The head fills only {side:.0f} pixels of the photo",
            f"It has to fill at least {SMALLEST_FACE}, better 500: use a larger photo.",
        )


class CountedSteps:
    """Tells how far a fit is and stops it when asked; called with the loss after each step.

    Raises:
        Cancelled: ``should_cancel`` said so, before the first step or after one.
    """

    def __init__(
        self,
        total: int,
        on_progress: Callable[[FitProgress], None] | None,
        should_cancel: Callable[[], bool] | None,
    ) -> None:
        self._done, self._total = 0, total
        self._on_progress, self._should_cancel = on_progress, should_cancel
        self._stop_if_asked()

    def __call__(self, loss: float) -> None:
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(FitProgress(self._done, self._total, loss))
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self._should_cancel is not None and self._should_cancel():
            raise Cancelled("The fit was stopped")
