"""The 35 numbers of a frame, found by optimisation with what the frame before had as a start.

Edit of yaw and pitch and of 32 directions of StyleSpace is sought until the generator's picture
is like the frame's aligned face: pixels of the face at two sizes, the maps of face recognition, and
how far numbers are from rest and from the frame before (algorithms.md §4.3). Roll needs no search:
aligning takes it off, and its angle is a number.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from photorig.shared.errors import InputError
from photorig.worker.faces.recognition import Recognition, map_distance
from photorig.worker.generators import load_network
from photorig.worker.generators.memory import keep_freed_memory
from photorig.worker.generators.tuned_networks import tuned_network
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle, generator_of
from photorig.worker.reenactment.stylespace import FaceNumbers, load_channels

SIDE = 256
_DILATED = 9
"""Pixels by which the face is widened."""


@dataclass(frozen=True)
class NumberSettings:
    """How numbers are looked for.

    Attributes:
        first_steps, steps: of the first frame and of each that follows.
        learning_rate: of Adam, in full moves.
        perceptual, small, away, jump: weights beside that of the pixels.
    """

    first_steps: int = 60
    steps: int = 10
    learning_rate: float = 0.05
    perceptual: float = 0.5
    small: float = 1.0
    away: float = 2e-4
    jump: float = 1e-3


class FaceEncoder:
    """Finds the numbers of frames of one person, in order."""

    def __init__(
        self,
        portrait: Portrait,
        bundle: ModelBundle,
        recognition: Recognition,
        settings: NumberSettings | None = None,
    ) -> None:
        keep_freed_memory()
        name = generator_of(bundle.name)
        network = load_network(name)
        if portrait.model_id != network.model_id:
            raise InputError(
                f"The portrait {portrait.name!r} was made with another generator",
                "Fit the photo again with the default generator.",
            )
        network = tuned_network(network, portrait.tuning)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._recognition, self._settings = recognition, settings or NumberSettings()
        self._latents = torch.from_numpy(portrait.latents)[None]
        rows = bundle.directions[list(bundle.head_angles)]
        self._turns = torch.from_numpy(rows)
        n_factors = self._network.styles(self._latents).shape[1]
        self._directions = torch.from_numpy(load_channels(n_factors, name).offsets)
        self._last: Tensor | None = None

    def encode(self, crop: np.ndarray, landmarks: np.ndarray) -> FaceNumbers:
        """The numbers of an aligned crop (256, 256, 3) uint8 with landmarks (478, 2 or 3) in its
        pixels; the last frame's are where the search begins."""
        settings, before = self._settings, self._last
        start = torch.zeros(34) if before is None else before
        numbers = start.clone().requires_grad_(True)
        optimiser = torch.optim.Adam([numbers], lr=settings.learning_rate)
        image = _as_tensor(crop)
        mask, points = _face_mask(landmarks), torch.from_numpy(landmarks[None].astype(np.float32))
        with torch.no_grad():
            looks = self._recognition.face_features(image, points)
        for _ in range(settings.first_steps if before is None else settings.steps):
            made = self._picture(numbers)
            seen = self._recognition.face_features(made, points)
            loss = _pixels_apart(made, image, mask, settings.small)
            loss = loss + settings.perceptual * map_distance(seen, looks)
            loss = loss + settings.away * numbers.square().sum()
            loss = loss + settings.jump * (numbers - start).square().sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        self._last = numbers.detach()
        found = self._last.numpy().astype(np.float16).astype(np.float32)
        return FaceNumbers(found[:2], found[2:])

    def _picture(self, numbers: Tensor) -> Tensor:
        """(1, 3, 256, 256) in about [0, 1]."""
        shift = torch.einsum("k,krd->rd", numbers[:2], self._turns)
        latents = functional.pad(shift, (0, 0, 0, self._latents.shape[1] - len(shift)))
        offsets = (numbers[2:] @ self._directions)[None]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            image = self._network(self._latents + latents, SIDE, styles=offsets)
        return image.float() * 0.5 + 0.5


def _pixels_apart(made: Tensor, image: Tensor, mask: Tensor, small: float) -> Tensor:
    """() mean difference in the mask (1, 1, s, s), and of a quarter of the size."""
    apart = ((made - image).abs() * mask).sum() / mask.sum() / 3
    less = [functional.avg_pool2d(one * mask, 4) for one in (made, image)]
    share = functional.avg_pool2d(mask, 4).sum()
    return apart + small * (less[0] - less[1]).abs().sum() / share / 3


def _face_mask(landmarks: np.ndarray) -> Tensor:
    """(1, 1, 256, 256) 1 in the hull of landmarks (478, 2 or 3), a little widened."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    hull = cv2.convexHull(np.round(landmarks[:, :2]).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1)
    mask = cv2.dilate(mask, np.ones((_DILATED, _DILATED), np.uint8))
    return torch.from_numpy(mask.astype(np.float32))[None, None]


def _as_tensor(crop: np.ndarray) -> Tensor:
    return torch.from_numpy(crop.astype(np.float32) / 255).permute(2, 0, 1)[None]
