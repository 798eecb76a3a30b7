# SPDX-License-Identifier: GPL-3.0-or-later
"""Add a rigged head, and connect a rig's shape keys and head bone to the face."""

from __future__ import annotations

import bpy

from ..connect import connect_head_bone, connect_shape_keys
from ..rig import guess_head_bone
from ..shared.errors import InputError
from .base import PhotorigOperator, camera_data_in_context, needs_camera


class PHOTORIG_OT_add_head(PhotorigOperator, bpy.types.Operator):
    """Add a rigged head with its camera, ready to be keyframed"""

    bl_idname = "photorig.add_head"
    bl_label = "Photorig Head"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Name", default="Photorig Head")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave edit or pose mode first")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        from ..head import build_head

        build_head(context, self.name)
        return {"FINISHED"}


class PHOTORIG_OT_connect_rig(PhotorigOperator, bpy.types.Operator):
    """Drive the face by the selected mesh's ARKit shape keys and the selected armature's head bone.

    In pose mode the active bone is the head bone, else the one named as such
    """

    bl_idname = "photorig.connect_rig"
    bl_label = "Connect Rig"
    bl_options = {"REGISTER", "UNDO"}

    head_bone: bpy.props.StringProperty(
        name="Head Bone", description="Empty for the active bone or the one named as a head"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not any(item.type in ("MESH", "ARMATURE") for item in context.selected_objects):
            cls.poll_message_set("Select the face mesh, its armature, or both")
            return False
        return needs_camera(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        camera = camera_data_in_context(context)
        driven: list[str] = []
        for item in context.selected_objects:
            if item.type == "ARMATURE":
                driven += connect_head_bone(camera, item, self._bone_name(context, item))
            elif item.type == "MESH":
                driven += connect_shape_keys(camera, item)
        self.report({"INFO"}, f"{len(driven)} parameters of {camera.name} follow the rig")
        return {"FINISHED"}

    def _bone_name(self, context: bpy.types.Context, armature: bpy.types.Object) -> str:
        if self.head_bone:
            return self.head_bone
        active = context.active_pose_bone
        if active is not None and active.id_data == armature:
            return active.name
        guess = guess_head_bone(armature)
        if guess is None:
            raise InputError(
                f"{armature.name!r} has no bone that is named as a head",
                "Make the head bone active in pose mode.",
            )
        return guess


CLASSES = (PHOTORIG_OT_add_head, PHOTORIG_OT_connect_rig)
