"""What lies behind the openings of a face: rims of the lids, the mouth with teeth and a tongue."""

from __future__ import annotations

import numpy as np

from photorig.worker.faces.face_topology import INNER_LIPS, N_VERTICES, lid_rings

from .head_builder import MOUTH, SKIN, TEETH, TONGUE, Builder

RIM_INSET = 0.07
"""Of the opening: how far a lid's rim reaches in from its edge. Lids leave 13 % of the opening
between their edges when they are shut (face_shapes.eyes.LEFT_BEHIND); there the rims meet."""
_RIM_DEPTH = 0.13
_TEETH_SIDE, _TEETH_COUNT = 2.6, 13
_UPPER_TEETH, _LOWER_TEETH = (0.95, -0.12), (-0.02, -0.85)
_TONGUE_RINGS, _TONGUE_SIDES = 8, 10
_TONGUE_LENGTH, _TONGUE_HEIGHT = 3.6, 0.24
_TONGUE_OUT = 3.6
_TONGUE_LIFT = (0.0, 0.3, 0.62, 0.8, 1.0), (0.55, 1.1, 1.12, 0.98, 0.35)
"""From root to tip: how far the tongue is lifted over the lower teeth and lip."""


def add_lid_rims(
    builder: Builder, face: np.ndarray, uv: np.ndarray, mirror: np.ndarray
) -> np.ndarray:
    """The lids' thickness; returns (28, 3) vertex numbers: rim, its edge, the edge it faces."""
    rims: list[tuple[int, int, int]] = []
    for side, (upper, lower) in lid_rings(mirror).items():
        edge = [*upper.tolist(), *lower[-2:0:-1].tolist()]
        facing = [*lower.tolist(), *upper[-2:0:-1].tolist()]
        if side == "Left":  # keeps the triangles' outer sides outside
            edge = [edge[0], *edge[:0:-1]]
            facing = [facing[0], *facing[:0:-1]]
        points = face[edge] + RIM_INSET * (face[facing] - face[edge]) - (0.0, 0.0, _RIM_DEPTH)
        ring = builder.add_ring(points, uv[edge], np.eye(N_VERTICES)[edge])
        builder.bridge(edge, ring, SKIN)
        rims += [row for row in zip(ring, edge, facing, strict=True) if row[1] != row[2]]
    return np.array(rims)


def add_mouth(builder: Builder, face: np.ndarray, uv: np.ndarray) -> None:
    """A dark hollow behind the lips that opens with them.

    Just behind shut lips it is shut (teeth would shine through the slit), further in it is hollow.
    """
    ring = list(INNER_LIPS)
    edge, follow = face[ring], np.eye(N_VERTICES)[ring]
    mean = edge.mean(0)
    upwards = np.where(np.arange(20) <= 10, 1.0, -1.0) * np.abs(np.sin(np.arange(20) * np.pi / 10))
    near = ring
    for depth, width, hollow, keep in (
        (0.2, 0.99, -0.02, 1.0),
        (0.6, 0.98, 0.40, 1.0),
        (1.6, 0.95, 1.15, 0.9),
        (3.4, 0.8, 1.0, 0.7),
    ):
        points = mean + (edge - mean) * (width, 1.0, 1.0)
        points[:, 1] += hollow * upwards
        points[:, 2] = np.minimum(edge[:, 2], mean[2] + 0.4) - depth
        far = builder.add_ring(points, uv[ring], keep * follow + (1 - keep) * follow.mean(0))
        builder.bridge(near, far, MOUTH)
        near = far
    back = mean - (0.0, 0.0, 4.2)
    centre = builder.add_ring(back[None], uv[ring].mean(0)[None], 0.5 * follow.mean(0)[None])
    builder.close(near, centre[0], MOUTH)


def add_teeth(builder: Builder, face: np.ndarray) -> None:
    """An arc of upper teeth held by the skull, and one of lower teeth that the jaw carries."""
    parting = face[list(INNER_LIPS)].mean(0)
    side = np.linspace(-_TEETH_SIDE, _TEETH_SIDE, _TEETH_COUNT)
    nothing, uv = np.zeros((_TEETH_COUNT, N_VERTICES)), np.zeros((_TEETH_COUNT, 2))
    for heights, behind, jaw in ((_UPPER_TEETH, 0.75, 0.0), (_LOWER_TEETH, 0.95, 1.0)):
        rows = []
        for height in heights:
            depth = parting[2] - behind - 0.24 * side**2
            y = np.broadcast_to(parting[1] + height, side.shape)
            points = np.stack([side * (1.0 if jaw == 0 else 0.94), y, depth], 1)
            rows.append(builder.add_ring(points, uv, nothing, jaw_weight=jaw))
        upper, lower = rows
        for i in range(_TEETH_COUNT - 1):
            builder.add_triangle((upper[i], lower[i], lower[i + 1]), TEETH)
            builder.add_triangle((upper[i], lower[i + 1], upper[i + 1]), TEETH)


def add_tongue(builder: Builder, face: np.ndarray) -> None:
    """A flat tongue behind the lower teeth; the jaw carries it and tongueOut puts it out."""
    parting = face[list(INNER_LIPS)].mean(0)
    angle = -np.linspace(0, 2 * np.pi, _TONGUE_SIDES, endpoint=False)
    nothing, uv = np.zeros((_TONGUE_SIDES, N_VERTICES)), np.zeros((_TONGUE_SIDES, 2))
    near: list[int] = []
    for step in range(_TONGUE_RINGS):
        along = step / (_TONGUE_RINGS - 1)  # 0 at the root, 1 at the tip
        width = 1.15 * np.sqrt(1 - 0.68 * along**4)
        height = _TONGUE_HEIGHT * np.sqrt(1 - 0.75 * along**4)
        groove = 0.07 * np.cos(angle) ** 2 * (1 - along)
        points = np.stack([width * np.cos(angle), height * np.sin(angle) + groove, 0 * angle], 1)
        points += parting + (0.0, -0.62, -1.3 - _TONGUE_LENGTH * (1 - along))
        out = np.zeros((_TONGUE_SIDES, 3))
        out[:, 2] = _TONGUE_OUT * (0.25 + 0.75 * along)
        out[:, 1] = np.interp(along, *_TONGUE_LIFT)
        ring = builder.add_ring(points, uv, nothing, jaw_weight=1.0, tongue=out)
        if near:
            builder.bridge(near, ring, TONGUE)
        near = ring
    tip = parting + (0.0, -0.62, -1.3 + 0.15)
    out = np.array([[0.0, _TONGUE_LIFT[1][-1] - 0.08, _TONGUE_OUT]])
    end = builder.add_ring(tip[None], uv[:1], nothing[:1], jaw_weight=1.0, tongue=out)
    builder.close(near, end[0], TONGUE)
