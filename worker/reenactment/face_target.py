"""Where a face's landmarks are to be: the person's own mesh, moved by the shapes of the rig.

target = the face where its pose puts it + s · R · Σ aₖ δₖ, with the shapes δ of the rigged head
(faces/face_shapes.py), so that amount 1 is the rig's 1 on every face. Lids and lips are looked
after: a lid that closes is as long as the person's own eye is open, and neither lids nor lips pass
through each other.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from photorig.worker.compositing.face_mesh import FacePose
from photorig.worker.faces.face_shapes import FaceShapes, load_face_shapes
from photorig.worker.faces.face_topology import INNER_LIPS, N_VERTICES, lid_rings, mirror_vertices
from photorig.worker.portraits.mouth import lips_apart

SIDES = ("Right", "Left")
IRISES = {"Right": slice(468, 473), "Left": slice(473, 478)}
"""Landmarks of the irises, the middle first."""

_EYE_CORNERS = ((33, 133), (263, 362))
_SIZES = (0.8, 1.25)
"""A face is taken to be no smaller and no larger than this."""
_CLOSED = 0.04
"""Part of its opening at rest that a lid which closes fully leaves."""
_LEAST_OPENING = 0.03
"""Part of the opening at rest below which lids do not come."""
_GREATEST_LIDS = 2.0
"""How much further than the head's own lids those of a person may be taken to open."""
_ALONE = 0.15
"""By how much more a smile goes that the other side does not share."""
_PRESSED = 0.6
"""How far lips press that are asked to close by all of it though they are shut."""
_HELD, _LAUGH = 0.3, 0.5
"""By how much more a smile goes over an open jaw, and the amount of jawOpen that has all of it."""
_EYE_REACH, _EYE_FADE = 2.6, 0.9
"""cm from an eye's middle within which its lids decide, and over which that ends."""
_LID_REACH = 0.7
"""cm over which the skin above a lid goes along with it."""


@dataclass(frozen=True, eq=False)
class FaceTarget:
    """The mesh of one person.

    Args:
        rest: (478, 3) landmarks of the face at rest, in sides of the aligned square.
        gains: (52,) by how much its mesh has to move further (`FaceGeometry.gains`); 1 if None.
    """

    rest: np.ndarray
    gains: np.ndarray | None = None

    @functools.cached_property
    def pose(self) -> FacePose:
        """How the face lies in the picture at rest."""
        return FacePose.of(self.rest)

    @functools.cached_property
    def lids(self) -> dict[str, float]:
        """How far each eye is open, in what the head's own eyes are."""
        topology = _topology()
        points = self.rest[:N_VERTICES] / self.pose.scale
        result = {}
        for side in SIDES:
            upper, lower = topology.lids[side]
            own = np.linalg.norm(points[upper[1:-1]] - points[lower[1:-1]], axis=1).mean()
            result[side] = float(min(own / topology.opening[side], _GREATEST_LIDS))
        return result

    @functools.cached_property
    def offsets(self) -> np.ndarray:
        """(52, 468, 3) cm of the canonical face: where each coefficient at amount 1 takes this
        person's vertices; a blink as far as the own eye is open."""
        topology = _topology()
        shapes = topology.shapes
        result = shapes.offsets.astype(np.float64) * self._size
        for side in SIDES:
            blink = shapes.index[f"eyeBlink{side}"]
            result[blink] *= self.lids[side] * topology.fully[side] / self._size
        return result

    @functools.cached_property
    def _size(self) -> float:
        """How large the face is against the head's own, in distances of the eyes: what full motion
        is measured in."""
        own = _eye_distance(self.rest) / self.pose.scale
        return float(np.clip(own / _eye_distance(_topology().shapes.face), *_SIZES))

    @functools.cached_property
    def _opening(self) -> float:
        """How far the mouth is open at rest, as an amount of jawOpen."""
        own = float(lips_apart(self.rest, self.pose.scale).max())
        return own / _topology().wide_open

    def landmarks(self, amounts: np.ndarray, posed: np.ndarray, pose: FacePose) -> np.ndarray:
        """(478, 3) landmarks that the picture is to have.

        Args:
            amounts: (52,) change of each ARKit coefficient.
            posed: (478, 3) landmarks of the face as its pose alone puts it.
            pose: how the face lies there.
        """
        shapes = _topology().shapes
        weights = amounts.astype(np.float64)
        if self.gains is not None:
            weights = weights * self.gains
            # Lips that close over a jaw close all of what it opens.
            jaw, close = shapes.index["jawOpen"], shapes.index["mouthClose"]
            weights[close] = amounts[close] * self.gains[jaw]
            _smile_held(weights, shapes)
        self._close(weights, shapes)
        result = posed.astype(np.float64)
        result[:N_VERTICES] += pose.in_picture(np.tensordot(weights, self.offsets, 1))
        self._look(result, weights)
        return _lips_apart(result)

    def _close(self, weights: np.ndarray, shapes: FaceShapes) -> None:
        """Lips that have nothing left to close would fold: they press, in place."""
        close = shapes.index["mouthClose"]
        open_by = max(weights[shapes.index["jawOpen"]], 0.0) + self._opening
        beyond = max(weights[close] - open_by, 0.0)
        weights[close] -= beyond
        for side in SIDES:
            weights[shapes.index[f"mouthPress{side}"]] += _PRESSED * beyond

    def _look(self, points: np.ndarray, weights: np.ndarray) -> None:
        """Turn the irises, in place."""
        topology = _topology()
        shift = np.tensordot(weights, topology.shapes.gaze, 1)
        for number, side in enumerate(SIDES):
            upper, _ = topology.lids[side]
            across = points[upper[-1], :2] - points[upper[0], :2]
            if side == "Right":  # from the outer to the inner corner is to image right
                along = across
            else:
                along = -across
            up = np.array([along[1], -along[0]])
            points[IRISES[side], :2] += shift[number, 0] * along + shift[number, 1] * up


def _smile_held(weights: np.ndarray, shapes: FaceShapes) -> None:
    """Longer smiles where one side smiles alone or the jaw is open, in place.

    The skin between both sides follows half of a smile on one side, so that less of it is seen; and
    a jaw drags the corners down that a smile holds up in a laugh.
    """
    left, right = (shapes.index[f"mouthSmile{side}"] for side in ("Left", "Right"))
    apart = min(abs(float(weights[left] - weights[right])), 1.0)
    opened = min(max(float(weights[shapes.index["jawOpen"]]), 0.0), _LAUGH)
    weights[[left, right]] *= (1 + _ALONE * apart) * (1 + _HELD * opened)


def _eye_distance(points: np.ndarray) -> float:
    """Between the middles of the eyes, each the middle of its corners."""
    right, left = (points[list(corners)].mean(0) for corners in _EYE_CORNERS)
    return float(np.linalg.norm(left - right))


def settled_lids(
    target: np.ndarray,
    seen: np.ndarray,
    rest: np.ndarray,
    eyeballs: tuple[bool, bool] = (False, False),
) -> np.ndarray:
    """The target with eyes that stay where the generator has put them: only the gap between the
    lids is set. Its lower lid stays; the upper one comes to where the gap is the target's. Lids of
    eyes that are known, and are not the generator's, go where the target has them.

    Args:
        target: (478, 3); seen: (478, 3) landmarks of the generator's picture; rest: (478, 3);
        eyeballs: whether the right and the left one are known.
    """
    topology = _topology()
    result = target.copy()
    move = target[:N_VERTICES, :2] - seen[:N_VERTICES, :2]
    for side, is_known in zip(SIDES, eyeballs, strict=True):
        upper, lower = topology.lids[side]
        gap = _opened(target[upper, :2] - target[lower, :2], rest[upper, :2] - rest[lower, :2])
        if is_known:
            move[upper] = target[lower, :2] + gap - seen[upper, :2]
            continue
        wanted = seen[lower, :2] + gap - seen[upper, :2]
        weights = topology.lid_weights[side]
        along = weights @ wanted
        along[topology.below[side]] = 0
        along[lower], along[upper] = 0, wanted
        here = topology.eye_weights[side][:, None]
        move = move * (1 - here) + along * here
    result[:N_VERTICES, :2] = seen[:N_VERTICES, :2] + move
    return result


def _opened(gap: np.ndarray, at_rest: np.ndarray) -> np.ndarray:
    """Gaps (n, 2) between lids that have not passed through each other."""
    length = np.maximum(np.linalg.norm(at_rest, axis=1), 1e-9)
    direction = at_rest / length[:, None]
    opening = (gap * direction).sum(1)
    missing = np.maximum(_LEAST_OPENING * length - opening, 0)
    return np.asarray(gap + missing[:, None] * direction)


def _lips_apart(points: np.ndarray) -> np.ndarray:
    """Inner lips that have passed through each other meet half way instead; in place."""
    n = len(INNER_LIPS)
    upper = np.array(INNER_LIPS[1 : n // 2])
    lower = np.array(INNER_LIPS[n // 2 + 1 :])[::-1]
    down = points[152, :2] - points[168, :2]
    down /= max(float(np.linalg.norm(down)), 1e-9)
    overlap = -np.minimum((points[lower, :2] - points[upper, :2]) @ down, 0)
    points[upper, :2] -= 0.5 * overlap[:, None] * down
    points[lower, :2] += 0.5 * overlap[:, None] * down
    return points


@dataclass(frozen=True, eq=False)
class _Topology:
    """What all faces share.

    Attributes:
        lids: vertex numbers (9,) of each eye's upper and lower lid, corners first and last.
        opening: cm between the head's own lids at rest.
        wide_open: cm between its lips at jawOpen 1.
        fully: by how much a blink has to be longer than the table's, so that it closes the eye.
        eye_weights: (468,) 1 around an eye, where its lids decide.
        lid_weights: (468, 9) how far each vertex goes along with those of an upper lid.
        below: (468,) bool, vertices below the lower lid.
    """

    shapes: FaceShapes
    lids: dict[str, tuple[np.ndarray, np.ndarray]]
    opening: dict[str, float]
    wide_open: float
    fully: dict[str, float]
    eye_weights: dict[str, np.ndarray]
    lid_weights: dict[str, np.ndarray]
    below: dict[str, np.ndarray]


@functools.cache
def _topology() -> _Topology:
    shapes = load_face_shapes()
    face = shapes.face.astype(np.float64)
    lids = lid_rings(mirror_vertices(shapes.face))
    opening, fully, eyes, weights, below = {}, {}, {}, {}, {}
    for side, (upper, lower) in lids.items():
        between = np.linalg.norm(face[upper[1:-1]] - face[lower[1:-1]], axis=1).mean()
        shut = face + shapes.of(f"eyeBlink{side}")
        left = (shut[upper[1:-1]] - shut[lower[1:-1]])[:, 1].mean() / between
        opening[side], fully[side] = float(between), float((1 - _CLOSED) / max(1 - left, 0.1))
        middle = face[np.concatenate([upper, lower])].mean(0)
        away = np.linalg.norm((face - middle)[:, :2] * [1, 1.25], axis=1)
        eyes[side] = np.clip((_EYE_REACH - away) / _EYE_FADE, 0, 1)
        distances = np.linalg.norm(face[:, None, :2] - face[None, upper, :2], axis=2)
        near = np.exp(-((distances / _LID_REACH) ** 2))
        weights[side] = near / (near.sum(1, keepdims=True) + 1e-9) * near.max(1, keepdims=True)
        order = np.argsort(face[lower][:, 0])
        edge = np.interp(face[:, 0], face[lower][order, 0], face[lower][order, 1])
        below[side] = face[:, 1] < edge - 0.02
    wide = float(lips_apart(face + shapes.of("jawOpen"), 1.0).max())
    return _Topology(shapes, lids, opening, wide, fully, eyes, weights, below)


def lid_edges(side: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertex numbers (9,) of the upper and the lower lid of an eye, "Left" or "Right"."""
    return _topology().lids[side]
