"""A person's matte made finer by colours: strands of hair, which a small network cannot see.

Around the person's edge a pixel is as much person as its colour lies towards that of the person
nearby, and away from that of the background nearby. Where both look alike the matte stays.
"""

from __future__ import annotations

import cv2
import numpy as np

from .layers import grown

# Lengths are parts of the aligned square's side.
_OUTSIDE, _INSIDE = 0.045, 0.03
"""How far outside and inside the matte's edge hair may end."""
_NEARBY = 0.05
"""From how far colours of person and background are taken."""
_FINEST = 192  # pixels of the square's side at which these are found
_SMOOTH = 0.004
"""Radius over which what is found is smoothed along edges of the picture."""
_EDGES = 1e-3  # squared colour: what counts as such an edge
_MIXED = (0.15, 0.85)
"""Shares of the person's colour between which a pixel is a mixture."""
_SPREAD, _NOISE = 6.0, 300.0
"""How far colours have to differ, in variances of both and in squared levels."""
_LEAST_KNOWN = 0.02
"""Part of what is nearby that has to be known."""


def finer_matte(photo: np.ndarray, matte: np.ndarray, unit: float) -> np.ndarray:
    """The matte (h, w) float32 of the person in a photo (h, w, 3) uint8, with fine edges.

    Args:
        unit: pixels of the aligned square's side.
    """
    height, width = matte.shape
    factor = max(unit / _FINEST, 1.0)
    small = (max(round(width / factor), 1), max(round(height / factor), 1))
    colours = cv2.resize(photo, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    whole = cv2.resize(matte, small, interpolation=cv2.INTER_AREA) > 0.5
    inside = grown(whole.astype(np.float32), -_INSIDE * unit / factor)
    outside = 1 - grown(whole.astype(np.float32), _OUTSIDE * unit / factor)
    reach = _NEARBY * unit / factor
    person, person_spread, person_known = _nearby(colours, inside, reach)
    behind, behind_spread, behind_known = _nearby(colours, outside, reach)

    def large(values: np.ndarray) -> np.ndarray:
        return cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)

    behind, way = large(behind), large(person - behind)
    apart = cv2.transform(way * way, np.ones((1, 3)))
    along = cv2.transform((photo - behind) * way, np.ones((1, 3)))
    low, high = _MIXED
    share = np.clip((along / np.maximum(apart, 1) - low) / (high - low), 0, 1)
    known = np.minimum(large(np.minimum(person_known, behind_known)) / _LEAST_KNOWN, 1)
    sure = known * apart / (apart + _SPREAD * large(person_spread + behind_spread) + _NOISE)
    sure *= np.clip(large(1 - inside - outside), 0, 1)
    found = (matte + sure * (share - matte)).astype(np.float32)
    guide = photo.astype(np.float32) * np.float32(1 / 255)
    radius = max(round(_SMOOTH * unit), 1)
    return np.clip(cv2.ximgproc.guidedFilter(guide, found, radius, _EDGES), 0, 1)


def _nearby(
    colours: np.ndarray, where: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (h, w, 3) and variance (h, w) of colours around each point, of what is where a mask
    (h, w) is 1, and how much of what is around that is."""
    known = cv2.GaussianBlur(where, (0, 0), reach)
    weights = cv2.merge([where] * 3)
    total = cv2.merge([known + np.float32(1e-4)] * 3)
    mean = cv2.GaussianBlur(colours * weights, (0, 0), reach) / total
    squares = cv2.GaussianBlur(colours * colours * weights, (0, 0), reach) / total
    spread = np.maximum(squares - mean * mean, 0).mean(-1)
    return mean, spread, known
