"""params.jsonl: parameters per frame, one JSON object a line.

    {"frame": 1, "parameters": {"headYaw": 12.5, "jawOpen": 0.4}}

What a line does not name is at rest (relative mode) or as in the photo (absolute mode). Further
keys of a line are ignored, so that a file may carry what another program wants to remember.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError
from .schema import ARKIT_52, ParameterSchema
from .text_files import read_any_text
from .writing import explained, replacing


@dataclass(frozen=True)
class FrameParameters:
    """The parameters of one frame: its number, and value by parameter id in the schema's units."""

    frame: int
    values: dict[str, float] = field(default_factory=dict)


def read(path: Path | str, schema: ParameterSchema = ARKIT_52) -> list[FrameParameters]:
    """The frames of a file in the order of its lines.

    Raises:
        InputError: no such file, or a line that is no frame; the error names file and line.
    """
    path = Path(path)
    text = read_any_text(path, "Give a params.jsonl.")
    frames: list[FrameParameters] = []
    line_of_frame: dict[int, int] = {}
    # Not splitlines(): JSON text may contain U+2028, which is no line end here.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            frame = parse_line(line, schema)
        except InputError as error:
            place = f"{path.name}, line {number}: {error.message}"
            raise InputError(place, error.hint) from error
        first = line_of_frame.setdefault(frame.frame, number)
        if first != number:
            place = f"{path.name}, line {number}: frame {frame.frame} is already on line {first}"
            raise InputError(place, "Give each frame once.")
        frames.append(frame)
    return frames


def parse_line(line: str, schema: ParameterSchema = ARKIT_52) -> FrameParameters:
    """One line to a frame. Raises InputError that does not know the line number."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "this is not JSON", 'Write {"frame": 1, "parameters": {"jawOpen": 0.4}}.'
        ) from error
    if not isinstance(data, dict) or not isinstance(data.get("parameters"), dict):
        raise InputError("there is no object 'parameters'", "Write one JSON object a line.")
    frame = data.get("frame")
    if isinstance(frame, bool) or not isinstance(frame, int):
        raise InputError("'frame' is no whole number", "Give the frame number.")
    return FrameParameters(frame, _checked_values(data["parameters"], schema))


def write(path: Path | str, frames: Iterable[FrameParameters]) -> None:
    """Write a file that ``read`` gives back; an existing file is replaced when all is written.

    Raises:
        InputError: a value that is not finite, or a file that cannot be written.
    """
    path = Path(path)
    with replacing(path) as file, explained(path):
        file.writelines(f"{format_line(frame)}\n".encode() for frame in frames)


def format_line(frame: FrameParameters) -> str:
    """One line without its line end; numbers as short as a float32 allows."""
    values = {}
    for name, value in frame.values.items():
        if not math.isfinite(value):
            raise InputError(f"Frame {frame.frame}: parameter {name!r} is {value!r}")
        values[name] = float(str(np.float32(value)))
    return json.dumps({"frame": int(frame.frame), "parameters": values}, allow_nan=False)


def differences(
    frames: Sequence[FrameParameters], neutral_frame: int | None = None
) -> list[FrameParameters]:
    """By how much each frame differs from one of them: a performance for relative mode.

    What a frame does not name does not differ.

    Args:
        neutral_frame: number of the frame that stands for the photo; None for the first that says
            something.

    Raises:
        InputError: there is no such frame, or it says nothing.
    """
    ordered = sorted(frames, key=lambda each: each.frame)
    if neutral_frame is None:
        neutral = next((each for each in ordered if each.values), None)
    else:
        neutral = next((each for each in ordered if each.frame == neutral_frame), None)
        if neutral is None:
            ends = f"{ordered[0].frame} to {ordered[-1].frame}" if ordered else "none"
            raise InputError(f"There is no frame {neutral_frame}", f"The file has {ends}.")
        if not neutral.values:
            raise InputError(f"Frame {neutral_frame} says nothing of a face", "Choose another one.")
    origin = {} if neutral is None else neutral.values
    return [
        FrameParameters(
            each.frame, {name: value - origin.get(name, 0.0) for name, value in each.values.items()}
        )
        for each in frames
    ]


def _checked_values(values: dict[str, Any], schema: ParameterSchema) -> dict[str, float]:
    try:
        schema.vector(values)
    except OverflowError as error:  # an integer too large for a float
        raise InputError("a value is too large", "Give a finite number.") from error
    return {name: float(value) for name, value in values.items()}
