"""The page's tables of pairs, moves and repetitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from photorig.shared.parameters.schema import HEAD_ANGLES

from .markup import Content, number, table, tag
from .page_parts import Other

_POSES = {
    "all_upright": "pictures and drawn poses",
    "pictures": "pictures of others",
    "drawn": "drawn yaw and pitch",
    "drawn_with_roll": "drawn yaw, pitch and roll",
}


def sections(report: dict[str, Any], others: Sequence[Other]) -> list[Content]:
    """Pose, expression, identity by yaw, jitter, still test."""
    reports = [("this report", report), *((o.label, o.report) for o in others)]
    seen = [
        (f"{label}, {family}", figures)
        for label, beside in reports
        for family, figures in beside.get("drive", {}).get("families", {}).items()
    ]
    still = report["drive"]["still_test"]
    return [
        tag("h2", "Poses in absolute mode"),
        _poses(seen),
        tag("h2", "Expressions of others"),
        _expressions(seen),
        tag("h2", "The person, by how far the head has turned"),
        _identity(seen),
        tag("h2", "Moving and standing still"),
        _motion(seen),
        tag(
            "p",
            f"Still test: {still['same_bytes']} of {still['requests']} repeated requests gave the "
            "same bytes.",
        ),
    ]


def _poses(seen: list[tuple[str, dict[str, Any]]]) -> Content:
    header = [
        *("mean / 95th percentile, degrees", "yaw", "pitch", "roll"),
        *("mean of axes", "between poses", "frames", "no face"),
    ]
    rows = []
    for label, figures in seen:
        groups = {words: figures["pose"][name] for name, words in _POSES.items()}
        groups["pictures, person untouched"] = figures["untouched_pose"]
        for words, pose in groups.items():
            between = pose["geodesic"]
            rows.append(
                [
                    f"{label}: {words}",
                    *(_errors(pose[name]) for name in HEAD_ANGLES),
                    number(pose["mean_of_axes"]),
                    _errors(between),
                    str(between["count"]),
                    str(between["failures"]),
                ]
            )
    return table(header, rows, "Error of the pose")


def _errors(errors: dict[str, Any], digits: int = 2) -> str:
    return f"{number(errors['mean'], digits)} / {number(errors['percentile_95'], digits)}"


def _expressions(seen: list[tuple[str, dict[str, Any]]]) -> Content:
    header = [
        *("mean (/ 95th percentile)", "coefficients seen", "coefficient error"),
        *("mouth opening", "eye opening", "pairs"),
    ]
    rows = []
    for label, figures in seen:
        for key, words in (("expression", "driven"), ("untouched_expression", "untouched")):
            values = figures[key]
            rows.append(
                [
                    f"{label}: {words}",
                    str(values["coefficients_seen"]),
                    number(values["error"], 3),
                    _errors(values["mouth_aperture"], 3),
                    _errors(values["eye_opening"], 3),
                    str(values["pairs"]),
                ]
            )
    return table(header, rows, "Error of expression; openings in eye distances")


def _identity(seen: list[tuple[str, dict[str, Any]]]) -> Content:
    words = {
        "all": "all pairs",
        "pose_only": "pose only",
        "pose_and_expression": "pose and expression",
    }
    header = ["cosine, ÷ ceiling (frames)", "0–15°", "15–30°", "30–45°"]
    rows = [
        [
            f"{label}: {text}",
            *(
                f"{number(b['mean'], 3)}, {number(b['retention'], 3)} ({b['count']})"
                for b in figures["identity"][key]
            ),
        ]
        for label, figures in seen
        for key, text in words.items()
    ]
    return table(header, rows, "By measured change of yaw")


def _motion(seen: list[tuple[str, dict[str, Any]]]) -> Content:
    header = [
        *("", "J of landmarks", "its fast part", "pose above 5 Hz", "frames lost"),
        "background flicker",
    ]
    rows = []
    for label, figures in seen:
        motion = figures["motion"]
        flicker = number(motion["background_flicker"], 1)
        for key, words in (("driven", "driven"), ("moved_still_picture", "moved still picture")):
            values = motion[key]
            rows.append(
                [
                    f"{label}: {words}",
                    number(values.get("landmarks"), 4),
                    number(values.get("landmarks_fast"), 4),
                    number(values.get("pose"), 3, "°"),
                    number(values.get("frames_lost"), 1),
                    flicker if key == "driven" else "–",
                ]
            )
    return table(header, rows, "A smooth move of five seconds")
