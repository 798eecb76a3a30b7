"""params.jsonl: parameters per frame, one JSON object a line.

    {"frame": 1, "parameters": {"headYaw": 12.5, "jawOpen": 0.4}}

What a line does not name is at rest (relative mode) or as in the photo (absolute mode). A recording
also tells its time: each line when its frame is seen, in seconds from the start, and the first line
the rate and the number of all frames, with those that show no face and have no line:

    {"frame": 1, "time": 0.0, "recording": {"fps": "30000/1001", "frames": 240}, "parameters": …}

Further keys of a line are ignored, so that a file may carry what another program wants to remember.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files.text_files import read_any_text
from ..files.writing import explained, replacing
from .schema import FACE_SCHEMA, ParameterSchema

_LATEST_SECONDS = 1e6
_GREATEST_RATE = 1000


@dataclass(frozen=True)
class FrameParameters:
    """The parameters of one frame.

    Attributes:
        frame: its number.
        values: by parameter id, in the schema's units.
        time: seconds from the start of the recording, None where nobody has said.
    """

    frame: int
    values: dict[str, float] = field(default_factory=dict)
    time: float | None = None


@dataclass(frozen=True)
class Recording:
    """What a file tells of all its frames.

    Attributes:
        rate: frames a second, None where nobody has said.
        n_frames: how many frames the recording has, counted from 1, with those that have no line;
            0 where nobody has said.
    """

    rate: Fraction | None = None
    n_frames: int = 0


def read(path: Path | str, schema: ParameterSchema = FACE_SCHEMA) -> list[FrameParameters]:
    """The frames of a file in the order of its lines.

    Raises:
        InputError: no such file, or a line that is no frame; the error names file and line.
    """
    return read_recording(path, schema)[0]


def read_recording(
    path: Path | str, schema: ParameterSchema = FACE_SCHEMA
) -> tuple[list[FrameParameters], Recording]:
    """The frames of a file in the order of its lines, and what is told of them all.

    Raises:
        InputError: as ``read``.
    """
    path = Path(path)
    text = read_any_text(path, "Give a params.jsonl.")
    frames: list[FrameParameters] = []
    recording = Recording()
    line_of_frame: dict[int, int] = {}
    # Not splitlines(): JSON text may contain U+2028, which is no line end here.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            data = _object(line)
            frame = _frame(data, schema)
        except InputError as error:
            place = f"{path.name}, line {number}: {error.message}"
            raise InputError(place, error.hint) from error
        first = line_of_frame.setdefault(frame.frame, number)
        if first != number:
            place = f"{path.name}, line {number}: frame {frame.frame} is already on line {first}"
            raise InputError(place, "Give each frame once.")
        frames.append(frame)
        recording = _recording(data) or recording
    return frames, recording


def _object(line: str) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "this is not JSON", 'Write {"frame": 1, "parameters": {"jawOpen": 0.4}}.'
        ) from error
    if not isinstance(data, dict) or not isinstance(data.get("parameters"), dict):
        raise InputError("there is no object 'parameters'", "Write one JSON object a line.")
    return data


def _frame(data: dict[str, Any], schema: ParameterSchema) -> FrameParameters:
    frame = data.get("frame")
    if isinstance(frame, bool) or not isinstance(frame, int):
        raise InputError("'frame' is no whole number", "Give the frame number.")
    return FrameParameters(frame, _checked_values(data["parameters"], schema), _time(data))


def _time(data: dict[str, Any]) -> float | None:
    """The time, unless another program means something else by that word."""
    time = data.get("time")
    if isinstance(time, bool) or not isinstance(time, int | float):
        return None
    return float(time) if 0 <= time <= _LATEST_SECONDS else None


def _recording(data: dict[str, Any]) -> Recording | None:
    """What a line tells of all frames, as far as it makes sense."""
    told = data.get("recording")
    if not isinstance(told, dict):
        return None
    rate = None
    with contextlib.suppress(ValueError, ZeroDivisionError):
        rate = Fraction(str(told.get("fps", ""))[:40])
    n_frames = told.get("frames")
    if isinstance(n_frames, bool) or not isinstance(n_frames, int) or n_frames < 0:
        n_frames = 0
    return Recording(rate if rate and 0 < rate <= _GREATEST_RATE else None, n_frames)


def write(
    path: Path | str, frames: Iterable[FrameParameters], recording: Recording | None = None
) -> None:
    """Write a file that ``read`` gives back; an existing file is replaced when all is written.

    Args:
        recording: what is told of all frames, if the file shall tell it.

    Raises:
        InputError: a value that is not finite, or a file that cannot be written.
    """
    path = Path(path)
    with replacing(path) as file, explained(path):
        for frame in frames:
            file.write(f"{format_line(frame, recording)}\n".encode())
            recording = None  # the first line is enough


def format_line(frame: FrameParameters, recording: Recording | None = None) -> str:
    """One line without its line end; numbers as short as a float32 allows."""
    values = {}
    for name, value in frame.values.items():
        if not math.isfinite(value):
            raise InputError(f"Frame {frame.frame}: parameter {name!r} is {value!r}")
        values[name] = float(str(np.float32(value)))
    line: dict[str, Any] = {"frame": int(frame.frame)}
    if frame.time is not None:
        line["time"] = round(frame.time, 6)
    if recording is not None:
        line["recording"] = {"frames": recording.n_frames}
        if recording.rate is not None:
            whole = recording.rate.denominator == 1
            line["recording"]["fps"] = int(recording.rate) if whole else str(recording.rate)
    return json.dumps(line | {"parameters": values}, allow_nan=False)


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
        replace(
            each,
            values={name: value - origin.get(name, 0.0) for name, value in each.values.items()},
        )
        for each in frames
    ]


def _checked_values(values: dict[str, Any], schema: ParameterSchema) -> dict[str, float]:
    try:
        schema.vector(values)
    except OverflowError as error:  # an integer too large for a float
        raise InputError("a value is too large", "Give a finite number.") from error
    return {name: float(value) for name, value in values.items()}
