"""``report.json``: all figures of an evaluation with what they were measured on."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.files.writing import write_atomically

FORMAT, VERSION = "photorig.evaluation", 1
FILE_NAME = "report.json"
_DIGITS = 5


def jsonable(value: Any) -> Any:
    """Numbers of five significant digits, null for what was not measured, plain lists."""
    if isinstance(value, dict):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value


def write_report(folder: Path, report: dict[str, Any]) -> Path:
    """Write the report into the folder. Raises InputError."""
    path = folder / FILE_NAME
    text = json.dumps(jsonable(report), indent=1, ensure_ascii=False)
    write_atomically(path, text.encode())
    return path


def read_report(path: Path) -> dict[str, Any]:
    """The report in a folder or file. Raises InputError where there is none."""
    if path.is_dir():
        path = path / FILE_NAME
    try:
        report = json.loads(path.read_bytes())
        if (report["format"], report["version"]) != (FORMAT, VERSION):
            raise ValueError("another format")
    except OSError as error:
        raise InputError(f"Cannot read the report {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no evaluation report of version {VERSION}",
            "Make one with 'photorig evaluate control'.",
        ) from error
    return dict(report)
