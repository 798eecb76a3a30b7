# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rig drives, written down as keyframes of the parameters."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ..camera.extra_parameters import schema_of
from ..camera.values import slider_values
from ..shared.errors import InputError
from .frame_request import tag_sources
from .keys import write_keys


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
        column = values[:, schema.index[parameter]]
        count += write_keys(camera.data, parameter, np.array(frames), column, tolerance)
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
