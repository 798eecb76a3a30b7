# SPDX-License-Identifier: GPL-3.0-or-later
"""Add a rigged head to start from: the built-in one, or one in the likeness of a portrait."""

from __future__ import annotations

import bpy

from .. import head_jobs, jobs
from .base import PhotorigOperator, camera_data_in_context, camera_in_context


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


class PHOTORIG_OT_create_head(PhotorigOperator, bpy.types.Operator):
    """Make a rigged head in the likeness of this camera's portrait, posed like its photo"""

    bl_idname = "photorig.create_head"
    bl_label = "Create Head from Portrait"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        camera = camera_in_context(context)
        if camera is None or not camera.data.photorig.portrait_id:
            cls.poll_message_set("Give the camera a portrait first: fit a photo or load one")
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave edit or pose mode first")
            return False
        if head_jobs.is_running():
            cls.poll_message_set("A head is being made")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        job = head_jobs.start(context, camera_data_in_context(context))
        if bpy.app.background:
            jobs.run_to_end(job)
            self.report({"INFO"}, job.summary)
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PHOTORIG_OT_add_head, PHOTORIG_OT_create_head)
