# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the overlay: in the sidebar's Photorig tab and in the viewport's overlay menu."""

from __future__ import annotations

import bpy

from ..preview.live import live
from ..preview.settings import CAMERA, HEAD, PICTURE


class PHOTORIG_PT_overlay(bpy.types.Panel):
    """What of the face is shown in the viewport, and where."""

    bl_label = "Face Overlay"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Photorig"
    bl_order = 1

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.prop(context.workspace.photorig, "show_overlay", text="")

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.workspace.photorig
        draw_place(layout, settings)
        column = layout.column()
        column.prop(settings, "quick_size")
        column.prop(settings, "rest_size")
        column.prop(settings, "use_image")
        _draw_cache(layout)


def draw_place(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """Where the face is shown; greyed while it is not."""
    column = layout.column()
    column.active = settings.show_overlay
    column.prop(settings, "layout")
    if settings.layout == PICTURE:
        place = column.column(align=True)
        for name in ("x", "y", "scale"):
            place.prop(settings, name)
        place.operator("photorig.reset_overlay", icon="LOOP_BACK")
    elif settings.layout in (CAMERA, HEAD):
        column.prop(settings, "opacity")
    if settings.layout == HEAD:
        column.prop(settings, "head_scale")
    column.prop(settings, "every_viewport")
    column.prop(settings, "show_badge")


def _draw_cache(layout: bpy.types.UILayout) -> None:
    """How much is in memory."""
    row = layout.row()
    used, limit = live.cache.size / 2**20, live.cache.limit / 2**20
    row.label(text=f"{len(live.cache)} pictures, {used:.0f} of {limit:.0f} MB")
    row.operator("photorig.clear_preview_cache", text="", icon="TRASH")


def _draw_in_overlay_menu(panel: bpy.types.Panel, context: bpy.types.Context) -> None:
    row = panel.layout.row()
    row.active = context.space_data.overlay.show_overlays
    row.prop(context.workspace.photorig, "show_overlay")


def _draw_in_view_menu(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.separator()
    menu.layout.operator("photorig.toggle_overlay", icon="USER")


def register() -> None:
    bpy.utils.register_class(PHOTORIG_PT_overlay)
    bpy.types.VIEW3D_MT_view.append(_draw_in_view_menu)
    bpy.types.VIEW3D_PT_overlay.append(_draw_in_overlay_menu)


def unregister() -> None:
    bpy.types.VIEW3D_MT_view.remove(_draw_in_view_menu)
    bpy.types.VIEW3D_PT_overlay.remove(_draw_in_overlay_menu)
    bpy.utils.unregister_class(PHOTORIG_PT_overlay)
