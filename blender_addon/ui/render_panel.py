# SPDX-License-Identifier: GPL-3.0-or-later
"""What the render properties say about the size of the face and what lies behind it."""

from __future__ import annotations

import bpy

from ..render.settings import resolution_problem
from ..shared.errors import PhotorigError
from .draw import draw_sentence


def draw_framing(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """How the face fits the scene's resolution, what to do about that, and transparency."""
    camera = scene.camera
    if camera is not None and camera.type == "CAMERA" and camera.data.photorig.portrait_id:
        try:
            problem = resolution_problem(scene, camera.data)
        except PhotorigError as error:
            problem = str(error)
        if problem:
            draw_sentence(layout, problem, "INFO")
            layout.operator("photorig.use_picture_size", icon="FULLSCREEN_ENTER")
            layout.prop(camera.data.photorig, "framing")
    layout.prop(scene.render, "film_transparent", text="Transparent Background")
