"""jawOpen, jawLeft, jawForward, mouthClose and tongueOut: the lower jaw and the lips it carries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .sculpting import LIPS, Clay, LipGrid, offsets_of, smooth_step

HINGE = (-0.6, -1.6)
"""y and z in cm of the axis, in front of the ears, about which the jaw turns."""
_SLIDE = 0.45  # skin over the jaw's angle slides: it goes back less than the bone would take it
_CARRIED = {
    **dict.fromkeys((152, 148, 176, 149, 150, 175, 171, 140, 199, 208), 1.0),
    136: 0.92,
    172: 0.72,
    58: 0.45,
    132: 0.2,
    93: 0.05,
    200: 1.0,
    32: 1.0,
    170: 0.98,
}
"""Right side: how much of the jaw's turn the skin of chin and jaw line takes part in."""
_STILL = (234, 127, 227, 137, 123, 50, 36, 205, 129, 98, 97, 2, 164)
_CLOSED_AT = 0.3  # where closed lips meet over a dropped jaw: share of the lower lip's way down


def jaw_weight(clay: Clay, lips: Callable[[LipGrid], np.ndarray]) -> np.ndarray:
    """(468,) how far each vertex belongs to the lower jaw: 1 on the chin, 0 above the mouth.

    Args:
        lips: (80,) weights of the lips.
    """
    weights = lips(LIPS)
    handles = dict(zip(LIPS.vertices.tolist(), weights.tolist(), strict=True))
    for vertex, weight in _CARRIED.items():
        handles[vertex] = handles[int(clay.mirror[vertex])] = weight
    for vertex in _STILL:
        handles[vertex] = handles[int(clay.mirror[vertex])] = 0.0
    return clay.weight(handles, clay.face[:, 1] < 0.6)


def _parting(lips: LipGrid) -> np.ndarray:
    """The lower lip hangs on the jaw, the corners between, the upper lip hardly follows."""
    corner = 0.33
    below = corner + (1 - corner) * (1 - lips.across**2) ** 0.85
    above = corner * np.abs(lips.across) ** 2.2
    return np.where(lips.part < 0, below, np.where(lips.part > 0, above, corner))


def _together(lips: LipGrid) -> np.ndarray:
    """Shut lips stick to each other: the upper one is carried along half of the way."""
    inner = 0.55
    below, above = inner + (1 - lips.depth) * 0.3, inner * (0.55 + 0.45 * lips.depth)
    return np.where(lips.part < 0, below, np.where(lips.part > 0, above, inner * 0.95))


def jaw_open(clay: Clay, opening: float) -> np.ndarray:
    """(468, 3) the chin turns down about HINGE until the lips are ``opening`` cm further apart."""
    weight = jaw_weight(clay, _parting)
    up, forward = clay.face[:, 1] - HINGE[0], clay.face[:, 2] - HINGE[1]
    turn = np.stack([np.zeros_like(up), -forward, _SLIDE * up], 1)
    turn[:, 1] = np.minimum(turn[:, 1], 0.0)
    offsets = turn * weight[:, None]
    # Cheeks are drawn in, and the mouth becomes narrower, where the skin is stretched.
    hollow = smooth_step(np.abs(clay.face[:, 0]), 0.0, 2.4) * weight * (1 - weight)
    offsets[:, 0] -= np.sign(clay.face[:, 0]) * 1.1 * hollow
    return _scaled_to_opening(clay, offsets, opening)


def _scaled_to_opening(clay: Clay, offsets: np.ndarray, opening: float) -> np.ndarray:
    """The offsets times what parts the lips by ``opening`` cm more than at rest."""
    rest = clay.face[13] - clay.face[14]
    way = offsets[13] - offsets[14]
    wanted = np.linalg.norm(rest) + opening
    a, b, c = way @ way, 2 * rest @ way, rest @ rest - wanted**2
    return offsets * ((-b + np.sqrt(b * b - 4 * a * c)) / (2 * a))


def jaw_left(clay: Clay, sideways: float) -> np.ndarray:
    """(468, 3) the chin goes ``sideways`` cm to the left, turning about the neck's axis."""
    weight = jaw_weight(clay, _together)
    x = clay.face[:, 0]
    offsets = np.stack([sideways * weight, 0 * x, -0.06 * x * weight], 1)
    return offsets * (sideways / offsets[152, 0])


def jaw_forward(clay: Clay, forward: float) -> np.ndarray:
    """(468, 3) the chin comes ``forward`` cm, and a little down over the upper teeth's edge."""
    weight = jaw_weight(clay, _together)
    return weight[:, None] * np.array([0.0, -0.08, 1.0]) * forward


def mouth_close(clay: Clay, opened: np.ndarray) -> np.ndarray:
    """(468, 3) what shuts the lips again over a jaw that is as far down as ``opened`` has it."""

    def shut(lips: LipGrid) -> np.ndarray:
        upper, lower = opened[lips.vertices].copy(), opened[lips.vertices].copy()
        partner = _partner(lips)
        upper[lips.part < 0] = opened[partner[lips.part < 0]]
        lower[lips.part > 0] = opened[partner[lips.part > 0]]
        meet = upper + _CLOSED_AT * (lower - upper)
        # Outer edges go part of the way, so that the lips get longer instead of thinner.
        share = np.where(lips.part > 0, 0.86 + 0.14 * lips.depth, 0.88 + 0.12 * lips.depth)
        return share[:, None] * (meet - opened[lips.vertices])

    free = clay.near([13, 14, 61, 291, 17, 0], 3.4) & (clay.face[:, 1] < -2.2)
    free[clay.border] = False
    free[[152, 175, 199, 171, 396]] = False
    return clay.pull(clay.lips(shut), free)


def _partner(lips: LipGrid) -> np.ndarray:
    """(80,) the vertex of the inner edge of the other lip that each column meets."""
    inner = {
        (part, column): vertex
        for vertex, column, depth, part in zip(
            lips.vertices, lips.across, lips.depth, lips.part, strict=True
        )
        if depth == 1
    }
    return np.array(
        [
            inner[(-part, column)] if part else vertex
            for vertex, column, part in zip(lips.vertices, lips.across, lips.part, strict=True)
        ]
    )


def tongue_out(clay: Clay, opened: np.ndarray, opening: float) -> np.ndarray:
    """(468, 3) the mouth opens by ``opening`` cm for a tongue, which a face alone does not have."""
    offsets = opened * 0.25

    def flatten(lips: LipGrid) -> np.ndarray:
        round_ = 1 - lips.across**2
        return offsets_of(0, np.where(lips.part < 0, -0.12, 0.05) * round_, 0.12 * round_, round_)

    free = clay.near([13, 14], 3.2) & (clay.face[:, 1] < -2.4) & (clay.face[:, 1] > -8.0)
    offsets = offsets + clay.pull(clay.lips(flatten), free)
    return _scaled_to_opening(clay, offsets, opening)
