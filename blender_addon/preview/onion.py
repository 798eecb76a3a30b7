# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a viewport the camera's frame is, and where the head of the rig."""

from __future__ import annotations

import bpy
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector

from .placement import Rectangle

_HEAD_PARAMETERS = ("headYaw", "headPitch", "headRoll")


def viewed_camera(context: bpy.types.Context) -> bpy.types.Object | None:
    """The camera that a viewport looks through, None where it does not."""
    space, view = context.space_data, context.region_data
    if view is None or view.view_perspective != "CAMERA":
        return None
    camera = space.camera if space.use_local_camera else context.scene.camera
    return camera if camera is not None and camera.type == "CAMERA" else None


def camera_frame(context: bpy.types.Context) -> Rectangle | None:
    """The frame of the camera that a viewport looks through; None where it does not."""
    camera = viewed_camera(context)
    if camera is None:
        return None
    camera = camera.evaluated_get(context.view_layer.depsgraph)
    matrix = camera.matrix_world.normalized()
    corners = [matrix @ corner for corner in camera.data.view_frame(scene=context.scene)]
    return _around(context, corners)


def head_frame(context: bpy.types.Context, scale: float, aspect: float) -> Rectangle | None:
    """A rectangle over the head, by the bone that is mapped to the head's angles.

    Args:
        scale: its height, in lengths of the bone.

    Returns:
        None where there is no such bone or it is behind the view.
    """
    bone = _head_bone(context)
    if bone is None:
        return None
    owner, pose_bone = bone
    matrix = owner.matrix_world
    low, high = matrix @ pose_bone.head, matrix @ pose_bone.tail
    middle, length = (low + high) / 2, (high - low).length
    up = context.region_data.view_matrix.inverted().to_3x3() @ Vector((0, 1, 0))
    points = [middle - up * length / 2, middle + up * length / 2]
    places = [location_3d_to_region_2d(context.region, context.region_data, p) for p in points]
    if any(place is None for place in places):
        return None
    height = (places[1] - places[0]).length * scale
    centre = (places[0] + places[1]) / 2
    width = height * aspect
    return Rectangle(centre.x - width / 2, centre.y - height / 2, width, height)


def _head_bone(
    context: bpy.types.Context,
) -> tuple[bpy.types.Object, bpy.types.PoseBone] | None:
    """The evaluated bone that drives an angle of the head of the scene's camera."""
    camera = context.scene.camera
    if camera is None or camera.type != "CAMERA":
        return None
    depsgraph = context.view_layer.depsgraph
    for row in camera.data.photorig.mapping:
        is_head = row.kind in ("BONE", "TURN") and row.parameter in _HEAD_PARAMETERS
        if is_head and row.owner is not None:
            evaluated = row.owner.evaluated_get(depsgraph)
            bone = evaluated.pose.bones.get(row.control) if evaluated.pose else None
            if bone is not None:
                return evaluated, bone
    return None


def _around(context: bpy.types.Context, corners: list[Vector]) -> Rectangle | None:
    places = [location_3d_to_region_2d(context.region, context.region_data, c) for c in corners]
    if any(place is None for place in places):
        return None
    left, right = min(p.x for p in places), max(p.x for p in places)
    bottom, top = min(p.y for p in places), max(p.y for p in places)
    return Rectangle(left, bottom, right - left, top - bottom)
