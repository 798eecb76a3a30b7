# SPDX-License-Identifier: GPL-3.0-or-later
"""Which camera is meant, by panels, operators and a new head alike."""

from __future__ import annotations

import bpy


def camera_in_context(context: bpy.types.Context) -> bpy.types.Object | None:
    """The camera that is meant: the active object if it is one, else the one that shows the
    scene's face."""
    active = context.active_object
    return active if _is_camera(active) else camera_of_face(context.scene)


def camera_of_face(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The scene's camera; where that has no portrait, the only one in the scene that has."""
    camera = scene.camera if _is_camera(scene.camera) else None
    if camera is not None and camera.data.photorig.portrait_path:
        return camera
    others = [item for item in scene.objects if _is_camera(item)]
    with_portrait = [item for item in others if item.data.photorig.portrait_path]
    return with_portrait[0] if len(with_portrait) == 1 else camera


def _is_camera(item: bpy.types.Object | None) -> bool:
    return item is not None and item.type == "CAMERA"
