# SPDX-License-Identifier: GPL-3.0-or-later
"""Add a rigged head to start from."""

from __future__ import annotations

import bpy

from .base import PhotorigOperator


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


CLASSES = (PHOTORIG_OT_add_head,)
