"""Drives a portrait's face once through poses and regional controls and keeps its landmarks."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.schema import ARKIT_NAMES
from photorig.worker.faces.face_topology import N_VERTICES
from photorig.worker.generators import Generator
from photorig.worker.generators.regions import RegionalStyles
from photorig.worker.portraits.face_geometry import N_LANDMARKS, FaceGeometry
from photorig.worker.portraits.face_mesh import FacePose
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.response import MIDDLE_TURN, TURNS
from photorig.worker.portraits.tuning import TunedGenerators

from .bundle import ModelBundle
from .face_target import IRISES
from .measure_portrait import SIZE, Analyzer
from .region_masks import region_masks
from .regional_controls import CONTROLS, RegionalShifts

AMOUNTS = (1 / 3, 2 / 3, 1.0)
"""Amounts of each control at which its moves are known."""

_MIDDLE_CM = 0.8
"""cm from the middle of the face over which moves of both sides go over into each other."""
_GREATEST_MOVE = 4.0
"""cm; a landmark that is seen to move further was not seen."""


def measure_geometry(
    portrait: Portrait,
    bundle: ModelBundle,
    generator: Generator,
    net3d: Analyzer,
    turned: np.ndarray,
) -> FaceGeometry | None:
    """What the face's landmarks do; about a hundred small renderings. None where the generator's
    picture shows no face at rest.

    Args:
        turned: (2, 5) motion of headYaw and headPitch at which poses are measured.
    """
    face = _Face(portrait, bundle, TunedGenerators(generator).of(portrait), net3d)
    rest = face.landmarks(np.zeros(2))
    if rest is None:
        return None
    poses = np.empty((TURNS, TURNS, N_LANDMARKS, 3), np.float32)
    for i, j in np.ndindex(TURNS, TURNS):
        at_rest = (i, j) == (MIDDLE_TURN, MIDDLE_TURN)
        turn = np.array([turned[0, i], turned[1, j]])
        seen = rest if at_rest else face.landmarks(turn)
        poses[i, j] = rest if seen is None else seen
    moves = _moves(face, rest)
    return FaceGeometry(
        RegionalShifts(bundle).id,
        turned.astype(np.float32),
        poses,
        np.array(AMOUNTS, np.float32),
        moves.astype(np.float16),
    )


@dataclass(frozen=True)
class _Face:
    portrait: Portrait
    bundle: ModelBundle
    generator: Generator
    net3d: Analyzer

    def landmarks(
        self, turn: np.ndarray, styles: RegionalStyles | None = None
    ) -> np.ndarray | None:
        """(478, 3) in sides of the square, of the face with its head turned by motions (2,)."""
        motion = np.zeros(len(self.bundle.schema), np.float32)
        motion[list(self.bundle.head_angles)] = turn
        latents = self.bundle.shifted(self.portrait.latents, motion)
        image = self.generator.synthesize(latents[None], SIZE, styles or RegionalStyles.none())[0]
        try:
            return self.net3d.analyze_one(image).landmarks / SIZE
        except InputError:
            return None


def _moves(face: _Face, rest: np.ndarray) -> np.ndarray:
    """(c, a, 478, 3) moves of the landmarks. Both sides of a pair are driven at once, for each has
    its own half of the face."""
    shifts, masks = RegionalShifts(face.bundle), region_masks(rest)
    longest = _GREATEST_MOVE * FacePose.of(rest).scale
    moves = np.zeros((len(CONTROLS), len(AMOUNTS), N_LANDMARKS, 3))
    for numbers in _pairs():
        for place, amount in enumerate(AMOUNTS):
            amounts = np.zeros(len(ARKIT_NAMES), np.float32)
            for number in numbers:
                amounts[ARKIT_NAMES.index(CONTROLS[number].name)] = amount
            styles = RegionalStyles(shifts.deltas(amounts), masks)
            seen = face.landmarks(np.zeros(2), styles)
            if seen is None:
                continue
            move = np.clip(seen - rest, -longest, longest)
            for number in numbers:
                moves[number, place] = move * _half(CONTROLS[number].name)[:, None]
    return moves


def _pairs() -> list[list[int]]:
    """Numbers of the controls that are measured together: both sides of one."""
    together: dict[str, list[int]] = {}
    for number, control in enumerate(CONTROLS):
        name = control.name.removesuffix("Left").removesuffix("Right")
        together.setdefault(name, []).append(number)
    return list(together.values())


@functools.cache
def _half(name: str) -> np.ndarray:
    """(478,) how far each landmark belongs to the side that a control's name ends with."""
    if not name.endswith(("Left", "Right")):
        return np.ones(N_LANDMARKS)
    from photorig.worker.faces.face_shapes import load_face_shapes

    across = np.zeros(N_LANDMARKS)
    across[:N_VERTICES] = load_face_shapes().face[:, 0]
    across[IRISES["Right"]], across[IRISES["Left"]] = -_MIDDLE_CM, _MIDDLE_CM
    t = np.clip(0.5 + across / (2 * _MIDDLE_CM), 0, 1)
    left = t * t * (3 - 2 * t)
    return left if name.endswith("Left") else 1 - left
