"""What the pages on photos and on videos have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from photorig.worker.evaluation.bars import Bar
from photorig.worker.evaluation.markup import Content, Markup, mark, table, tag
from photorig.worker.evaluation.page import STYLE


def whole_page(title: str, parts: Sequence[Content]) -> str:
    """A page with a title."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"Photorig: {title.lower()}"),
        tag("style", Markup(STYLE)),
    )
    body = tag("body", tag("h1", title), *parts)
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def bars_table(bars: Sequence[Bar]) -> Markup:
    """Goals, what was reached, and a mark."""
    rows = [[bar.what, bar.goal, bar.reached, mark(bar.passed)] for bar in bars]
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
