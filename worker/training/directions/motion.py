"""Coefficients as motion of the face: where training asks for equal steps, faces make equal steps.

A coefficient is the logistic output of a network: near 0 and 1 it hardly moves, whatever the face
does. Motion undoes that. It is 0 at a parameter's usual value and 1 at a full move:

    m(c) = (l(c) − l(usual)) / (l(full) − l(usual)),   l(c) = log((c + ε) / (1 − c + ε))

so a shift of the latents by one motion takes every face equally far, wherever it starts. For head
angles motion is the angle divided by a full move.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from photorig.shared.parameters.schema import ParameterSchema

from .curves import Curve

SOFTNESS = 0.004

LEARNED_ANGLES = ("headYaw", "headPitch")
"""What else a head does the picture's geometry does: that is measured, not learned."""

USUAL_AND_FULL: dict[str, tuple[float, float]] = {
    "browDown": (0.08, 0.78),
    "browInnerUp": (0.02, 0.75),
    "browOuterUp": (0.03, 0.70),
    "eyeBlink": (0.13, 0.82),
    "eyeLookDown": (0.09, 0.65),
    "eyeLookIn": (0.10, 0.80),
    "eyeLookOut": (0.10, 0.80),
    "eyeLookUp": (0.14, 0.55),
    "eyeSquint": (0.35, 0.80),
    "eyeWide": (0.01, 0.25),
    "jawLeft": (0.01, 0.20),
    "jawOpen": (0.02, 0.65),
    "jawRight": (0.01, 0.20),
    "mouthClose": (0.01, 0.12),
    "mouthDimple": (0.02, 0.35),
    "mouthFrown": (0.01, 0.35),
    "mouthFunnel": (0.01, 0.35),
    "mouthLeft": (0.01, 0.35),
    "mouthLowerDown": (0.03, 0.60),
    "mouthPress": (0.07, 0.55),
    "mouthPucker": (0.02, 0.80),
    "mouthRight": (0.01, 0.35),
    "mouthRollLower": (0.02, 0.50),
    "mouthRollUpper": (0.03, 0.45),
    "mouthShrugLower": (0.02, 0.50),
    "mouthShrugUpper": (0.02, 0.25),
    "mouthSmile": (0.30, 0.92),
    "mouthStretch": (0.03, 0.50),
    "mouthUpperUp": (0.04, 0.80),
}
"""Coefficient at rest and in a full move: the median of 4,000 generated faces (or what is needed to
be seen at all), and about as far as optimising single portraits could go and still look natural."""


def full_move(schema: ParameterSchema) -> Tensor:
    """(n,) a full move of each parameter in its unit; compares degrees with coefficients."""
    return torch.tensor(schema.full_moves, dtype=torch.float32)


def learnable(schema: ParameterSchema) -> list[int]:
    """Positions of the parameters for which directions are learned."""
    return [i for i, name in enumerate(schema.ids) if name in LEARNED_ANGLES or _key(name)]


def _key(name: str) -> str | None:
    for key in (name, name.removesuffix("Left"), name.removesuffix("Right")):
        if key in USUAL_AND_FULL:
            return key
    return None


def softened_logit(coefficients: Tensor) -> Tensor:
    """l above, for values in [0, 1]."""
    inside = coefficients.clamp(0, 1)
    return ((inside + SOFTNESS) / (1 - inside + SOFTNESS)).log()


class MotionScale:
    """Motion of some parameters of a schema.

    Attributes:
        positions: the k parameters.
        is_angle: (k,) bool.
    """

    def __init__(self, schema: ParameterSchema, positions: list[int]) -> None:
        self.positions = positions
        names = [schema.ids[position] for position in positions]
        self.is_angle = torch.tensor([name in LEARNED_ANGLES for name in names])
        full_angles = schema.full_moves[positions].astype("float32")
        self._angle = torch.where(self.is_angle, torch.from_numpy(full_angles), 1.0)
        ends = torch.tensor([USUAL_AND_FULL.get(_key(name) or "", (0.0, 0.5)) for name in names])
        usual, full = softened_logit(ends[:, 0]), softened_logit(ends[:, 1])
        self._usual, self._span = usual, full - usual

    def of(self, parameters: Tensor) -> Tensor:
        """(…, n) parameters to (…, k) motion."""
        values = parameters[..., self.positions]
        coefficients = (softened_logit(values) - self._usual) / self._span
        return torch.where(self.is_angle, values / self._angle, coefficients)

    def curve(self, index: int, knots: np.ndarray) -> Curve:
        """Motion of parameter ``positions[index]`` as a curve with these knots."""
        values = torch.zeros(len(knots), max(self.positions) + 1, dtype=torch.float64)
        values[:, self.positions[index]] = torch.from_numpy(knots)
        motion = self.of(values)[:, index].numpy().astype(np.float64)
        return Curve(knots, motion - np.interp(0, knots, motion))
