"""What a reenacted face must show: the source's shape, moved as the driver's is, and who it is.

The losses of StyleMask (algorithms.md §3.2) with Net3D in the place of DECA, which cannot be had:
the wanted mesh is the source's own, less its expression and with the driver's, both by the table of
shapes (faces/face_shapes.py), so that nothing of the driver's own shape is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from photorig.shared.parameters.arkit_amounts import amounts_of
from photorig.shared.parameters.schema import ARKIT_NAMES, FACE_SCHEMA
from photorig.worker.faces.face_shapes import load_face_shapes
from photorig.worker.faces.landmarker import Measurement

from .directions.motion import MotionScale, learnable
from .performances import Observers, Performances

MOUTH_PAIRS = (
    (61, 291), (39, 181), (0, 17), (269, 405), (40, 91), (270, 321), (78, 308), (82, 87), (13, 14),
    (312, 317),
)  # fmt: skip
"""Opposite landmarks of the lips: corners, then upper against lower, outside and inside."""
EYE_PAIRS = (
    (33, 133),
    (160, 144),
    (159, 145),
    (158, 153),
    (362, 263),
    (385, 380),
    (386, 374),
    (387, 373),
)
"""Corners and lids of the subject's right and left eye."""

ANGLES = [FACE_SCHEMA.index["headYaw"], FACE_SCHEMA.index["headPitch"]]
_COEFFICIENTS = [FACE_SCHEMA.index[name] for name in ARKIT_NAMES]


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms.

    Attributes:
        shape, mouth, eye: of centimetres of the mesh, of lips and of lids.
        angles: of full moves of yaw and pitch.
        coefficients: of motion in what Net3D reads.
        identity: of 1 − cosine.
        surroundings: of the mean change of colours outside the head, on a 16² grid.
    """

    shape: float = 5.0
    mouth: float = 5.0
    eye: float = 10.0
    angles: float = 4.0
    coefficients: float = 3.0
    identity: float = 6.0
    surroundings: float = 3.0


@dataclass(frozen=True, eq=False)
class Wanted:
    """What b reenacted faces should show.

    Attributes:
        parameters: (b, 58) the driver's.
        aligned: (b, 468, 3) cm, the source's shape with the driver's expression.
        identity: (b, 128) the source's.
        surroundings: (b, 3, 16, 16) the source's.
        regions: (b, 4) where the driver's face is, for pictures in which none is found.
    """

    parameters: Tensor
    aligned: Tensor
    identity: Tensor
    surroundings: Tensor
    regions: Tensor


class ReenactmentLoss:
    """Scores pictures of reenacted faces; differentiable."""

    def __init__(self, observers: Observers, weights: LossWeights) -> None:
        self._observers, self.weights = observers, weights
        self._scale = MotionScale(FACE_SCHEMA, learnable(FACE_SCHEMA))
        self._offsets = torch.from_numpy(load_face_shapes().offsets)

    def expression(self, parameters: Tensor) -> Tensor:
        """(b, 468, 3) cm: where the table takes the face for what Net3D reads (b, 58)."""
        amounts = torch.from_numpy(amounts_of(parameters.numpy()))[:, _COEFFICIENTS]
        return torch.einsum("bk,kvc->bvc", amounts, self._offsets)

    def wanted(self, people: Performances, source: Tensor, driver: Tensor) -> Wanted:
        """What frames of sources (b,) should show when frames of drivers (b,) drive them."""
        taken = self.expression(people.parameters[source])
        given = self.expression(people.parameters[driver])
        before = people.images[source].float() / 255
        return Wanted(
            people.parameters[driver],
            people.aligned[source] - taken + given,
            people.identity[source],
            surroundings(before),
            people.regions[driver],
        )

    def seen(self, images: Tensor, wanted: Wanted) -> Measurement:
        """What is seen in pictures (b, 3, 256, 256)."""
        landmarker = self._observers.landmarker
        regions, found = landmarker.detect_regions(images.detach().clamp(0, 1))
        return landmarker.measure(images, torch.where(found[:, None], regions, wanted.regions))

    def of(self, images: Tensor, seen: Measurement, wanted: Wanted) -> dict[str, Tensor]:
        """Weighted terms for pictures (b, 3, 256, 256) and what is seen in them."""
        identity = self._observers.recognition(images, seen.landmarks_px)
        angles = (seen.parameters - wanted.parameters)[:, ANGLES]
        motion = self._scale.of(seen.parameters) - self._scale.of(wanted.parameters)
        motion = motion[:, ~self._scale.is_angle]
        weights, small = self.weights, surroundings(images)
        return {
            "shape": weights.shape * (seen.aligned - wanted.aligned).abs().mean(),
            "mouth": weights.mouth * _distances_apart(seen.aligned, wanted.aligned, MOUTH_PAIRS),
            "eye": weights.eye * _distances_apart(seen.aligned, wanted.aligned, EYE_PAIRS),
            "angles": weights.angles * (angles.abs() / angles.new_tensor([25.0, 15.0])).mean(),
            "coefficients": weights.coefficients
            * functional.smooth_l1_loss(motion, torch.zeros_like(motion), beta=0.25),
            "identity": weights.identity * (1 - (identity * wanted.identity).sum(1)).mean(),
            "surroundings": weights.surroundings * (small - wanted.surroundings).abs().mean(),
        }


def surroundings(images: Tensor) -> Tensor:
    """(b, 3, 16, 16) colours outside head and shoulders, 0 inside."""
    from .directions.observation import SURROUNDINGS_SIZE, surroundings_mask

    return functional.adaptive_avg_pool2d(images, SURROUNDINGS_SIZE) * surroundings_mask()


def _distances_apart(one: Tensor, other: Tensor, pairs: tuple[tuple[int, int], ...]) -> Tensor:
    """() mean difference of the vectors between paired vertices (b, 468, 3), in centimetres."""
    first, second = (list(side) for side in zip(*pairs, strict=True))
    between = [(mesh[:, first, :2] - mesh[:, second, :2]).abs() for mesh in (one, other)]
    return (between[0] - between[1]).abs().mean()
