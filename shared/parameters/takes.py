"""Takes of other programs: what phones and lip-sync programs record, as frames of parameters.

* Live Link Face (``.csv``): a timecode, ARKit's coefficients, head angles in radians.
* ARKit as JSON lines (``.jsonl``): ``{"timestamp": 0.5, "blendShapes": {"jawOpen": 0.2, …}}``.
* Rhubarb Lip Sync (``.tsv``, ``.json``) and Papagayo (``.dat``): mouth shapes with their times.
* ``photorig analyze`` (``params.jsonl``): see file.py.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files.strict_json import parse_json
from ..files.text_files import read_any_text
from ..files.writing import explained, replacing
from .file import FrameParameters, Recording, read_recording
from .mouth_shapes import Cue, frames_of, shape_of
from .schema import ARKIT_NAMES, FACE_SCHEMA, ParameterSchema
from .timeline import constant_rate

SUFFIXES = (".jsonl", ".csv", ".tsv", ".json", ".dat")
_HINT = "Give a params.jsonl, a CSV of Live Link Face, or what Rhubarb or Papagayo writes."
_LIMIT = 256 << 20
_COEFFICIENTS = {name.lower(): name for name in ARKIT_NAMES}
_TURNS = {"headyaw": ("headYaw", -1), "headpitch": ("headPitch", -1), "headroll": ("headRoll", -1)}
"""Head angles of Live Link Face. It gives those of ARKit's face anchor in Unreal's axes, where yaw
goes to image left, pitch down and roll clockwise, as seen by the phone."""
_RATES = (24, 25, 30, 60)
_Take = tuple[list[FrameParameters], Fraction | None]
"""Frames, and how many there are a second where that is told."""


def read_take(
    path: Path | str, schema: ParameterSchema = FACE_SCHEMA
) -> tuple[list[FrameParameters], Recording]:
    """The frames of a take in the order of their times, and its rate where it has one.

    Raises:
        InputError: no such file, of another kind, or damaged; the error names file and line.
    """
    path = Path(path)
    readers: dict[str, Callable[[str], _Take]] = {
        ".csv": _live_link_face,
        ".tsv": _rhubarb_table,
        ".json": _rhubarb_json,
        ".dat": _papagayo,
    }
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        text = read_any_text(path, _HINT)
        if '"parameters"' in text.split("\n", 1)[0] or "blendshapes" not in text[:2000].lower():
            return read_recording(path, schema)
        readers[".jsonl"] = _arkit_lines
    if suffix not in readers:
        raise InputError(f"{path.name} is no recording of a face that is known here", _HINT)
    try:
        frames, rate = readers[suffix](read_any_text(path, _HINT))
    except InputError as error:
        raise InputError(f"{path.name}: {error.message}", error.hint or _HINT) from error
    if not frames:
        raise InputError(f"{path.name} says nothing of a face", _HINT)
    return frames, Recording(rate)


def _live_link_face(text: str) -> _Take:
    rows = csv.reader(io.StringIO(text))
    head = [name.strip().lower() for name in next(rows, [])]
    if "timecode" not in head or not set(head) & set(_COEFFICIENTS):
        raise InputError("there are no columns Timecode, EyeBlinkLeft, … in its first line")
    lines = [(number, row) for number, row in enumerate(rows, start=2) if any(row)]
    place = head.index("timecode")
    codes = [_timecode(number, row, place) for number, row in lines]
    rate = _timecode_rate([frames for _, frames in codes])
    times = [seconds + frames / rate for seconds, frames in codes]
    result: list[FrameParameters] = []
    for (number, row), time in zip(lines, times, strict=True):
        seconds = time - times[0]
        if seconds < 0:
            seconds += 86_400  # past midnight
        if result and result[-1].time is not None and seconds <= result[-1].time:
            continue  # a frame that the phone wrote twice
        values = _row_values(number, head, row)
        result.append(FrameParameters(1 + len(result), values, seconds))
    return result, Fraction(rate)


def _row_values(number: int, head: Sequence[str], row: Sequence[str]) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, told in zip(head, row, strict=False):
        if name in _COEFFICIENTS and told.strip():
            values[_COEFFICIENTS[name]] = _number(number, told)
        elif name in _TURNS and told.strip():
            parameter, sign = _TURNS[name]
            values[parameter] = sign * math.degrees(_number(number, told))
    return values


def _number(line: int, told: str) -> float:
    try:
        value = float(told)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"line {line} has {told[:40]!r} where a number belongs")
    return value


def _timecode(line: int, row: Sequence[str], place: int) -> tuple[float, float]:
    """Whole seconds, and frames beyond them, of ``HH:MM:SS:FF.fff``."""
    told = row[place] if place < len(row) else ""
    parts = told.replace(";", ":").split(":")
    if len(parts) != 4:
        raise InputError(f"line {line} has the timecode {told[:40]!r}", "It is HH:MM:SS:FF.fff.")
    hours, minutes, seconds, frames = (_number(line, part) for part in parts)
    return 3600 * hours + 60 * minutes + seconds, frames


def _timecode_rate(frames: Sequence[float]) -> int:
    """Frames a second: the least usual rate that the frames of the timecode fit in."""
    most = max(frames, default=0.0)
    return next((rate for rate in _RATES if most < rate and most >= rate - 2), 60)


def _arkit_lines(text: str) -> _Take:
    result: list[FrameParameters] = []
    start: float | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        data = _parsed(line, number)
        shapes = next((data[key] for key in data if key.lower() == "blendshapes"), None)
        time = data.get("timestamp", data.get("time"))
        if not isinstance(shapes, Mapping) or isinstance(time, bool):
            raise InputError(f"line {number} has no 'blendShapes'")
        if not isinstance(time, int | float):
            raise InputError(f"line {number} has no 'timestamp' in seconds")
        start = float(time) if start is None else start
        values = {
            _COEFFICIENTS[key.lower()]: _number(number, str(value))
            for key, value in shapes.items()
            if key.lower() in _COEFFICIENTS
        }
        if not result or float(time) - start > (result[-1].time or 0.0):
            result.append(FrameParameters(1 + len(result), values, float(time) - start))
    return result, constant_rate([each.time or 0.0 for each in result], None)


def _rhubarb_table(text: str) -> _Take:
    cues = []
    for number, line in enumerate(text.splitlines(), start=1):
        parts = line.split()
        if len(parts) == 2:
            cues.append(Cue(_number(number, parts[0]), shape_of(parts[1])))
        elif parts:
            raise InputError(f"line {number} is no time and shape")
    return frames_of(_in_order(cues)), None


def _rhubarb_json(text: str) -> _Take:
    data = _parsed(text, 1)
    told = data.get("mouthCues")
    if not isinstance(told, list) or not all(isinstance(each, Mapping) for each in told):
        raise InputError("there are no 'mouthCues'")
    cues = [
        Cue(_number(1, str(each.get("start"))), shape_of(str(each.get("value")))) for each in told
    ]
    if told:
        cues.append(Cue(_number(1, str(told[-1].get("end"))), "X"))
    return frames_of(_in_order(cues)), None


def _papagayo(text: str) -> _Take:
    lines = text.splitlines()
    if not lines or not lines[0].startswith("MohoSwitch"):
        raise InputError("its first line is not MohoSwitch1")
    cues = []
    for number, line in enumerate(lines[1:], start=2):
        parts = line.split()
        if len(parts) == 2:
            frame = _number(number, parts[0])
            cues.append(Cue((frame - 1) / float(PAPAGAYO_RATE), shape_of(parts[1])))
        elif parts:
            raise InputError(f"line {number} is no frame and shape")
    return frames_of(_in_order(cues)), None


PAPAGAYO_RATE = Fraction(24)
"""Frames a second that Papagayo and Rhubarb write .dat files in, unless they are told otherwise;
the file does not say."""


def _in_order(cues: list[Cue]) -> list[Cue]:
    return sorted(cues, key=lambda cue: cue.start)


def _parsed(text: str, line: int) -> dict[str, Any]:
    try:
        data = parse_json(text, _LIMIT, 8)
    except ValueError as error:
        raise InputError(f"line {line} is not JSON") from error
    if not isinstance(data, dict):
        raise InputError(f"line {line} is no JSON object")
    return data


def write_live_link_face(
    path: Path, frames: Sequence[FrameParameters], rate: Fraction, name: str = "Photorig"
) -> None:
    """Write the columns of Live Link Face: timecode, ARKit's coefficients, angles in radians.

    Args:
        frames: with all parameters named, at equal distances.
        rate: of them, a second.

    Raises:
        InputError: the file cannot be written.
    """
    shapes = [name for name in _LIVE_LINK_ORDER if name in _COEFFICIENTS.values()]
    lines = [",".join(["Timecode", "BlendshapeCount", *map(_pascal, shapes), *_LIVE_LINK_ANGLES])]
    nominal = math.ceil(rate)
    for place, frame in enumerate(frames):
        seconds, rest = divmod(place, nominal)
        code = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest:02d}.000"
        values = [frame.values.get(name, 0.0) for name in shapes]
        turns = [
            _TURNS[name.lower()][1] * math.radians(frame.values.get(_TURNS[name.lower()][0], 0.0))
            for name in _LIVE_LINK_ANGLES[:3]
        ]
        numbers = [*values, *turns, *_eyes(frame.values)]
        lines.append(",".join([code, str(len(numbers)), *(f"{value:.6f}" for value in numbers)]))
    with replacing(path) as file, explained(path):
        file.write(("\n".join(lines) + "\n").encode())


_LIVE_LINK_ANGLES = (
    *("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll"),
    *("RightEyeYaw", "RightEyePitch", "RightEyeRoll"),
)
_LIVE_LINK_ORDER = tuple(
    """eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft
    eyeWideLeft eyeBlinkRight eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight
    eyeSquintRight eyeWideRight jawForward jawRight jawLeft jawOpen mouthClose mouthFunnel
    mouthPucker mouthRight mouthLeft mouthSmileLeft mouthSmileRight mouthFrownLeft mouthFrownRight
    mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower
    mouthRollUpper mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight
    mouthLowerDownLeft mouthLowerDownRight mouthUpperUpLeft mouthUpperUpRight browDownLeft
    browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
    cheekSquintRight noseSneerLeft noseSneerRight tongueOut""".split()
)
"""The order of Epic's EARFaceBlendShape."""
_EYE_DEGREES = 30.0
"""How far an eye turns at the full amount of a look."""


def _eyes(values: Mapping[str, float]) -> list[float]:
    """Yaw, pitch and roll of the left and the right eye in radians, from where they look."""
    turns = []
    for side, inwards in (("Left", 1), ("Right", -1)):
        look = {way: values.get(f"eyeLook{way}{side}", 0.0) for way in ("In", "Out", "Up", "Down")}
        yaw = inwards * (look["In"] - look["Out"])
        turns += [yaw, look["Down"] - look["Up"], 0.0]
    return [math.radians(_EYE_DEGREES) * turn for turn in turns]


def _pascal(name: str) -> str:
    return name[0].upper() + name[1:]
