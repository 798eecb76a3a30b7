"""Figures of self- and cross-reenactment, and whether they reach the goals."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from photorig.shared.parameters.schema import ParameterSchema

from ..metrics import statistics
from ..metrics.drive_figures import Pairs, expression_figures, pose_figures, undriven
from ..metrics.goals import GoalResult
from ..metrics.statistics import mean_known
from ..protocols.cached_results import CachedResult
from ..protocols.motion import CUT_OFF
from .reenact import MADE, REAL

YAW_EDGES = (0.0, 15.0, 30.0, 45.0)
POSE_GOAL, IDENTITY_GOAL = 1.5, 0.9


def self_figures(
    schema: ParameterSchema, cached: CachedResult, source: CachedResult, family: str
) -> dict[str, Any]:
    """What a family says of a person driven by their own recording.

    Args:
        source: readings of frame 0 by ``<family>.<field>``, (1, …).
    """
    real, made = (_read(cached, side, family) for side in (REAL, MADE))
    origin = source[f"{family}.identity"]
    pairs = _pairs(made, real["parameters"], real["apertures"], source, family)
    to_source = statistics.cosine(made["identity"], origin)
    real_to_source = statistics.cosine(real["identity"], origin)
    known = np.isfinite(to_source) & np.isfinite(real_to_source)
    yaw = schema.index["headYaw"]
    gap = np.abs(real["parameters"][:, yaw] - source[f"{family}.parameters"][:, yaw])
    return {
        "frames": len(known),
        "without_a_face": int((~np.isfinite(made["identity"]).all(-1)).sum()),
        "real_without_a_face": int((~np.isfinite(real["identity"]).all(-1)).sum()),
        "identity_to_frame": float(
            mean_known(statistics.cosine(made["identity"], real["identity"]))
        ),
        "identity_to_source": float(mean_known(to_source[known])),
        "real_identity_to_source": float(mean_known(real_to_source[known])),
        "identity_kept": _ratio(to_source[known], real_to_source[known]),
        "identity_by_yaw": [
            {**asdict(step), "real": other.mean}
            for step, other in zip(
                statistics.binned(gap, to_source, YAW_EDGES),
                statistics.binned(gap, real_to_source, YAW_EDGES),
                strict=True,
            )
        ],
        **_errors(schema, pairs),
    }


def cross_figures(
    schema: ParameterSchema,
    cached: CachedResult,
    source: CachedResult,
    driver: CachedResult,
    family: str,
) -> dict[str, Any]:
    """What a family says of a person driven by somebody else's recording.

    Right is what it reads off the source's frame 0, plus the driver's change since their frame 0.

    Args:
        source, driver: readings of either frame 0.
    """
    real, made = (_read(cached, side, family) for side in (REAL, MADE))
    wanted = {
        name: source[f"{family}.{name}"] + real[name] - driver[f"{family}.{name}"]
        for name in ("parameters", "apertures")
    }
    pairs = _pairs(made, wanted["parameters"], wanted["apertures"], source, family)
    to_source = statistics.cosine(made["identity"], source[f"{family}.identity"])
    return {
        "frames": len(to_source),
        "without_a_face": int((~np.isfinite(made["identity"]).all(-1)).sum()),
        "identity_to_source": float(mean_known(to_source)),
        "identity_to_driver": float(
            mean_known(statistics.cosine(made["identity"], real["identity"]))
        ),
        **_errors(schema, pairs),
    }


def _errors(schema: ParameterSchema, pairs: Pairs) -> dict[str, Any]:
    still = undriven(pairs)
    return {
        "pose": pose_figures(schema, pairs),
        "untouched_pose": pose_figures(schema, still),
        "expression": expression_figures(schema, pairs),
        "untouched_expression": expression_figures(schema, still),
    }


def face_distance(cached: CachedResult) -> dict[str, float]:
    """Mean L1 on the face of the real frame, driven and un-driven, in levels of 255."""
    return {
        "driven": float(mean_known(cached["l1"])),
        "untouched": float(mean_known(cached["l1_still"])),
    }


def jitter_figures(
    row: CachedResult, smooth: CachedResult, family: str, frames_per_second: float
) -> dict[str, Any]:
    """How much real frames in a row tremble, the driven ones, and those of the smoothed drive."""
    kinds = {"real": (row, REAL), "driven": (row, MADE), "smooth_drive": (smooth, MADE)}
    return {
        name: _jitter(_read(cached, side, family), frames_per_second) if cached else {}
        for name, (cached, side) in kinds.items()
    }


def _jitter(readings: CachedResult, frames_per_second: float) -> dict[str, float]:
    eyes, pose = readings["eyes"], readings["parameters"][:, :3]
    distance = float(mean_known(np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=-1)))
    lost = int((~np.isfinite(pose).all(1)).sum())
    if lost or len(pose) < 3:
        return {"frames_lost": lost, "landmarks": math.nan, "pose": math.nan}
    high = statistics.high_passed(pose, frames_per_second, CUT_OFF)
    return {
        "frames_lost": 0,
        "landmarks": statistics.acceleration_jitter(readings["landmarks"], distance),
        "pose": float(high.std(0).mean()),
    }


def _read(cached: CachedResult, side: str, family: str) -> CachedResult:
    start = f"{side}.{family}."
    return {key.removeprefix(start): v for key, v in cached.items() if key.startswith(start)}


def _pairs(
    made: CachedResult,
    wanted: np.ndarray,
    wanted_apertures: np.ndarray,
    source: CachedResult,
    family: str,
) -> Pairs:
    count = len(wanted)
    zeros = np.zeros(count, np.int32)
    rest, openings = source[f"{family}.parameters"], source[f"{family}.apertures"]
    return Pairs(
        kind=zeros,
        beyond=zeros,
        shift=np.full(count, np.nan),
        seen=made["parameters"],
        source=np.broadcast_to(rest, wanted.shape),
        wanted=wanted,
        apertures=made["apertures"],
        source_apertures=np.broadcast_to(openings, wanted_apertures.shape),
        wanted_apertures=wanted_apertures,
        identity=statistics.cosine(made["identity"], source[f"{family}.identity"]),
    )


def _ratio(one: np.ndarray, other: np.ndarray) -> float:
    return float(one.mean() / other.mean()) if len(one) else math.nan


def goals_of(section: dict[str, Any], family: str) -> list[GoalResult]:
    """The goals for what was measured, as read back from the report (None: not known)."""
    figures = section["self"]["families"][family]
    pose, kept = figures["pose"]["mean_of_axes"], figures["identity_kept"]
    untouched = figures["untouched_pose"]["mean_of_axes"]
    still = section["self"]["still"]
    jitter = section["self"]["jitter"][family]
    own, smooth = (jitter[name].get("landmarks") for name in ("real", "smooth_drive"))
    return [
        GoalResult(
            "self: pose error a frame, mean of yaw, pitch, roll",
            f"≤ {POSE_GOAL}°, and better than nothing",
            f"{_n(pose, 2)}° (photo left as it is: {_n(untouched, 2)}°)",
            # Where a head hardly moves, a photo that does not move at all would reach the goal.
            None if pose is None else pose <= POSE_GOAL and pose < untouched,
        ),
        GoalResult(
            "self: identity ÷ what the real frames score, both to frame 0",
            f"≥ {IDENTITY_GOAL}",
            f"{_n(kept, 3)} ({_n(figures['identity_to_source'], 3)} ÷ "
            f"{_n(figures['real_identity_to_source'], 3)})",
            None if kept is None else kept >= IDENTITY_GOAL,
        ),
        GoalResult(
            "the same drive again, other frames between",
            "same bytes",
            f"{still['same']} of {still['requests']}",
            still["same"] == still["requests"] if still["requests"] else None,
        ),
        GoalResult(
            "jitter of landmarks, drive smoothed",
            "below the real recording's",
            f"{_n(smooth, 4)} against {_n(own, 4)} eye distances",
            None if own is None or smooth is None else smooth < own,
        ),
    ]


def _n(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
