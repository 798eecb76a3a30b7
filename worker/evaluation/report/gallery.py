"""Renders and draws the pictures that stand beside the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from photorig.worker.reenactment.bundle import ModelBundle

from ..metrics.failures import Failure
from ..protocols.cached_results import CachedResult, Task
from ..protocols.tiles import tiles_task
from .pictures import (
    SHOWN_PEOPLE,
    STRIP_PEOPLE,
    Sheet,
    control_sheets,
    draw_matrix,
    draw_sheet,
    pose_strips,
)


@dataclass(frozen=True)
class Figure:
    """A picture file beside the page; section: sheets, strips, crosstalk or failures."""

    section: str
    file: str
    caption: str


Measure = Callable[[list[Task], str], list[CachedResult]]
"""Tasks and what is counted to their cached results, see `stages.measure_all`."""

FOLDER = "pictures"
_FAILURES_A_ROW = 6


def draw_sheets(measure: Measure, bundle: ModelBundle, n_people: int, folder: Path) -> list[Figure]:
    """Contact sheets over all controls and strips of the head's angles."""
    chosen = [(sheet, "sheets", SHOWN_PEOPLE) for sheet in control_sheets(bundle)]
    chosen += [(sheet, "strips", STRIP_PEOPLE) for sheet in pose_strips()]
    tasks = [_tasks(sheet, min(count, n_people)) for sheet, _, count in chosen]
    cached_results = iter(measure([task for group in tasks for task in group], "rows of pictures"))
    figures = []
    for (sheet, section, _), group in zip(chosen, tasks, strict=True):
        rows = [next(cached_results)["tiles"] for _ in group]
        file = f"{FOLDER}/{sheet.name}.jpg"
        draw_sheet([column.label for column in sheet.columns], rows, folder / file)
        figures.append(Figure(section, file, sheet.title))
    return figures


def _tasks(sheet: Sheet, n_people: int) -> list[Task]:
    frames = [column.frame for column in sheet.columns]
    return [tiles_task(person, frames) for person in range(n_people)]


def draw_failures(
    measure: Measure, failures: Sequence[Failure], folder: Path, name: str, title: str
) -> list[Figure]:
    """The worst frames, each beside the person at rest."""
    if not failures:
        return []
    tasks = [
        tiles_task(f.person, [("relative", None, {}), (f.mode, None, f.values)]) for f in failures
    ]
    tiles = np.stack([cached["tiles"] for cached in measure(tasks, "worst frames")])
    figures = []
    for first in range(0, len(failures), _FAILURES_A_ROW):
        part = slice(first, first + _FAILURES_A_ROW)
        labels = [text for failure in failures[part] for text in ("rest", failure.caption)]
        file = f"{FOLDER}/{name}-{first // _FAILURES_A_ROW + 1}.jpg"
        row = tiles[part].reshape(-1, *tiles.shape[2:])
        draw_sheet(labels, [row], folder / file)
        figures.append(Figure("failures", file, title))
    return figures


def draw_crosstalk(report: dict[str, Any], family: str, folder: Path) -> list[Figure]:
    """The crosstalk matrix of a family."""
    if "control" not in report:
        return []
    crosstalk = report["control"]["families"][family]["crosstalk"]
    file = f"{FOLDER}/crosstalk.png"
    matrix = np.array(crosstalk["matrix"], float)
    draw_matrix(matrix, crosstalk["rows"], crosstalk["columns"], folder / file)
    return [Figure("crosstalk", file, "How far each column goes along when a row is moved")]
