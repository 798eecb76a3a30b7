"""The report of methods: a page, figures as JSON, and pictures side by side."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from photorig.shared.files.writing import write_atomically
from photorig.worker.reenactment.methods import methods

from ..report.pictures import draw_sheet
from .run import AS_IT_IS, Figures, Outcome
from .trials import CROSS, REAL, SELF

_TILE = 160
_TITLES = {
    SELF: "Driven by their own frames",
    CROSS: "Driven by somebody else's",
    REAL: "Real photos driven by real recordings",
}
_INTRO = """# Methods side by side

The same faces, driven by the same frames, through every method; `photorig evaluate methods --out
DIR` makes this page. Generated people are of the evaluation group, whom nothing was trained on;
their frames are made by the direction matrix, so that all methods that learned from it are at home.
Judges are dlib's landmarks, the iris network and MobileFace, through which no loss looks. *Pose* is
the mean error of the changes of yaw and pitch in degrees, *expression* that of the changes of the
coefficients that the judge sees, *identity* the cosine to the source, *of driver* that over what
the driver, who only moves, keeps to itself. Milliseconds are of processor time on a processor that
others used as well: compare within the table only.
"""


def write_page(folder: Path, outcome: Outcome) -> Path:
    """README.md, report.json and one picture a table; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    report = json.dumps(outcome.to_json(), indent=1).encode()
    write_atomically(folder / "report.json", report)
    parts = [_INTRO]
    for kind, by_method in outcome.figures.items():
        parts.append(_table(_TITLES[kind], by_method))
        if outcome.pictures.get(kind):
            columns = ("source", "driver", AS_IT_IS, *outcome.methods)
            draw_sheet(
                columns, [_tiles(row) for row in outcome.pictures[kind]], folder / f"{kind}.jpg"
            )
            parts.append(f"![{', '.join(columns)}]({kind}.jpg)\n")
    parts.append(_sentences())
    page = folder / "README.md"
    write_atomically(page, "\n".join(parts).encode())
    return page


def _table(title: str, by_method: dict[str, Figures]) -> str:
    count = next(iter(by_method.values()))
    lines = [
        f"## {title} ({count.frames + count.missed} frames)",
        "",
        "| | pose | expression | identity | of driver | PSNR | ms a frame | no face |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, one in by_method.items():
        psnr = "" if one.psnr is None else f"{one.psnr:.1f} dB"
        speed = "" if name == AS_IT_IS else f"{one.milliseconds:.0f}"
        lines.append(
            f"| {name} | {one.pose:.2f}° | {one.expression:.4f} | {one.identity:.3f} | "
            f"{one.identity / one.ceiling:.2f} | {psnr} | "
            f"{speed} | {one.missed or ''} |"
        )
    return "\n".join(lines) + "\n"


def _sentences() -> str:
    lines = [f"* **{name}**: {entry.sentence}" for name, entry in methods().items()]
    return "\n".join(["## What they are", "", *lines, ""])


def _tiles(row: list[np.ndarray]) -> np.ndarray:
    """(columns, side, side, 3) uint8."""
    side = (_TILE, _TILE)
    return np.stack([cv2.resize(tile, side, interpolation=cv2.INTER_AREA) for tile in row])
