"""What the pages have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..metrics.goals import GoalResult
from .markup import Content, Markup, mark, table, tag


@dataclass(frozen=True)
class Other:
    """An earlier report that stands beside this one."""

    label: str
    report: dict[str, Any]


def goals_table(goals: Sequence[GoalResult]) -> Markup:
    """Goals, what was reached, and a mark."""
    rows = [[each.what, each.goal, each.reached, mark(each.passed)] for each in goals]
    return tag("div", table(["goal", "wanted", "reached", ""], rows), class_="bars")


def made(report: dict[str, Any]) -> list[Content]:
    """With what the figures were made."""
    subject = report["subject"]
    rows: list[list[Content]] = [
        ["made", report["made"]],
        ["bundle", subject["bundle"]],
        ["bundle id", tag("code", subject["bundle_id"])],
        ["model id", tag("code", subject["model_id"])],
        ["backend", subject["backend"]],
    ]
    rows += [[name, label] for name, label in subject["judges"].items()]
    rows += [[name, version] for name, version in subject["versions"].items()]
    return [
        tag("h2", "How this was made"),
        tag("div", table(["", ""], rows), class_="bars"),
        all_numbers(),
    ]


def all_numbers() -> Markup:
    """Where the page's figures are in full."""
    return tag("p", "All numbers: ", tag("a", "report.json", href="report.json"))
