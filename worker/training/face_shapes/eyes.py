"""Lids and brows."""

from __future__ import annotations

import numpy as np

from photorig.worker.faces.face_topology import EYE_RADIUS, eye_centres

from .sculpting import Clay, Handles

LEFT_BEHIND = 0.13
"""What a lid at amount 1 of eyeBlink leaves of the opening."""
LID_THICKNESS = 0.16
_LOWER_SHARE = 0.10  # of the way that both lids of a blink go together
_CREASE = (247, 30, 29, 27, 28, 56, 190)
_FOLD = (225, 224, 223, 222, 221)
_UNDER = (25, 110, 24, 23, 22, 26, 112)
BROW_UPPER, BROW_LOWER = (70, 63, 105, 66, 107), (46, 53, 52, 65, 55)
"""Right brow, from the temple inwards."""


def eye_region(clay: Clay, reach: float = 1.7) -> np.ndarray:
    """(468,) bool: skin around the left eye that follows its lids."""
    ring = np.concatenate([clay.upper_lid, clay.lower_lid])
    free = clay.near(ring, reach) & (clay.face[:, 0] > 0.9)
    free[clay.border] = False
    free[clay.mirror[list(BROW_LOWER + BROW_UPPER)]] = False
    return free


def lids_left(
    clay: Clay, upper: float, lower: float, crease: float = 0.3, side: float = 0.0
) -> np.ndarray:
    """(468, 3) the lids of the left eye move over the ball.

    Args:
        upper: how far the upper lid goes down, in shares of the opening at each of its points.
        lower: how far the lower lid goes up, likewise.
        crease: what of the upper lid's way the crease above it takes part in.
        side: cm to the left of the middle of both lids, with the eye.
    """
    gap = clay.face[clay.upper_lid] - clay.face[clay.lower_lid]
    along = np.sin(np.linspace(0, np.pi, 9))
    handles: Handles = {}
    for number, (up, low) in enumerate(zip(clay.upper_lid, clay.lower_lid, strict=True)):
        shift = np.array([side * along[number], 0.0, 0.0])
        handles[int(low)] = lower * gap[number] + 0.5 * shift
        handles[int(up)] = -upper * gap[number] + shift
    height = float(gap[4, 1])
    for row, share in ((_CREASE, crease), (_FOLD, 0.25 * crease)):
        for number, vertex in enumerate(row):
            bow = np.sin(np.pi * (number + 1) / (len(row) + 1))
            handles[int(clay.mirror[vertex])] = (0.0, -upper * share * height * bow, 0.0)
    for number, vertex in enumerate(_UNDER):
        bow = np.sin(np.pi * (number + 1) / (len(_UNDER) + 1))
        handles[int(clay.mirror[vertex])] = (0.0, 0.55 * lower * height * bow, 0.0)
    offsets = clay.pull(handles, eye_region(clay))
    return offsets + _over_the_ball(clay, offsets)


def _over_the_ball(clay: Clay, offsets: np.ndarray) -> np.ndarray:
    """(468, 3) what brings lids forward that would otherwise move through the eyeball."""
    centre = eye_centres(clay.face, clay.mirror)["Left"]
    there = clay.face + offsets - centre
    beside = (there[:, :2] ** 2).sum(1)
    front = np.sqrt(np.maximum((EYE_RADIUS + LID_THICKNESS) ** 2 - beside, 0.0))
    moved = np.linalg.norm(offsets, axis=1)
    missing = np.clip(front - there[:, 2], 0.0, None) * np.clip(moved / 0.15, 0.0, 1.0)
    result = np.zeros_like(offsets)
    near = (beside < EYE_RADIUS**2) & eye_region(clay)
    lids = np.union1d(clay.upper_lid, clay.lower_lid)
    near[lids] = True
    result[near, 2] = missing[near]
    return result


def blink_left(clay: Clay) -> np.ndarray:
    """Both lids meet but for LEFT_BEHIND, the upper one going nearly all of the way."""
    closing = 1 - LEFT_BEHIND
    return lids_left(clay, closing * (1 - _LOWER_SHARE), closing * _LOWER_SHARE, crease=0.38)


def brow_handles(clay: Clay, shares: tuple[float, ...], up: float) -> Handles:
    """Handles for the left brow: ``shares`` of ``up`` cm from the temple inwards, both edges."""
    handles: Handles = {}
    for upper, lower, share in zip(BROW_UPPER, BROW_LOWER, shares, strict=True):
        handles[int(clay.mirror[upper])] = (0.0, share * up, 0.0)
        handles[int(clay.mirror[lower])] = (0.0, share * up, 0.0)
    return handles


def brow_region(clay: Clay) -> np.ndarray:
    """(468,) bool: brows, forehead, skin over the upper lids and between the brows."""
    free = clay.face[:, 1] > 2.0
    ring = np.concatenate([clay.upper_lid, clay.lower_lid])
    both = np.concatenate([ring, clay.mirror[ring]])
    free[both] = False
    free[clay.border] = False
    # What surrounds the lids belongs to them, up to the crease.
    low = clay.near(both, 0.55)
    return free & ~low


def brow_down_left(clay: Clay, down: float) -> np.ndarray:
    """The left brow comes down and in, most of all its inner end; the skin below it bulges."""
    shares = (0.42, 0.68, 0.90, 1.0, 1.0)
    handles: Handles = {}
    for number, (upper, lower) in enumerate(zip(BROW_UPPER, BROW_LOWER, strict=True)):
        inwards = -0.9 * down * (number / 4) ** 1.5
        for vertex in (upper, lower):
            handles[int(clay.mirror[vertex])] = (inwards, -shares[number] * down, 0.10 * number / 4)
    fold = {225: 0.35, 224: 0.5, 223: 0.6, 222: 0.62, 221: 0.6, 193: 0.35}
    for vertex, share in fold.items():
        handles[int(clay.mirror[vertex])] = (-0.1 * down, -share * down, 0.03)
    free = brow_region(clay) & (clay.face[:, 0] > -1.0)
    return clay.pull(handles, free)


def brow_inner_up(clay: Clay, up: float) -> np.ndarray:
    """The inner ends of both brows go up, the outer ends hardly; the forehead goes along."""
    left = brow_handles(clay, (0.02, 0.10, 0.32, 0.70, 1.0), up)
    handles = dict(left)
    for vertex, (_, rise, _) in left.items():
        handles[int(clay.mirror[vertex])] = (0.0, rise, 0.0)
    handles |= {9: (0.0, 0.92 * up, 0.0), 8: (0.0, 0.72 * up, 0.0), 168: (0.0, 0.22 * up, 0.0)}
    return clay.pull(handles, brow_region(clay))


def brow_outer_up_left(clay: Clay, up: float) -> np.ndarray:
    """The outer part of the left brow goes up."""
    handles = brow_handles(clay, (0.78, 1.04, 0.96, 0.40, 0.05), up)
    free = brow_region(clay) & (clay.face[:, 0] > 0.0)
    return clay.pull(handles, free)
