# SPDX-License-Identifier: GPL-3.0-or-later
"""Performances as files (params.jsonl): from ``photorig analyze`` to keyframes, and from a shot to
``photorig render``, which needs no Blender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import bpy
import numpy as np

from ..camera.extra_parameters import schema_of
from ..camera.properties import rest_values
from ..shared.errors import InputError
from ..shared.parameters.file import (
    FrameParameters,
    Recording,
    differences,
    write,
)
from ..shared.parameters.schema import FACE_SCHEMA
from ..shared.parameters.smoothing import smoothed
from ..shared.parameters.takes import read_take, write_live_link_face
from ..shared.parameters.timeline import DEFAULT_RATE, parse_rate, timeline
from ..shared.wire.messages import FrameRequest
from .frame_request import frame_requests
from .keys import write_curve, write_keys
from .neutral import reset_to_photo
from .nla import StripWriter
from .rig_keys import RigKeyed, key_rig

CAMERA, RIG = "CAMERA", "RIG"
UNCHANGED, RELATIVE_TO_FIRST, ABSOLUTE = "UNCHANGED", "RELATIVE_TO_FIRST", "ABSOLUTE"
IMPORT_MODES = (
    (
        RELATIVE_TO_FIRST,
        "Relative to First Frame",
        "What changes since the recording's first frame happens to the photo. For another person's"
        " performance; its first frame should look as the photo does",
    ),
    (
        ABSOLUTE,
        "Absolute",
        "The face takes on the recorded pose and expression, whatever the photo shows. For a"
        " recording of the same person, or where an eye must be closed when the recorded one is",
    ),
    (
        UNCHANGED,
        "As Exported",
        "The numbers as the file has them, and the camera's mode stays. For what Export Performance"
        " has written",
    ),
)


_NEAR_A_FRAME = 0.02


@dataclass(frozen=True)
class ImportOptions:
    """How a take becomes keys.

    Attributes:
        frame_start: scene frame of the take's first frame; gaps between frames stay.
        tolerance: see keys.write_keys.
        mode: one of IMPORT_MODES; it sets the camera's.
        frames_per_second: the scene's. A recording that tells its time keeps it: a second is that
            many scene frames, however many frames the recording has. 0 for frame by frame.
        smoothing: from 0, nothing, to 1; see parameters/smoothing.py.
        as_strip: put the keys into actions of their own, in NLA strips.
        from_rest: the numbers count from a face at rest, as those of lips do, so that there is no
            first frame to compare with.
        onto: CAMERA, the parameters themselves, or RIG, what drives them.
    """

    frame_start: int = 1
    tolerance: float | None = None
    mode: str = UNCHANGED
    frames_per_second: float = 0.0
    smoothing: float = 0.0
    as_strip: bool = False
    onto: str = CAMERA
    from_rest: bool = False


@dataclass(frozen=True)
class Keyed:
    """What became of a file.

    Attributes:
        first, last: scene frames of its keys.
        rate: of the recording in frames a second, None where the file does not say.
        rig: what became of it on the rig, None where the camera was keyed.
    """

    first: float
    last: float
    rate: Fraction | None
    rig: RigKeyed | None = None


def import_performance(
    scene: bpy.types.Scene, camera: bpy.types.Camera, path: Path, options: ImportOptions
) -> Keyed:
    """Key what a file says, onto the camera or back through its mapping onto the rig.

    On the camera the rows of the mapping wait meanwhile, switched off. Parameters that the file
    does not name stay as they are, or, where the camera's mode changes, become the photo's; one
    that a line leaves out is at rest in its frame.

    Raises:
        InputError: the file cannot be read, has an unknown parameter, or no frames; or the rig
            cannot be keyed.
    """
    frames, recording = read_take(path, schema_of(camera))
    named = {name for each in frames for name in each.values}
    if not named:
        raise InputError(f"{path.name!r} says nothing of a face", "Choose another file.")
    frames = _with_held(frames, recording)
    if options.smoothing:
        rate = float(recording.rate or options.frames_per_second or DEFAULT_RATE)
        frames = smoothed(frames, rate, options.smoothing)
    if options.mode == RELATIVE_TO_FIRST and not options.from_rest:
        frames = differences(frames)
    camera.photorig.use_mapping = options.onto == RIG
    _set_mode(camera, options.mode)
    scene_frames = _scene_frames(frames, recording, options.frames_per_second)
    numbers = options.frame_start + scene_frames
    wanted = _curves(camera, frames, named)
    strips = StripWriter(path.stem) if options.as_strip else None
    rig = None
    if options.onto == RIG:
        rig = key_rig(scene, camera, numbers, wanted, options.tolerance, strips)
        wanted = {name: wanted[name] for name in rig.not_on_rig}
    write = strips.write if strips is not None else write_curve
    for name, values in wanted.items():
        write_keys(camera, name, numbers, values, options.tolerance, write)
    if strips is not None:
        strips.finish()
    return Keyed(float(numbers[0]), float(numbers[-1]), recording.rate, rig)


def _curves(
    camera: bpy.types.Camera, frames: Sequence[FrameParameters], named: set[str]
) -> dict[str, np.ndarray]:
    """(n,) by parameter id, in the order of the schema."""
    rest = rest_values(camera.photorig)
    return {
        name: np.array([each.values.get(name, rest[name]) for each in frames], "f4")
        for name in schema_of(camera).ids
        if name in named
    }


def _scene_frames(
    frames: Sequence[FrameParameters], recording: Recording, frames_per_second: float
) -> np.ndarray:
    """(n,) how many scene frames each frame lies behind the start: that of the recording where its
    time is told, so that sound stays with it, else the first frame."""
    counted = np.array([each.frame - frames[0].frame for each in frames], np.float64)
    if not frames_per_second:
        return counted
    times = [each.time for each in frames if each.time is not None]
    if len(times) == len(frames) and np.all(np.diff(times) > 0):
        seconds = np.array(times, np.float64)
    elif recording.rate is not None:
        before = frames[0].frame - 1 if recording.n_frames else 0
        seconds = (counted + max(0, before)) / float(recording.rate)
    else:
        return counted
    placed = seconds * frames_per_second
    # Times are told to the microsecond; keys on whole frames are what an animator can work with.
    whole = np.rint(placed)
    return np.where(np.abs(placed - whole) < _NEAR_A_FRAME, whole, placed)


def _with_held(frames: list[FrameParameters], recording: Recording) -> list[FrameParameters]:
    """Frames that show no face for longer than a moment hold the pose before, as in films of
    ``photorig render``; across shorter gaps the curves lead by themselves."""
    line = timeline(frames, recording)
    held, known = set(line.held), {each.frame for each in frames}
    times = line.times or [place / float(line.rate) for place in range(len(line.frames))]
    tells_time = all(each.time is not None for each in frames)
    return [
        each if each.frame in known or not tells_time else replace(each, time=time)
        for each, time in zip(line.frames, times, strict=True)
        if each.frame in known or each.frame in held
    ]


def _set_mode(camera: bpy.types.Camera, mode: str) -> None:
    wanted = {RELATIVE_TO_FIRST: "RELATIVE", ABSOLUTE: "ABSOLUTE"}.get(mode, camera.photorig.mode)
    if wanted != camera.photorig.mode:
        camera.photorig.mode = wanted
        reset_to_photo(camera)


def export_performance(context: bpy.types.Context, path: Path) -> int:
    """Write what each frame of the scene's range asks of the worker. Returns how many frames.

    What *Neutral* takes away of the photo's expression is taken away in the file.

    Raises:
        InputError: as frame_request; or the frames show several portraits, or in several ways,
            which one file cannot say.
    """
    scene = context.scene
    frames = range(scene.frame_start, scene.frame_end + 1, scene.frame_step)
    requests, portraits = frame_requests(context, scene, frames)
    if len(portraits) > 1 or len({request.mode for request in requests}) > 1:
        raise InputError(
            "The frames show several portraits, or in several modes",
            "Export the shots one by one: set the scene's range to each.",
        )
    (portrait,) = portraits.values()
    rate = frame_rate(scene)
    lines = performance_lines(requests, portrait.named_parameters, rate)
    if path.suffix.lower() == ".csv":
        write_live_link_face(path, lines, rate)
    else:
        write(path, lines, Recording(rate))
    return len(requests)


def frame_rate(scene: bpy.types.Scene) -> Fraction:
    """Frames a second."""
    return parse_rate(f"{scene.render.fps / scene.render.fps_base:.6f}")


def performance_lines(
    requests: Sequence[FrameRequest], photo: Mapping[str, float], rate: Fraction
) -> list[FrameParameters]:
    """What requests ask of one face, as lines of a file that begins with the first of them.

    Args:
        photo: value by parameter id in the portrait's photo.
    """
    start = requests[0].frame
    return [
        FrameParameters(each.frame, _named(each, photo), float((each.frame - start) / rate))
        for each in requests
    ]


def _named(request: FrameRequest, photo: Mapping[str, float]) -> dict[str, float]:
    """Values by parameter id; what only newer models know is left out where it is 0."""
    named = FACE_SCHEMA.named(request.parameters)
    if request.neutral:
        for parameter in FACE_SCHEMA.parameters:
            if parameter.unit == "coefficient":
                named[parameter.id] -= request.neutral * photo[parameter.id]
    return named | {name: value for name, value in request.extra.items() if value}
