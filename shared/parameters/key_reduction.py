"""Fewer keyframes for the same curve, within a tolerance."""

from __future__ import annotations

import numpy as np


def kept_keys(frames: np.ndarray, values: np.ndarray, tolerance: float) -> np.ndarray:
    """Which keys of a curve of straight lines are needed.

    Ramer-Douglas-Peucker with the error measured in the value: the key that is farthest from the
    straight line through the ends is kept if it is farther than the tolerance, and then both sides
    are treated alike.

    Args:
        frames: (n,) strictly ascending.
        values: (n,) the curve's value at each.
        tolerance: greatest difference that the reduced curve may have at any of the frames.

    Returns:
        (m,) ascending indices; the first and the last are always among them.
    """
    count = len(frames)
    if count <= 2:
        return np.arange(count)
    keep = np.zeros(count, bool)
    keep[0] = keep[-1] = True
    waiting = [(0, count - 1)]
    while waiting:
        first, last = waiting.pop()
        inside = slice(first + 1, last)
        line = np.interp(frames[inside], frames[[first, last]], values[[first, last]])
        errors = np.abs(values[inside] - line)
        if len(errors) == 0 or errors.max() <= tolerance:
            continue
        farthest = first + 1 + int(errors.argmax())
        keep[farthest] = True
        waiting += [(first, farthest), (farthest, last)]
    return np.flatnonzero(keep)
