"""Figures of all photos together, and whether they reach the goals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..metrics.goals import GoalResult
from ..metrics.statistics import mean_known

SECONDS = {"quick": 5.0, "default": 60.0}
IDENTITY = {"quick": 0.85, "default": 0.95}
MEMORY, FILE = 3e9, 40e6
REST_PSNR = 40.0
CORES = 2
"""That the goals for the time are set for."""

Entry = dict[str, Any]


def summary(entries: Sequence[Entry], families: Sequence[str]) -> dict[str, Any]:
    """By way: how many came out, and mean, worst and median of what was measured."""
    chosen = {way: [entry for entry in entries if entry["way"] == way] for way in ways(entries)}
    return {way: _of_way(of_way, families) for way, of_way in chosen.items()}


def ways(entries: Sequence[Entry]) -> list[str]:
    """The ways to fit that were measured, in their order."""
    return list(dict.fromkeys(entry["way"] for entry in entries))


def worked(entries: Sequence[Entry]) -> list[Entry]:
    """The entries that were fitted and measured."""
    return [entry for entry in entries if not entry["error"]]


def _of_way(entries: Sequence[Entry], families: Sequence[str]) -> dict[str, Any]:
    good = worked(entries)
    fits = [entry["fit"] for entry in good]
    return {
        "photos": len(entries),
        "failed": len(entries) - len(good),
        "seconds": spread(fit["seconds"] for fit in fits),
        "processor_seconds": spread(fit["processor_seconds"] for fit in fits),
        "peak_memory": spread(fit["peak_memory"] for fit in fits),
        "portrait_bytes": spread(fit["portrait_bytes"] for fit in fits),
        "psnr_face": spread(entry["inversion"]["psnr_face"] for entry in good),
        "psnr_crop": spread(entry["inversion"]["psnr_crop"] for entry in good),
        "perceptual": spread(entry["inversion"]["perceptual"] for entry in good),
        "perceptual_of_blur": spread(entry["inversion"]["perceptual_of_blur"] for entry in good),
        "rest_psnr_face": spread(entry["rest"]["psnr_face"] for entry in good),
        "rest_same_bytes": sum(entry["rest"]["same_bytes"] for entry in good),
        "background_unchanged": sum(entry["rest"]["background_worst"] == 0 for entry in good),
        "families": {name: _of_family(good, name) for name in families},
    }


def _of_family(good: Sequence[Entry], family: str) -> dict[str, Any]:
    seen = [entry["inversion"]["families"][family] for entry in good]
    names = ("cosine", "ceiling", "identity_kept", "pose", "expression", "mouth", "eyes", "age")
    labels = list(good[0]["driven"]) if good else []
    return {
        **{name: spread(values[name] for values in seen) for name in names},
        "driven": {
            label: {
                name: spread(entry["driven"][label][family][name] for entry in good)
                for name in ("identity_kept", "answer")
            }
            for label in labels
        },
    }


def spread(values: Iterable[float | None]) -> dict[str, float | int]:
    """Mean, median, lowest, highest and how many are known; None and NaN are not."""
    known = np.array([v for v in values if v is not None and math.isfinite(v)], float)
    if not len(known):
        nan = float("nan")
        return {"mean": nan, "median": nan, "lowest": nan, "highest": nan, "known": 0}
    return {
        "mean": float(known.mean()),
        "median": float(np.median(known)),
        "lowest": float(known.min()),
        "highest": float(known.max()),
        "known": len(known),
    }


def goals_of(figures: dict[str, Any], entries: Sequence[Entry], family: str) -> list[GoalResult]:
    """All goals for what was measured, by one family.

    Args:
        figures: of `summary`, as read back from the report: None for what is not known.
    """
    result: list[GoalResult] = []
    for way, values in figures.items():
        result += _fit_bars(way, values)
        result.append(_identity_bar(way, entries, family))
    return result + [bar for way, values in figures.items() for bar in _rest_goals(way, values)]


def _fit_bars(way: str, values: dict[str, Any]) -> list[GoalResult]:
    seconds, work = values["seconds"], values["processor_seconds"]
    memory, size = values["peak_memory"]["highest"], values["portrait_bytes"]["highest"]
    goal = SECONDS.get(way, math.nan)
    return [
        GoalResult(
            f"fit, {way}: processor seconds (median; slowest; median by the clock, cores shared)",
            f"≤ {goal:.0f} s",
            f"{_n(work['median'], 1)} s; {_n(work['highest'], 1)} s; {_n(seconds['median'], 1)} s",
            in_time(seconds["median"], work["median"], goal),
        ),
        GoalResult(
            f"fit, {way}: peak memory, file (largest)",
            f"≤ {MEMORY / 1e9:.0f} GB, ≤ {FILE / 1e6:.0f} MB",
            f"{_n(memory, 2, 1e9)} GB, {_n(size, 1, 1e6)} MB",
            None if memory is None or size is None else memory <= MEMORY and size <= FILE,
        ),
    ]


def in_time(seconds: float | None, work: float | None, goal: float) -> bool | None:
    """Whether two cores of their own reach the goal; None where shared ones do not tell.

    The clock needs no more than the processor seconds there, and no less than half of them.
    """
    if seconds is None:
        return None
    if seconds <= goal or (work is not None and work <= goal):
        return True
    return False if work is None or work > CORES * goal else None


def _identity_bar(way: str, entries: Sequence[Entry], family: str) -> GoalResult:
    goal = IDENTITY.get(way, math.nan)
    chosen = worked([entry for entry in entries if entry["way"] == way])
    kept = {e["name"]: e["inversion"]["families"][family]["identity_kept"] for e in chosen}
    known = {name: value for name, value in kept.items() if value is not None}
    mean = float(mean_known(np.array(list(known.values()), float)))
    enough = sum(value >= goal for value in known.values())
    worst = min(known, key=lambda name: known[name], default=None)
    said = f"{mean:.3f} in the mean; {enough} of {len(chosen)} photos"
    return GoalResult(
        f"identity of the inversion ÷ ceiling, {way}",
        f"≥ {goal:.2f}",
        said + (f"; worst {known[worst]:.3f} ({worst})" if worst else ""),
        mean >= goal if known else None,
    )


def _rest_goals(way: str, values: dict[str, Any]) -> list[GoalResult]:
    count = values["photos"] - values["failed"]
    lowest = values["rest_psnr_face"]["lowest"]
    return [
        GoalResult(
            f"background at rest, {way}",
            "identical",
            f"in {values['background_unchanged']} of {count} photos",
            None if not count else values["background_unchanged"] == count,
        ),
        GoalResult(
            f"face at rest, {way} (lowest; mean)",
            f"≥ {REST_PSNR:.0f} dB",
            f"{_n(lowest, 1)} dB; {_n(values['rest_psnr_face']['mean'], 1)} dB",
            None if lowest is None else lowest >= REST_PSNR,
        ),
    ]


def _n(value: float | None, digits: int, unit: float = 1.0) -> str:
    return "–" if value is None or math.isnan(value) else f"{value / unit:.{digits}f}"
