"""A head around the 468-vertex face: openings for eyes and mouth, skull, neck, materials.

Everything here is in cm in the axes of the canonical face (x to image right, y up, z out of the
face). The first 468 vertices of the mesh are those of the face, in their order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .face_topology import (
    FACE_BORDER,
    INNER_LIPS,
    N_VERTICES,
    OUTER_LIPS,
    brows,
    eye_centres,
    lid_rings,
    mirror_vertices,
)

MATERIALS = ("Skin", "Lips", "Brows", "Mouth", "Teeth")
SKIN, LIPS, BROWS, MOUTH, TEETH = range(len(MATERIALS))
PIVOT = (0.0, -3.0, -4.5)
"""Where the head turns and nods: the top of the neck, a little below and behind the ears."""

_SKULL_RINGS = 9
_MIDDLE_HEIGHT = 1.0
_LEAVE_ABOVE, _LEAVE_BELOW = 8.0, 4.5  # how far a strip keeps its first direction, cm
_ARRIVE = 8.5
_BACK = (0.0, 3.0, -13.0)
_NECK_RADIUS = (5.3, 5.0)
_NECK_CENTRE = -5.2
_NECK_TOP, _NECK_BOTTOM = -4.0, -15.5
_NECK_RINGS, _NECK_SIDES = 6, 28


@dataclass(frozen=True)
class HeadMesh:
    """Triangles of a head and how they follow the face.

    Attributes:
        vertices: (n, 3) cm; the first 468 are the face.
        triangles: (m, 3) vertex numbers, counter-clockwise seen from outside.
        materials: (m,) index into MATERIALS.
        uv: (n, 2).
        follow: (n, 468) how much of each face vertex's shape offset every vertex takes over.
        head_weight: (n,) 1 where the head bone moves the vertex, 0 where the neck holds it.
        eye_centres: (2, 3) cm, the subject's right eye, then the left.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    materials: np.ndarray
    uv: np.ndarray
    follow: np.ndarray
    head_weight: np.ndarray
    eye_centres: np.ndarray


class _Builder:
    """Collects vertices and triangles behind the 468 of the face."""

    def __init__(self, face: np.ndarray, uv: np.ndarray) -> None:
        self.vertices = [np.asarray(face, np.float64)]
        self.uv = [np.asarray(uv, np.float64)]
        self.follow = [np.eye(len(face))]
        self.head_weight = [np.ones(len(face))]
        self.triangles: list[tuple[int, int, int]] = []
        self.materials: list[int] = []
        self.count = len(face)

    def add_ring(
        self, points: np.ndarray, uv: np.ndarray, follow: np.ndarray, head_weight: float = 1.0
    ) -> list[int]:
        """Adds (r, 3) points; returns their vertex numbers."""
        self.vertices.append(points)
        self.uv.append(uv)
        self.follow.append(follow)
        self.head_weight.append(np.full(len(points), head_weight))
        numbers = list(range(self.count, self.count + len(points)))
        self.count += len(points)
        return numbers

    def add_triangle(self, corners: tuple[int, int, int], material: int) -> None:
        self.triangles.append(corners)
        self.materials.append(material)

    def bridge(self, near: list[int], far: list[int], material: int) -> None:
        """A band between two closed rings of equal length."""
        n = len(near)
        for i in range(n):
            a, b, c, d = near[i], near[(i + 1) % n], far[(i + 1) % n], far[i]
            self.add_triangle((a, d, b), material)
            self.add_triangle((b, d, c), material)

    def close(self, ring: list[int], centre: int, material: int) -> None:
        """A fan between a closed ring and one vertex."""
        for i, corner in enumerate(ring):
            self.add_triangle((corner, centre, ring[(i + 1) % len(ring)]), material)


def build_head_mesh(
    face: np.ndarray, canonical: np.ndarray, uv: np.ndarray, triangles: np.ndarray
) -> HeadMesh:
    """The head around a face at rest.

    Args:
        face: (468, 3) face at rest, cm.
        canonical: (468, 3) canonical face, which is symmetric.
        uv: (468, 2).
        triangles: (898, 3) of the canonical face, which covers eyes and mouth.
    """
    mirror = mirror_vertices(canonical)
    builder = _Builder(face, uv)
    _add_face(builder, triangles, mirror)
    _add_mouth(builder, face, uv)
    _add_teeth(builder, face)
    _add_skull(builder, face, uv)
    _add_neck(builder)
    eyes = eye_centres(face, mirror)
    return HeadMesh(
        np.concatenate(builder.vertices),
        np.array(builder.triangles, np.int32),
        np.array(builder.materials, np.uint8),
        np.concatenate(builder.uv),
        np.concatenate(builder.follow),
        np.concatenate(builder.head_weight),
        np.array([eyes["Right"], eyes["Left"]]),
    )


def _add_face(builder: _Builder, triangles: np.ndarray, mirror: np.ndarray) -> None:
    """The face's own triangles without those that cover the eyes and the mouth."""
    openings = [set(np.concatenate(ring).tolist()) for ring in lid_rings(mirror).values()]
    openings.append(set(INNER_LIPS))
    brow_sets = [set(brow.tolist()) for brow in brows(mirror)]
    lip_set = set(INNER_LIPS) | _between_lips(triangles)
    for corners in triangles.tolist():
        if any(opening.issuperset(corners) for opening in openings):
            continue
        if lip_set.issuperset(corners):
            material = LIPS
        elif any(brow.issuperset(corners) for brow in brow_sets):
            material = BROWS
        else:
            material = SKIN
        builder.add_triangle(tuple(corners), material)


def _between_lips(triangles: np.ndarray) -> set[int]:
    """Vertices from the inner to the outer edge of the lips: a flood stopped by the outer edge."""
    reached, edge = set(INNER_LIPS), set(OUTER_LIPS)
    while True:
        grown = set(reached)
        for corners in triangles.tolist():
            if any(corner in reached and corner not in edge for corner in corners):
                grown.update(corners)
        if grown == reached:
            return reached
        reached = grown


def _add_mouth(builder: _Builder, face: np.ndarray, uv: np.ndarray) -> None:
    """A dark pocket behind the lips that opens with them."""
    ring = list(INNER_LIPS)
    edge, follow = face[ring], np.eye(N_VERTICES)[ring]
    mean = edge.mean(0)
    near = ring
    for depth, width, height, keep in (
        (0.5, 0.98, 1.6, 1.0),
        (1.6, 0.95, 2.6, 0.9),
        (3.4, 0.8, 2.4, 0.7),
    ):
        points = mean + (edge - mean) * (width, height, 1.0)
        points[:, 2] = np.minimum(edge[:, 2], mean[2] + 0.4) - depth
        far = builder.add_ring(points, uv[ring], keep * follow + (1 - keep) * follow.mean(0))
        builder.bridge(near, far, MOUTH)
        near = far
    back = mean - (0.0, 0.0, 4.2)
    centre = builder.add_ring(back[None], uv[ring].mean(0)[None], 0.5 * follow.mean(0)[None])
    builder.close(near, centre[0], MOUTH)


def _add_teeth(builder: _Builder, face: np.ndarray) -> None:
    """An arc of upper teeth behind the lips, held by the skull: a smile shows it."""
    parting = face[list(INNER_LIPS)].mean(0)
    side = np.linspace(-2.6, 2.6, 13)
    depth = parting[2] - 0.75 - 0.24 * side**2
    nothing, uv = np.zeros((13, N_VERTICES)), np.zeros((13, 2))
    rows = []
    for height in (0.95, -0.12):
        points = np.stack([side, np.broadcast_to(parting[1] + height, 13), depth], 1)
        rows.append(builder.add_ring(points, uv, nothing))
    upper, lower = rows
    for i in range(12):
        builder.add_triangle((upper[i], lower[i], lower[i + 1]), TEETH)
        builder.add_triangle((upper[i], lower[i + 1], upper[i + 1]), TEETH)


def _add_skull(builder: _Builder, face: np.ndarray, uv: np.ndarray) -> None:
    """From the border of the face round to the back of the head, each strip a cubic curve.

    A strip leaves the face in the direction in which the skin arrives there, or straight back under
    the jaw, and meets the back of the head at a right angle, so that no edge shows.
    """
    ring = list(FACE_BORDER)[::-1]
    start = face[ring]
    angle = np.arctan2(start[:, 1] - _MIDDLE_HEIGHT, start[:, 0])
    outward = np.stack([np.cos(angle), np.sin(angle), np.zeros(len(ring))], 1)
    above = _smooth_step(outward[:, 1], -0.5, 0.4)[:, None]
    leaving = above * _unit(outward * (0.3, 1.1, 0) + (0, 0, -0.75)) + (1 - above) * (0, -0.05, -1)
    first = start + leaving * (_LEAVE_BELOW + above * (_LEAVE_ABOVE - _LEAVE_BELOW))
    second = np.array(_BACK) + outward * _ARRIVE
    near = ring
    for step in range(1, _SKULL_RINGS):
        t = step / _SKULL_RINGS
        points = (1 - t) ** 3 * start + 3 * t * (1 - t) ** 2 * first
        points = points + 3 * t**2 * (1 - t) * second + t**3 * np.array(_BACK)
        follow = max(0.0, 1 - 3 * t) * np.eye(N_VERTICES)[ring]
        far = builder.add_ring(points, uv[ring], follow)
        builder.bridge(near, far, SKIN)
        near = far
    nothing = np.zeros((1, N_VERTICES))
    centre = builder.add_ring(np.array([_BACK]), uv[ring].mean(0)[None], nothing)
    builder.close(near, centre[0], SKIN)


def _unit(directions: np.ndarray) -> np.ndarray:
    return directions / np.linalg.norm(directions, axis=-1, keepdims=True)


def _smooth_step(value: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _add_neck(builder: _Builder) -> None:
    """A neck that stays below while the head turns above it."""
    angle = np.linspace(0, 2 * np.pi, _NECK_SIDES, endpoint=False)
    nothing = np.zeros((_NECK_SIDES, N_VERTICES))
    uv = np.zeros((_NECK_SIDES, 2))
    near: list[int] = []
    for step in range(_NECK_RINGS):
        t = step / (_NECK_RINGS - 1)
        height = _NECK_TOP + t * (_NECK_BOTTOM - _NECK_TOP)
        flare = 1 + 0.35 * max(0.0, t - 0.6) ** 2 / 0.16
        points = np.stack(
            [
                np.cos(angle) * _NECK_RADIUS[0] * flare,
                np.full(_NECK_SIDES, height),
                np.sin(angle) * _NECK_RADIUS[1] * flare + _NECK_CENTRE,
            ],
            1,
        )
        weight = float(np.clip(1 - 1.6 * t, 0, 1))
        far = builder.add_ring(points, uv, nothing, weight)
        if near:
            builder.bridge(far, near, SKIN)
        near = far
