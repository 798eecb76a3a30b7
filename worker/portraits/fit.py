"""A photo made drivable: the W+ code whose image looks like the aligned photo.

Plain optimisation of the code (Abdal et al. 2019, Image2StyleGAN): Adam on a multi-scale pixel
distance, the identity descriptor, landmarks, and a pull towards the mean latent. The pull matters
as much as the rest: codes far from the mean look right at rest and fall apart when driven.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from photorig.shared.errors import Cancelled, InputError
from photorig.shared.schema import ARKIT_52
from photorig.worker.faces.descriptor import IdentityDescriptor, face_chips, load_descriptor
from photorig.worker.faces.landmarker import FaceLandmarker, Region, load_landmarker
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.generators.mobile_stylegan import MobileStyleGAN, load_mobile_stylegan
from photorig.worker.portraits.align import align_face, aligned_crop, side_in_pixels
from photorig.worker.portraits.portrait import Portrait

SMALL, LARGE = 256, 1024
FIRST_FINE_ROW = 8  # rows from here on hold texture and colour, not shape
SMALLEST_FACE = 96
"""Side of the aligned square, in photo pixels, below which there is too little to fit."""


@dataclass(frozen=True)
class FitSettings:
    """How hard to try, and what counts how much.

    Attributes:
        steps: at 256², where most of the likeness is found.
        refine_steps: at 1024², where the fine rows get the photo's colours.
        identity_weight: of 1 − cosine between descriptors.
        landmark_weight: of the mean distance in pixels at 256².
        mean_weight: of the mean squared distance to the mean latent in standard deviations.
        landmark_interval: every so many steps, for the landmarker costs half a step.
    """

    steps: int = 160
    refine_steps: int = 10
    learning_rate: float = 0.04
    refine_learning_rate: float = 0.015
    identity_weight: float = 1.5
    landmark_weight: float = 0.02
    mean_weight: float = 0.02
    landmark_interval: int = 4


@dataclass(frozen=True)
class FitModels:
    """The networks that a fit looks through; frozen, on one device."""

    generator: MobileStyleGAN
    landmarker: FaceLandmarker
    descriptor: IdentityDescriptor


@dataclass(frozen=True)
class FitProgress:
    """Steps done, of how many, and the loss of the last one."""

    done: int
    total: int
    loss: float


@dataclass(frozen=True)
class _Target:
    """What the image should show: (1, 3, s, s) in [0, 1], and what was measured on it at 256²."""

    small: Tensor
    detailed: Tensor
    landmarks_px: Tensor
    identity: Tensor


def load_fit_models() -> FitModels:
    """The default generator and its judges on the CPU. Raises ModelError."""
    generator = load_mobile_stylegan()
    generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return FitModels(generator, load_landmarker(), load_descriptor())


def fit_portrait(
    photo: np.ndarray,
    face: FaceMeasurement,
    name: str,
    models: FitModels,
    settings: FitSettings | None = None,
    on_progress: Callable[[FitProgress], None] | None = None,
    should_cancel: Callable[[], bool] | None = None,
) -> Portrait:
    """Find the latents of one face in a photo. Nothing in it is random.

    Args:
        photo: (h, w, 3) uint8 sRGB.
        face: which face, as `Net3D.analyze` measured it in this photo.
        name: what the portrait shall be called.

    Raises:
        InputError: the face is too small or cannot be seen once aligned.
        Cancelled: ``should_cancel`` said so.
    """
    settings = settings or FitSettings()
    alignment = align_face(face.landmarks)
    _check_size(side_in_pixels(alignment))
    target = _target(photo, alignment, models)
    with torch.enable_grad():
        latents = _Fit(models, settings, target, on_progress, should_cancel).run()
    return Portrait(
        latents=latents[0].numpy(),
        parameters=face.parameters,
        photo=photo,
        alignment=alignment,
        model_id=models.generator.model_id,
        schema_hash=ARKIT_52.hash,
        name=name,
    )


def _check_size(side: float) -> None:
    if side < SMALLEST_FACE:
        raise InputError(
            f"The head fills only {side:.0f} pixels of the photo",
            f"It has to fill at least {SMALLEST_FACE}, better 500: use a larger photo.",
        )


def _target(photo: np.ndarray, alignment: np.ndarray, models: FitModels) -> _Target:
    small = _to_tensor(aligned_crop(photo, alignment, SMALL))
    # Detail that the photo does not have must not be asked for: it would be blur.
    detail = LARGE
    while detail > SMALL and detail > side_in_pixels(alignment):
        detail //= 2
    detailed = _to_tensor(aligned_crop(photo, alignment, detail))
    region = models.landmarker.detect(small)[0]
    if region is None:
        raise InputError(
            "The face cannot be seen any more once it is aligned",
            "Use a photo that shows the whole face from the front.",
        )
    with torch.no_grad():
        landmarks = models.landmarker.measure(small, [region]).landmarks_px
        identity = models.descriptor(face_chips(small, landmarks))
    return _Target(small, detailed, landmarks, F.normalize(identity))


def _to_tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


class _Fit:
    """One optimisation; the state of Adam lives here."""

    def __init__(
        self,
        models: FitModels,
        settings: FitSettings,
        target: _Target,
        on_progress: Callable[[FitProgress], None] | None,
        should_cancel: Callable[[], bool] | None,
    ) -> None:
        self.models, self.settings, self.target = models, settings, target
        self.on_progress, self.should_cancel = on_progress, should_cancel
        mean = models.generator.mean_latent[None]
        self.latents = models.generator.expand(mean).clone().requires_grad_(True)
        # The face does not move once it is there: one region serves all measurements.
        self.region = _region_around(target.landmarks_px)
        self.done, self.total = 0, settings.steps + settings.refine_steps

    def run(self) -> Tensor:
        """(1, 16, 512), without gradient."""
        settings = self.settings
        self._descend(settings.steps, settings.learning_rate, self._small_loss)
        # Pose and features are found; what is left is texture and colour.
        self.latents.register_hook(_fine_rows_only)
        self._descend(settings.refine_steps, settings.refine_learning_rate, self._large_loss)
        return self.latents.detach()

    def _descend(self, steps: int, rate: float, loss_of: Callable[[int], Tensor]) -> None:
        optimizer = torch.optim.Adam([self.latents], lr=rate)
        for step in range(steps):
            # Asked before each step: a step may take seconds.
            if self.should_cancel is not None and self.should_cancel():
                raise Cancelled("The fit was stopped")
            progress = step / steps
            for group in optimizer.param_groups:
                # up within the first twentieth, then down along a cosine
                group["lr"] = rate * min(1, 20 * (progress + 1 / steps))
                group["lr"] *= 0.5 + 0.5 * math.cos(math.pi * progress)
            optimizer.zero_grad()
            loss = loss_of(step)
            loss.backward()
            optimizer.step()
            self.done += 1
            if self.on_progress is not None:
                self.on_progress(FitProgress(self.done, self.total, float(loss.detach())))

    def _small_loss(self, step: int) -> Tensor:
        image = self.models.generator(self.latents, SMALL) * 0.5 + 0.5
        loss = _pixel_distance(image, self.target.small) + self._likeness(image)
        if step % self.settings.landmark_interval == 0:
            landmarks = self.models.landmarker.measure(image, self.region).landmarks_px
            offset = landmarks[..., :2] - self.target.landmarks_px[..., :2]
            loss = loss + self.settings.landmark_weight * offset.abs().mean()
        return loss

    def _large_loss(self, step: int) -> Tensor:
        image = self.models.generator(self.latents, LARGE) * 0.5 + 0.5
        detail = self.target.detailed.shape[-1]
        seen = F.avg_pool2d(image, LARGE // detail)
        small = F.avg_pool2d(image, LARGE // SMALL)
        # The preview must keep its colours too: it reads the same rows in another way.
        preview = self.models.generator(self.latents, SMALL) * 0.5 + 0.5
        distance = _pixel_distance(seen, self.target.detailed)
        distance = distance + _pixel_distance(preview, self.target.small)
        return distance + self._likeness(small)

    def _likeness(self, image: Tensor) -> Tensor:
        """Identity, and the pull to the mean latent."""
        chips = face_chips(image, self.target.landmarks_px)
        cosine = (F.normalize(self.models.descriptor(chips)) * self.target.identity).sum()
        generator = self.models.generator
        deviation = (self.latents - generator.mean_latent) / generator.latent_std
        return self.settings.identity_weight * (1 - cosine) + (
            self.settings.mean_weight * deviation.square().mean()
        )


def _fine_rows_only(gradient: Tensor) -> Tensor:
    keep = torch.arange(gradient.shape[1], device=gradient.device) >= FIRST_FINE_ROW
    return gradient * keep[None, :, None]


def _region_around(landmarks_px: Tensor) -> list[Region]:
    """A crop for the landmarker around known landmarks: 1.5 times their box, upright."""
    low, high = landmarks_px[0, :, :2].amin(0), landmarks_px[0, :, :2].amax(0)
    centre = (low + high) / 2
    return [Region(float(centre[0]), float(centre[1]), 1.5 * float((high - low).max()), 0.0)]


def _pixel_distance(image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference at several resolutions, added up; the coarsest is about colour."""
    distance = (image - target).abs().mean()
    for factor in (2, 4, 8, 32):
        difference = F.avg_pool2d(image, factor) - F.avg_pool2d(target, factor)
        distance = distance + difference.abs().mean()
    return distance
