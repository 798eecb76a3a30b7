"""The 35 numbers of a frame: what is looked for, and the search for them, frame after frame.

Of a recording's face, learned before (take_learning.py), two turns and 32 amounts are sought until
the generator's picture is like the frame's aligned face: pixels of the face at two sizes, the maps
of face recognition, and how far numbers are from rest and from where the search began
(algorithms.md §4.3). Roll needs no search: aligning takes it off, and its angle is a number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from photorig.worker.faces.recognition import FaceFeatures, Recognition, map_distance
from photorig.worker.generators import load_network
from photorig.worker.generators.network import Network
from photorig.worker.generators.tuned_networks import tuned_network
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle, generator_of
from photorig.worker.reenactment.stylespace import FaceNumbers, LearnedDirections, longest_numbers

from .driving_footage import AlignedFace
from .losses import as_tensor

SIDE = 256
N_TURNS, N_SOUGHT = 2, 34
"""Turns come first, then the amounts."""
_DILATED = 9
"""Pixels by which the face is widened."""
_ALIKE = 2.0
"""Pixels of 256 between two faces' landmarks, root mean square, that make them unlike."""
_RIDGE = 0.02
"""Of the mean squared distance of examples from rest."""


@dataclass(frozen=True)
class NumberSettings:
    """How numbers are looked for.

    Attributes:
        steps: of each frame.
        learning_rate: of Adam at the first step, in full moves.
        perceptual, small, away, jump: weights beside that of the pixels.
    """

    steps: int = 10
    learning_rate: float = 0.06
    perceptual: float = 0.5
    small: float = 1.0
    away: float = 2e-4
    jump: float = 1e-3


@dataclass(frozen=True, eq=False)
class FrameTarget:
    """An aligned face, as pictures are compared with it.

    Attributes:
        image: (1, 3, 256, 256) in [0, 1].
        mask: (1, 1, 256, 256), 1 on the face.
        points: (1, 478, 2) pixels.
        features: what face recognition sees.
    """

    image: Tensor
    mask: Tensor
    points: Tensor
    features: FaceFeatures
    recognition: Recognition

    @staticmethod
    def of(face: AlignedFace, recognition: Recognition) -> FrameTarget:
        image = as_tensor(face.picture)
        points = torch.from_numpy(face.landmarks[None, :, :2].astype(np.float32))
        with torch.no_grad():
            features = recognition.face_features(image, points)
        return FrameTarget(image, _face_mask(face.landmarks), points, features, recognition)

    def pixels_apart(self, made: Tensor) -> Tensor:
        """() mean difference of the face in a picture (1, 3, 256, 256)."""
        return ((made - self.image).abs() * self.mask).sum() / self.mask.sum() / 3

    def small_apart(self, made: Tensor) -> Tensor:
        """() the same at a quarter of the size."""
        less = [functional.avg_pool2d(one * self.mask, 4) for one in (made, self.image)]
        return (less[0] - less[1]).abs().sum() / functional.avg_pool2d(self.mask, 4).sum() / 3

    def maps_apart(self, made: Tensor) -> Tensor:
        """() see `map_distance`."""
        return map_distance(self.recognition.face_features(made, self.points), self.features)

    def around_apart(self, made: Tensor) -> Tensor:
        """() mean difference of what is not the face, as part of the whole picture."""
        return ((made - self.image).abs() * (1 - self.mask)).mean()


class NumberedFace:
    """A face as a function of its numbers, differentiable.

    Args:
        network: of which the weights are those of the person.
        latents: (1, n_rows, w_dim) of the face at rest.
        turns: (2, r, w_dim), rows of the direction matrix.
        offsets: (34, n) of the factors of StyleSpace, for 1 of each number.
    """

    def __init__(self, network: Network, latents: Tensor, turns: Tensor, offsets: Tensor) -> None:
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.latents, self.turns, self.offsets = latents, turns, offsets

    def picture(self, numbers: Tensor) -> Tensor:
        """(1, 3, 256, 256) in about [0, 1] of numbers (34,)."""
        shift = torch.einsum("k,krd->rd", numbers[:N_TURNS], self.turns)
        shift = functional.pad(shift, (0, 0, 0, self.latents.shape[1] - len(shift)))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            styles = (numbers @ self.offsets)[None]
            image: Tensor = self.network(self.latents + shift, SIDE, styles=styles.float())
        return image.float() * 0.5 + 0.5


@dataclass(frozen=True, eq=False)
class Examples:
    """Frames of which the numbers are known: what another's are is guessed from them.

    Attributes:
        landmarks: (m, 956) pixels of 256; the first is the face at rest.
        numbers: (m, 34).
    """

    landmarks: np.ndarray
    numbers: np.ndarray

    def guess(self, landmarks: np.ndarray) -> np.ndarray:
        """(34,) float32 for landmarks (478, 2): ridge regression on how far they are from rest."""
        away = landmarks[:, :2].ravel() - self.landmarks[0]
        return np.asarray(self._solution @ away, np.float32)

    @cached_property
    def _solution(self) -> np.ndarray:
        moved = (self.landmarks - self.landmarks[0]).astype(np.float64)
        gram = moved @ moved.T
        ridge = _RIDGE * np.trace(gram) / len(gram) + 1e-6
        weights = np.linalg.solve(gram + ridge * np.eye(len(gram)), moved)
        return np.asarray(self.numbers.T.astype(np.float64) @ weights)


class FaceEncoder:
    """Finds the numbers of frames of one person, in order.

    Args:
        portrait: whose tuning and code are learned of the recording.
        directions: that were learned with them.
    """

    def __init__(
        self,
        portrait: Portrait,
        directions: LearnedDirections,
        examples: Examples,
        bundle: ModelBundle,
        recognition: Recognition,
        settings: NumberSettings | None = None,
    ) -> None:
        network = tuned_network(load_network(generator_of(bundle.name)), portrait.tuning)
        latents = torch.from_numpy(portrait.latents)[None]
        offsets = torch.from_numpy(directions.offsets.astype(np.float32))
        self._face = NumberedFace(network, latents, turns_of(bundle), offsets)
        self._examples, self._recognition = examples, recognition
        self._settings = settings or NumberSettings()
        self._longest = torch.from_numpy(longest_numbers(bundle))
        self._correction = torch.zeros(N_SOUGHT)
        self._last: np.ndarray | None = None

    def encode(self, face: AlignedFace) -> FaceNumbers:
        """The numbers of a frame. The search begins where examples say, and beside it as the last
        frame ended beside what they said of that one, if this frame is like that."""
        settings = self._settings
        target = FrameTarget.of(face, self._recognition)
        guess = torch.from_numpy(self._examples.guess(face.landmarks))
        start = self._held(guess + self._alike(face.landmarks) * self._correction)
        numbers = start.clone().requires_grad_(True)
        optimiser = torch.optim.Adam([numbers], lr=settings.learning_rate)
        for step in range(settings.steps):
            share = 0.5 + 0.5 * math.cos(math.pi * (step + 0.5) / settings.steps)
            optimiser.param_groups[0]["lr"] = settings.learning_rate * share
            made = self._face.picture(numbers)
            loss = target.pixels_apart(made) + settings.small * target.small_apart(made)
            loss = loss + settings.perceptual * target.maps_apart(made)
            loss = loss + settings.away * numbers.square().sum()
            loss = loss + settings.jump * (numbers - start).square().sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        found = self._held(numbers.detach())
        self._correction, self._last = found - guess, face.landmarks
        kept = found.numpy().astype(np.float16).astype(np.float32)
        return FaceNumbers(kept[:N_TURNS], kept[N_TURNS:])

    def picture(self, numbers: FaceNumbers) -> Tensor:
        """(1, 3, 256, 256) in about [0, 1]: what a frame's numbers give."""
        found = np.concatenate([numbers.turn, numbers.amounts]).astype(np.float32)
        with torch.no_grad():
            return self._face.picture(torch.from_numpy(found))

    def _alike(self, landmarks: np.ndarray) -> float:
        """1 where landmarks (478, 2) are where they were in the last frame, to 0."""
        if self._last is None:
            return 0.0
        away = np.square(landmarks[:, :2] - self._last[:, :2]).sum(1).mean()
        return math.exp(-float(away) / _ALIKE**2)

    def _held(self, numbers: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(numbers, -self._longest), self._longest)


def turns_of(bundle: ModelBundle) -> Tensor:
    """(2, r, w_dim), what yaw and pitch add to the latents."""
    return torch.from_numpy(bundle.directions[list(bundle.head_angles)])


def _face_mask(landmarks: np.ndarray) -> Tensor:
    """(1, 1, 256, 256) 1 in the hull of landmarks (478, 2 or 3), a little widened."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    hull = cv2.convexHull(np.round(landmarks[:, :2]).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1)
    mask = cv2.dilate(mask, np.ones((_DILATED, _DILATED), np.uint8))
    return torch.from_numpy(mask.astype(np.float32))[None, None]
