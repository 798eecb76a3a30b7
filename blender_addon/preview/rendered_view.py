# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered shading: the face where F12 would put it, in a viewport of any size."""

from __future__ import annotations

import bpy

from ..render.settings import canvas_of, picture_size
from . import live, shapes
from .onion import camera_frame
from .overlay import draw_face, free_rectangle
from .placement import Rectangle, around, fit_inside, laid_on

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
    is_seen_from_camera = frame is not None
    if frame is None:
        free = free_rectangle(context.area, region)
        frame = fit_inside(_aspect_of_render(scene), free)
    place = _place_of_face(scene, frame)
    shapes.draw_box(frame, _BLACK)
    if place is not None:
        draw_face(scene, follower, place, to_linear=True, in_photo=_shows_whole_photo(scene))
    if scene.render.use_border and is_seen_from_camera:
        _cover(around(frame, _border_of(scene.render, frame)), _BLACK)
    _cover(around(whole, frame), _AROUND)


def _place_of_face(scene: bpy.types.Scene, frame: Rectangle) -> Rectangle | None:
    """Where the scene's camera lays its picture in the frame; None where there is no picture."""
    camera = scene.camera
    if camera is None or camera.type != "CAMERA":
        return None
    if _shows_whole_photo(scene):
        size = live.live.photo_size(scene)
    else:
        size = picture_size(camera.data)
    return None if size is None else laid_on(frame, canvas_of(scene, camera.data), size)


def _shows_whole_photo(scene: bpy.types.Scene) -> bool:
    camera = scene.camera
    is_camera = camera is not None and camera.type == "CAMERA"
    return is_camera and camera.data.photorig.size == "FULL"


def _aspect_of_render(scene: bpy.types.Scene) -> float:
    render = scene.render
    width = render.resolution_x * render.pixel_aspect_x
    return float(width / (render.resolution_y * render.pixel_aspect_y))


def _border_of(render: bpy.types.RenderSettings, frame: Rectangle) -> Rectangle:
    """The render region in the frame."""
    return frame.part(
        render.border_min_x, render.border_min_y, render.border_max_x, render.border_max_y
    )


def _cover(rectangles: list[Rectangle], colour: shapes.Colour) -> None:
    """What juts out of a frame is not in the render: it is drawn over."""
    for rectangle in rectangles:
        shapes.draw_box(rectangle, colour)
