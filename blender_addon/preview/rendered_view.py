# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered shading: the face where F12 would put it, in a viewport of any size."""

from __future__ import annotations

import bpy

from . import live, shapes
from .onion import camera_frame
from .overlay import draw_face, free_rectangle, picture_aspect
from .placement import Rectangle, fit_inside

_BLACK = (0.0, 0.0, 0.0, 1.0)
_AROUND = (0.05, 0.05, 0.05, 1.0)


def update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Blender has evaluated something for a viewport. Never raises."""
    try:
        if live.live.follow(scene, depsgraph):
            live.redraw_viewports(scene)
        live.wake()
    except Exception as error:
        live.fail(error)


def draw(context: bpy.types.Context) -> None:
    """Draw the face into a viewport's scene-linear picture. Never raises, waits for nothing."""
    try:
        _draw(context)
    except Exception as error:
        live.fail(error)


def _draw(context: bpy.types.Context) -> None:
    region, scene = context.region, context.scene
    follower = live.live.follower_of(scene)
    whole = Rectangle(0, 0, region.width, region.height)
    frame = camera_frame(context)
    if frame is None:
        frame = fit_inside(picture_aspect(follower), free_rectangle(context.area, region))
    shapes.draw_box(whole, _AROUND)
    shapes.draw_box(frame, _BLACK)
    draw_face(scene, follower, fit_inside(picture_aspect(follower), frame), to_linear=True)
