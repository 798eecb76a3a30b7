"""``index.html``: the report as a page, for an animator first and for an engineer below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..metrics.definitions import DEFINITIONS
from ..metrics.goals import WANTED, goals_of, judge_of, unseen
from ..metrics.published import DIFFERENCES, DIRECTIONS_POSTER, HYPERREENACT, Published
from . import page_drive, page_parameters
from .gallery import Figure
from .markup import Content, definitions, mark, picture, table, tag, whole_page
from .page_parts import Other, all_numbers, goals_table


def page(report: dict[str, Any], others: Sequence[Other]) -> str:
    """The whole page.

    Args:
        report: as read back from its JSON, so that the page shows what is in the file.
        others: shown beside; the first is taken as the closed-form matrix for its goal.
    """
    figures = [Figure(**entry) for entry in report.get("pictures", [])]
    sections: list[Content] = [
        *_summary(report, others),
        *_figures(figures, "sheets", "What every control looks like", _SHEETS),
        *_figures(figures, "strips", "Turning the head", _STRIPS),
    ]
    if "control" in report:
        sections += page_parameters.sections(report, others)
        sections += _figures(figures, "crosstalk", "The crosstalk matrix", _MATRIX)
    if "drive" in report:
        sections += page_drive.sections(report, others)
    sections += _figures(figures, "failures", "The worst frames", _FAILURES)
    sections += [*_published(), definitions(DEFINITIONS), *_made(report)]
    return whole_page("How well the face obeys", sections)


_SHEETS = (
    "Ten people that nothing was chosen on, each control alone at the end of the range it was "
    "trained for, as asked in Blender with the photo at rest. Controls without effect are left out."
)
_STRIPS = "The angle is asked for absolutely, everything else as in the photo; whole photos."
_MATRIX = (
    "Rows are moved to the ends of their ranges; columns are what changes, in full moves. Green is "
    "a parameter's effect on itself, red what goes along; full colour from half a move."
)
_FAILURES = (
    "Left the person at rest, right the frame. The single moves that keep least of the person, "
    "and the pairs whose pose is farthest off."
)


def _figures(figures: Sequence[Figure], section: str, title: str, text: str) -> list[Content]:
    chosen = [figure for figure in figures if figure.section == section]
    if not chosen:
        return []
    return [
        tag("h2", title),
        tag("p", text),
        *(picture(figure.file, figure.caption) for figure in chosen),
    ]


def _summary(report: dict[str, Any], others: Sequence[Other]) -> list[Content]:
    subject = report["subject"]
    judges = subject["judges"]
    first = judge_of(report)
    method = subject["settings"]["method"]
    intro = (
        f"Bundle “{subject['bundle']}”, method “{method}”, frames of "
        f"{subject['settings']['size']}². Judged by {judges[first]}."
    )
    closed_form = others[0].report if others else None
    parts: list[Content] = [
        tag("p", intro),
        tag("h2", "Goals"),
        goals_table(goals_of(report, closed_form)),
    ]
    if "control" in report:
        parts += _what_works(report["control"]["families"], first)
    return parts


def _what_works(families: dict[str, Any], family: str) -> list[Content]:
    """Which controls can be trusted, in an animator's words."""
    parameters = families[family]["parameters"]
    blind, passed = unseen(families, family)
    good = {name for name, values in parameters.items() if values["controllable"]}
    lines = []
    for what, names in WANTED.items():
        known = [name for name in names if name in parameters]
        reached = [name for name in names if name in good]
        if len(reached) == len(names):
            said = "in proportion, on any face"
        elif reached:
            said = f"in proportion only for {', '.join(reached)}"
        elif known and set(known) <= set(passed):
            said = "in proportion by what training looked through; the judges cannot see it"
        elif known and set(known) <= set(blind):
            said = "answers, but nobody but training's own eyes can see how"
        elif known:
            said = "answers, but not in proportion on every face"
        else:
            said = "has no effect"
        lines.append([what, said, mark(len(reached) == len(names))])
    moved = [name for name in parameters if name not in good and name not in blind]
    return [
        tag("h2", "What an animator can rely on"),
        tag("div", table(["control", "what it does", ""], lines), class_="bars"),
        tag("p", "Within the goals: ", ", ".join(sorted(good)) or "none", "."),
        tag("p", "Answer, but outside the goals: ", ", ".join(sorted(moved)) or "none", "."),
        tag("p", "Not seen by the judges: ", ", ".join(sorted(blind)) or "none", "."),
    ]


def _published() -> list[Content]:
    def rows(systems: Sequence[Published]) -> list[list[Content]]:
        return [
            [
                s.system,
                f"{s.self_identity:.2f}",
                f"{s.self_pose:.1f}",
                f"{s.identity:.2f}",
                f"{s.pose:.1f}",
                f"{s.expression:.1f}",
            ]
            for s in systems
        ]

    header = ["system", "self: CSIM", "pose", "cross: CSIM", "pose", "expression"]
    return [
        tag("h2", "Published figures of other systems"),
        tag("p", DIFFERENCES),
        table(header, rows(DIRECTIONS_POSTER), "Finding Directions, BMVC 2022 poster, VoxCeleb1"),
        table(header, rows(HYPERREENACT), "HyperReenact, Table 1, VoxCeleb1 test"),
    ]


def _made(report: dict[str, Any]) -> list[Content]:
    subject = report["subject"]
    rows: list[list[Content]] = [
        ["made", report["made"]],
        ["bundle id", tag("code", subject["bundle_id"])],
        ["model id", tag("code", subject["model_id"])],
        ["backend", subject["backend"]],
        ["seed", str(subject["settings"]["seed"])],
    ]
    for section in ("control", "drive"):
        samples = report.get(section, {}).get("samples", {})
        rows += [[f"{section}: {k.replace('_', ' ')}", str(v)] for k, v in samples.items()]
    rows += [[f"{name}", version] for name, version in subject["versions"].items()]
    rows += [[f"seconds: {name}", str(value)] for name, value in report["seconds"].items()]
    return [
        tag("h2", "How this was made"),
        tag("div", table(["", ""], rows), class_="bars"),
        all_numbers(),
    ]
