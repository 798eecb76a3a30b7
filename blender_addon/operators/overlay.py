# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the face in the viewport, put it back where it was, forget pictures."""

from __future__ import annotations

import bpy

from ..link.link import link
from ..preview import live
from ..preview.placement import Place
from ..shared.errors import PhotorigError
from .base import PhotorigOperator


class PHOTORIG_OT_toggle_overlay(PhotorigOperator, bpy.types.Operator):
    """Show or hide the face in the 3D viewport; starts the worker if the preferences allow it"""

    bl_idname = "photorig.toggle_overlay"
    bl_label = "Face Overlay"

    def run(self, context: bpy.types.Context) -> set[str]:
        settings = context.workspace.photorig
        settings.show_overlay = not settings.show_overlay
        if settings.show_overlay:
            try:
                link.start_if_wanted()
            except PhotorigError as error:
                self.report({"WARNING"}, str(error))
        return {"FINISHED"}


class PHOTORIG_OT_reset_overlay(PhotorigOperator, bpy.types.Operator):
    """Put the picture back into its corner"""

    bl_idname = "photorig.reset_overlay"
    bl_label = "Reset Placement"

    def run(self, context: bpy.types.Context) -> set[str]:
        context.workspace.photorig.move_to(Place())
        return {"FINISHED"}


class PHOTORIG_OT_clear_preview_cache(PhotorigOperator, bpy.types.Operator):
    """Forget the pictures in memory; they are asked for again when they are needed"""

    bl_idname = "photorig.clear_preview_cache"
    bl_label = "Clear Preview Cache"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not len(live.live.cache):
            cls.poll_message_set("There are no pictures in memory")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        live.live.cache.clear()
        live.look_again()
        return {"FINISHED"}


CLASSES = (PHOTORIG_OT_toggle_overlay, PHOTORIG_OT_reset_overlay, PHOTORIG_OT_clear_preview_cache)
