# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rig drives, written down as keyframes of the parameters."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from .compat import curve_of
from .extra_parameters import data_path, schema_of
from .frame_request import slider_values, tag_sources
from .shared.errors import InputError
from .shared.key_reduction import kept_keys

_SPANS = {"coefficient": 1.0, "degree": 60.0, "centimetre": 10.0}
"""What a whole movement is in each unit; a tolerance is a part of it. In a unit that only a newer
worker knows it is the way between the limits."""


def bake_mapping(
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    frames: Sequence[int],
    tolerance: float | None = None,
) -> int:
    """Key the mapped parameters as the rig drives them, and let the keys count from then on.

    Keys of these parameters within the frames are replaced, others stay. The rows stay, too:
    switching ``use_mapping`` on again undoes it.

    Args:
        camera: object whose data is mapped.
        frames: ascending.
        tolerance: greatest error of a curve as a part of a whole movement, to keep only the keys
            that are needed, joined by straight lines; None for a key at every frame.

    Returns:
        How many keys were written.

    Raises:
        InputError: nothing is mapped, or there are no frames.
    """
    settings, schema = camera.data.photorig, schema_of(camera.data)
    parameters = settings.mapped_parameters.split()
    if not parameters or not frames:
        raise InputError("There is nothing to bake", "Map a rig and choose a range of frames.")
    values = _recorded(scene, camera, frames)
    settings.use_mapping = False
    count = 0
    for parameter in parameters:
        curve_values = values[:, schema.index[parameter]]
        kept = np.arange(len(frames))
        if tolerance is not None:
            described = schema.parameters[schema.index[parameter]]
            span = _SPANS.get(described.unit, described.maximum - described.minimum)
            kept = kept_keys(np.array(frames), curve_values, tolerance * span)
        _write_keys(camera.data, parameter, np.array(frames)[kept], curve_values[kept])
        count += len(kept)
    scene.frame_set(scene.frame_current)
    return count


def _recorded(
    scene: bpy.types.Scene, camera: bpy.types.Object, frames: Sequence[int]
) -> np.ndarray:
    """(n frames, n parameters) float32 as the drivers give them."""
    present, subframe = scene.frame_current, scene.frame_subframe
    rows = []
    try:
        for frame in frames:
            tag_sources(camera)
            scene.frame_set(frame)
            depsgraph = bpy.context.evaluated_depsgraph_get()
            rows.append(slider_values(camera.evaluated_get(depsgraph).data))
    finally:
        scene.frame_set(present, subframe=subframe)
    return np.array(rows, np.float32)


def _write_keys(
    camera: bpy.types.Camera, parameter: str, frames: np.ndarray, values: np.ndarray
) -> None:
    path = data_path(parameter)
    curve = curve_of(camera, path)
    if curve is None:
        # The one way to make a curve that works in all versions.
        camera.keyframe_insert(path, frame=int(frames[0]))
        curve = curve_of(camera, path)
    assert curve is not None
    others = [
        (point.co[0], point.co[1])
        for point in curve.keyframe_points
        if not frames[0] <= point.co[0] <= frames[-1]
    ]
    for point in reversed(list(curve.keyframe_points)):
        if frames[0] <= point.co[0] <= frames[-1]:
            curve.keyframe_points.remove(point, fast=True)
    first = len(others)
    curve.keyframe_points.add(len(frames))
    for number, (frame, value) in enumerate(zip(frames, values, strict=True)):
        point = curve.keyframe_points[first + number]
        point.co = (float(frame), float(value))
        point.interpolation = "LINEAR"
    curve.update()
