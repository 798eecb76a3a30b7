"""Pictures of the report: contact sheets, pose strips, the crosstalk matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from photorig.shared.errors import InputError
from photorig.worker.reenactment.bundle import ModelBundle

from ..protocols.context import FrameSize
from ..protocols.sweeps import swept_parameters
from ..protocols.together import combinations

SHOWN_PEOPLE = 10
STRIP_PEOPLE = 4
_LABEL = 30
_MARGIN = 4
_QUALITY = 82
_WIDEST = 13  # tiles beside each other


@dataclass(frozen=True)
class Column:
    """What a column of a contact sheet shows: label, mode, size (None: that of the judged frames),
    values by parameter id."""

    label: str
    mode: str
    size: FrameSize | None
    values: dict[str, float]

    @property
    def frame(self) -> tuple[str, FrameSize | None, dict[str, float]]:
        return self.mode, self.size, self.values


@dataclass(frozen=True)
class Sheet:
    """A contact sheet: one row a person, one column a frame."""

    name: str
    title: str
    columns: tuple[Column, ...]


REST = Column("rest", "relative", None, {})


def control_sheets(bundle: ModelBundle) -> list[Sheet]:
    """Sheets over all controls at the ends of their ranges, by group, and of both sides at once."""
    groups: dict[str, list[Column]] = {}
    for position in swept_parameters(bundle):
        parameter, response = bundle.schema.parameters[position], bundle.responses[position]
        ends = [response.maximum]
        if parameter.unit != "coefficient":
            ends = [response.minimum, response.maximum]
        for end in ends:
            label = f"{_spaced(parameter.id)} {end:+.3g}{_UNITS.get(parameter.unit, '')}"
            column = Column(label, "relative", None, {parameter.id: end})
            groups.setdefault(parameter.group, []).append(column)
    sheets = [_together(bundle)] + [
        Sheet(f"{group}{part}", f"{group.capitalize()}: each control at the end of its range", row)
        for group, columns in groups.items()
        for part, row in _parts(columns)
    ]
    return [sheet for sheet in sheets if len(sheet.columns) > 1]


_UNITS = {"degree": "°", "centimetre": " cm"}


def _spaced(name: str) -> str:
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name)


def _parts(columns: list[Column]) -> list[tuple[str, tuple[Column, ...]]]:
    """Rows of at most _WIDEST tiles, each beginning with rest, numbered where there are several."""
    step = _WIDEST - 1
    chunks = [columns[i : i + step] for i in range(0, len(columns), step)]
    names = [""] if len(chunks) == 1 else [f"-{i + 1}" for i in range(len(chunks))]
    return [(name, (REST, *chunk)) for name, chunk in zip(names, chunks, strict=True)]


def _together(bundle: ModelBundle) -> Sheet:
    columns = [REST]
    for label, names in combinations(bundle).items():
        ends = {n: bundle.responses[bundle.schema.index[n]].maximum for n in names}
        columns.append(Column(label, "relative", None, ends))
    return Sheet("together", "Both sides at once, at the ends of their ranges", tuple(columns))


def pose_strips() -> list[Sheet]:
    """Yaw, pitch and roll over the range that the goals are set for, as whole photos."""
    steps = {"headYaw": 30.0, "headPitch": 15.0, "headRoll": 30.0}
    sheets = []
    for name, end in steps.items():
        word = name.removeprefix("head").lower()
        values = np.linspace(-end, end, 7)
        columns = tuple(
            Column(f"{word} {value:+.0f}°", "absolute", "full", {name: float(value)})
            for value in values
        )
        title = f"{word.capitalize()} from {-end:.0f}° to {end:.0f}°, asked for absolutely"
        sheets.append(Sheet(f"strip-{word}", title, columns))
    return sheets


def draw_sheet(columns: Sequence[str], rows: Sequence[np.ndarray], path: Path) -> None:
    """Write a JPEG with labels above the tiles.

    Args:
        rows: for each person (columns, side, side, 3) uint8.
    """
    side = rows[0].shape[1]
    sheet = Image.new("RGB", (side * len(columns), _LABEL + side * len(rows)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    for i, label in enumerate(columns):
        words = _wrapped(label, font, side - _MARGIN)
        draw.multiline_text((i * side + _MARGIN, 2), words, "black", font, spacing=1)
    for j, tiles in enumerate(rows):
        for i, tile in enumerate(tiles):
            sheet.paste(Image.fromarray(tile), (i * side, _LABEL + j * side))
    _save(sheet, path)


def _wrapped(text: str, font: Any, width: int) -> str:
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines[:2])


def draw_matrix(
    matrix: np.ndarray, rows: Sequence[str], columns: Sequence[str], path: Path
) -> None:
    """The crosstalk matrix as a picture: dark where much goes along, grey where nothing is known.

    Args:
        matrix: (rows, columns) in full moves, NaN for what was not measured.
    """
    cell, margin = 13, 128
    width, height = margin + cell * len(columns) + 8, margin + cell * len(rows) + 8
    image = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=10)
    for i, name in enumerate(rows):
        draw.text((margin - 6, margin + cell * i + 1), name, "black", font, anchor="ra")
        for j, other in enumerate(columns):
            corner = (margin + cell * j, margin + cell * i)
            box = (*corner, corner[0] + cell - 2, corner[1] + cell - 2)
            draw.rectangle(box, fill=_shade(float(matrix[i, j]), name == other))
    names = Image.new("RGB", (margin - 6, cell * len(columns)), "white")
    below = ImageDraw.Draw(names)
    for j, name in enumerate(columns):
        below.text((0, cell * j), name, "black", font)
    image.paste(names.rotate(90, expand=True), (margin, 0))
    _save(image, path)


def _shade(value: float, own: bool) -> tuple[int, int, int]:
    """White at 0, full colour from 0.5 on; a parameter's effect on itself is green."""
    if not np.isfinite(value):
        return (225, 225, 225)
    strength = min(value / 0.5, 1.0) ** 0.7
    full = np.array([30, 140, 70] if own else [190, 20, 20])
    mixed = 255 + strength * (full - 255)
    return int(mixed[0]), int(mixed[1]), int(mixed[2])


def _save(image: Image.Image, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, quality=_QUALITY)
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error.strerror}") from error
