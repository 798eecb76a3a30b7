"""How far a face driven by its own recording goes along with the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..metrics.statistics import mean_known
from ..protocols.cached_results import CachedResult
from ..real.reenact import MADE, REAL
from .pose import MAP, PNP, head_angles
from .pose import TRAINING_POSE as TRAINING
from .shape import FaceFrame, aligned_to, eye_distance
from .yardstick import IRISES, LANDMARKS, LIPS, Look, eye_heights

TURNS = 0.6
"""Degrees (standard deviation) by which a head has to turn for the same."""
ENOUGH = 8
"""Frames that a slope rests on at least."""

Signal = Callable[[CachedResult], np.ndarray]
"""From readings of f frames, by field, to (f,)."""


def _points(readings: CachedResult) -> np.ndarray:
    """(f, 68, 2) each in its own frame of reference, so that the head's motion is out."""
    return np.array([FaceFrame(p).of_pixels(p) for p in readings["landmarks"].astype(float)])


def _aperture(readings: CachedResult) -> np.ndarray:
    points = _points(readings)
    return np.asarray(np.linalg.norm(points[:, LIPS[0]] - points[:, LIPS[1]], axis=-1))


def _smile(readings: CachedResult) -> np.ndarray:
    """How far apart and how high the corners of the mouth are, as a full smile moves them."""
    points = _points(readings)
    nose = points[:, 33]
    up = points[:, [48, 54], 1].mean(1) - nose[:, 1]
    out = (points[:, 54, 0] - points[:, 48, 0]) / 2
    full = np.array([0.112, 0.167])
    return np.asarray(np.stack([out, up], 1) @ (full / np.linalg.norm(full)))


SIGNALS: Mapping[str, tuple[Signal, float]] = {
    "mouth aperture": (_aperture, 0.02),
    "lids": (lambda r: r["apertures"][:, 1:].mean(1), 0.02),
    "smile": (_smile, 0.015),
    "wink": (lambda r: r["apertures"][:, 1] - r["apertures"][:, 2], 0.015),
}
"""What is followed, and by how much (standard deviation, eye distances) the real frames have to
move for a slope to be told from noise."""


def slope_figures(cached: CachedResult, judge: str) -> dict[str, Any]:
    """Slope of driven on real frames, and how far landmarks miss.

    Args:
        cached: what `real.reenact.measure` gives of self-reenactment.
    """
    real, made = (_of(cached, side, judge) for side in (REAL, MADE))
    known = np.isfinite(real["landmarks"]).all((1, 2)) & np.isfinite(made["landmarks"]).all((1, 2))
    real = {name: values[known] for name, values in real.items()}
    made = {name: values[known] for name, values in made.items()}
    signals = {
        name: line(signal(real), signal(made), least)
        for name, (signal, least) in SIGNALS.items()
        if known.any()
    }
    return {
        "frames": int(known.sum()),
        "without_a_face": int((~known).sum()),
        "signals": signals,
        "landmark_error": landmark_error(real["landmarks"], made["landmarks"]),
    }


def line(real: np.ndarray, made: np.ndarray, least: float) -> dict[str, float]:
    """Slope by least squares with an intercept, correlation, and how much the real one moves.

    The slope is NaN where the real frames move less than ``least`` or are too few.
    """
    known = np.isfinite(real) & np.isfinite(made)
    x, y = real[known], made[known]
    moves = float(x.std()) if len(x) else float("nan")
    if len(x) < ENOUGH or moves < least:
        return {"slope": float("nan"), "correlation": float("nan"), "real_moves": moves}
    away = x - x.mean()
    slope = float(away @ (y - y.mean()) / (away @ away))
    spread = float(x.std() * y.std())
    correlation = slope * float(x.var()) / spread if spread > 0 else 0.0
    return {"slope": slope, "correlation": correlation, "real_moves": moves}


def landmark_error(real: np.ndarray, made: np.ndarray) -> float:
    """Mean distance of (f, 68, 2) landmarks after turn, scale and shift, in eye distances."""
    errors = [
        np.linalg.norm(aligned_to(m, m, r) - r, axis=-1).mean() / eye_distance(r)
        for r, m in zip(real.astype(float), made.astype(float), strict=True)
    ]
    return float(mean_known(np.array(errors))) if errors else float("nan")


def real_blinks(cached: CachedResult, judge: str, training: str = "") -> dict[str, float]:
    """By judge, what it leaves open of eyes that really shut: lowest height of the lids in the real
    frames ÷ the upper decile; near 1 where nobody blinks.

    Args:
        training: the family that training looked through, "" for none.
    """
    real = _of(cached, REAL, judge)
    eyes = [eye_heights(_look(points), LANDMARKS).mean() for points in _points(real)]
    heights = {IRISES: real["apertures"][:, 1:].mean(1), LANDMARKS: np.array(eyes)}
    if training:
        heights[TRAINING] = _of(cached, REAL, training)["apertures"][:, 1:].mean(1)
    return {name: _lowest(lids[np.isfinite(lids)]) for name, lids in heights.items()}


def _look(points: np.ndarray) -> Look:
    nothing = np.full(2, np.nan)
    return Look(points, nothing, nothing, nothing)


def _lowest(lids: np.ndarray) -> float:
    return float(lids.min() / np.percentile(lids, 90)) if len(lids) else float("nan")


def pose_ceilings(
    cached: CachedResult, judge: str, training: str, size: tuple[int, int]
) -> dict[str, Any]:
    """How the ways to read angles agree on the real frames: slope of each on Net3D's, as `line`.

    Args:
        size: height and width of the recording.
    """
    real = _of(cached, REAL, judge)
    known = _of(cached, REAL, training)["parameters"]
    ways = {
        PNP: np.array([head_angles(points, size) for points in real["landmarks"]]),
        MAP: real["parameters"][:, :3],
    }
    return {
        way: {
            name: line(known[:, axis], angles[:, axis], TURNS)
            for axis, name in enumerate(("yaw", "pitch"))
        }
        for way, angles in ways.items()
    }


def _of(cached: CachedResult, side: str, judge: str) -> CachedResult:
    start = f"{side}.{judge}."
    return {key.removeprefix(start): v for key, v in cached.items() if key.startswith(start)}
