"""How far the pixels of a photo can be believed when its head is turned, triangle by triangle."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photorig.worker.faces.canonical import load_canonical_face
from photorig.worker.faces.face_topology import FACE_BORDER, INNER_LIPS, N_VERTICES

from .face_mesh import FacePose
from .head_mesh import (
    FLIP,
    LOW,
    PITCH,
    RINGS_CM,
    areas,
    facing,
    falling,
    head_triangles,
    n_face_triangles,
    raster_shape,
    rising,
    smooth,
)
from .mesh_raster import painted

_STRETCHED = (1.9, 3.4)
"""Area of a part of the face by its area at rest from which on it is not trusted, to not at all."""

_HAIR_STRETCHED = (3.0, 5.0)
"""The same around the face."""

_FACING = 0.25
"""Cosine to the camera's axis in the photo below which pixels lose trust."""

_AWAY = (-0.2, -0.1)
"""The same of hair, and of what is skin in the photo. A border looks a little away where a face is
round; its pixels are the skin beside it, and look the same over a large part of a cheek."""

_ASLANT = (0.3, 0.6)
"""Cosines to the camera's axis in the photo: so far aslant a face's border may lie on hair, or on
what is behind the head."""

_HIDDEN_CM = (0.8, 1.8)
"""By how much the face has to be nearer than another part of the head to hide it in the photo."""

_RUN = 2
"""Vertices of the border to both sides that are hidden, too, where it is hidden with what is beside
it."""

_OPENED_CM2 = (0.004, 0.02)
"""The same for triangles inside the lips and lids: growth in square centimetres."""

_LOOKED_CM = (0.02, 0.1)
"""How far an iris moves inside its lids until its eye is the generator's."""

_CLOSED = (0.3, 0.65)
"""How far an eye is still open at which, and up to which, its lids are the generator's."""


@dataclass(frozen=True)
class UnknownEye:
    """What of an eye only the generator draws.

    Attributes:
        lids: whether its lids are, where they close.
        looked: cm by which its iris moves inside its lids; 0 where the eyeball is known.
    """

    lids: bool
    looked: float


def trust_of(
    still: np.ndarray,
    turned: np.ndarray,
    posed: np.ndarray,
    eyes: Sequence[UnknownEye],
    pose: FacePose,
) -> np.ndarray:
    """(t,) float32 in [0, 1], how far the photo's pixels can be believed on each triangle.

    Args:
        still, turned: (v, 3) vertices of the head.
        posed: (v, 3), the turned head without an expression.
        eyes: the right and the left one.
    """
    triangles = head_triangles()
    before, after = (np.abs(areas(points, triangles)) for points in (still, turned))
    stretched, n_face = after / np.maximum(before, 1e-9), n_face_triangles()
    trust = falling(stretched, *_STRETCHED)
    trust[n_face:] = falling(stretched[n_face:], *_HAIR_STRETCHED)
    towards = facing(still, triangles)
    trust *= smooth(towards / _FACING) * _seen_in_photo(still, pose.scale)
    trust[n_face:] = (
        falling(stretched[n_face:], *_HAIR_STRETCHED)
        * rising(towards[n_face:], *_AWAY)
        * _seen_in_photo(still, pose.scale)[n_face:]
    )
    insides, around = _insides(), _around_eyes()
    alone = np.abs(areas(posed, triangles))
    opened = falling((after - alone) / pose.scale**2, *_OPENED_CM2)
    trust[insides >= 0] = opened[insides >= 0]
    for number, eye in enumerate(eyes):
        own = insides == number + 1
        if eye.lids:
            open_still = after[own].sum() / max(alone[own].sum(), 1e-12)
            trust[around[number]] *= 1 - falling(open_still, *_CLOSED)
        trust[own] *= falling(np.array(eye.looked), *_LOOKED_CM)
    trust[-2 * len(FACE_BORDER) :] = 1
    return trust.astype(np.float32)


def trust_of_skin(trust: np.ndarray, still: np.ndarray, scale: float) -> np.ndarray:
    """(t,) float32 in [0, 1], trust (t,) of triangles on which the photo shows skin; vertices
    (v, 3) at rest."""
    towards = facing(still, head_triangles())
    result = rising(towards, *_AWAY)
    result *= np.where(towards > 0, _seen_in_photo(still, scale), 1)
    result[_insides() >= 0] = 0
    for around in _around_eyes():
        result[around] = 0
    result[n_face_triangles() :] = 0
    return np.maximum(result, trust).astype(np.float32)


def aslant(still: np.ndarray) -> np.ndarray:
    """(t,) float32 in [0, 1], triangles of the face at rest (v, 3) that are seen aslant."""
    result = falling(facing(still, head_triangles()), *_ASLANT)
    result[n_face_triangles() :] = 0
    return result.astype(np.float32)


def appearing(still: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """(t,) float32 in [0, 1], triangles of the face that come into view; arguments as above."""
    triangles = head_triangles()
    before, after = (np.abs(areas(points, triangles)) for points in (still, turned))
    appears = smooth((after / np.maximum(before, 1e-9) - 0.9) / 0.4)
    appears[n_face_triangles() :] = 0
    return appears.astype(np.float32)


def _seen_in_photo(still: np.ndarray, scale: float) -> np.ndarray:
    """(t,) how far each triangle is not hidden by a nearer part of the head at rest."""
    return _not_hidden(still.tobytes(), scale)


@functools.lru_cache(maxsize=8)  # it is the same for all frames of a portrait
def _not_hidden(still_bytes: bytes, scale: float) -> np.ndarray:
    still = np.frombuffer(still_bytes).reshape(-1, 3)
    points = (still[:, :2] * FLIP[:2] - LOW) * PITCH
    triangles = head_triangles()
    index = painted(points, still[:, 2], head_triangles(), raster_shape())
    depths = np.concatenate([[-np.inf], still[triangles, 2].mean(1)])
    depths[1 + n_face_triangles() :] = -np.inf
    columns, rows = np.floor(points).astype(int).T
    height, width = index.shape
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    before = np.full(len(still), -np.inf)
    covering = index[rows[inside], columns[inside]]
    before[inside] = depths[covering]
    own = _neighbourhood()[np.flatnonzero(inside), np.maximum(covering - 1, 0)]
    before[np.flatnonzero(inside)[own]] = -np.inf
    hidden = rising((before - still[:, 2]) / scale, *_HIDDEN_CM)
    # What is further out in a direction that starts behind the face is not where it seems either.
    rings = hidden[N_VERTICES:].reshape(len(RINGS_CM), -1)
    hidden = np.concatenate([hidden[:N_VERTICES], np.maximum.accumulate(rings, 0).ravel()])
    result = 1 - hidden[triangles].max(1)
    # Where a round cheek hides a little of the border, the hair beside that is seen.
    border = list(FACE_BORDER)
    hidden[border] = np.maximum(rings[0], _runs(hidden[border]))
    n_face = n_face_triangles()
    result[n_face:] = 1 - hidden[triangles[n_face:]].max(1)
    return np.asarray(result)


def _runs(hidden: np.ndarray) -> np.ndarray:
    """(n,) what is hidden of the border (n,), in runs of vertices."""
    shifts = range(-_RUN, _RUN + 1)
    least = np.min([np.roll(hidden, shift) for shift in shifts], 0)
    return np.asarray(np.max([np.roll(least, shift) for shift in shifts], 0))


@functools.cache
def _neighbourhood() -> np.ndarray:
    """(v, t) bool: triangles that touch a vertex, or one that touches it."""
    triangles = head_triangles()
    touches = np.zeros((int(triangles.max()) + 1, len(triangles)), bool)
    for corner in range(3):
        touches[triangles[:, corner], np.arange(len(triangles))] = True
    beside = touches.astype(np.float32) @ touches.T.astype(np.float32) > 0
    return np.asarray(beside.astype(np.float32) @ touches.astype(np.float32) > 0)


@functools.cache
def _insides() -> np.ndarray:
    """(t,) of each triangle: 0 inside the lips, 1 and 2 inside the lids of an eye, -1 elsewhere."""
    from photorig.worker.faces.face_topology import lid_rings, mirror_vertices

    triangles = head_triangles()
    lids = lid_rings(mirror_vertices(load_canonical_face().vertices))
    edges = [INNER_LIPS, *(np.concatenate(lids[side]) for side in ("Right", "Left"))]
    result = np.full(len(triangles), -1)
    for number, edge in enumerate(edges):
        result[np.isin(triangles, np.array(edge)).all(1)] = number
    return result


@functools.cache
def _around_eyes() -> tuple[np.ndarray, ...]:
    """(t,) bool for each eye: triangles inside its lids, and those that touch them."""
    corners = [np.unique(head_triangles()[_insides() == number]) for number in (1, 2)]
    return tuple(np.asarray(np.isin(head_triangles(), own).any(1)) for own in corners)
