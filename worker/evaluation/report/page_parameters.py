"""The page's tables of single parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..metrics.goals import judge_of
from .markup import Content, mark, number, table, tag
from .page_parts import Other


def sections(report: dict[str, Any], others: Sequence[Other]) -> list[Content]:
    """Range and proportion, crosstalk, identity and side effects, background."""
    first = judge_of(report)
    families = report["control"]["families"]
    return [
        tag("h2", "Each control in figures"),
        _responses(report, first, others),
        _side_effects(families[first]["parameters"]),
        *_together(families[first].get("together", {})),
        *_by_training_family(families, first),
        *_crosstalk(report, others),
        *_identity(families),
        *_background(report, others),
    ]


def _responses(report: dict[str, Any], family: str, others: Sequence[Other]) -> Content:
    parameters = report["control"]["families"][family]["parameters"]
    header: list[Content] = [
        *("parameter", "asked", "reached", "gain", "in own units", "spread", "R²", "R² of each"),
        *("people", ""),
        *(f"{other.label}: gain, R²" for other in others),
    ]
    rows = []
    for name, values in parameters.items():
        beside = [_other_response(other.report, family, name) for other in others]
        rows.append(
            [
                name,
                _range(values["asked_range"]),
                _range(values["reached_range"]),
                number(values["gain"]),
                number(values["gain_in_own_units"]),
                number(values["gain_spread"]),
                number(values["linearity"]),
                number(values["linearity_of_each"]),
                str(values["people"]),
                mark(None if values["gain"] is None else values["controllable"]),
                *beside,
            ]
        )
    return table(header, rows, "Range, gain and linearity")


def _other_response(report: dict[str, Any], family: str, name: str) -> str:
    families = report.get("control", {}).get("families", {})
    values = families.get(family, {}).get("parameters", {}).get(name)
    if values is None:
        return "–"
    return f"{number(values['gain'])}, {number(values['linearity'])}"


def _range(ends: Sequence[float | None]) -> str:
    return " … ".join(number(end) for end in ends)


def _side_effects(parameters: dict[str, Any]) -> Content:
    header = [
        *("parameter", "identity", "÷ ceiling", "age, years", "older by", "sex", "ancestry"),
        *("background", "shift, σ", "mouth", "left eye", "right eye"),
    ]
    rows = []
    for name, values in parameters.items():
        apertures = values["apertures"]
        rows.append(
            [
                name,
                number(values["identity"]),
                number(values["identity_retention"]),
                number(values["age_change"], 1),
                number(values["age_drift"], 1),
                number(values["gender_change"]),
                number(values["race_change"]),
                number(values["background_change"], 1),
                number(values["shift"], 1),
                *(number(apertures[part]) for part in ("mouth", "eyeLeft", "eyeRight")),
            ]
        )
    caption = "What else changes at the ends of the range (openings in eye distances)"
    return table(header, rows, caption)


def _together(together: dict[str, Any]) -> list[Content]:
    """Both sides at once: what it asks, what comes, how far the eyes stay open."""
    if not together:
        return []
    header = [
        *("both sides", "asked", "reached", "left eye open", "right eye open"),
        *("gaze right", "gaze up", "identity ÷ ceiling", "older by", "sex", "people"),
    ]
    rows = []
    for label, values in together.items():
        sides = [[eye[axis] for eye in values["gaze"]] for axis in (0, 1)]
        means = [None if None in side else sum(side) / len(side) for side in sides]
        rows.append(
            [
                label,
                " ".join(number(value) for value in values["asked"].values()),
                " ".join(number(value) for value in values["reached"].values()),
                *(_percent(part) for part in values["eyes_open"]),
                *(number(value) for value in means),
                number(values["identity_retention"]),
                number(values["age_drift"], 1),
                number(values["gender_change"]),
                str(values["people"]),
            ]
        )
    caption = "Both sides at once at the ends of their ranges; openings in parts of those at rest"
    return [table(header, rows, caption)]


def _percent(part: float | None) -> str:
    return number(None if part is None else 100 * part, 0, " %")


def _by_training_family(families: dict[str, Any], first: str) -> list[Content]:
    """Gain and R² as seen through what training looked through, beside the judge's."""
    others = [name for name in families if name != first]
    if not others:
        return []
    rows = []
    for name, values in families[first]["parameters"].items():
        seen = families[others[0]]["parameters"].get(name)
        if seen is not None:
            rows.append(
                [
                    name,
                    *(number(values[key]) for key in ("gain", "linearity", "identity_retention")),
                    *(number(seen[key]) for key in ("gain", "linearity", "identity_retention")),
                ]
            )
    header = [
        *("parameter", "judge: gain", "R²", "identity ÷ ceiling"),
        *("training's: gain", "R²", "identity ÷ ceiling"),
    ]
    caption = "The judge beside the family that training used"
    return [table(header, rows, caption)]


def _crosstalk(report: dict[str, Any], others: Sequence[Other]) -> list[Content]:
    first = judge_of(report)
    rows = []
    for label, beside in [("this report", report), *((o.label, o.report) for o in others)]:
        for family, figures in beside.get("control", {}).get("families", {}).items():
            crosstalk = figures["crosstalk"]
            ends, move = crosstalk["at_the_ends"], crosstalk["per_full_move"]
            rows.append(
                [
                    f"{label}, {family}",
                    number(ends["mean"], 3),
                    number(ends["worst"]),
                    " → ".join(ends["worst_pair"]),
                    number(move["mean"], 3),
                    number(move["worst"]),
                    number(figures["noise"]["crosstalk_floor"], 3),
                ]
            )
    header = ["", "mean", "worst", "worst pair", "per full move: mean", "worst", "noise"]
    figures = report["control"]["families"][first]["crosstalk"]
    pairs = [
        [f"{pair['moved']} → {pair['changed']}", number(pair["full_moves"])]
        for pair in figures["worst_pairs"]
    ]
    return [
        tag("h2", "What goes along that should not"),
        table(header, rows, "Crosstalk off the diagonal, in full moves"),
        table(["moved → changed", "full moves"], pairs, "The twenty largest leaks"),
    ]


def _identity(families: dict[str, Any]) -> list[Content]:
    rows = []
    for family, figures in families.items():
        identity = figures["identity"]
        bins = [f"{number(b['mean'], 3)} ({b['count']})" for b in identity["mirrored_by_yaw_gap"]]
        rows.append(
            [
                family,
                number(identity["photographed_again"], 3),
                number(identity["other_fine_styles"], 3),
                *bins,
                number(identity["strangers"], 3),
            ]
        )
    header = [
        *("cosines of un-driven pictures", "photographed again", "other fine styles"),
        *("mirror pairs, gap 0–15° (n)", "15–30° (n)", "30–45° (n)", "strangers"),
    ]
    note = (
        "For scale: on real photos one published descriptor gives the same person .88 under 5° of "
        "yaw between the photos, .80 at 5–10° and .71 at 10–20°."
    )
    return [
        tag("h2", "The same person"),
        table(header, rows),
        tag("p", note, class_="note"),
    ]


def _background(report: dict[str, Any], others: Sequence[Other]) -> list[Content]:
    if not report["control"].get("background"):
        return []
    header: list[Content] = ["move at its end", "before", "after paste-back", "visible after, %"]
    header += [f"{other.label}: before" for other in others]
    background = report["control"]["background"]
    rows = []
    for name, values in [*background["moves"].items(), ("all", background["all"])]:
        visible = values["visible"]
        rows.append(
            [
                name,
                number(values["before"]),
                number(values["after"]),
                number(None if visible is None else 100 * visible),
                *(number(_before(other.report, name)) for other in others),
            ]
        )
    return [tag("h2", "The background"), table(header, rows, "Mean change, levels of 255")]


def _before(report: dict[str, Any], move: str) -> float | None:
    background = report.get("control", {}).get("background") or {}
    values = background.get("all") if move == "all" else background.get("moves", {}).get(move)
    return values["before"] if values else None
