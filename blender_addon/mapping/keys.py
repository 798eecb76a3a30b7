# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyframes of a camera's parameters."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np

from ..camera.extra_parameters import data_path, is_driven, schema_of
from ..compat import curve_of
from ..shared.errors import InputError
from ..shared.parameters.key_reduction import kept_keys

CurveWriter = Callable[..., int]
"""Called as write_curve."""


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
    write: CurveWriter | None = None,
) -> int:
    """Key a parameter; its keys within these frames are replaced, others stay.

    Args:
        frames: (n,) ascending.
        values: (n,) in the parameter's unit.
        tolerance: greatest error as a part of a whole movement, to keep only the keys that are
            needed, joined by straight lines; None for a key at every frame.
        write: what writes the curve; None for write_curve.

    Returns:
        How many keys were written.
    """
    if tolerance is not None:
        schema = schema_of(camera)
        described = schema.parameters[schema.index[parameter]]
        kept = kept_keys(frames, values, tolerance * described.full_move)
        frames, values = frames[kept], values[kept]
    return (write or write_curve)(camera, data_path(parameter), frames, values)


def write_curve(
    owner: bpy.types.ID,
    path: str,
    frames: np.ndarray,
    values: np.ndarray,
    index: int = -1,
    group: str = "Photorig",
) -> int:
    """Key a property of a data-block, joined by straight lines; see write_keys.

    Args:
        path: from the data-block.
        index: of a property with several numbers.
        group: name of the channels' group, where they have none yet.

    Raises:
        InputError: it cannot be animated.
    """
    curve = curve_of(owner, path, max(index, 0))
    if curve is None:
        curve = _new_curve(owner, path, index, int(frames[0]), group)
    fill(curve, frames, values)
    return len(frames)


def fill(curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray) -> None:
    """Straight lines through these keys; those that were within their frames are gone."""
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


def _new_curve(
    owner: bpy.types.ID, path: str, index: int, frame: int, group: str
) -> bpy.types.FCurve:
    """Made by inserting a key, the one way that works in all versions."""
    try:
        owner.keyframe_insert(path, index=index, frame=frame, group=group)
    except (TypeError, RuntimeError) as error:
        raise InputError(f"{owner.name!r} does not let {path!r} be animated") from error
    curve = curve_of(owner, path, max(index, 0))
    if curve is None:
        raise InputError(f"{owner.name!r} does not let {path!r} be animated")
    return curve
