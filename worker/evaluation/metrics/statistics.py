"""The figures of an evaluation, as functions of arrays alone. NaN marks what was not measured."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Line:
    """Measured against asked change, as a line through the origin.

    Attributes:
        gain: least squares measured ÷ asked.
        linearity: R² = 1 − Σ(m − gain·a)² / Σ(m − mean m)², the rest level included.
        linearity_from_zero: the same with Σm² below the line; never smaller.
        count: how many (person, level) it rests on, the rest level not counted.
    """

    gain: float
    linearity: float
    linearity_from_zero: float
    count: int


def fit_line(asked: np.ndarray, measured: np.ndarray) -> Line:
    """Fit measured = gain · asked over people and levels.

    Args:
        asked: (people, levels) asked change without the rest level; NaN where nothing was asked.
        measured: (people, levels) measured change from rest; NaN where it could not be measured.
    """
    asked, measured = np.asarray(asked, float), np.asarray(measured, float)
    known = np.isfinite(asked) & np.isfinite(measured)
    a, m = asked[known], measured[known]
    power = float(a @ a)
    if len(a) < 2 or power == 0:
        return Line(np.nan, np.nan, np.nan, len(a))
    gain = float(a @ m) / power
    residual = float(np.square(m - gain * a).sum())
    # Rest is a level of the sweep too: asked 0, changed 0, once for each person who was measured.
    rests = int(known.any(-1).sum()) if known.ndim > 1 else 1
    with_rest = np.concatenate([m, np.zeros(rests)])
    return Line(
        gain,
        _explained(residual, float(np.square(with_rest - with_rest.mean()).sum())),
        _explained(residual, float(np.square(m).sum())),
        len(a),
    )


def _explained(residual: float, total: float) -> float:
    return 1 - residual / total if total > 1e-18 else float("nan")


def gains_of_people(asked: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """(people,) gain of each person's own line; NaN where there is none."""
    known = np.isfinite(asked) & np.isfinite(measured)
    a, m = np.where(known, asked, 0.0), np.where(known, measured, 0.0)
    power = np.square(a).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(power > 0, (a * m).sum(-1) / power, np.nan)


def linearity_of_each(asked: np.ndarray, measured: np.ndarray) -> float:
    """R² with a line of its own for each person: what is left is bends and noise, not people who
    answer differently. Arguments as for `fit_line`."""
    asked, measured = np.asarray(asked, float), np.asarray(measured, float)
    gains = gains_of_people(asked, measured)
    residual = np.square(measured - gains[:, None] * asked)
    known = np.isfinite(residual)
    if not known.any():
        return float("nan")
    with_rest = np.concatenate([measured[known], np.zeros(int(known.any(1).sum()))])
    total = float(np.square(with_rest - with_rest.mean()).sum())
    return _explained(float(residual[known].sum()), total)


@dataclass(frozen=True)
class Errors:
    """Absolute errors: mean, 95th percentile, how many were measured and how many failed."""

    mean: float
    percentile_95: float
    count: int
    failures: int


def absolute_errors(errors: np.ndarray) -> Errors:
    """Summary of signed errors (n,); NaN counts as a failure and never as an error of 0."""
    errors = np.abs(np.asarray(errors, float).ravel())
    known = errors[np.isfinite(errors)]
    if not len(known):
        return Errors(np.nan, np.nan, 0, len(errors))
    return Errors(
        float(known.mean()),
        float(np.percentile(known, 95)),
        len(known),
        len(errors) - len(known),
    )


def wrap_degrees(angle: np.ndarray) -> np.ndarray:
    """Angles brought into [−180, 180)."""
    return (np.asarray(angle, float) + 180) % 360 - 180


def rotation_matrices(angles: np.ndarray) -> np.ndarray:
    """(…, 3) yaw, pitch, roll in degrees to (…, 3, 3); y up, z towards the camera.

    Yaw about the upright axis after pitch after roll, as worker/faces/geometry.head_angles reads
    it back: yaw > 0 nose to image right, pitch > 0 nose up, roll > 0 counter-clockwise.
    """
    yaw, pitch, roll = np.moveaxis(np.radians(np.asarray(angles, float)), -1, 0)
    return _about(1, yaw) @ _about(0, -pitch) @ _about(2, roll)


def _about(axis: int, angle: np.ndarray) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.zeros((*np.shape(angle), 3, 3))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., axis, axis] = 1
    matrix[..., first, first] = matrix[..., second, second] = cosine
    matrix[..., first, second], matrix[..., second, first] = -sine, sine
    return matrix


def geodesic_degrees(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(…,) angle of the rotation between two poses (…, 3): arccos((tr(R₁ᵀR₂) − 1) / 2)."""
    between = np.swapaxes(rotation_matrices(first), -1, -2) @ rotation_matrices(second)
    cosine = (np.trace(between, axis1=-2, axis2=-1) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def crosstalk_row(changes: np.ndarray, full_moves: np.ndarray) -> np.ndarray:
    """How far everything else goes along when one parameter is at an end of its range.

    Args:
        changes: (frames, n) measured change of all parameters at the ends of the range.
        full_moves: (n,) what counts as a full move of each, in its unit.

    Returns:
        (n,) mean |change| in full moves; NaN for what was never measured.
    """
    return mean_known(np.abs(changes) / full_moves, 0)


@dataclass(frozen=True)
class OffDiagonal:
    """Mean and worst of a crosstalk matrix without its diagonal, and where the worst is."""

    mean: float
    worst: float
    worst_row: int
    worst_column: int


def off_diagonal(matrix: np.ndarray, rows: list[int]) -> OffDiagonal:
    """Summary of the crosstalk matrix (n, n) over the rows of the parameters that were moved.

    Nothing but a parameter's effect on itself is left out: its mirror partner counts as any other.
    """
    others = np.array(matrix, float)
    np.fill_diagonal(others, np.nan)
    chosen = others[rows]
    if not np.isfinite(chosen).any():
        return OffDiagonal(np.nan, np.nan, -1, -1)
    row, column = np.unravel_index(int(np.nanargmax(chosen)), chosen.shape)
    return OffDiagonal(
        float(np.nanmean(chosen)), float(np.nanmax(chosen)), rows[int(row)], int(column)
    )


def mean_known(values: np.ndarray, axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    """Mean over what is not NaN; NaN (and no warning) where nothing is known."""
    values = np.asarray(values, float)
    known = np.isfinite(values)
    count = known.sum(axis)
    total = np.where(known, values, 0.0).sum(axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@dataclass(frozen=True)
class Bin:
    """Values whose key lies in [low, high): their mean and how many there are."""

    low: float
    high: float
    mean: float
    count: int


def binned(keys: np.ndarray, values: np.ndarray, edges: tuple[float, ...]) -> list[Bin]:
    """Means of ``values`` (n,) by ``keys`` (n,) between neighbouring edges; the last edge counts
    as inside. NaN on either side is left out."""
    keys, values = np.asarray(keys, float), np.asarray(values, float)
    known = np.isfinite(keys) & np.isfinite(values)
    bins = []
    for low, high in itertools.pairwise(edges):
        below = keys <= high if high == edges[-1] else keys < high
        chosen = values[known & (keys >= low) & below]
        mean = float(chosen.mean()) if len(chosen) else float("nan")
        bins.append(Bin(low, high, mean, len(chosen)))
    return bins


def cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(…,) cosine between vectors (…, d)."""
    first, second = np.asarray(first, float), np.asarray(second, float)
    length = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (first * second).sum(-1) / length


def acceleration_jitter(landmarks: np.ndarray, eye_distance: float) -> float:
    """J = mean over frames and points of ‖l(t+1) − 2 l(t) + l(t−1)‖ ÷ eye distance.

    Args:
        landmarks: (frames, points, 2) pixels; frames with NaN are left out with their neighbours.
        eye_distance: pixels.
    """
    bend = landmarks[2:] - 2 * landmarks[1:-1] + landmarks[:-2]
    return float(mean_known(np.linalg.norm(bend, axis=-1))) / eye_distance


def high_passed(signal: np.ndarray, frames_per_second: float, cut_off: float) -> np.ndarray:
    """The part of a signal (frames, …) that is faster than ``cut_off`` Hz.

    The line from first to last frame is taken out and the rest continued by its point reflection,
    so that the Fourier series sees no jump; then what is slower is taken out of the series.
    """
    signal = np.asarray(signal, float)
    count = len(signal)
    way = np.linspace(0, 1, count).reshape(-1, *[1] * (signal.ndim - 1))
    level = signal - (signal[:1] + way * (signal[-1:] - signal[:1]))
    extended = np.concatenate([level, -level[-2:0:-1]])
    spectrum = np.fft.rfft(extended, axis=0)
    frequencies = np.fft.rfftfreq(len(extended), 1 / frames_per_second)
    spectrum[frequencies <= cut_off] = 0
    return np.fft.irfft(spectrum, len(extended), axis=0)[:count]
