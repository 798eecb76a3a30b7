"""How much further a face has to be moved so that its motion is seen in full.

A vertex of the mesh is not quite the point of skin that stands for it in the picture: where the
two lie apart, the picture moves a little less than the mesh. So each shape is shown once, and where
less of it is seen than was asked for, it is given more.
"""

from __future__ import annotations

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import ARKIT_NAMES
from photorig.worker.compositing.face_mesh import FacePose
from photorig.worker.faces.face_topology import N_VERTICES
from photorig.worker.portraits.face_geometry import FaceGeometry

from .calibration import SIZE, DrivenFace
from .face_target import SIDES, FaceTarget
from .regional import FaceDriver

GREATEST = {
    **dict.fromkeys(("mouthPucker", "browInnerUp", "browDown"), 1.35),
    **dict.fromkeys(("mouthSmile", "mouthFrown", "mouthUpperUp"), 1.35),
    **dict.fromkeys(("mouthLowerDown", "mouthStretch"), 1.35),
    "jawOpen": 1.15,
}
"""Shapes, both sides at once, that a landmarker sees well, and what none of them needs more than. A
funnel and outer brows show all they should; sideways moves, sneers, cheeks and rolls it does not
see; lids and irises are looked after by themselves."""

SEEN = tuple(GREATEST)

USUAL = {
    "cheekPuff": 1.45,
    **{f"noseSneer{side}": 1.25 for side in SIDES},
    **{f"browOuterUp{side}": 1.15 for side in SIDES},
    **{f"eyeLook{way}{side}": 1.12 for way in ("In", "Out", "Up", "Down") for side in SIDES},
}
"""The same for what no landmarker sees well: on all faces alike (docs/measurements.md)."""

_LEAST_SHARE = 0.4
"""Of a motion; what is seen of less was not seen."""
_CORE = 0.35
"""Part of a shape's longest offset from which a vertex counts."""


def measured_gains(face: DrivenFace, driver: FaceDriver) -> np.ndarray:
    """(52,) float32: by how much each coefficient's motion has to be longer.

    Args:
        face: driven by the generator with the portrait's tuning.
        driver: of the same face, as far as it is known.
    """
    gains = np.array([USUAL.get(name, 1.0) for name in ARKIT_NAMES], np.float32)
    rest = driver.geometry.rest
    for name in SEEN:
        sides = [n for n in (name, f"{name}Right", f"{name}Left") if n in ARKIT_NAMES]
        shift = face.bundle.schema.vector(dict.fromkeys(sides, 1.0))
        drive = driver.drive(np.zeros(2), shift)
        latents = face.portrait.latents[None]
        drawn = face.generator.synthesize(latents, SIZE, drive.styles)[0]
        try:
            seen = face.net3d.analyze_one(drive.move.applied(drawn))
        except InputError:
            continue
        landmarks = seen.landmarks / SIZE
        for side in sides:
            share = _share(landmarks - rest, driver.geometry, side)
            if share > _LEAST_SHARE:
                gains[ARKIT_NAMES.index(side)] = np.clip(1 / share, 1, GREATEST[name])
    return gains


def _share(moved: np.ndarray, geometry: FaceGeometry, name: str) -> float:
    """How much of a shape's motion is in moves (478, 3) of the landmarks."""
    amounts = np.zeros(len(ARKIT_NAMES), np.float32)
    amounts[ARKIT_NAMES.index(name)] = 1
    rest = geometry.rest
    asked = FaceTarget(rest).landmarks(amounts, rest, FacePose.of(rest)) - rest
    asked, moved = asked[:N_VERTICES, :2], moved[:N_VERTICES, :2]
    length = np.linalg.norm(asked, axis=1)
    core = length > _CORE * length.max()
    return float((asked[core] * moved[core]).sum() / max((asked[core] ** 2).sum(), 1e-12))
