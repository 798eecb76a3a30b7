"""A head's own surface when it turns: the face's mesh, and rings that recede with the skull.

The face lies where the generator's turned landmarks say; single features keep the person's shape,
for only what is smooth of the difference to a rigid turn is taken over. Hair and skull turn rigidly
about the neck, below the jaw the rings come to rest on the body, so that the neck bends between.
A raster of the aligned square and what lies around it says for every point of the turned head where
it was in the photo, where the generator has drawn it, and how far the photo can be believed there.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import cv2
import numpy as np

from photorig.worker.faces.canonical import CanonicalFace, load_canonical_face
from photorig.worker.faces.face_topology import FACE_BORDER, INNER_LIPS, N_VERTICES
from photorig.worker.faces.geometry import HEAD_PIVOT

from .face_mesh import FacePose
from .face_move import FaceMove
from .head_motion import CAMERA_DISTANCE, HeadMotion, HeadPlace, head_similarity
from .mesh_raster import interpolated, painted

PITCH = 256
"""Points of the raster along a side of the aligned square."""
LOW, HIGH = np.array([-0.3, -0.35]), np.array([1.3, 1.2])
"""Corners of the raster, in sides of the square."""

_RINGS_CM = np.array([1.5, 3.2, 5.5, 8.5, 12.5, 18.0])
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
_FACE_REACH_CM = 6.0
"""How far outside the face it is felt that the face is not quite where a rigid turn has it."""
_ALONG = 7
"""Border vertices over which what the rings take from the border is averaged."""

_STRETCHED = (1.9, 3.4)
"""Area of a part of the face by its area at rest from which on it is not trusted, to not at all."""
_HAIR_STRETCHED = (3.0, 5.0)
"""The same around the face."""
_FACING = 0.25
"""Cosine to the camera's axis in the photo below which pixels lose trust."""
_HIDDEN_CM = (0.8, 1.8)
"""By how much the face has to be nearer than another part of the head to hide it in the photo."""
_OPENED_CM2 = (0.004, 0.02)
"""The same for triangles inside the lips and lids: growth in square centimetres."""
_LOOKED_CM = (0.02, 0.1)
"""How far an iris moves inside its lids until its eye is the generator's."""
_CLOSED = (0.3, 0.65)
"""How far an eye is still open at which, and up to which, its lids are the generator's."""
_SOFTENED = 0.6
_SOFTENED_LAYER = 1.0
_LEAST_LAYER = 0.02
_OUTLINE = 0.7
"""Points over which the face's outline is softened."""
_TRUST_SOFTENED = 1.2
_EDGE = 20
"""Points over which all motion ends at the edges of the raster."""

_FLIP = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True, eq=False)
class HeadTurn:
    """Vertices of a head, in sides of the aligned square, y down.

    Attributes:
        rest: (v, 2) in the photo.
        turned: (v, 2) in the picture that is wanted.
        drawn: (v, 2) in the generator's picture.
        depth: (v,) of the turned head, near > 0.
        trust: (t,) float32 in [0, 1], how far the photo's pixels can be believed on each triangle.
        appears: (t,) float32 in [0, 1], triangles of the face that come into view.
    """

    rest: np.ndarray
    turned: np.ndarray
    drawn: np.ndarray
    depth: np.ndarray
    trust: np.ndarray
    appears: np.ndarray


@dataclass(frozen=True, eq=False)
class HeadFields:
    """A turned head on the raster, whose points lie at LOW + (i + ½) / PITCH.

    Attributes:
        back: (m, n, 2) float32, from each point to where it was in the photo, in sides; of what is
            around the face, which goes on behind its outline.
        back_face: (m, n, 2) float32, the same of the face.
        cover: (m, n) float32, how far the face is before what is around it.
        drawn: (m, n, 2) float32, the same to where the generator has drawn it.
        trust: (m, n) float32, how far the photo's pixels are to be seen.
        face: (m, n) float32, 1 where the face is.
        beyond: (m, n) float32, how far what is around the face was not seen in the photo.
        appears: (m, n) float32, 1 where skin of the face comes into view: all of it is the person.
    """

    back: np.ndarray
    back_face: np.ndarray
    cover: np.ndarray
    drawn: np.ndarray
    trust: np.ndarray
    face: np.ndarray
    beyond: np.ndarray
    appears: np.ndarray


def turn_degrees(move: FaceMove) -> float:
    """By how much a head is turned or nods, without its roll; 0 where that is not known."""
    if move.rotation is None and move.posed is None:
        return 0.0
    return float(np.degrees(np.arccos(np.clip(_turn_of(move)[2, 2], -1.0, 1.0))))


def head_turn(move: FaceMove, place: HeadPlace, motion: HeadMotion) -> HeadTurn:
    """Where a turned head's vertices are.

    Args:
        place: of the head in the aligned square, whose side is 1.
        motion: how the head moves in the picture besides; the mesh turns on its neck, so that its
            lead is of no account.
    """
    posed = move.target if move.posed is None else move.posed
    pose, drawn_pose = FacePose.of(move.rest), FacePose.of(posed)
    rotation = _turn_of(move)
    still, pivot = _with_rings(move.rest, pose), _pivot(move.rest, pose)
    in_picture = _Similarity.of(place, replace(motion, lead=(0.0, 0.0)))
    view = _View.of(move.rest, pose, place)
    turned = in_picture.applied(view.turned(still, rotation, pivot))
    # An expression is that of the generator's face, which may be turned less, or more.
    carried = rotation @ pose.rotation @ drawn_pose.rotation.T * (pose.scale / drawn_pose.scale)
    expressed = in_picture.turned((move.target - posed)[:N_VERTICES] * _FLIP @ carried.T)
    turned[:N_VERTICES] += expressed
    pulled = _averaged(expressed[list(FACE_BORDER)])
    follow, n = _follows(still), len(FACE_BORDER)
    for ring, centimetres in enumerate(_RINGS_CM):
        own = slice(N_VERTICES + ring * n, N_VERTICES + (ring + 1) * n)
        turned[own] += (follow[own, None] - 1) * (turned[own] - still[own])
        turned[own] += 0.6 * max(0.0, 1 - float(centimetres) / _FACE_REACH_CM) * pulled
    drawn = _drawn(still, pivot, follow, move, posed)
    looked = [
        float(np.linalg.norm((move.target - posed)[eye.iris.start, :2])) / drawn_pose.scale
        for eye in move.eyes
    ]
    alone = turned.copy()
    alone[:N_VERTICES] -= expressed
    trust = _trust(still, turned, alone, looked, pose)
    rest, wanted, seen = (points[:, :2] * _FLIP[:2] for points in (still, turned, drawn))
    return HeadTurn(rest, wanted, seen, turned[:, 2], trust, _appearing(still, turned))


def _turn_of(move: FaceMove) -> np.ndarray:
    """(3, 3) by how much the head is turned, y up and z near."""
    if move.rotation is not None:
        return move.rotation
    posed = move.target if move.posed is None else move.posed
    return np.asarray(FacePose.of(posed).rotation @ FacePose.of(move.rest).rotation.T)


def _drawn(
    still: np.ndarray, pivot: np.ndarray, follow: np.ndarray, move: FaceMove, posed: np.ndarray
) -> np.ndarray:
    """(v, 3) where the generator has drawn each vertex: it turns a head about its face, and lets
    neck and shoulders wander."""
    pose, drawn_pose = FacePose.of(move.rest), FacePose.of(posed)
    turn = drawn_pose.rotation @ pose.rotation.T * (drawn_pose.scale / pose.scale)
    middles = (landmarks[:N_VERTICES].mean(0) * _FLIP for landmarks in (move.rest, posed))
    before, after = middles
    wanders = (pivot - before) @ turn.T + after - pivot
    drawn = still + wanders
    drawn += follow[:, None] * ((still - before) @ turn.T + after - drawn)
    drawn[:N_VERTICES] = move.target[:N_VERTICES] * _FLIP
    return np.asarray(drawn)


@dataclass(frozen=True)
class _View:
    """How a camera at the distance of a portrait sees a head that turns: what comes nearer is seen
    larger. Lengths in sides of the square, y up and z near.

    Attributes:
        axis: (2,) where the camera's axis goes through the picture.
        near: z of what is seen as large as it is in the photo.
        distance: from there to the camera.
    """

    axis: np.ndarray
    near: float
    distance: float

    @staticmethod
    def of(landmarks: np.ndarray, pose: FacePose, place: HeadPlace) -> _View:
        """For a face (478, 3) in the photo."""
        near = -float(landmarks[:N_VERTICES, 2].mean())
        return _View(place.centre * _FLIP[:2], near, CAMERA_DISTANCE * pose.scale)

    def turned(self, points: np.ndarray, rotation: np.ndarray, pivot: np.ndarray) -> np.ndarray:
        """Points (v, 3) as they are seen when they are turned (3, 3) about a pivot (3,)."""
        away = self._in_space(points) - (centre := self._in_space(pivot[None])[0])
        return self._seen(away @ rotation.T + centre)

    def _in_space(self, points: np.ndarray) -> np.ndarray:
        return self._scaled(points, 1 - (points[:, 2:] - self.near) / self.distance)

    def _seen(self, points: np.ndarray) -> np.ndarray:
        return self._scaled(points, 1 / (1 - (points[:, 2:] - self.near) / self.distance))

    def _scaled(self, points: np.ndarray, factor: np.ndarray) -> np.ndarray:
        plane = self.axis + (points[:, :2] - self.axis) * factor
        return np.concatenate([plane, points[:, 2:]], 1)


def fields(head: HeadTurn) -> HeadFields:
    """A turned head on the raster."""
    points = (head.turned - LOW) * PITCH
    index = painted(points, head.depth, _triangles(), _shape())
    moves = np.concatenate([head.rest, head.drawn], 1) * PITCH - np.tile(head.turned * PITCH, 2)
    found = interpolated(index, points, moves, _triangles()) * _edges()[..., None] / PITCH
    face = ((index > 0) & (index <= len(_canonical().triangles))).astype(np.float32)
    back, cover = np.ascontiguousarray(found[..., :2]), cv2.GaussianBlur(face, (0, 0), _OUTLINE)
    trust = np.concatenate([np.ones(1, np.float32), head.trust])[index]
    appears = np.concatenate([np.zeros(1, np.float32), head.appears])[index]
    beyond = (1 - face) * (1 - trust)
    trust, face, beyond = map(_softened, (trust, face, beyond))
    appears = cv2.GaussianBlur(appears, (0, 0), _OUTLINE)
    return HeadFields(
        _continued(back, 1 - face),
        _continued(back, face),
        cover,
        cv2.GaussianBlur(found[..., 2:], (0, 0), _SOFTENED),
        trust,
        face,
        beyond,
        appears,
    )


def _continued(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Values (m, n, 2) of one layer, softened, and going on a little where another one hides it."""
    near = cv2.GaussianBlur(where, (0, 0), _SOFTENED_LAYER)
    total = cv2.GaussianBlur(values * cv2.merge([where] * 2), (0, 0), _SOFTENED_LAYER)
    known = near > _LEAST_LAYER
    share = cv2.merge([np.where(known, near, 1)] * 2)
    return np.where(cv2.merge([known.astype(np.uint8)] * 2) > 0, total / share, values)


def _softened(values: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(cv2.erode(values, np.ones((3, 3))), (0, 0), _TRUST_SOFTENED)


@dataclass(frozen=True)
class _Similarity:
    """p → a p + b of points in sides of the square, as complex numbers, y down."""

    a: complex
    b: complex

    @staticmethod
    def of(place: HeadPlace, motion: HeadMotion) -> _Similarity:
        return _Similarity(*head_similarity(place, motion))

    def applied(self, points: np.ndarray) -> np.ndarray:
        """Points (v, 3), y up, moved in the plane of the picture."""
        return self._mapped(points, self.a, self.b)

    def turned(self, offsets: np.ndarray) -> np.ndarray:
        return self._mapped(offsets, self.a, 0)

    @staticmethod
    def _mapped(points: np.ndarray, a: complex, b: complex) -> np.ndarray:
        plane = a * (points[:, 0] - 1j * points[:, 1]) + b
        return np.stack([plane.real, -plane.imag, points[:, 2]], 1)


@functools.cache
def _canonical() -> CanonicalFace:
    return load_canonical_face()


@functools.cache
def _triangles() -> np.ndarray:
    """(t, 3) vertex numbers: of the face, then of the rings, whose vertices follow."""
    rows, n = [np.asarray(_canonical().triangles)], len(FACE_BORDER)
    for ring in range(len(_RINGS_CM)):
        outer = N_VERTICES + ring * n + np.arange(n)
        inner = np.array(FACE_BORDER) if ring == 0 else outer - n
        after = np.roll(np.arange(n), -1)
        rows.append(np.stack([inner, inner[after], outer], 1))
        rows.append(np.stack([inner[after], outer[after], outer], 1))
    return np.concatenate(rows)


@functools.cache
def _directions() -> np.ndarray:
    """(n, 2) in the canonical face's axes: outwards from the middle of the face at each vertex of
    its border."""
    border = _canonical().vertices[list(FACE_BORDER), :2].astype(np.float64)
    outwards = border - [0, border[:, 1].mean()]
    return np.asarray(outwards / np.linalg.norm(outwards, axis=1, keepdims=True))


def _with_rings(landmarks: np.ndarray, pose: FacePose) -> np.ndarray:
    """(v, 3) vertices of face and rings at rest, y up and z near, in sides of the square."""
    face = landmarks[:N_VERTICES].astype(np.float64) * _FLIP
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
        for centimetres in _RINGS_CM.tolist()
    ]
    return np.concatenate([face, *rings])


def _pivot(landmarks: np.ndarray, pose: FacePose) -> np.ndarray:
    """(3,) what the head turns about, y up and z near."""
    face = landmarks[:N_VERTICES].astype(np.float64) * _FLIP
    canonical = _canonical().vertices.astype(np.float64)
    away = (np.array(HEAD_PIVOT) - canonical.mean(0)) @ pose.rotation.T
    return np.asarray(face.mean(0) + pose.scale * away)


def _averaged(values: np.ndarray) -> np.ndarray:
    """Values (n, …) around the border, averaged along it."""
    half = _ALONG // 2
    return np.mean([np.roll(values, shift, 0) for shift in range(-half, half + 1)], 0)


def _follows(still: np.ndarray) -> np.ndarray:
    """(v,) how far each vertex turns with the head."""
    up = _smooth((_directions()[:, 1] - _JAW) / (_EAR - _JAW))
    result = [np.ones(N_VERTICES)]
    for centimetres in _RINGS_CM.tolist():
        near = _smooth(np.array(1 - centimetres / _NECK_CM))
        result.append(near + (1 - near) * up)
    result[-1] = np.zeros(len(up))
    return np.concatenate(result)


def _trust(
    still: np.ndarray,
    turned: np.ndarray,
    posed: np.ndarray,
    looked: list[float],
    pose: FacePose,
) -> np.ndarray:
    """See `HeadTurn.trust`.

    Args:
        posed: (v, 3), the turned head without an expression.
        looked: cm by which the iris of each eye moves inside its lids.
    """
    triangles = _triangles()
    before, after = (np.abs(_areas(points, triangles)) for points in (still, turned))
    stretched, n_face = after / np.maximum(before, 1e-9), len(_canonical().triangles)
    trust = _falling(stretched, *_STRETCHED)
    trust[n_face:] = _falling(stretched[n_face:], *_HAIR_STRETCHED)
    trust *= _smooth(_facing(still, triangles) / _FACING) * _seen_in_photo(still, pose.scale)
    insides, around = _insides(), _around_eyes()
    alone = np.abs(_areas(posed, triangles))
    opened = _falling((after - alone) / pose.scale**2, *_OPENED_CM2)
    trust[insides >= 0] = opened[insides >= 0]
    for number, way in enumerate(looked):
        own = insides == number + 1
        open_still = after[own].sum() / max(alone[own].sum(), 1e-12)
        trust[around[number]] *= 1 - _falling(open_still, *_CLOSED)
        trust[own] *= _falling(np.array(way), *_LOOKED_CM)
    trust[-2 * len(FACE_BORDER) :] = 1
    return trust.astype(np.float32)


def _appearing(still: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """See `HeadTurn.appears`."""
    triangles = _triangles()
    before, after = (np.abs(_areas(points, triangles)) for points in (still, turned))
    appears = _smooth((after / np.maximum(before, 1e-9) - 0.9) / 0.4)
    appears[len(_canonical().triangles) :] = 0
    return appears.astype(np.float32)


def _seen_in_photo(still: np.ndarray, scale: float) -> np.ndarray:
    """(t,) how far each triangle is not hidden by a nearer part of the head at rest."""
    return _not_hidden(still.tobytes(), scale)


@functools.lru_cache(maxsize=8)  # it is the same for all frames of a portrait
def _not_hidden(still_bytes: bytes, scale: float) -> np.ndarray:
    still = np.frombuffer(still_bytes).reshape(-1, 3)
    points = (still[:, :2] * _FLIP[:2] - LOW) * PITCH
    triangles = _triangles()
    index = painted(points, still[:, 2], _triangles(), _shape())
    depths = np.concatenate([[-np.inf], still[triangles, 2].mean(1)])
    depths[1 + len(_canonical().triangles) :] = -np.inf
    columns, rows = np.floor(points).astype(int).T
    height, width = index.shape
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    before = np.full(len(still), -np.inf)
    covering = index[rows[inside], columns[inside]]
    before[inside] = depths[covering]
    own = _neighbourhood()[np.flatnonzero(inside), np.maximum(covering - 1, 0)]
    before[np.flatnonzero(inside)[own]] = -np.inf
    near, far = _HIDDEN_CM
    hidden = _smooth(((before - still[:, 2]) / scale - near) / (far - near))
    # What is further out in a direction that starts behind the face is not where it seems either.
    rings = hidden[N_VERTICES:].reshape(len(_RINGS_CM), -1)
    hidden = np.concatenate([hidden[:N_VERTICES], np.maximum.accumulate(rings, 0).ravel()])
    return np.asarray(1 - hidden[triangles].max(1))


@functools.cache
def _neighbourhood() -> np.ndarray:
    """(v, t) bool: triangles that touch a vertex, or one that touches it."""
    triangles = _triangles()
    touches = np.zeros((int(triangles.max()) + 1, len(triangles)), bool)
    for corner in range(3):
        touches[triangles[:, corner], np.arange(len(triangles))] = True
    beside = touches.astype(np.float32) @ touches.T.astype(np.float32) > 0
    return np.asarray(beside.astype(np.float32) @ touches.astype(np.float32) > 0)


def _facing(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
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
    points = _with_rings(vertices * _FLIP, pose)
    return np.where(_areas(points, _triangles()) < 0, -1.0, 1.0)


@functools.cache
def _insides() -> np.ndarray:
    """(t,) of each triangle: 0 inside the lips, 1 and 2 inside the lids of an eye, -1 elsewhere."""
    from photorig.worker.faces.face_topology import lid_rings, mirror_vertices

    triangles = _triangles()
    lids = lid_rings(mirror_vertices(_canonical().vertices))
    edges = [INNER_LIPS, *(np.concatenate(lids[side]) for side in ("Right", "Left"))]
    result = np.full(len(triangles), -1)
    for number, edge in enumerate(edges):
        result[np.isin(triangles, np.array(edge)).all(1)] = number
    return result


@functools.cache
def _around_eyes() -> tuple[np.ndarray, ...]:
    """(t,) bool for each eye: triangles inside its lids, and those that touch them."""
    corners = [np.unique(_triangles()[_insides() == number]) for number in (1, 2)]
    return tuple(np.asarray(np.isin(_triangles(), own).any(1)) for own in corners)


def _areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, i], :2] for i in range(3))
    first, second = b - a, c - a
    return np.asarray(0.5 * (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]))


def _shape() -> tuple[int, int]:
    width, height = np.round((HIGH - LOW) * PITCH).astype(int).tolist()
    return height, width


@functools.cache
def _edges() -> np.ndarray:
    """(m, n) float32: 1, falling to 0 at the edges of the raster."""
    rows, columns = (
        np.minimum(np.arange(length), np.arange(length)[::-1]) / _EDGE for length in _shape()
    )
    return (_smooth(rows)[:, None] * _smooth(columns)[None, :]).astype(np.float32)


def _falling(value: np.ndarray, begin: float, end: float) -> np.ndarray:
    return 1 - _smooth((value - begin) / (end - begin))


def _smooth(value: np.ndarray) -> np.ndarray:
    t = np.clip(value, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
