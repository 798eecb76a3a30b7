"""What the pages have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..metrics.goals import GoalResult
from .markup import Content, Markup, mark, table, tag

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1200px; padding: 1rem;
  color: #1c1c1c; background: #fff; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #e4e4e4; }
th[scope=row], thead th:first-child { text-align: left; font-weight: 500; }
thead th { background: #f4f4f4; position: sticky; top: 0; }
.goals_of td { text-align: left; } .wide { overflow-x: auto; margin: 1rem 0; }
figure { margin: 1rem 0; } figure img { max-width: 100%; } figcaption { color: #555; }
.yes { color: #0a7a33; font-weight: 700; } .no { color: #b3261e; font-weight: 700; }
.unknown, .note { color: #666; } dt { font-weight: 600; } dd { margin: 0 0 .6rem 1rem; }
"""


@dataclass(frozen=True)
class Other:
    """An earlier report that stands beside this one."""

    label: str
    report: dict[str, Any]


def whole_page(title: str, parts: Sequence[Content]) -> str:
    """A page with a title."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"Photorig: {title.lower()}"),
        tag("style", Markup(_STYLE)),
    )
    body = tag("body", tag("h1", title), *parts)
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def goals_table(goals: Sequence[GoalResult]) -> Markup:
    """Goals, what was reached, and a mark."""
    rows = [[each.what, each.goal, each.reached, mark(each.passed)] for each in goals]
    return tag("div", table(["goal", "wanted", "reached", ""], rows), class_="bars")


def definitions(entries: Mapping[str, str]) -> list[Content]:
    """What the figures mean."""
    pairs = [(tag("dt", term), tag("dd", text)) for term, text in entries.items()]
    parts = (part for pair in pairs for part in pair)
    return [tag("h2", "What the figures mean"), tag("dl", *parts)]


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
        tag("p", "All numbers: ", tag("a", "report.json", href="report.json")),
    ]
