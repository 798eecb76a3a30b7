"""A head that turns: its mesh, rigid about the neck before a camera at a portrait's distance.

Hair and skull turn with the face, below the jaw the rings come to rest on the body, so that the
neck bends between. A raster of the aligned square and what lies around it says for every point of
the turned head where it was in the photo, where the generator has drawn it, and how far the photo
can be believed there.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import cv2
import numpy as np

from photorig.worker.faces.face_topology import FACE_BORDER, N_VERTICES

from .coarse import Part, box
from .face_mesh import FacePose
from .face_move import FaceMove
from .head_mesh import (
    FLIP,
    LOW,
    PITCH,
    RINGS_CM,
    along_border,
    follows,
    head_triangles,
    n_face_triangles,
    pivot_of,
    raster_shape,
    smooth,
    upwards,
    with_rings,
)
from .head_motion import CAMERA_DISTANCE, HeadMotion, HeadPlace, head_similarity
from .mesh_raster import interpolated, painted
from .photo_trust import UnknownEye, appearing, aslant, trust_of, trust_of_skin

_FACE_REACH_CM = 6.0
"""How far outside the face it is felt that the face is not quite where a rigid turn has it."""

_WITHIN_CM = 0.35
"""How far inside of a face's border the generator's picture of it is believed to be skin."""
_NEAR_CM, _NEAR_ABOVE = (3.2, 5.6), 1.6
"""cm from the face up to which the generator's hair is shown that the photo hid, and from where on
nothing is; how many times that above a face."""

_SOFTENED = 0.6
_SOFTENED_LAYER = 1.0
_LEAST_LAYER = 0.02
_NEAR = 8
"""Points around a face beyond which nothing goes on."""
_OUTLINE = 0.7
"""Points over which the face's outline is softened."""
_TRUST_SOFTENED = 1.2
_OUTLINE_NEAR = 4.0
"""The same of hair that only the generator has."""
_EDGE = 20
"""Points over which all motion ends at the edges of the raster."""


@dataclass(frozen=True, eq=False)
class HeadTurn:
    """Vertices of a head, in sides of the aligned square, y down.

    Attributes:
        rest: (v, 2) in the photo.
        turned: (v, 2) in the picture that is wanted.
        alone: (v, 2) the same without an expression.
        drawn: (v, 2) in the generator's picture.
        depth: (v,) of the turned head, near > 0.
        trust: (t,) float32 in [0, 1], how far the photo's pixels can be believed on each triangle.
        appears: (t,) float32 in [0, 1], triangles of the face that come into view.
        of_skin: (t,) float32, how far a triangle can be believed whose photo shows skin there.
        aslant: (t,) float32, those that come into view and were seen aslant in the photo.
    """

    rest: np.ndarray
    turned: np.ndarray
    alone: np.ndarray
    drawn: np.ndarray
    depth: np.ndarray
    trust: np.ndarray
    appears: np.ndarray
    of_skin: np.ndarray
    aslant: np.ndarray


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
        near: (m, n) float32, 1 where that is so near to the face that the generator's is shown.
        appears: (m, n) float32, 1 where skin of the face comes into view: all of it is the person.
        of_skin: (m, n) float32, `trust` of what is skin in the photo.
        aslant: (m, n) float32, 1 where what is no skin in the photo is not believed.
    """

    back: np.ndarray
    back_face: np.ndarray
    cover: np.ndarray
    drawn: np.ndarray
    trust: np.ndarray
    face: np.ndarray
    beyond: np.ndarray
    near: np.ndarray
    appears: np.ndarray
    of_skin: np.ndarray
    aslant: np.ndarray


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
    still, pivot = with_rings(move.rest, pose), pivot_of(move.rest, pose)
    in_picture = _Similarity.of(place, replace(motion, lead=(0.0, 0.0)))
    view = _View.of(move.rest, pose, place)
    turned = in_picture.applied(view.turned(still, rotation, pivot))
    # An expression is that of the generator's face, which may be turned less, or more.
    carried = rotation @ pose.rotation @ drawn_pose.rotation.T * (pose.scale / drawn_pose.scale)
    expressed = in_picture.turned((move.target - posed)[:N_VERTICES] * FLIP @ carried.T)
    turned[:N_VERTICES] += expressed
    pulled = along_border(expressed[list(FACE_BORDER)])
    follow, n = follows(still), len(FACE_BORDER)
    for ring, centimetres in enumerate(RINGS_CM):
        own = slice(N_VERTICES + ring * n, N_VERTICES + (ring + 1) * n)
        turned[own] += (follow[own, None] - 1) * (turned[own] - still[own])
        turned[own] += 0.6 * max(0.0, 1 - float(centimetres) / _FACE_REACH_CM) * pulled
    drawn = _drawn(still, pivot, follow, move, posed)
    alone = turned.copy()
    alone[:N_VERTICES] -= expressed
    trust = trust_of(still, turned, alone, _unknown_eyes(move, posed, drawn_pose.scale), pose)
    rest, wanted, posed_so, seen = (
        points[:, :2] * FLIP[:2] for points in (still, turned, alone, drawn)
    )
    appears = appearing(still, turned)
    skin = trust_of_skin(trust, still, pose.scale)
    shown_aslant = appears * aslant(still)
    depth = turned[:, 2]
    return HeadTurn(rest, wanted, posed_so, seen, depth, trust, appears, skin, shown_aslant)


def _turn_of(move: FaceMove) -> np.ndarray:
    """(3, 3) by how much the head is turned, y up and z near."""
    if move.rotation is not None:
        return move.rotation
    posed = move.target if move.posed is None else move.posed
    return np.asarray(FacePose.of(posed).rotation @ FacePose.of(move.rest).rotation.T)


def _unknown_eyes(move: FaceMove, posed: np.ndarray, scale: float) -> list[UnknownEye]:
    """What of each eye only the generator draws."""
    lids, eyeballs = (
        (False, False) if part is None else part.known for part in (move.lids, move.eyeballs)
    )
    irises = [eye.iris.start for eye in move.eyes]
    ways = np.linalg.norm((move.target - posed)[irises, :2], axis=1) / scale
    known = zip(ways.tolist(), lids, eyeballs, strict=False)
    return [UnknownEye(not lid, 0.0 if eyeball else way) for way, lid, eyeball in known]


def _drawn(
    still: np.ndarray, pivot: np.ndarray, follow: np.ndarray, move: FaceMove, posed: np.ndarray
) -> np.ndarray:
    """(v, 3) where the generator has drawn each vertex: it turns a head about its face, and lets
    neck and shoulders wander."""
    pose, drawn_pose = FacePose.of(move.rest), FacePose.of(posed)
    turn = drawn_pose.rotation @ pose.rotation.T * (drawn_pose.scale / pose.scale)
    middles = (landmarks[:N_VERTICES].mean(0) * FLIP for landmarks in (move.rest, posed))
    before, after = middles
    wanders = (pivot - before) @ turn.T + after - pivot
    drawn = still + wanders
    drawn += follow[:, None] * ((still - before) @ turn.T + after - drawn)
    # What is around the face goes on where its border has been drawn, a little inside of which it
    # is looked for: a border that lies beside the face would show what is behind it.
    face, border = move.target[:N_VERTICES] * FLIP, list(FACE_BORDER)
    apart = along_border(face[border] - drawn[border])
    for ring, centimetres in enumerate(RINGS_CM.tolist()):
        own = slice(N_VERTICES + ring * len(border), N_VERTICES + (ring + 1) * len(border))
        drawn[own] += max(0.0, 1 - centimetres / _FACE_REACH_CM) * apart
    inwards = face.mean(0) - face
    inwards /= np.maximum(np.linalg.norm(inwards, axis=1, keepdims=True), 1e-9)
    drawn[:N_VERTICES] = face + _within_cm()[:, None] * drawn_pose.scale * inwards
    return np.asarray(drawn)


@functools.cache
def _within_cm() -> np.ndarray:
    """(468,) cm by which each vertex is looked for nearer to the face's middle: at its border."""
    at_border = np.zeros(N_VERTICES)
    at_border[list(FACE_BORDER)] = 1
    triangles = head_triangles()[: n_face_triangles()]
    beside = np.zeros(N_VERTICES)
    beside[triangles[at_border[triangles].any(1)]] = 1
    return np.asarray(_WITHIN_CM * np.maximum(at_border, 0.5 * beside))


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
        return _View(place.centre * FLIP[:2], near, CAMERA_DISTANCE * pose.scale)

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


def fields(
    head: HeadTurn, covered: np.ndarray | None = None, frame: np.ndarray | None = None
) -> HeadFields:
    """A turned head on the raster.

    Args:
        covered: (s, s) float32, how far the generator's square shows what is kept of the eyes.
        frame: (s, s) float32, how far the photo's square shows a frame of glasses, which does not
            follow an expression.
    """
    points = (head.turned - LOW) * PITCH
    index = painted(points, head.depth, head_triangles(), raster_shape())
    targets = [head.rest, head.drawn] + ([] if frame is None else [head.alone])
    moves = np.concatenate([target - head.turned for target in targets], 1)
    found = interpolated(index, points, moves, head_triangles())
    edges = _edges()
    found *= edges if frame is None else np.concatenate([edges, edges[..., :2]], 2)
    face = ((index > 0) & (index <= n_face_triangles())).astype(np.float32)
    believed = np.stack([head.trust, head.of_skin, head.appears, head.aslant], 1)
    believed = np.concatenate([np.array([[1, 1, 0, 0]], np.float32), believed])
    trust, of_skin, appears, aside = cv2.split(np.take(believed, index, axis=0))
    if frame is not None:
        expression = found[..., 4:]
        rigid = _at(frame, found[..., :2] - expression) * expression.any(-1)
        found[..., :2] -= expression * rigid[..., None]
        trust = np.maximum(trust, rigid * face)
    beyond = (1 - face) * (1 - trust)
    near = beyond
    if beyond.any():
        near = cv2.GaussianBlur(_near_triangles()[index], (0, 0), _OUTLINE_NEAR)
    trust, inside, beyond, of_skin = cv2.split(_softened(cv2.merge([trust, face, beyond, of_skin])))
    outlines = cv2.GaussianBlur(cv2.merge([face, appears, aside]), (0, 0), _OUTLINE)
    back, drawn = (np.ascontiguousarray(values) for values in (found[..., :2], found[..., 2:4]))
    drawn = cv2.GaussianBlur(drawn, (0, 0), _SOFTENED)
    cover, appears, aside = cv2.split(outlines)
    if covered is not None:
        open_ = 1 - _at(covered, drawn)
        trust, of_skin = trust * open_, of_skin * open_
    return HeadFields(
        *_layers(back, inside),
        cover,
        drawn,
        trust,
        inside,
        beyond,
        near,
        appears,
        of_skin,
        aside,
    )


@functools.cache
def _near_triangles() -> np.ndarray:
    """(1 + t,) float32 by the numbers of `painted`: how far hair of the generator is shown."""
    low, high = _NEAR_CM
    further = 1 + (_NEAR_ABOVE - 1) * smooth(upwards())
    near = 1 - smooth((RINGS_CM[:, None] / further - low) / (high - low))
    of_rings = np.concatenate([near, near], 1).ravel()
    return np.concatenate([[0.0], np.ones(n_face_triangles()), of_rings]).astype(np.float32)


def _layers(values: np.ndarray, face: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values (m, n, 2) of what is around a face (m, n), and of the face, softened; each goes on a
    little where the other one hides it."""
    around = cv2.GaussianBlur(values, (0, 0), _SOFTENED_LAYER)
    before, part = around.copy(), box(face > 0)
    if part[0].stop:
        near, wide = _grown(part, _NEAR), _grown(part, 2 * _NEAR)
        inner = tuple(
            slice(a.start - b.start, a.stop - b.start) for a, b in zip(near, wide, strict=True)
        )
        around[near] = _continued(values[wide], 1 - face[wide])[inner]
        before[near] = _continued(values[wide], face[wide])[inner]
    return around, before


def _grown(part: Part, margin: int) -> Part:
    rows, columns = (slice(max(side.start - margin, 0), side.stop + margin) for side in part)
    return rows, columns


def _continued(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Values (m, n, 2) of one layer, softened, and going on a little where another one hides it."""
    across, down = cv2.split(values)
    here = cv2.merge([where, across * where, down * where])
    near, *totals = cv2.split(cv2.GaussianBlur(here, (0, 0), _SOFTENED_LAYER))
    known, near = cv2.compare(near, _LEAST_LAYER, cv2.CMP_GT), cv2.max(near, _LEAST_LAYER)
    mean = cv2.merge([cv2.divide(total, near) for total in totals])
    return cv2.copyTo(mean, known, values.copy())


def _at(square: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """What a picture of the square (s, s) has where ways (m, n, 2) lead from each point; 0 beyond
    its edges."""
    rows, columns = (np.arange(n, dtype=np.float32) + 0.5 for n in ways.shape[:2])
    x, y = (
        ((at / PITCH + low + way) * square.shape[0] - 0.5).astype(np.float32)
        for at, low, way in zip((columns[None], rows[:, None]), LOW, cv2.split(ways), strict=True)
    )
    return cv2.remap(square, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


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
def _edges() -> np.ndarray:
    """(m, n, 4) float32: 1, falling to 0 at the edges of the raster."""
    rows, columns = (
        np.minimum(np.arange(length), np.arange(length)[::-1]) / _EDGE for length in raster_shape()
    )
    return cv2.merge([(smooth(rows)[:, None] * smooth(columns)[None, :]).astype(np.float32)] * 4)
