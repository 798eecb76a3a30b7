"""Method ``regional``: each part of the face by itself, and all of it where the rig's mesh is.

Pose moves the whole code, as by ``calibrated``. An expression moves the code of its own region only
(generators/regions.py), so that a wink leaves the other eye alone and expressions add up. What the
generator then lacks of the full motion, the picture is moved by (portraits/face_move.py).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from photorig.shared.parameters.schema import ARKIT_NAMES
from photorig.worker.compositing.face_mesh import FacePose
from photorig.worker.compositing.face_move import FaceMove
from photorig.worker.faces.face_shapes import load_face_shapes
from photorig.worker.generators.regions import RegionalStyles
from photorig.worker.portraits.eye_frame import Eye
from photorig.worker.portraits.face_geometry import FaceGeometry
from photorig.worker.portraits.portrait import Portrait

from .bundle import ModelBundle
from .calibrated import Calibrated
from .face_target import IRISES, SIDES, FaceTarget, lid_edges, settled_lids
from .method import MethodEntry
from .region_masks import region_masks
from .regional_controls import COEFFICIENTS, RegionalShifts, without_closing
from .target import Drive, Target
from .worn_glasses import FramesOfGlasses

VERSION = 10
"""Rises whenever the same geometry and parameters would give another picture."""
_TONGUE = ARKIT_NAMES.index("tongueOut")
_FURTHER = np.array([1.13, 0.92])
"""How far landmarks of real frames have turned, to the side and up, seen from a portrait's
distance, for each degree that Net3D reads there (docs/measurements.md)."""


def pixels_id(shifts: RegionalShifts) -> str:
    """Changes whenever the same portrait and parameters would give another picture."""
    digest = hashlib.sha256(f"{VERSION} {shifts.id}".encode())
    shapes = load_face_shapes()
    digest.update(shapes.offsets.tobytes() + shapes.gaze.tobytes())
    return digest.hexdigest()


class Regional:
    """Pose as by `Calibrated`; expressions region by region, brought to the person's own mesh.

    A portrait whose geometry was not measured is driven as by ``calibrated``.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        self._bundle = bundle
        self._calibrated = Calibrated(bundle)
        self._shifts = RegionalShifts(bundle)
        self._frames = FramesOfGlasses()

    def drive(self, portrait: Portrait, target: Target) -> Drive:
        driver, shift = driver_of(portrait, self._shifts), target.shift
        if driver is None:
            return self._calibrated.drive(portrait, Target(shift))
        # Expressions move regions; what is left moves the whole code.
        motion = self._turn(portrait, driver, shift)
        whole = self._calibrated.moved(portrait, motion)
        face = driver.drive(motion[list(self._bundle.head_angles)], shift)
        expresses = bool(shift[driver.positions].any())
        frame = self._frames.of(portrait, driver.geometry.rest) if expresses else None
        return replace(whole, styles=face.styles, move=replace(face.move, frame=frame))

    def _turn(self, portrait: Portrait, driver: FaceDriver, shift: np.ndarray) -> np.ndarray:
        """(n,) motion of the whole code for Δp (n,): its turn, as far as the generator was seen to
        turn this face. The mesh may turn it farther."""
        turn, response = np.zeros_like(shift), self._bundle.response_of(portrait)
        angles = list(self._bundle.head_angles)
        turn[angles] = shift[angles]
        motion = self._bundle.motion(portrait.parameters, turn)
        if response is not None:
            motion[angles] = np.clip(motion[angles], *response.farthest_turns)
            motion = response.give(motion, self._bundle.head_angles)
        motion[angles] = np.clip(motion[angles], *driver.geometry.turned[:, [0, -1]].T)
        return self._bundle.clamped_motion(motion)


METHOD = MethodEntry(
    "regional",
    "Moves each part of the face by itself, to where this person's own mesh is; the default.",
    lambda bundle, generator: Regional(bundle),
    needs_geometry=True,
)


@dataclass(frozen=True, eq=False)
class FaceDrive:
    """What regions of a face do in one frame.

    Attributes:
        styles: of the generator.
        move: landmarks of what it draws, and where they are wanted.
    """

    styles: RegionalStyles
    move: FaceMove


@dataclass(frozen=True, eq=False)
class FaceDriver:
    """Drives the face of one portrait whose geometry was measured.

    Attributes:
        positions: (52,) of the ARKit coefficients in the schema.
        angles: (2,) degrees of headYaw and headPitch in the photo.
    """

    geometry: FaceGeometry
    shifts: RegionalShifts
    positions: np.ndarray
    angles: np.ndarray

    @cached_property
    def _target(self) -> FaceTarget:
        return FaceTarget(self.geometry.rest, self.geometry.gains)

    def drive(self, turn: np.ndarray, shift: np.ndarray) -> FaceDrive:
        """What the face does.

        Args:
            turn: (2,) motion of headYaw and headPitch that the generator is given.
            shift: (n,) Δp; its coefficients, and how far the head is to be turned.
        """
        amounts = shift[self.positions].astype(np.float32)
        posed = self.geometry.posed(float(turn[0]), float(turn[1]))
        known = self.geometry.known
        given = without_closing(amounts)
        deltas = self.shifts.deltas(given, known)
        styles = RegionalStyles(deltas, region_masks(posed))
        pose = FacePose.of(posed)
        seen = wanted = posed
        if amounts.any():
            borne = given[COEFFICIENTS] * self.shifts.borne(given, known)
            moves = self.geometry.expressed(borne.astype(np.float64))
            seen = posed + pose.carried(moves, self._target.pose)
            wanted = self._target.landmarks(amounts, posed, pose)
            wanted = settled_lids(wanted, seen, posed, known.eyeballs)
        rest, turned_by = self.geometry.rest, shift[list(self.shifts.bundle.head_angles)]
        parts = (self.geometry.mouth, self.geometry.lids, self.geometry.eyeballs)
        mouth, lids, eyeballs = parts if amounts.any() else (None, None, None)
        move = FaceMove(
            rest,
            seen,
            wanted,
            pose.scale,
            bool(turned_by.any()),
            _eyes(),
            posed,
            mouth,
            lids,
            eyeballs,
            _rotation(self.angles, turned_by),
            tongue=float(np.clip(amounts[_TONGUE], 0, 1)),
        )
        return FaceDrive(styles, move)


def _rotation(angles: np.ndarray, change: np.ndarray) -> np.ndarray:
    """(3, 3), y up and z near: from a head turned by (2,) degrees of yaw and pitch to one turned by
    as much and a change (2,). Its roll in the photo stays, before both."""
    before = np.asarray(angles, np.float64)
    before, after = _turn(*before), _turn(*(before + change * _FURTHER))
    return np.asarray(after @ before.T)


def _turn(yaw: float, pitch: float) -> np.ndarray:
    """(3, 3) Ry(yaw) · Rx(pitch) of degrees."""
    (cy, cp), (sy, sp) = (f(np.radians([yaw, pitch])) for f in (np.cos, np.sin))
    across = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return np.asarray(across @ np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]]))


def _eyes() -> tuple[Eye, ...]:
    return tuple(Eye(*lid_edges(side), IRISES[side]) for side in SIDES)


def driver_of(portrait: Portrait, shifts: RegionalShifts) -> FaceDriver | None:
    """What drives this portrait's face by regions; None where its geometry was not measured for
    this bundle."""
    geometry = portrait.geometry
    if geometry is None or geometry.made_for != shifts.id:
        return None
    return driver_with(geometry, shifts, portrait.parameters)


def driver_with(
    geometry: FaceGeometry, shifts: RegionalShifts, parameters: np.ndarray
) -> FaceDriver:
    """What drives a face with this geometry, of which the photo shows parameters (n,)."""
    index, angles = shifts.bundle.schema.index, list(shifts.bundle.head_angles)
    positions = np.array([index[name] for name in ARKIT_NAMES])
    return FaceDriver(geometry, shifts, positions, parameters[angles])
