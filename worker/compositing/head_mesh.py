"""A head's mesh: the face's, and rings around it that recede with the skull.

The rings carry hair, ears and neck. Points are (v, 3) in sides of the aligned square, y up and z
near, of the face's vertices first.
"""

from __future__ import annotations

import functools

import numpy as np

from photorig.shared.parameters.head import HEAD_PIVOT
from photorig.worker.faces.canonical import CanonicalFace, load_canonical_face
from photorig.worker.faces.face_topology import FACE_BORDER, N_VERTICES

from .face_mesh import FacePose

PITCH = 256
"""Points of the raster along a side of the aligned square."""

LOW, HIGH = np.array([-0.3, -0.35]), np.array([1.3, 1.2])
"""Corners of the raster, in sides of the square."""

RINGS_CM = np.array([1.5, 3.2, 5.5, 8.5, 12.5, 18.0])
"""How far outside the face each ring lies; the last one never moves."""

_BELOW = 0.55
"""The same below the chin, as a part of that."""

_RECEDES, _DEEPEST = 0.8, 6.0
"""cm backwards for each cm outwards, and at most."""

_NECK_CM = 4.8
"""Below the jaw, rings from there on rest on the body."""

_JAW, _EAR = -0.75, 0.0
"""Height of a direction from the middle of the face: up to there that holds, and from there on
everything turns with the head."""

_ALONG = 7
"""Border vertices over which what the rings take from the border is averaged."""

FLIP = np.array([1.0, -1.0, -1.0])


@functools.cache
def _canonical() -> CanonicalFace:
    return load_canonical_face()


@functools.cache
def head_triangles() -> np.ndarray:
    """(t, 3) vertex numbers: of the face, then of the rings, whose vertices follow."""
    rows, n = [np.asarray(_canonical().triangles)], len(FACE_BORDER)
    for ring in range(len(RINGS_CM)):
        outer = N_VERTICES + ring * n + np.arange(n)
        inner = np.array(FACE_BORDER) if ring == 0 else outer - n
        after = np.roll(np.arange(n), -1)
        rows.append(np.stack([inner, inner[after], outer], 1))
        rows.append(np.stack([inner[after], outer[after], outer], 1))
    return np.concatenate(rows)


def n_face_triangles() -> int:
    """How many of them, the first, are the face's."""
    return len(_canonical().triangles)


@functools.cache
def _directions() -> np.ndarray:
    """(n, 2) in the canonical face's axes: outwards from the middle of the face at each vertex of
    its border."""
    border = _canonical().vertices[list(FACE_BORDER), :2].astype(np.float64)
    outwards = border - [0, border[:, 1].mean()]
    return np.asarray(outwards / np.linalg.norm(outwards, axis=1, keepdims=True))


def upwards() -> np.ndarray:
    """(n,) how far upwards each vertex of the border, and what is outside of it, lies."""
    return _directions()[:, 1]


def with_rings(landmarks: np.ndarray, pose: FacePose) -> np.ndarray:
    """(v, 3) vertices of face and rings at rest, y up and z near, in sides of the square."""
    face = landmarks[:N_VERTICES].astype(np.float64) * FLIP
    outwards = _directions()
    reach = _BELOW + (1 - _BELOW) * np.clip(1 + outwards[:, 1:], 0, 1)
    border = face[list(FACE_BORDER)]
    rings = [
        border
        + pose.scale
        * np.concatenate(
            [
                outwards * centimetres * reach,
                np.full((len(border), 1), -min(_RECEDES * centimetres, _DEEPEST)),
            ],
            1,
        )
        @ pose.rotation.T
        for centimetres in RINGS_CM.tolist()
    ]
    return np.concatenate([face, *rings])


def pivot_of(landmarks: np.ndarray, pose: FacePose) -> np.ndarray:
    """(3,) what the head turns about, y up and z near."""
    face = landmarks[:N_VERTICES].astype(np.float64) * FLIP
    canonical = _canonical().vertices.astype(np.float64)
    away = (np.array(HEAD_PIVOT) - canonical.mean(0)) @ pose.rotation.T
    return np.asarray(face.mean(0) + pose.scale * away)


def along_border(values: np.ndarray) -> np.ndarray:
    """Values (n, …) around the border, averaged along it."""
    half = _ALONG // 2
    return np.mean([np.roll(values, shift, 0) for shift in range(-half, half + 1)], 0)


def follows(still: np.ndarray) -> np.ndarray:
    """(v,) how far each vertex turns with the head."""
    up = smooth((upwards() - _JAW) / (_EAR - _JAW))
    result = [np.ones(N_VERTICES)]
    for centimetres in RINGS_CM.tolist():
        near = smooth(np.array(1 - centimetres / _NECK_CM))
        result.append(near + (1 - near) * up)
    result[-1] = np.zeros(len(up))
    return np.concatenate(result)


def facing(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(t,) cosine between a triangle's normal and the camera's axis, below 0 where it is turned
    away."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    length = np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
    return np.asarray(normals[:, 2] / length * _front())


@functools.cache
def _front() -> np.ndarray:
    """(t,) 1 or -1, by the order of a triangle's corners: so that those of a face seen from the
    front face the camera."""
    vertices = _canonical().vertices.astype(np.float64)
    pose = FacePose(np.eye(3), 1.0)
    points = with_rings(vertices * FLIP, pose)
    return np.where(areas(points, head_triangles()) < 0, -1.0, 1.0)


def areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, i], :2] for i in range(3))
    first, second = b - a, c - a
    return np.asarray(0.5 * (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]))


def raster_shape() -> tuple[int, int]:
    width, height = np.round((HIGH - LOW) * PITCH).astype(int).tolist()
    return height, width


def falling(value: np.ndarray, begin: float, end: float) -> np.ndarray:
    return 1 - smooth((value - begin) / (end - begin))


def rising(value: np.ndarray, begin: float, end: float) -> np.ndarray:
    return smooth((value - begin) / (end - begin))


def smooth(value: np.ndarray) -> np.ndarray:
    t = np.clip(value, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
