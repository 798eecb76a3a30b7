"""The goals set for control, and whether a report reaches them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

POSE_GOAL = 1.0
RETENTION_GOALS = (0.95, 0.90)
EXPRESSION_RETENTION_GOAL = 0.95
CONTROLLABLE_GOAL = 30
CROSSTALK_GOALS = (0.03, 0.25)
UNCHANGED = 0.5
"""Levels of 255 below which a background counts as unchanged: rounding alone gives about 0.25."""
USEFUL_RANGE = 0.3
"""Of a coefficient's whole way, from which a range counts as useful to an animator."""

WANTED: dict[str, tuple[str, ...]] = {
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "gaze": (
        *("eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight"),
        *("eyeLookUpLeft", "eyeLookUpRight", "eyeLookDownLeft", "eyeLookDownRight"),
    ),
    "inner brows": ("browInnerUp",),
    "outer brows": ("browOuterUpLeft", "browOuterUpRight"),
    "brows down": ("browDownLeft", "browDownRight"),
    "jaw": ("jawOpen",),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "frown": ("mouthFrownLeft", "mouthFrownRight"),
    "pucker": ("mouthPucker",),
    "funnel": ("mouthFunnel",),
    "upper lip": ("mouthUpperUpLeft", "mouthUpperUpRight"),
    "lower lip": ("mouthLowerDownLeft", "mouthLowerDownRight"),
    "stretch": ("mouthStretchLeft", "mouthStretchRight"),
    "press": ("mouthPressLeft", "mouthPressRight"),
}
"""What has to be among the controllable ones."""


@dataclass(frozen=True)
class GoalResult:
    """A goal, what was reached, and whether that is enough (None: not measured)."""

    what: str
    goal: str
    reached: str
    passed: bool | None


def judge_of(report: dict[str, Any]) -> str:
    """The family that the goals are judged by: the first one of the report."""
    return str(next(iter(report["subject"]["judges"])))


def goals_of(report: dict[str, Any], closed_form: dict[str, Any] | None = None) -> list[GoalResult]:
    """All goals for what the report has measured.

    Args:
        closed_form: the report of the closed-form matrix, for the background before paste-back.
    """
    family = judge_of(report)
    result: list[GoalResult] = []
    if "drive" in report:
        result += _drive_goals(report["drive"]["families"][family])
    if "control" in report:
        control = report["control"]
        result += _control_goals(control["families"], family)
        result += _background_goals(control, closed_form)
    return result


def _drive_goals(figures: dict[str, Any]) -> list[GoalResult]:
    upright, rolled = figures["pose"]["all_upright"], figures["pose"]["drawn_with_roll"]
    errors = [upright[name]["mean"] for name in ("headYaw", "headPitch", "headRoll")]
    shown = " / ".join(_number(error, 2) for error in errors) + "°"
    result = [
        GoalResult(
            "pose error, absolute mode, yaw ±30°, pitch ±15° (yaw / pitch / roll)",
            f"≤ {POSE_GOAL:.1f}° each",
            shown,
            _all_known([_at_most(error, POSE_GOAL) for error in errors]),
        ),
        GoalResult(
            "roll error, roll ±30° with yaw and pitch",
            f"≤ {POSE_GOAL:.1f}°",
            _number(rolled["headRoll"]["mean"], 2) + "°",
            _at_most(rolled["headRoll"]["mean"], POSE_GOAL),
        ),
    ]
    for goal, step in zip(RETENTION_GOALS, figures["identity"]["all"], strict=False):
        kept = step["retention"]
        result.append(
            GoalResult(
                f"identity kept, yaw changed by {step['low']:.0f}–{step['high']:.0f}°",
                f"≥ {goal:.2f} of the ceiling",
                _number(kept, 3),
                _at_least(kept, goal),
            )
        )
    return result


def unseen(families: dict[str, Any], family: str) -> tuple[list[str], list[str]]:
    """Swept parameters that the family cannot judge, and those of them that pass by another."""
    blind = [n for n, v in families[family]["parameters"].items() if v["gain"] is None]
    others = [figures["parameters"] for name, figures in families.items() if name != family]
    passed = [n for n in blind if any(other[n]["controllable"] for other in others)]
    return blind, passed


def _control_goals(families: dict[str, Any], family: str) -> list[GoalResult]:
    figures = families[family]
    parameters = figures["parameters"]
    blind, passed = unseen(families, family)
    expressions = {n: v for n, v in parameters.items() if v["unit"] == "coefficient"}
    kept = {n: v["identity_retention"] for n, v in expressions.items()}
    known = {n: value for n, value in kept.items() if value is not None}
    worst = min(known, key=lambda name: known[name], default=None)
    good = [n for n, v in expressions.items() if v["controllable"]]
    own = [n for n, v in expressions.items() if v["controllable_in_own_units"]]
    useful = [n for n in good if expressions[n]["trained_range"][1] >= USEFUL_RANGE]
    lacking = [what for what, names in WANTED.items() if not set(names) <= set(good)]
    crosstalk = figures["crosstalk"]["at_the_ends"]
    mean_goal, worst_goal = CROSSTALK_GOALS
    return [
        GoalResult(
            "identity kept by every single expression (worst shown)",
            f"≥ {EXPRESSION_RETENTION_GOAL:.2f} of the ceiling",
            f"{known[worst]:.3f} ({worst})" if worst else "–",
            _at_least(known[worst], EXPRESSION_RETENTION_GOAL) if worst else None,
        ),
        GoalResult(
            "controllable parameters (gain 0.8–1.25, R² ≥ 0.9)",
            f"≥ {CONTROLLABLE_GOAL} of 52",
            f"{len(good)}, of which {len(useful)} over a range of {USEFUL_RANGE} or more "
            f"({len(own)} in the judge's own units); not seen by the judge: {len(blind)}, of which "
            f"{len(passed)} pass by what training looked through",
            len(useful) >= CONTROLLABLE_GOAL,
        ),
        GoalResult(
            "among them all of: " + ", ".join(WANTED),
            "all",
            _lacking(lacking, blind),
            not lacking,
        ),
        GoalResult(
            "crosstalk, mean off the diagonal",
            f"≤ {mean_goal}",
            _number(crosstalk["mean"], 3),
            _at_most(crosstalk["mean"], mean_goal),
        ),
        GoalResult(
            "crosstalk, worst pair",
            f"≤ {worst_goal}",
            _number(crosstalk["worst"], 2) + " (" + " → ".join(crosstalk["worst_pair"]) + ")",
            _at_most(crosstalk["worst"], worst_goal),
        ),
    ]


def _lacking(lacking: Sequence[str], blind: Sequence[str]) -> str:
    """The wanted controls that are not reached, those first of which the judge sees something."""
    hidden = [what for what in lacking if set(WANTED[what]) <= set(blind)]
    seen = [what for what in lacking if what not in hidden]
    parts = ["lacking: " + ", ".join(seen)] if seen else []
    parts += ["not seen by the judge: " + ", ".join(hidden)] if hidden else []
    return "; ".join(parts) or "all"


def _background_goals(
    control: dict[str, Any], closed_form: dict[str, Any] | None
) -> list[GoalResult]:
    if not control.get("background"):
        return []
    figures = control["background"]["all"]
    result = [
        GoalResult(
            "background after paste-back, levels of 255",
            f"unchanged (< {UNCHANGED})",
            _number(figures["after"], 2),
            _at_most(figures["after"], UNCHANGED),
        )
    ]
    if closed_form and closed_form.get("control", {}).get("background"):
        limit = closed_form["control"]["background"]["all"]["before"] / 2
        result.append(
            GoalResult(
                "background before paste-back, levels of 255",
                f"≤ {limit:.2f}, half of the closed-form matrix's",
                _number(figures["before"], 2),
                _at_most(figures["before"], limit),
            )
        )
    return result


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _at_most(value: float | None, goal: float) -> bool | None:
    return None if value is None else value <= goal


def _at_least(value: float | None, goal: float) -> bool | None:
    return None if value is None else value >= goal


def _all_known(passed: Sequence[bool | None]) -> bool | None:
    return None if None in passed else all(passed)
