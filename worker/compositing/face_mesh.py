"""The face's mesh in a picture: how it lies there, and the smooth fields that move it.

Landmarks are MediaPipe's: (478, 3), x to image right and y down in sides of the aligned square, z
in the same unit, away from the camera; the last ten are the irises. The mesh is the canonical
face's 468 vertices and 898 triangles, which fill mouth and eyes, with rings around it on which a
motion of the face runs out. A field says for every pixel of the moved picture how far away the
picture was that it shows: it is affine on each triangle, and nothing where nothing moves.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from photorig.worker import rasters
from photorig.worker.faces.canonical import CanonicalFace, load_canonical_face
from photorig.worker.faces.face_topology import FACE_BORDER, N_VERTICES
from photorig.worker.rasters import Raster

from .mesh_raster import interpolated, painted

SIDE = 256
"""Pixels of the aligned square's side at which fields are found."""

_FLIP = np.array([1.0, -1.0, -1.0])
"""Between landmarks (y down, z away) and the canonical face (y up, z near)."""

_RINGS_CM = (3.0, 7.0)
_RINGS_FOLLOW = (0.5, 0.0)
"""How far outside the mesh each ring lies below the chin, and how far it follows the border."""
_RINGS_ASIDE = 0.45
"""The same at the sides and above, as a part of that: nothing there stretches with a jaw."""
_ALONG = 7
"""Border vertices over which the rings' motion is averaged."""
_LEAST_MOVE = 1e-3
"""Pixels below which a vertex stands still."""
_SOFTENED = 0.6
"""Pixels over which the kinks between triangles are softened."""


@dataclass(frozen=True, eq=False)
class FacePose:
    """How the canonical face lies in a picture, seen without perspective.

    Attributes:
        rotation: (3, 3) of the canonical face.
        scale: sides of the aligned square along one centimetre.
    """

    rotation: np.ndarray
    scale: float

    @staticmethod
    def of(landmarks: np.ndarray) -> FacePose:
        """Of landmarks (478, 3), by least squares (Umeyama 1991)."""
        canonical = _canonical().vertices.astype(np.float64)
        seen = landmarks[:N_VERTICES].astype(np.float64) * _FLIP
        a, b = canonical - canonical.mean(0), seen - seen.mean(0)
        u, singular, vt = np.linalg.svd(b.T @ a)
        signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        scale = float((singular * signs).sum() / (a**2).sum())
        return FacePose((u * signs) @ vt, max(scale, 1e-6))

    def in_picture(self, offsets: np.ndarray) -> np.ndarray:
        """Offsets (n, 3) of the canonical face, cm, as they are seen: (n, 3) like landmarks."""
        return np.asarray(self.scale * (offsets @ self.rotation.T) * _FLIP)

    def carried(self, moves: np.ndarray, measured: FacePose) -> np.ndarray:
        """Moves (n, 3) of landmarks that were measured on the face in another pose, as this pose
        shows them."""
        turn = self.rotation @ measured.rotation.T
        return np.asarray(((moves * _FLIP) @ turn.T) * _FLIP * (self.scale / measured.scale))


@functools.cache
def _canonical() -> CanonicalFace:
    return load_canonical_face()


@functools.cache
def _triangles() -> np.ndarray:
    """(t, 3) vertex numbers: of the mesh, then of the rings, whose vertices follow."""
    rows = [_canonical().triangles]
    n = len(FACE_BORDER)
    for ring in range(len(_RINGS_CM)):
        outer = N_VERTICES + ring * n + np.arange(n)
        inner = np.array(FACE_BORDER) if ring == 0 else outer - n
        after = np.roll(np.arange(n), -1)
        rows.append(np.stack([inner, inner[after], outer], 1))
        rows.append(np.stack([inner[after], outer[after], outer], 1))
    return np.concatenate(rows)


def _with_rings(points: np.ndarray, still: np.ndarray, scale: float) -> np.ndarray:
    """(468 + r, 2): vertices with the rings around them.

    Args:
        points: (468, 2), where the vertices are.
        still: (468, 2), where they were before they moved; the rings stand around that.
        scale: sides of the square along a centimetre.
    """
    border = np.array(FACE_BORDER)
    outline = still[border]
    outwards = outline - still.mean(0)
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    motion = points[border] - outline
    around = np.concatenate([motion[-(_ALONG // 2) :], motion, motion[: _ALONG // 2]])
    kernel = np.ones(_ALONG) / _ALONG
    motion = np.stack([np.convolve(axis, kernel, "valid") for axis in around.T], 1)
    below = np.clip(outwards[:, 1:], 0, 1) ** 2
    reach = _RINGS_ASIDE + (1 - _RINGS_ASIDE) * below
    rings = [
        outline + outwards * (centimetres * scale * reach) + follow * (0.5 + 0.5 * below) * motion
        for centimetres, follow in zip(_RINGS_CM, _RINGS_FOLLOW, strict=True)
    ]
    return np.concatenate([points, *rings])


def field(target: np.ndarray, source: np.ndarray, scale: float) -> np.ndarray:
    """Where in a picture everything is that belongs to another place of the moved one.

    Args:
        target: (≥ 468, 3) landmarks of the moved picture; the nearer triangle hides the other.
        source: (≥ 468, 3) landmarks of the picture as it is.
        scale: sides of the square along a centimetre.

    Returns:
        (SIDE, SIDE, 2) float32, x and y from each pixel of the moved picture to its source, in
        sides of the square; 0 beyond the rings, and everywhere where nothing moves.
    """
    return fields(target, (source,), scale)[0]


def fields(target: np.ndarray, sources: Sequence[np.ndarray], scale: float) -> list[np.ndarray]:
    """`field` to each of several sources; the rings stand around the first."""
    target = target[:N_VERTICES]
    points = _with_rings(target[:, :2], sources[0][:N_VERTICES, :2], scale) * SIDE
    moves = []
    for source in sources:
        still = source[:N_VERTICES, :2]
        there = _with_rings(still, sources[0][:N_VERTICES, :2], scale) * SIDE
        moves.append(there - points)
    nearness = np.full(len(points), -np.inf)
    nearness[:N_VERTICES] = -target[:, 2]
    goes = np.any([np.abs(move).max(1) > _LEAST_MOVE for move in moves], axis=0)
    triangles = _triangles()
    triangles = triangles[goes[triangles].any(1)]
    if not len(triangles):
        return [np.zeros((SIDE, SIDE, 2), np.float32) for _ in sources]
    index = painted(points, nearness, triangles, (SIDE, SIDE))
    found = interpolated(index, points, np.concatenate(moves, 1), triangles)
    return [_soft(field) for field in np.split(found, len(moves), 2)]


def _soft(displacement: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(displacement, (0, 0), _SOFTENED) / SIDE)


def warped(picture: Raster, displacement: np.ndarray) -> Raster:
    """A square picture (s, s, 3) uint8 moved by a field; the same picture where nothing moves."""
    if not displacement.any():
        return picture
    size, field = picture.shape[0], rasters.like(displacement, picture)
    if size != SIDE:
        field = rasters.resized(field, (size, size))
    sources = field * size
    line = rasters.like(np.arange(size, dtype=np.float32), picture)
    sources[..., 0] += line
    sources[..., 1] += line[:, None]
    return rasters.sampled(picture, sources, cv2.INTER_CUBIC, cv2.BORDER_REFLECT_101)
