"""A face for unit tests: the canonical one, seen without perspective in the aligned square."""

from __future__ import annotations

import numpy as np

from photorig.worker.compositing.face_mesh import FacePose
from photorig.worker.compositing.face_move import Eye, FaceMove
from photorig.worker.compositing.head_motion import HeadPlace
from photorig.worker.compositing.head_place import place_of
from photorig.worker.faces.face_topology import N_VERTICES
from photorig.worker.reenactment.face_target import IRISES, lid_edges

SCALE = 0.028
"""Sides of the square along a centimetre."""


def rotation(yaw: float) -> np.ndarray:
    """(3, 3), degrees, nose to image right."""
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def face(yaw: float = 0.0, move: dict[int, tuple[float, float]] | None = None) -> np.ndarray:
    """(478, 3) landmarks, z away from the camera.

    Args:
        yaw: degrees; what turns is the neck's top, as in a head.
        move: (x, y) centimetres, y down, that vertices have moved in the picture.
    """
    from photorig.worker.faces.canonical import load_canonical_face

    pivot = np.array([0, -7.5, -3.0])
    turned = (load_canonical_face().vertices.astype(np.float64) - pivot) @ rotation(yaw).T + pivot
    points = np.empty((478, 3))
    points[:N_VERTICES] = turned * SCALE * [1, -1, -1] + [0.5, 0.5, 0]
    for vertex, way in (move or {}).items():
        points[vertex, :2] += np.array(way) * SCALE
    for side in ("Right", "Left"):
        upper, lower = lid_edges(side)
        points[IRISES[side]] = points[np.concatenate([upper, lower])].mean(0)
        points[IRISES[side], :2] += (
            np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]]) * 0.6 * SCALE
        )
    return points


def eyes() -> tuple[Eye, ...]:
    return tuple(Eye(*lid_edges(side), IRISES[side]) for side in ("Right", "Left"))


def turned_move(rest: float, yaw: float, target: np.ndarray | None = None) -> FaceMove:
    """From a face that looks to ``rest`` degrees in the photo to one that looks to ``yaw``."""
    before, posed = face(rest), face(yaw)
    target = posed if target is None else target
    scale = FacePose.of(posed).scale
    return FaceMove(before, target, target, scale, yaw != rest, eyes(), posed)


def place() -> HeadPlace:
    """Of the face in the square."""
    pose = np.eye(4)
    pose[2, 3] = -(0.5 / np.tan(np.radians(63) / 2)) / SCALE - 2.0
    return place_of(pose)
