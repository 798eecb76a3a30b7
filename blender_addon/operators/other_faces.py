# SPDX-License-Identifier: GPL-3.0-or-later
"""Further faces of a photo: another camera's face joins this picture, or leaves it."""

from __future__ import annotations

import bpy

from .base import PhotorigOperator, camera_data_in_context, needs_camera


class PHOTORIG_OT_add_other_face(PhotorigOperator, bpy.types.Operator):
    """Drive another face of the same photo in this picture: that of another camera, which has a
    portrait and a rig of its own"""

    bl_idname = "photorig.add_other_face"
    bl_label = "Add Further Face"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs_camera(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        data = camera_data_in_context(context)
        taken = {data, *(item.camera.data for item in data.photorig.others if item.camera)}
        free = [
            item
            for item in context.scene.objects
            if item.type == "CAMERA"
            and item.data not in taken
            and item.data.photorig.portrait_id not in ("", data.photorig.portrait_id)
        ]
        face = data.photorig.others.add()
        if len(free) == 1:
            face.camera = free[0]
        else:
            self.report({"INFO"}, "Choose the camera that holds the other face's portrait")
        data.update_tag()
        return {"FINISHED"}


class PHOTORIG_OT_remove_other_face(PhotorigOperator, bpy.types.Operator):
    """Take this face out of the picture; its camera stays as it is"""

    bl_idname = "photorig.remove_other_face"
    bl_label = "Remove Further Face"
    bl_options = {"REGISTER", "UNDO"}

    number: bpy.props.IntProperty(name="Line", min=0, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs_camera(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        data = camera_data_in_context(context)
        data.photorig.others.remove(self.number)
        data.update_tag()
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PHOTORIG_OT_add_other_face, PHOTORIG_OT_remove_other_face)
