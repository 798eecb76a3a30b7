# SPDX-License-Identifier: GPL-3.0-or-later
"""Drag the overlay's picture to move it, its inner corner to scale it."""

from __future__ import annotations

from typing import Any

import bpy

from . import live, overlay
from .placement import Place, moved, scaled
from .settings import PICTURE


class PHOTORIG_GT_overlay(bpy.types.Gizmo):
    """The picture as something to grab. The overlay's draw handler draws it."""

    bl_idname = "PHOTORIG_GT_overlay"

    __slots__ = ("aspect", "began", "mouse", "scales")

    began: Place
    mouse: tuple[int, int]
    aspect: float
    scales: bool

    def draw(self, context: bpy.types.Context) -> None:
        _set_hovered(bool(self.is_highlight or self.is_modal))

    def test_select(self, context: bpy.types.Context, location: tuple[int, int]) -> int:
        spot = _spot(context)
        return 0 if spot is not None and spot.picture.contains(*location) else -1

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        spot = _spot(context)
        if spot is None:
            return {"CANCELLED"}
        self.mouse = (event.mouse_region_x, event.mouse_region_y)
        self.began = context.workspace.photorig.place
        self.aspect = overlay.picture_aspect(live.live.follower_of(context.scene))
        self.scales = spot.handle.contains(*self.mouse)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event, tweak: Any) -> set[str]:
        by = (event.mouse_region_x - self.mouse[0], event.mouse_region_y - self.mouse[1])
        free = overlay.free_rectangle(context.area, context.region)
        change = scaled if self.scales else moved
        context.workspace.photorig.move_to(change(self.aspect, free, self.began, by))
        return {"RUNNING_MODAL"}

    def exit(self, context: bpy.types.Context, cancel: bool) -> None:
        if cancel:
            context.workspace.photorig.move_to(self.began)


class PHOTORIG_GGT_overlay(bpy.types.GizmoGroup):
    """Present while the overlay is a picture in the viewport."""

    bl_idname = "PHOTORIG_GGT_overlay"
    bl_label = "Photorig Overlay"
    bl_space_type = "VIEW_3D"
    bl_region_type = "WINDOW"
    bl_options = {"PERSISTENT", "SHOW_MODAL_ALL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        is_movable = context.workspace.photorig.layout == PICTURE and overlay.has_overlay(context)
        if not is_movable:
            _set_hovered(False)
        return is_movable

    def setup(self, context: bpy.types.Context) -> None:
        self.gizmos.new(PHOTORIG_GT_overlay.bl_idname)


def _spot(context: bpy.types.Context) -> overlay.Spot | None:
    if not overlay.has_overlay(context) or context.workspace.photorig.layout != PICTURE:
        return None
    return overlay.spot_of(context, overlay.picture_aspect(live.live.follower_of(context.scene)))


def _set_hovered(is_hovered: bool) -> None:
    if is_hovered != overlay.is_hovered:
        overlay.is_hovered = is_hovered
        live.redraw_viewports()


def register() -> None:
    bpy.utils.register_class(PHOTORIG_GT_overlay)
    bpy.utils.register_class(PHOTORIG_GGT_overlay)


def unregister() -> None:
    bpy.utils.unregister_class(PHOTORIG_GGT_overlay)
    bpy.utils.unregister_class(PHOTORIG_GT_overlay)
