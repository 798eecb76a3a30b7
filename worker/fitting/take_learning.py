"""The face of a recording, learned once: weights, code and directions, from some frames at once.

A quick fit knows one frame, and 32 directions that suit everybody suit nobody in particular: with
both, most of the error of a decoded frame is there before any number is looked for. So some frames
that differ most are chosen, and all of them are fitted together: the generator's weights and the
code, which give the person, the directions, which begin at those of StyleSpace (`photorig train
stylespace`), and each frame's own numbers, which begin where its landmarks say. The portrait's own
photo has the numbers 0.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from photorig.shared.errors import InputError
from photorig.worker.faces.landmarker import FaceLandmarker
from photorig.worker.faces.recognition import Recognition
from photorig.worker.generators import load_network
from photorig.worker.generators.memory import keep_freed_memory
from photorig.worker.generators.tuned_networks import tuned_network, tuning_between
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle, generator_of
from photorig.worker.reenactment.face_points import face_points
from photorig.worker.reenactment.stylespace import Channels, LearnedDirections, load_channels

from .driving_footage import AlignedFace
from .face_numbers import N_TURNS, SIDE, Examples, FrameTarget, NumberedFace, turns_of
from .losses import as_tensor

_RISE = 0.1
"""Part of the steps in which learning rates rise; they fall along a cosine."""
_LONGEST_FIRST = 1.0
"""Full moves: what a frame's numbers begin with is no more."""


@dataclass(frozen=True)
class LearningSettings:
    """How a face is learned.

    Attributes:
        frames: that are looked at, beside the portrait's photo.
        steps: each of one frame.
        weights_rate, code_rate, directions_rate, numbers_rate: of Adam; of the directions in root
            mean squares of theirs.
        perceptual, small, around, away: weights beside that of the pixels of the face.
    """

    frames: int = 20
    steps: int = 360
    weights_rate: float = 1e-3
    code_rate: float = 0.01
    directions_rate: float = 0.02
    numbers_rate: float = 0.08
    perceptual: float = 1.0
    small: float = 1.0
    around: float = 0.3
    away: float = 2e-4


QUICK_LEARNING = LearningSettings(frames=10, steps=120)


@dataclass(frozen=True, eq=False)
class LearnedFace:
    """What is known of a recording's face before its frames are encoded.

    Attributes:
        portrait: the given one, with the code and the tuning that were learned.
        directions: see `LearnedDirections`.
        examples: the frames that were looked at, the portrait's photo first.
    """

    portrait: Portrait
    directions: LearnedDirections
    examples: Examples


def chosen_frames(landmarks: Sequence[np.ndarray | None], count: int) -> list[int]:
    """Positions of up to ``count`` faces that are unlike each other, in order; None are no faces.

    Each next one is that which is furthest from all before (Gonzalez 1985), the first that from the
    mean.
    """
    places = [row for row, points in enumerate(landmarks) if points is not None]
    faces = np.array([landmarks[row] for row in places], np.float64).reshape(len(places), -1)
    chosen: list[int] = []
    away = ((faces - faces.mean(0)) ** 2).sum(1)
    while len(chosen) < min(count, len(places)) and (not chosen or away.max() > 0):
        chosen.append(int(away.argmax()))
        distance = ((faces - faces[chosen[-1]]) ** 2).sum(1)
        away = distance if len(chosen) == 1 else np.minimum(away, distance)
    return sorted(places[position] for position in chosen)


def learn_face(
    portrait: Portrait,
    frames: Sequence[AlignedFace],
    bundle: ModelBundle,
    recognition: Recognition,
    landmarker: FaceLandmarker,
    settings: LearningSettings,
    on_step: Callable[[], None] = lambda: None,
) -> LearnedFace:
    """Learn a recording's face.

    Args:
        portrait: of the person, from this recording or not.
        frames: of the recording.

    Raises:
        InputError: the portrait belongs to another generator, or shows no face.
    """
    keep_freed_memory()
    name = generator_of(bundle.name)
    network = load_network(name)
    if portrait.model_id != network.model_id:
        raise InputError(
            f"The portrait {portrait.name!r} was made with another generator",
            "Fit the photo again with the generator of this bundle.",
        )
    faces = [_own_face(portrait, landmarker), *frames]
    n_factors = network.styles(torch.from_numpy(portrait.latents)[None]).shape[1]
    channels = load_channels(n_factors, name)
    first = _first_numbers(faces, landmarker, channels, bundle)
    learning = _Learning(portrait, bundle, channels, first, settings)
    targets = [FrameTarget.of(face, recognition) for face in faces]
    learning.run(targets, on_step)
    learned, directions = learning.result(portrait)
    landmarks = np.stack([face.landmarks[:, :2].ravel() for face in faces])
    return LearnedFace(learned, directions, Examples(landmarks, learning.found))


class _Learning:
    """All that moves."""

    def __init__(
        self,
        portrait: Portrait,
        bundle: ModelBundle,
        channels: Channels,
        numbers: np.ndarray,
        settings: LearningSettings,
    ) -> None:
        self._settings, self._plain = settings, load_network(generator_of(bundle.name))
        network = tuned_network(self._plain, portrait.tuning)
        weights = [
            value
            for name, value in network.named_parameters()
            if network.is_tunable(name) and not network.is_beyond(name, SIDE)
        ]
        code = torch.from_numpy(portrait.latents)[None].clone()
        known = torch.from_numpy(channels.offsets)
        offsets = torch.cat([torch.zeros(N_TURNS, known.shape[1]), known])
        self._numbers = [torch.from_numpy(row.copy()) for row in numbers]
        self._face = NumberedFace(network, code, turns_of(bundle), offsets)
        unit = float(known.square().mean().sqrt())
        rates = (
            (settings.weights_rate, weights),
            (settings.code_rate, [code]),
            (settings.directions_rate * unit, [offsets]),
            (settings.numbers_rate, self._numbers[1:]),
        )
        for tensor in itertools.chain.from_iterable(tensors for _, tensors in rates):
            tensor.requires_grad_(True)
        groups = [{"params": tensors, "lr": rate} for rate, tensors in rates if tensors]
        self._optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
        self._rates = [float(group["lr"]) for group in self._optimiser.param_groups]

    def run(self, targets: Sequence[FrameTarget], on_step: Callable[[], None]) -> None:
        """Look at one frame after the other, in a new order each round."""
        random, steps = np.random.default_rng(0), self._settings.steps
        order: list[int] = []
        for step in range(steps):
            progress = (step + 0.5) / steps
            share = min(1, progress / _RISE) * (0.5 + 0.5 * math.cos(math.pi * progress))
            for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
                group["lr"] = rate * share
            order = order or random.permutation(len(targets)).tolist()
            row = order.pop()
            loss = self._loss(targets[row], self._numbers[row])
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            on_step()

    def _loss(self, target: FrameTarget, numbers: Tensor) -> Tensor:
        settings, made = self._settings, self._face.picture(numbers)
        loss = target.pixels_apart(made) + settings.small * target.small_apart(made)
        loss = loss + settings.perceptual * target.maps_apart(made)
        loss = loss + settings.around * target.around_apart(made)
        return loss + settings.away * numbers.square().sum()

    @property
    def found(self) -> np.ndarray:
        """(n_faces, 34) float32."""
        return torch.stack([one.detach() for one in self._numbers]).numpy()

    def result(self, portrait: Portrait) -> tuple[Portrait, LearnedDirections]:
        """The portrait, of which nothing is known any more that was measured of another tuning, and
        the directions, in half precision as files keep them."""
        latents = self._face.latents.detach()[0].numpy().copy()
        tuning = tuning_between(self._plain, self._face.network)
        changed = replace(
            portrait, latents=latents, tuning=tuning, response=None, geometry=None, references=()
        )
        directions = LearnedDirections(self._face.offsets.detach().numpy().astype(np.float16))
        return changed, directions


@torch.no_grad()
def _first_numbers(
    faces: Sequence[AlignedFace],
    landmarker: FaceLandmarker,
    channels: Channels,
    bundle: ModelBundle,
) -> np.ndarray:
    """(n, 34) float32: how the first face's landmarks come nearest to each other one's."""
    points, parameters = [], []
    for face in faces:
        image = as_tensor(face.picture)
        regions, _ = landmarker.detect_regions(image)
        seen = landmarker.measure(image, regions)
        points.append(face_points(seen.aligned, seen.landmarks_px)[0].numpy())
        parameters.append(seen.parameters[0].numpy())
    rest, angles = parameters[0], list(bundle.head_angles)
    numbers = [
        np.concatenate([bundle.motion(rest, shown - rest)[angles], channels.amounts(place)])
        for shown, place in zip(parameters, points - points[0], strict=True)
    ]
    return np.clip(np.array(numbers, np.float32), -_LONGEST_FIRST, _LONGEST_FIRST)


def _own_face(portrait: Portrait, landmarker: FaceLandmarker) -> AlignedFace:
    """The face of the portrait's photo. Raises InputError where none is found."""
    crop = portrait.alignment.crop(portrait.photo, SIDE)
    image = as_tensor(crop)
    with torch.no_grad():
        regions, found = landmarker.detect_regions(image)
        points = landmarker.measure(image, regions).landmarks_px[0].numpy()
    if not bool(found[0]):
        raise InputError(
            f"The face of the portrait {portrait.name!r} cannot be seen",
            "Use a portrait that shows the whole face from the front.",
        )
    return AlignedFace(crop, points[:, :2])
