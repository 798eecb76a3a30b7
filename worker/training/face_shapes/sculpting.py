"""Handles that pull at the face's skin, which follows smoothly and stays put further away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from photorig.worker.faces.face_topology import (
    FACE_BORDER,
    INNER_LIPS,
    N_VERTICES,
    lid_rings,
    mirror_vertices,
)

UPPER_LIP_ROWS = (
    (185, 40, 39, 37, 0, 267, 269, 270, 409),
    (184, 74, 73, 72, 11, 302, 303, 304, 408),
    (183, 42, 41, 38, 12, 268, 271, 272, 407),
    (191, 80, 81, 82, 13, 312, 311, 310, 415),
)
"""From the outer edge to the inner one, each from the subject's right to the left, no corners."""
LOWER_LIP_ROWS = (
    (146, 91, 181, 84, 17, 314, 405, 321, 375),
    (77, 90, 180, 85, 16, 315, 404, 320, 307),
    (96, 89, 179, 86, 15, 316, 403, 319, 325),
    (95, 88, 178, 87, 14, 317, 402, 318, 324),
)
RIGHT_CORNER, LEFT_CORNER = (61, 76, 62, 78), (291, 306, 292, 308)

Handles = dict[int, tuple[float, float, float]]
"""Vertex number → offset (3,) in cm."""


@dataclass(frozen=True)
class LipGrid:
    """The 80 vertices of the lips and where in them each one lies.

    Attributes:
        vertices: (80,) vertex numbers.
        across: (80,) −1 at the right corner, 0 in the middle, 1 at the left corner.
        depth: (80,) 0 on the outer edge, 1 on the inner one.
        part: (80,) 1 upper lip, −1 lower lip, 0 corners.
    """

    vertices: np.ndarray
    across: np.ndarray
    depth: np.ndarray
    part: np.ndarray


def _lip_grid() -> LipGrid:
    rows = []
    for part, lip in ((1, UPPER_LIP_ROWS), (-1, LOWER_LIP_ROWS)):
        for row, numbers in enumerate(lip):
            for column, vertex in enumerate(numbers):
                rows.append((vertex, (column - 4) / 5, row / 3, part))
    for across, corner in ((-1, RIGHT_CORNER), (1, LEFT_CORNER)):
        rows += [(vertex, across, row / 3, 0) for row, vertex in enumerate(corner)]
    table = np.array(rows)
    return LipGrid(table[:, 0].astype(int), *table[:, 1:].T)


LIPS = _lip_grid()


def smooth_step(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between (low > high falls instead)."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def offsets_of(
    x: npt.ArrayLike, y: npt.ArrayLike, z: npt.ArrayLike, like: np.ndarray
) -> np.ndarray:
    """(n, 3) of three numbers or (n,) arrays."""
    return np.stack([np.broadcast_to(np.asarray(part, float), like.shape) for part in (x, y, z)], 1)


class Clay:
    """A face at rest that can be pulled at.

    Attributes:
        face: (468, 3) cm at rest, symmetric.
        mirror: (468,) vertex number of each vertex's mirror image.
        unit: cm between the middles of the eyes, in which the yardstick counts.
        eye_width: cm between the corners of an eye.
        upper_lid, lower_lid: (9,) vertex numbers of the left eye, outer to inner corner.
        lid_gap: (9,) cm between both lids of an eye, 0 at the corners.
    """

    def __init__(self, face: np.ndarray, triangles: np.ndarray) -> None:
        self.face = np.asarray(face, np.float64)
        self.mirror = mirror_vertices(self.face)
        rings = lid_rings(self.mirror)
        self.upper_lid, self.lower_lid = rings["Left"]
        right, left = (
            self.face[[upper[0], upper[-1]]].mean(0)
            for upper in (rings["Right"][0], rings["Left"][0])
        )
        self.unit = float(np.linalg.norm(left - right))
        outer, inner = self.face[[self.upper_lid[0], self.upper_lid[-1]]]
        self.eye_width = float(np.linalg.norm(outer - inner))
        self.lid_gap = np.linalg.norm(self.face[self.upper_lid] - self.face[self.lower_lid], axis=1)
        openings = [set(np.concatenate(ring).tolist()) for ring in rings.values()]
        openings.append(set(INNER_LIPS))
        self.skin = np.array(
            [t for t in triangles.tolist() if not any(o.issuperset(t) for o in openings)]
        )
        self.border = np.array(FACE_BORDER)

    @cached_property
    def _stiffness(self) -> np.ndarray:
        """(468, 468) Lᵀ M⁻¹ L: what it costs to bend the skin (squared Laplacian over area)."""
        laplacian, area = np.zeros((N_VERTICES, N_VERTICES)), np.zeros(N_VERTICES)
        for corner in range(3):
            at, one, other = (self.skin[:, (corner + step) % 3] for step in range(3))
            to_one, to_other = self.face[one] - self.face[at], self.face[other] - self.face[at]
            twice_area = np.linalg.norm(np.cross(to_one, to_other), axis=1)
            cotangent = (to_one * to_other).sum(1) / np.maximum(twice_area, 1e-6)
            weight = np.clip(cotangent, 0.02, 5.0) / 2
            np.add.at(area, at, twice_area / 6)
            for a, b in ((one, other), (other, one)):
                np.add.at(laplacian, (a, b), -weight)
                np.add.at(laplacian, (a, a), weight)
        return laplacian.T @ (laplacian / np.maximum(area, 1e-3)[:, None])

    def near(self, vertices: Iterable[int], reach: float) -> np.ndarray:
        """(468,) bool: within ``reach`` cm of one of the vertices."""
        apart = np.linalg.norm(self.face[:, None] - self.face[list(vertices)][None], axis=-1)
        return apart.min(1) < reach

    def pull(self, handles: Mapping[int, npt.ArrayLike], free: np.ndarray) -> np.ndarray:
        """(468, 3) offsets: handles go where told, ``free`` skin bends as little as it can.

        Args:
            handles: offset (3,), cm, or one number, by vertex.
            free: (468,) bool: skin that may follow; the rest stands still.
        """
        numbers = np.array(list(handles))
        values = np.stack([np.broadcast_to(np.asarray(handles[v], float), 3) for v in numbers])
        result = np.zeros((N_VERTICES, 3))
        result[numbers] = values
        loose = free.copy()
        loose[numbers] = False
        inside = self._stiffness[np.ix_(loose, loose)]
        inside = inside + 1e-9 * np.eye(len(inside)) * inside.diagonal().max()
        result[loose] = -np.linalg.solve(inside, self._stiffness[np.ix_(loose, numbers)] @ values)
        return result

    def weight(self, handles: Mapping[int, float], free: np.ndarray) -> np.ndarray:
        """(468,) like ``pull`` for a weight between 0 and 1."""
        return np.clip(self.pull(handles, free)[:, 0], 0.0, 1.0)

    def left(self, handles: Mapping[int, tuple[float, float, float]]) -> Handles:
        """Handles for the left side from vertices of the right one and (out, up, forward)."""
        return {int(self.mirror[vertex]): offset for vertex, offset in handles.items()}

    def both(self, handles: Mapping[int, tuple[float, float, float]]) -> Handles:
        """Handles for both sides from those of the right side and (out, up, forward)."""
        result: Handles = {}
        for vertex, (out, up, forward) in handles.items():
            other = int(self.mirror[vertex])
            result[vertex] = (0.0 if other == vertex else -out, up, forward)
            if other != vertex:
                result[other] = (out, up, forward)
        return result

    def lips(self, move: Callable[[LipGrid], np.ndarray]) -> Handles:
        """Handles for all vertices of the lips from what ``move`` says, (80, 3) cm."""
        return dict(zip(LIPS.vertices.tolist(), map(tuple, move(LIPS).tolist()), strict=True))

    def mirrored(self, offsets: np.ndarray) -> np.ndarray:
        """(468, 3) the same shape on the other side of the face."""
        return offsets[self.mirror] * np.array([-1.0, 1.0, 1.0])

    def symmetric(self, offsets: np.ndarray) -> np.ndarray:
        """(468, 3) with rounding errors between left and right gone."""
        return (offsets + self.mirrored(offsets)) / 2
