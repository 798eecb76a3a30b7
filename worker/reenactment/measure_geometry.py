"""Drives a portrait's face once through poses and regional controls and keeps its landmarks."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from photorig.shared.parameters.schema import ARKIT_NAMES
from photorig.worker.compositing.face_mesh import FacePose
from photorig.worker.compositing.pose_grid import completed
from photorig.worker.faces.face_topology import N_VERTICES
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.generators import Generator
from photorig.worker.generators.regions import RegionalStyles
from photorig.worker.generators.tuned_generators import TunedGenerators
from photorig.worker.portraits.face_geometry import N_LANDMARKS, FaceGeometry, KnownParts
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.response import (
    KNOTS,
    MIDDLE_TURN,
    TURNS,
    PortraitResponse,
    believable_turns,
)

from .bundle import ModelBundle
from .calibration import (
    SIZE,
    Analyzer,
    DrivenFace,
    turn_motion,
    turn_seen,
    turns_reached,
    turns_to_measure,
)
from .face_target import IRISES
from .measure_eyes import eye_parts
from .measure_gains import SEEN, measured_gains
from .measure_mouth import open_mouth
from .region_masks import region_masks
from .regional import driver_with
from .regional_controls import CONTROLS, RegionalShifts

AMOUNTS = (1 / 3, 2 / 3, 1.0)
"""Amounts of each control at which its moves are known."""

LOOKS = TURNS**2 + len(AMOUNTS) * len(
    {control.name.removesuffix("Left").removesuffix("Right") for control in CONTROLS}
)
LOOKS += len(SEEN)
"""How many pictures are looked at."""

_MIDDLE_CM = 0.8
"""cm from the middle of the face over which moves of both sides go over into each other."""
_GREATEST_MOVE = 4.0
"""cm; a landmark that is seen to move further was not seen."""


def with_geometry(
    portrait: Portrait, bundle: ModelBundle, generator: Generator, net3d: Analyzer
) -> Portrait:
    """The portrait with what its face does, for method ``regional``: how it turns, and where its
    landmarks go. About a hundred small renderings.

    A face that is not found in the generator's picture is left as it is, to be driven as the
    average face.
    """
    face = DrivenFace(portrait, bundle, TunedGenerators(generator).of(portrait.tuning), net3d)
    rest = face.look(np.zeros(len(bundle.schema)), RegionalStyles.none())
    if rest is None:
        return portrait
    untuned = DrivenFace(portrait, bundle, generator, net3d)
    mouth = open_mouth(untuned, face, rest.landmarks / SIZE)
    lids, eyeballs = eye_parts(untuned, face, rest.landmarks / SIZE)
    known = KnownParts.of(mouth, lids, eyeballs)
    turned, seen, poses = _poses(face, rest)
    response = _response(portrait, bundle, turned, believable_turns(turned, seen))
    geometry = FaceGeometry(
        RegionalShifts(bundle).id,
        turned.astype(np.float32),
        poses.astype(np.float32),
        np.array(AMOUNTS, np.float32),
        _moves(face, rest.landmarks / SIZE, known).astype(np.float16),
        np.ones(len(ARKIT_NAMES), np.float32),
        mouth,
        lids,
        eyeballs,
    )
    gains = measured_gains(face, driver_with(geometry, RegionalShifts(bundle), portrait.parameters))
    return replace(portrait, response=response, geometry=replace(geometry, gains=gains))


def _poses(face: DrivenFace, rest: FaceMeasurement) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(2, 5) motion of yaw and pitch given; of all combinations (5, 5, 3) what was seen and
    (5, 5, 478, 3) the landmarks."""
    bundle, turned = face.bundle, turns_to_measure(face)
    seen = np.full((TURNS, TURNS, 3), np.nan)
    poses = np.full((TURNS, TURNS, N_LANDMARKS, 3), np.nan)
    values = rest.parameters.astype(np.float64)
    for i, j in np.ndindex(TURNS, TURNS):
        looked: FaceMeasurement | None = rest
        if (i, j) != (MIDDLE_TURN, MIDDLE_TURN):
            looked = face.look(turn_motion(bundle, turned, i, j), RegionalStyles.none())
        if looked is not None:
            seen[i, j] = turn_seen(bundle, looked.parameters.astype(np.float64), values)
            poses[i, j] = looked.landmarks / SIZE
    return turned, seen, completed(poses, turned)


def _response(
    portrait: Portrait, bundle: ModelBundle, turned: np.ndarray, turns_seen: np.ndarray
) -> PortraitResponse:
    """How the face turns; of expressions that it shows all of the rig's, on its own mesh."""
    source = portrait.parameters.astype(np.float64)
    lowest, highest = turns_reached(portrait, bundle, turns_seen)
    # A change by 1 is the rig's whole motion, whatever the photo shows already.
    lowest = np.where(bundle.is_coefficient, 0.0, lowest)
    highest = np.where(bundle.is_coefficient, source + 1.0, highest)
    lowest, highest = bundle.with_mesh_turns(source, lowest, highest)
    even = np.tile(np.linspace(-1, 1, KNOTS), (len(bundle.schema), 1))
    lowest, highest = np.minimum(lowest, source), np.maximum(highest, source)
    arrays = (even, even, turned, turns_seen, lowest, highest)
    return PortraitResponse(bundle.id, *(array.astype(np.float32) for array in arrays))


def _moves(face: DrivenFace, rest: np.ndarray, known: KnownParts) -> np.ndarray:
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
            deltas = shifts.deltas(amounts, known)
            if not deltas.any():
                continue
            styles = RegionalStyles(deltas, masks)
            seen = face.look(np.zeros(len(face.bundle.schema)), styles)
            if seen is None:
                continue
            move = np.clip(seen.landmarks / SIZE - rest, -longest, longest)
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
