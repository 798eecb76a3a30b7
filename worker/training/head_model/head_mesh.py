"""A head around the 468-vertex face: openings for eyes and mouth, skull, neck, materials.

Everything here is in cm in the axes of the canonical face (x to image right, y up, z out of the
face). The first 468 vertices of the mesh are those of the face, in their order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photorig.worker.faces.face_topology import (
    FACE_BORDER,
    INNER_LIPS,
    N_VERTICES,
    OUTER_LIPS,
    brows,
    eye_centres,
    lid_rings,
    mirror_vertices,
)

from .head_builder import BROWS, LIPS, SKIN, Builder
from .head_openings import add_lid_rims, add_mouth, add_teeth, add_tongue

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
        jaw_weight: (n,) 1 where the bone of the lower jaw carries the vertex: teeth, tongue.
        tongue: (n, 3) cm, what tongueOut adds.
        lid_rims: (28, 3) vertex numbers: a rim of a lid, the edge it is at, the edge it faces.
        eye_centres: (2, 3) cm, the subject's right eye, then the left.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    materials: np.ndarray
    uv: np.ndarray
    follow: np.ndarray
    head_weight: np.ndarray
    jaw_weight: np.ndarray
    tongue: np.ndarray
    lid_rims: np.ndarray
    eye_centres: np.ndarray


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
    builder = Builder(face, uv)
    _add_face(builder, triangles, mirror)
    lid_rims = add_lid_rims(builder, face, uv, mirror)
    add_mouth(builder, face, uv)
    add_teeth(builder, face)
    add_tongue(builder, face)
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
        np.concatenate(builder.jaw_weight),
        np.concatenate(builder.tongue),
        lid_rims,
        np.array([eyes["Right"], eyes["Left"]]),
    )


def _add_face(builder: Builder, triangles: np.ndarray, mirror: np.ndarray) -> None:
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


def _add_skull(builder: Builder, face: np.ndarray, uv: np.ndarray) -> None:
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


def _add_neck(builder: Builder) -> None:
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
