# SPDX-License-Identifier: GPL-3.0-or-later
"""Performances as files (params.jsonl): from ``photorig analyze`` to keyframes, and from a shot to
``photorig render``, which needs no Blender."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import bpy
import numpy as np

from .extra_parameters import schema_of
from .frame_request import frame_requests
from .keys import write_keys
from .neutral import reset_to_photo
from .properties import rest_values
from .shared.errors import InputError
from .shared.messages import FrameRequest
from .shared.parameters_file import FrameParameters, differences, read, write
from .shared.schema import ARKIT_52

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


def import_performance(
    camera: bpy.types.Camera,
    path: Path,
    frame_start: int,
    tolerance: float | None = None,
    mode: str = UNCHANGED,
) -> tuple[int, int]:
    """Key what a file says; the rows of the mapping wait meanwhile, switched off.

    Parameters that the file does not name stay as they are, or, where the camera's mode changes,
    become the photo's; one that a line leaves out is at rest in its frame.

    Args:
        frame_start: scene frame of the file's first frame; gaps between frames stay.
        tolerance: see keys.write_keys.
        mode: one of IMPORT_MODES; it sets the camera's.

    Returns:
        First and last scene frame.

    Raises:
        InputError: the file cannot be read, has an unknown parameter, or no frames.
    """
    frames = sorted(read(path, schema_of(camera)), key=lambda each: each.frame)
    named = {name for each in frames for name in each.values}
    if not named:
        raise InputError(f"{path.name!r} says nothing of a face", "Choose another file.")
    if mode == RELATIVE_TO_FIRST:
        frames = differences(frames)
    camera.photorig.use_mapping = False
    _set_mode(camera, mode)
    rest = rest_values(camera.photorig)
    numbers = np.array([each.frame - frames[0].frame + frame_start for each in frames])
    for name in schema_of(camera).ids:
        if name in named:
            values = np.array([each.values.get(name, rest[name]) for each in frames], np.float32)
            write_keys(camera, name, numbers, values, tolerance)
    return int(numbers[0]), int(numbers[-1])


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
    photo = portrait.named_parameters
    write(path, [FrameParameters(request.frame, _named(request, photo)) for request in requests])
    return len(requests)


def _named(request: FrameRequest, photo: Mapping[str, float]) -> dict[str, float]:
    """Values by parameter id; what only newer models know is left out where it is 0."""
    named = ARKIT_52.named(request.parameters)
    if request.neutral:
        for parameter in ARKIT_52.parameters:
            if parameter.unit == "coefficient":
                named[parameter.id] -= request.neutral * photo[parameter.id]
    return named | {name: value for name, value in request.extra.items() if value}
