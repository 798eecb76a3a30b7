"""Report files of real photos and videos: numbers, pictures, page."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from photorig.shared.files.writing import write_atomically

from ..report.pictures import draw_sheet
from ..report.report_file import FORMAT, VERSION, read_report, write_report
from ..session import PAGE_NAME, installed_versions
from .photo_figures import Entry, summary, ways, worked
from .photo_page import photo_page
from .photos import load_tile
from .tools import EvaluationTools
from .video_page import video_page
from .videos import Shown

PICTURES = "pictures"
_ROWS = 6  # photos on a sheet
_COLUMNS = 10  # frames on a strip


def write_photo_report(
    folder: Path, tools: EvaluationTools, entries: Sequence[Entry], show_all: bool, note: str = ""
) -> Path:
    """Write report.json, pictures and index.html, and return the page's path.

    Args:
        show_all: whether pictures are drawn of people whose rights are not known to allow it.
        note: a sentence about how it was measured, for the page.
    """
    names = [family.name for family in tools.families]
    section = {"summary": summary(entries, names), "entries": entries, "note": note}
    shown = [e for e in worked(entries) if show_all or e["may_be_shown"]]
    report = report_head(tools) | {"photos": section, "pictures": _photo_sheets(folder, shown)}
    return write_with_page(folder, report, photo_page)


def _photo_sheets(folder: Path, entries: Sequence[Entry]) -> list[dict[str, str]]:
    figures = []
    for way in ways(entries):
        chosen = [entry for entry in entries if entry["way"] == way]
        for first in range(0, len(chosen), _ROWS):
            part = chosen[first : first + _ROWS]
            labels = list(part[0]["tiles"])
            rows = [
                np.stack([load_tile(folder / "tiles", entry["tiles"][name]) for name in labels])
                for entry in part
            ]
            file = f"{PICTURES}/{way}-{first // _ROWS + 1}.jpg"
            draw_sheet(labels, rows, folder / file)
            caption = f"Fitted {way}: {', '.join(entry['name'] for entry in part)}"
            figures.append({"section": "sheets", "file": file, "caption": caption})
    return figures


def write_video_report(
    folder: Path,
    tools: EvaluationTools,
    section: dict[str, Any],
    shown: Sequence[Shown],
    show_all: bool,
    note: str = "",
) -> Path:
    """As `write_photo_report`, of one video or two."""
    people = [section[name] for name in ("source", "driver") if name in section]
    allowed = show_all or all(person["may_be_shown"] for person in people)
    pictures = _video_strips(folder, shown) if allowed else []
    report = report_head(tools) | {"video": section | {"note": note}, "pictures": pictures}
    return write_with_page(folder, report, video_page)


def _video_strips(folder: Path, shown: Sequence[Shown]) -> list[dict[str, str]]:
    figures = []
    for number, strip in enumerate(shown, start=1):
        chosen = np.linspace(0, len(strip.tiles) - 1, min(_COLUMNS, len(strip.tiles)))
        columns = sorted({round(position) for position in chosen})
        labels = [strip.labels[column] for column in columns]
        pairs = np.stack([strip.tiles[column] for column in columns], 1)
        file = f"{PICTURES}/strip-{number}.jpg"
        draw_sheet(labels, list(pairs), folder / file)
        figures.append({"section": "strips", "file": file, "caption": strip.title})
    return figures


def report_head(tools: EvaluationTools) -> dict[str, Any]:
    """What every report says of the model and the judges."""
    renderer = tools.renderer
    return {
        "format": FORMAT,
        "version": VERSION,
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "subject": {
            "bundle": renderer.bundle.name,
            "bundle_id": renderer.bundle.id,
            "model_id": renderer.model_id,
            "backend": renderer.generator.backend,
            "method": tools.method,
            "judges": {family.name: family.label for family in tools.families},
            "versions": installed_versions(),
            "python": platform.python_version(),
        },
    }


def write_with_page(
    folder: Path, report: dict[str, Any], page: Callable[[dict[str, Any]], str]
) -> Path:
    """Write report.json and the page that shows it; returns the page's path."""
    write_report(folder, report)
    path = folder / PAGE_NAME
    # The page shows what is in the file, rounded as it is there.
    write_atomically(path, page(read_report(folder)).encode())
    return path
