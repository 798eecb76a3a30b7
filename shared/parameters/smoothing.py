"""Curves made smoother without coming later or lower: Savitzky and Golay 1964."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .file import FrameParameters

_LONGEST_SECONDS = 0.4
_DEGREE = 2


def smoothed(
    frames: Sequence[FrameParameters], rate: float, strength: float
) -> list[FrameParameters]:
    """The frames with each parameter's curve smoothed; frames, times and names stay.

    Each value becomes that of the parabola through its neighbours, in the least squares sense, so
    that a smile keeps its height and a blink its moment. A parameter that a frame leaves out
    stands still there.

    Args:
        frames: in their order, at about the same distances.
        rate: of them, a second.
        strength: from 0, nothing, to 1, a window of 0.4 seconds.
    """
    radius = round(min(max(strength, 0.0), 1.0) * _LONGEST_SECONDS * rate / 2)
    if radius < 2 or len(frames) < 4:
        return list(frames)
    names = sorted({name for each in frames for name in each.values})
    curves = np.array([[each.values.get(name, np.nan) for name in names] for each in frames])
    curves = _held(curves)
    smooth = curves.copy()
    for place in range(len(frames)):
        first, last = max(0, place - radius), min(len(frames), place + radius + 1)
        weights = _weights(first - place, last - place)
        smooth[place] = weights @ curves[first:last]
    return [
        replace(
            each, values={n: float(v) for n, v in zip(names, row, strict=True) if n in each.values}
        )
        for each, row in zip(frames, smooth, strict=True)
    ]


def _weights(first: int, last: int) -> np.ndarray:
    """(last - first,) what each neighbour counts for the value in the middle, at 0."""
    places = np.arange(first, last, dtype=np.float64)
    powers = np.vander(places, min(_DEGREE, len(places) - 1) + 1, increasing=True)
    return np.linalg.pinv(powers)[0]


def _held(curves: np.ndarray) -> np.ndarray:
    """(n, k) with the last known value, at first the next one, where there is none."""
    result = curves.copy()
    for column in result.T:
        known = np.flatnonzero(np.isfinite(column))
        nearest = np.maximum(np.searchsorted(known, np.arange(len(column)), side="right") - 1, 0)
        column[:] = column[known[nearest]]
    return result
