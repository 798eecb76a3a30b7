"""How far the pixels of a face have moved, for what landmarkers do not see.

dlib's trees have learned how faces usually look: they read half of a mouth pushed aside, and
nothing of puffed cheeks. Dense optical flow looks at the skin itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from .shape import FaceFrame

REGIONS: Mapping[str, tuple[tuple[tuple[int, ...], ...], float]] = {
    "bridge": (((27,), (28,), (29,)), 0.10),
    "chin": (((57, 8),), 0.16),
    "mouth": (tuple((i,) for i in range(48, 60)), 0.06),
    "upper lip": (((50,), (51,), (52,)), 0.05),
    "lower lip": (((56,), (57,), (58,)), 0.05),
    "left corner": (((54,),), 0.07),
    "right corner": (((48,),), 0.07),
    "left wing": (((35,),), 0.07),
    "right wing": (((31,),), 0.07),
    "left cheek": (((35, 54, 13),), 0.16),
    "right cheek": (((31, 48, 3),), 0.16),
    "inner brows": (((20,), (21,), (22,), (23,)), 0.07),
    "left outer brow": (((24,), (25,)), 0.07),
    "right outer brow": (((18,), (19,)), 0.07),
    "left iris": ((tuple(range(42, 48)),), 0.05),
    "right iris": ((tuple(range(36, 42)),), 0.05),
    "left lid": (((43,), (44,)), 0.03),
    "right lid": (((37,), (38,)), 0.03),
}
"""By name: the groups of landmarks whose middles it lies around, and a radius in eye distances."""
_TRUSTED = 1.5, 0.1
"""Pixels, and share of the way: how far there and back may miss the start."""
_REACH = 0.5
"""Eye distances that a region's pixels may go."""
_ENOUGH = 0.25
"""Of a region's pixels have to be trusted, else all of them count."""


def region_masks(face: FaceFrame, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """(h, w) bool by region, in the picture at rest."""
    masks = {}
    for name, (groups, radius) in REGIONS.items():
        mask = np.zeros(shape, np.uint8)
        for group in groups:
            x, y = face.rest[list(group)].mean(0) - 0.5  # OpenCV's pixel i has its middle at i
            size = max(round(radius * face.unit), 1)
            cv2.circle(mask, (round(float(x)), round(float(y))), size, 1, -1)
        masks[name] = mask > 0
    return masks


def dense_flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(h, w, 2) float32: where each pixel of the first picture has gone in the second, by DIS
    (Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016)."""
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    empty = np.zeros((*first.shape[:2], 2), np.float32)
    return np.asarray(method.calc(_grey(first), _grey(second), empty))


def region_moves(face: FaceFrame, rest: np.ndarray, driven: np.ndarray) -> np.ndarray:
    """(regions, 2): mean move of each of REGIONS in the face's frame of reference.

    Pixels count that the flow back brings home; what the bridge of the nose moves is the head's
    own motion and taken away. NaN for a region outside the picture.
    """
    masks = region_masks(face, rest.shape[:2])
    near = _around(np.any(list(masks.values()), 0), round(_REACH * face.unit))
    before, after = rest[near], driven[near]
    there, back = dense_flow(before, after), dense_flow(after, before)
    trusted = _returns(there, back)
    moves = np.array([_mean(there, masks[name][near], trusted) for name in REGIONS])
    moves -= moves[list(REGIONS).index("bridge")]
    return face.of_vectors(moves)


def _around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Rows and columns of what a mask covers, with a margin: nothing else has to be looked at."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return slice(None), slice(None)
    low = max(int(rows[0]) - margin, 0), max(int(columns[0]) - margin, 0)
    return slice(low[0], int(rows[-1]) + margin), slice(low[1], int(columns[-1]) + margin)


def _returns(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    height, width = there.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    home = cv2.remap(back, x + there[..., 0], y + there[..., 1], cv2.INTER_LINEAR)
    missed = np.linalg.norm(there + home, axis=-1)
    pixels, share = _TRUSTED
    return np.asarray(missed < pixels + share * np.linalg.norm(there, axis=-1))


def _mean(flow: np.ndarray, mask: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    if not mask.any():
        return np.full(2, np.nan)
    good = mask & trusted
    chosen = good if good.sum() >= _ENOUGH * mask.sum() else mask
    return np.asarray(flow[chosen].mean(0, dtype=np.float64))


def _grey(image: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
