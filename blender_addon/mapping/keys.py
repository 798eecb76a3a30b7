# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyframes of a camera's parameters."""

from __future__ import annotations

import bpy
import numpy as np

from ..camera.extra_parameters import data_path, is_driven, schema_of
from ..compat import curve_of
from ..shared.parameters.key_reduction import kept_keys


def key_face(camera: bpy.types.Camera, frame: int) -> int:
    """Key all parameters that nothing drives, as they are now. Returns how many."""
    free = [name for name in schema_of(camera).ids if not is_driven(camera, name)]
    for name in free:
        camera.keyframe_insert(data_path(name), frame=frame, group="Photorig")
    return len(free)


def write_keys(
    camera: bpy.types.Camera,
    parameter: str,
    frames: np.ndarray,
    values: np.ndarray,
    tolerance: float | None = None,
) -> int:
    """Key a parameter; its keys within these frames are replaced, others stay.

    Args:
        frames: (n,) ascending.
        values: (n,) in the parameter's unit.
        tolerance: greatest error as a part of a whole movement, to keep only the keys that are
            needed, joined by straight lines; None for a key at every frame.

    Returns:
        How many keys were written.
    """
    if tolerance is not None:
        schema = schema_of(camera)
        described = schema.parameters[schema.index[parameter]]
        kept = kept_keys(frames, values, tolerance * described.full_move)
        frames, values = frames[kept], values[kept]
    path = data_path(parameter)
    curve = curve_of(camera, path)
    if curve is None:
        # The one way to make a curve that works in all versions.
        camera.keyframe_insert(path, frame=int(frames[0]), group="Photorig")
        curve = curve_of(camera, path)
    assert curve is not None
    points = curve.keyframe_points
    within = [frames[0] <= point.co[0] <= frames[-1] for point in points]
    for point, is_within in reversed(list(zip(points, within, strict=True))):
        if is_within:
            points.remove(point, fast=True)
    first = len(points)
    points.add(len(frames))
    for number, (frame, value) in enumerate(zip(frames, values, strict=True)):
        point = points[first + number]
        point.co = (float(frame), float(value))
        point.interpolation = "LINEAR"
    curve.update()
    return len(frames)
