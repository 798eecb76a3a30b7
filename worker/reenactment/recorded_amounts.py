"""ARKit's amounts of a recorded face: those that bring its neutral mesh to where its landmarks are.

Net3D's coefficients, even through their curves (shared/parameters/arkit_amounts.py), say how strong
an expression is to within a third, and which shape it is not much better. The landmarks that they
come from say where lids, lips and brows are. So amounts are those of the shape table that lay the
person's neutral mesh over the landmarks of the frame, in the least squares sense, between 0 and 1,
and near the coefficients as far as the landmarks leave it open: they know what a mesh hardly shows.
It is the inverse of what driving does (face_target.py), so a face that is driven by its own
recording goes where it went.

A frame's amounts are a function of the frame and of the recording's neutral face, of nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import lsq_linear

from photorig.shared.parameters.arkit_amounts import amounts_of
from photorig.shared.parameters.schema import ARKIT_NAMES, FACE_SCHEMA
from photorig.worker.faces import geometry
from photorig.worker.faces.canonical import load_canonical_face
from photorig.worker.faces.face_shapes import load_face_shapes
from photorig.worker.faces.face_topology import (
    INNER_LIPS,
    N_VERTICES,
    OUTER_LIPS,
    brows,
    lid_rings,
    mirror_vertices,
)
from photorig.worker.faces.net3d import FaceMeasurement

from .face_target import IRISES, SIDES, FaceTarget, lid_edges

_UP_AND_NEAR = np.array([1.0, -1.0, -1.0])
"""Between landmarks (y down, z away) and the canonical face (y up, z near)."""

_LOOKED_AT = 120
"""Frames that tell about the neutral face, evenly spread over a recording."""
_ROUNDS = 3
"""Of pose and shape in turns; what is left after the third is below the landmarks' noise."""

_DEPTH = 0.3
"""How far depth counts against what the picture shows."""
_LIDS, _LIPS, _BROWS = 12.0, 4.0, 2.0
"""How much more the vertices count by which a face is read."""
_IRIS = 18.0
"""cm of landmarks that a shift of an iris by an eye's width weighs."""
_OPEN, _WIDE_OPEN = 0.3, 0.7
"""Parts of an eye's opening between which its iris comes to count."""

_FAITH, _FAITH_IN_EYES = 10.0, 0.7
"""How much a coefficient's word counts: squared cm of landmarks that amount 1 away from it weighs.
Eyes are small: by the same measure their landmarks would say nothing."""
_USUALLY_OPEN, _IS_OPEN = 80, 0.85
"""Percentile of its openings that an eye is usually open, and part of that which still is."""
_SHUTS = {"eyeSquint": (0.2, 0.55), "cheekSquint": (0.2, 0.55), "eyeLookDown": (0.6, 0.85)}
"""Parts of that which lids have closed between which these are no longer believed, and a blink is
what closes them: an eye that looks down is half shut, too."""
_MOST_CLOSED = 0.9
"""How far shut lids are seen to have closed: landmarks leave them a little open."""
_UNSEEN = ("tongueOut",)
"""What no landmark shows, though its shape moves some."""

_POSITIONS = np.array([FACE_SCHEMA.index[name] for name in ARKIT_NAMES])
_N = len(ARKIT_NAMES)


def recorded_parameters(faces: Sequence[FaceMeasurement | None]) -> list[np.ndarray | None]:
    """Parameters (n,) float32 of the frames of one recording of one person, coefficients as
    ARKit's amounts; None where the face is not seen.

    Of a single face nobody knows what it looks like at rest: what Net3D reads has to do.
    """
    seen = [face for face in faces if face is not None]
    if len(seen) < 2:
        return [None if face is None else amounts_of(face.parameters) for face in faces]
    neutral = NeutralFace.of(seen)
    found = [None if face is None else neutral.parameters(face) for face in faces]
    lids = RecordedLids.of(neutral, seen, [values for values in found if values is not None])
    return [
        None if face is None or values is None else lids.shut(face, values)
        for face, values in zip(faces, found, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class NeutralFace:
    """What a person looks like without an expression.

    Attributes:
        vertices: (468, 3) cm, axes and pose of the canonical face.
        irises: (2, 2) where the right and the left iris are, see `_iris_places`.
    """

    vertices: np.ndarray
    irises: np.ndarray

    @staticmethod
    def of(faces: Sequence[FaceMeasurement]) -> NeutralFace:
        """Of a recording: the median of what is left of each frame without the expression that
        Net3D reads in it, so that a frame that was read wrongly counts no more than another."""
        step = max(len(faces) // _LOOKED_AT, 1)
        chosen = faces[::step]
        amounts = [amounts_of(face.parameters)[_POSITIONS].astype(np.float64) for face in chosen]
        gaze = load_face_shapes().gaze.astype(np.float64)
        canonical = load_canonical_face().vertices.astype(np.float64)
        result = NeutralFace(canonical, np.zeros((2, 2)))
        for _ in range(_ROUNDS):
            vertices, irises = [], []
            for face, amount in zip(chosen, amounts, strict=True):
                moved = np.tensordot(amount, result.offsets, 1)
                points = face.landmarks.astype(np.float64) * _UP_AND_NEAR
                pose = _Pose.of(result.vertices + moved, points)
                vertices.append(pose.taken_off(points[:N_VERTICES]) - moved)
                irises.append(_iris_places(points) - np.tensordot(amount, gaze, 1))
            result = NeutralFace(np.median(vertices, 0), np.median(irises, 0))
        return result

    @functools.cached_property
    def offsets(self) -> np.ndarray:
        """(52, 468, 3) cm: where each coefficient at amount 1 takes this person's vertices."""
        landmarks = np.concatenate([self.vertices * _UP_AND_NEAR, np.zeros((10, 3))])
        offsets = FaceTarget(landmarks).offsets.copy()
        offsets[[ARKIT_NAMES.index(name) for name in _UNSEEN]] = 0
        return offsets

    def parameters(self, face: FaceMeasurement) -> np.ndarray:
        """(n,) float32: the parameters of a frame, with ARKit's amounts."""
        parameters = amounts_of(face.parameters)
        read = parameters[_POSITIONS].astype(np.float64)
        parameters[_POSITIONS] = self._amounts(face.landmarks.astype(np.float64), read)
        return parameters

    def _amounts(self, landmarks: np.ndarray, read: np.ndarray) -> np.ndarray:
        """(52,) amounts of a frame with landmarks (478, 3) whose coefficients say ``read``."""
        points = landmarks * _UP_AND_NEAR
        weights = _vertex_weights()[:, None] * np.array([1.0, 1.0, _DEPTH])
        faith, amounts = _faith(), read
        for _ in range(_ROUNDS):
            model = self.vertices + np.tensordot(amounts, self.offsets, 1)
            pose = _Pose.of(model, points)
            turned = pose.rotation.T
            columns = np.concatenate([self.offsets @ turned, _motions(model @ turned)])
            columns = (columns * weights).reshape(len(columns), -1)
            missing = (points[:N_VERTICES] - pose.translation) / pose.scale
            missing = ((missing - self.vertices @ turned) * weights).ravel()
            matrix, vector = columns @ columns.T, columns @ missing
            looks, places = self._gaze(points, amounts)
            matrix[:_N, :_N] += looks.T @ looks + np.diag(faith)
            vector[:_N] += looks.T @ places + faith * read
            amounts = _between_0_and_1(matrix, vector)
        return _one_way(amounts)

    def openings(self, face: FaceMeasurement) -> np.ndarray:
        """(2,) cm between the lids of right and left eye, as large as this face."""
        points = face.landmarks.astype(np.float64) * _UP_AND_NEAR
        vertices = _Pose.of(self.vertices, points).taken_off(points[:N_VERTICES])
        edges = [lid_edges(side) for side in SIDES]
        gaps = [np.maximum((vertices[u] - vertices[w])[1:-1, 1], 0).mean() for u, w in edges]
        return np.array(gaps)

    def _gaze(self, points: np.ndarray, amounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(4, 52) what coefficients do to the irises, and (4,) where those are, as far as the lids
        let them be seen."""
        blinks = amounts[[ARKIT_NAMES.index(f"eyeBlink{side}") for side in SIDES]]
        seen = _IRIS * np.clip((1 - blinks - _OPEN) / (_WIDE_OPEN - _OPEN), 0, 1)
        gaze = load_face_shapes().gaze.astype(np.float64)
        looks = (gaze * seen[:, None]).reshape(_N, 4).T
        return looks, ((_iris_places(points) - self.irises) * seen[:, None]).ravel()


@dataclass(frozen=True, eq=False)
class RecordedLids:
    """What the eyes of a recording do when they do not blink.

    The lids' landmarks say how far an eye is shut, yet not by what: a squint, a look down and half
    a blink close it as well as a blink does. Given to all of them, a blink of a recording is half a
    blink on a face that does not squint. So an eye that shuts shuts by its blink, and the others
    stay what they usually are.

    Attributes:
        neutral: the face.
        opening: (2,) cm that the right and the left eye are usually open.
        others: (2, n) what the amounts of `_narrowing` usually are.
    """

    neutral: NeutralFace
    opening: np.ndarray
    others: np.ndarray

    @staticmethod
    def of(
        neutral: NeutralFace, faces: Sequence[FaceMeasurement], found: Sequence[np.ndarray]
    ) -> RecordedLids:
        """Of all frames' faces and parameters (n,)."""
        step = max(len(faces) // _LOOKED_AT, 1)
        openings = np.array([neutral.openings(face) for face in faces[::step]])
        usual = np.percentile(openings, _USUALLY_OPEN, axis=0)
        others = []
        for eye in range(len(SIDES)):
            amounts = np.array(found[::step])[:, _narrowing()[0][eye]]
            others.append(np.median(amounts[openings[:, eye] > _IS_OPEN * usual[eye]], axis=0))
        return RecordedLids(neutral, usual, np.array(others))

    def shut(self, face: FaceMeasurement, parameters: np.ndarray) -> np.ndarray:
        """Parameters (n,) float32 of a frame with the blinks that its lids show."""
        result = parameters.copy()
        positions, closing = _narrowing()
        closed = np.clip(1 - self.neutral.openings(face) / self.opening, 0, 1)
        for eye, side in enumerate(SIDES):
            own, usual = positions[eye], self.others[eye]
            begins, ends = np.array(list(_SHUTS.values())).T
            shuts = np.clip((closed[eye] - begins) / (ends - begins), 0, 1)
            result[own] += shuts * (np.minimum(usual, result[own]) - result[own])
            narrower = float(closing[eye] @ (result[own] - usual))
            blink = FACE_SCHEMA.index[f"eyeBlink{side}"]
            seen = np.clip(closed[eye] / _MOST_CLOSED - narrower, 0, 1)
            result[blink] += shuts.max() * (seen - result[blink])
        return result


def _one_way(amounts: np.ndarray) -> np.ndarray:
    """Amounts (52,) of eyes that do not look two opposite ways at once: what up and down have in
    common moves no iris, and lids hardly."""
    result = amounts.copy()
    for side in SIDES:
        for pair in (("Up", "Down"), ("In", "Out")):
            both = [ARKIT_NAMES.index(f"eyeLook{way}{side}") for way in pair]
            result[both] -= result[both].min()
    return result


@functools.cache
def _narrowing() -> tuple[np.ndarray, np.ndarray]:
    """(2, n) positions of what narrows the right and the left eye besides a blink, and how much of
    its opening each takes."""
    shapes = load_face_shapes()
    positions, closing = [], []
    for side in SIDES:
        names = [f"{name}{side}" for name in _SHUTS]
        upper, lower = lid_edges(side)
        gap = shapes.face[upper[1:-1], 1] - shapes.face[lower[1:-1], 1]
        moves = [shapes.of(name)[:, 1] for name in names]
        taken = [(m[lower[1:-1]] - m[upper[1:-1]]).mean() / gap.mean() for m in moves]
        positions.append([FACE_SCHEMA.index[name] for name in names])
        closing.append(taken)
    return np.array(positions), np.array(closing)


@dataclass(frozen=True, eq=False)
class _Pose:
    """How a mesh lies in a picture: points = scale · rotation · vertex + translation."""

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    @staticmethod
    def of(vertices: np.ndarray, points: np.ndarray) -> _Pose:
        """Of vertices (468, 3) seen at points (≥ 468, 3), by least squares."""
        scale, rotation, translation = geometry.similarity(
            torch.from_numpy(vertices),
            torch.from_numpy(points[None, :N_VERTICES]),
            torch.ones(N_VERTICES, dtype=torch.float64),
        )
        return _Pose(float(scale[0]), rotation[0].numpy(), translation[0].numpy())

    def taken_off(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) in the axes of the vertices."""
        return np.asarray((points - self.translation) @ self.rotation / self.scale)


def _motions(points: np.ndarray) -> np.ndarray:
    """(7, 468, 3): small turns about three axes, growth and shifts of points (468, 3). A face that
    opens its jaw is not laid over its neutral one by the pose alone."""
    axes = np.eye(3)
    turns = [np.cross(axis, points) for axis in axes]
    shifts = [np.broadcast_to(axis, points.shape) for axis in axes]
    return np.stack([*turns, points, *shifts])


def _iris_places(points: np.ndarray) -> np.ndarray:
    """(2, 2) of points (478, 3), y up: right and left iris from the middle between the eye's
    corners, along the eye to image right and across it upwards, in widths of the eye."""
    result = np.zeros((2, 2))
    for number, side in enumerate(SIDES):
        upper, _ = lid_edges(side)
        first, last = points[upper[0], :2], points[upper[-1], :2]
        along = last - first if side == "Right" else first - last
        across = np.array([-along[1], along[0]])
        away = points[IRISES[side].start, :2] - (first + last) / 2
        result[number] = np.array([away @ along, away @ across]) / max(along @ along, 1e-9)
    return result


def _between_0_and_1(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """(52,) amounts that minimise ½ xᵀ M x − vᵀ x, where what follows the amounts in x is free."""
    rest = np.linalg.inv(matrix[_N:, _N:] + 1e-6 * np.eye(len(matrix) - _N))
    across = matrix[:_N, _N:] @ rest
    own = matrix[:_N, :_N] - across @ matrix[_N:, :_N]
    wanted = vector[:_N] - across @ vector[_N:]
    root = np.linalg.cholesky(own)
    found = lsq_linear(root.T, np.linalg.solve(root, wanted), bounds=(0, 1), method="bvls")
    return np.clip(found.x, 0, 1)


@functools.cache
def _vertex_weights() -> np.ndarray:
    """(468,) how much each vertex counts."""
    mirror = mirror_vertices(load_face_shapes().face)
    weights = np.ones(N_VERTICES)
    weights[np.concatenate(brows(mirror))] = _BROWS
    weights[[*INNER_LIPS, *OUTER_LIPS]] = _LIPS
    weights[np.concatenate([edge for ring in lid_rings(mirror).values() for edge in ring])] = _LIDS
    return weights


@functools.cache
def _faith() -> np.ndarray:
    return np.array([_FAITH_IN_EYES if n.startswith("eye") else _FAITH for n in ARKIT_NAMES])
