"""A job for Flamenco: its job type is a JavaScript file that the Manager reads once.

Flamenco's own add-on then shows the settings and submits; the job's folder is one of them.
"""

from __future__ import annotations

from pathlib import Path

from ..files.writing import write_atomically

SCRIPT_NAME = "photorig_render.js"


def script() -> str:
    """The job type."""
    return Path(__file__).with_name(SCRIPT_NAME).read_text(encoding="utf-8")


def write_flamenco(folder: Path) -> Path:
    """Put the job type beside a job. Returns its path. Raises InputError."""
    path = folder / SCRIPT_NAME
    write_atomically(path, script().encode())
    return path
