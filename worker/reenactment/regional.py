"""Method ``regional``: each part of the face by itself, and all of it where the rig's mesh is.

Pose moves the whole code, as by ``calibrated``. An expression moves the code of its own region only
(generators/regions.py), so that a wink leaves the other eye alone and expressions add up. What the
generator then lacks of the full motion, the picture is moved by (portraits/face_move.py).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from photorig.shared.schema import ARKIT_NAMES
from photorig.worker.faces.face_shapes import load_face_shapes
from photorig.worker.generators.regions import RegionalStyles
from photorig.worker.portraits.face_geometry import FaceGeometry
from photorig.worker.portraits.face_mesh import FacePose
from photorig.worker.portraits.face_move import Eye, FaceMove
from photorig.worker.portraits.portrait import Portrait

from .bundle import ModelBundle
from .face_target import IRISES, SIDES, FaceTarget, lid_edges, settled_lids
from .region_masks import region_masks
from .regional_controls import COEFFICIENTS, CONTROLS, RegionalShifts

VERSION = 1
"""Rises whenever the same geometry would give other pixels, or would be measured otherwise."""


def geometry_id(bundle: ModelBundle) -> str:
    """Names what a geometry was measured with: the matrix and what regions do with it."""
    digest = hashlib.sha256(f"{VERSION} {bundle.id} {CONTROLS}".encode())
    return digest.hexdigest()


def pixels_id(bundle: ModelBundle) -> str:
    """Changes whenever the same portrait and parameters would give another picture."""
    digest = hashlib.sha256(geometry_id(bundle).encode())
    digest.update(load_face_shapes().offsets.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class FaceDriver:
    """Drives the face of one portrait whose geometry was measured.

    Attributes:
        positions: (52,) of the ARKit coefficients in the schema.
    """

    geometry: FaceGeometry
    shifts: RegionalShifts
    positions: np.ndarray
    angles: tuple[int, int]

    @property
    def target(self) -> FaceTarget:
        return FaceTarget(self.geometry.rest)

    def drive(self, turn: np.ndarray, shift: np.ndarray) -> tuple[RegionalStyles, FaceMove]:
        """Styles and landmarks of a frame.

        Args:
            turn: (2,) motion of headYaw and headPitch that the generator is given.
            shift: (n,) Δp; only its coefficients are read.
        """
        amounts = shift[self.positions].astype(np.float32)
        posed = self.geometry.posed(float(turn[0]), float(turn[1]))
        pose, target = FacePose.of(posed), FaceTarget(self.geometry.rest)
        styles = RegionalStyles(self.shifts.deltas(amounts), region_masks(posed))
        seen = posed + pose.carried(
            self.geometry.expressed(amounts[COEFFICIENTS].astype(np.float64)), target.pose
        )
        wanted = posed
        if amounts.any():
            wanted = settled_lids(target.landmarks(amounts, posed, pose), seen, posed)
        return styles, FaceMove(self.geometry.rest, seen, wanted, pose.scale, _eyes())


def _eyes() -> tuple[Eye, ...]:
    return tuple(Eye(*lid_edges(side), IRISES[side]) for side in SIDES)


def coefficient_positions(bundle: ModelBundle) -> np.ndarray:
    """(52,) where the ARKit coefficients are in the bundle's schema."""
    return np.array([bundle.schema.index[name] for name in ARKIT_NAMES])


def driver_of(portrait: Portrait, bundle: ModelBundle) -> FaceDriver | None:
    """What drives this portrait's face by regions; None where its geometry was not measured for
    this bundle."""
    geometry = portrait.geometry
    if geometry is None or geometry.made_for != geometry_id(bundle):
        return None
    return FaceDriver(
        geometry, RegionalShifts(bundle), coefficient_positions(bundle), bundle.head_angles
    )
