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
from .regional_controls import COEFFICIENTS, RegionalShifts
from .target import Drive, Target

VERSION = 5
"""Rises whenever the same geometry and parameters would give another picture."""


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

    def drive(self, portrait: Portrait, target: Target) -> Drive:
        driver, shift = driver_of(portrait, self._shifts), target.shift
        if driver is None:
            return self._calibrated.drive(portrait, Target(shift))
        # Expressions move regions; what is left moves the whole code.
        turning = np.where(self._bundle.is_coefficient, np.float32(0), shift)
        whole = self._calibrated.drive(portrait, Target(turning))
        motion = self._calibrated.motion(portrait, turning)
        face = driver.drive(motion[list(self._bundle.head_angles)], shift)
        return replace(whole, styles=face.styles, move=face.move)


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
    """

    geometry: FaceGeometry
    shifts: RegionalShifts
    positions: np.ndarray

    @cached_property
    def _target(self) -> FaceTarget:
        return FaceTarget(self.geometry.rest, self.geometry.gains)

    def drive(self, turn: np.ndarray, shift: np.ndarray) -> FaceDrive:
        """What the face does.

        Args:
            turn: (2,) motion of headYaw and headPitch that the generator is given.
            shift: (n,) Δp; only its coefficients are read.
        """
        amounts = shift[self.positions].astype(np.float32)
        posed = self.geometry.posed(float(turn[0]), float(turn[1]))
        known = self.geometry.known
        deltas = self.shifts.deltas(amounts, known)
        styles = RegionalStyles(deltas, region_masks(posed))
        pose = FacePose.of(posed)
        seen = wanted = posed
        if amounts.any():
            borne = amounts[COEFFICIENTS] * self.shifts.borne(amounts, known)
            moves = self.geometry.expressed(borne.astype(np.float64))
            seen = posed + pose.carried(moves, self._target.pose)
            wanted = self._target.landmarks(amounts, posed, pose)
            wanted = settled_lids(wanted, seen, posed, known.eyeballs)
        rest, is_turned = self.geometry.rest, bool(turn.any())
        parts = (self.geometry.mouth, self.geometry.lids, self.geometry.eyeballs)
        mouth, lids, eyeballs = parts if amounts.any() else (None, None, None)
        move = FaceMove(
            rest, seen, wanted, pose.scale, is_turned, _eyes(), posed, mouth, lids, eyeballs
        )
        return FaceDrive(styles, move)


def _eyes() -> tuple[Eye, ...]:
    return tuple(Eye(*lid_edges(side), IRISES[side]) for side in SIDES)


def driver_of(portrait: Portrait, shifts: RegionalShifts) -> FaceDriver | None:
    """What drives this portrait's face by regions; None where its geometry was not measured for
    this bundle."""
    geometry = portrait.geometry
    if geometry is None or geometry.made_for != shifts.id:
        return None
    return driver_with(geometry, shifts)


def driver_with(geometry: FaceGeometry, shifts: RegionalShifts) -> FaceDriver:
    """What drives a face with this geometry."""
    index = shifts.bundle.schema.index
    return FaceDriver(geometry, shifts, np.array([index[name] for name in ARKIT_NAMES]))
