"""Report files of `photorig evaluate obedience`: numbers, contact sheets, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..real.reports import report_head, write_with_page
from ..real.tools import EvaluationTools
from .page import obedience_page
from .sheets import draw_contact_sheet
from .summary import as_json, ceilings, table

PICTURES = "pictures"


def write_obedience_report(
    folder: Path,
    tools: EvaluationTools,
    entries: Sequence[dict[str, Any]],
    recordings: Sequence[dict[str, Any]],
    sheets: Mapping[str, np.ndarray],
    show_all: bool,
    note: str = "",
    against: dict[str, Any] | None = None,
) -> Path:
    """Write report.json, contact sheets and index.html, and return the page's path.

    Args:
        sheets: by name of the person, see `sheets.SHOWN`.
        show_all: whether pictures are drawn of people whose rights are not known to allow it.
        note: a sentence about how it was measured, for the page.
        against: an earlier report of the same, to stand beside.
    """
    section = {
        "table": as_json(table(entries, recordings)),
        "whole": as_json(table(entries, recordings, "whole")),
        "ceilings": ceilings(entries),
        "people": list(entries),
        "recordings": list(recordings),
        "note": note,
    }
    if against is not None:
        section["against"] = {
            part: {entry["key"]: entry["mean"] for entry in against["obedience"][part]}
            for part in ("table", "whole")
        }
    pictures = []
    for entry in entries:
        name = entry["name"]
        if name in sheets and (show_all or entry["may_be_shown"]):
            file = f"{PICTURES}/{name}.jpg"
            draw_contact_sheet(sheets[name], folder / file)
            pictures.append({"section": "sheets", "file": file, "caption": name})
    report = report_head(tools) | {"obedience": section, "pictures": pictures}
    return write_with_page(folder, report, obedience_page)
