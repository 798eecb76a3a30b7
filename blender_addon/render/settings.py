# SPDX-License-Identifier: GPL-3.0-or-later
"""Scene settings under which a rendered file has exactly the worker's pixels."""

from __future__ import annotations

import bpy
import numpy as np

from .. import compat
from ..mapping.frame_request import portrait_of
from ..shared.errors import PhotorigError
from ..shared.files.canvas import Canvas
from ..shared.files.provenance import DIGITAL_SOURCE_TYPE

SOURCE_TYPE = DIGITAL_SOURCE_TYPE
PHOTO, FILL = "PHOTO", "FILL"
_BLENDERS_SIZE = 1920, 1080, 100
_LOSSLESS = ("TIFF", "OPEN_EXR", "OPEN_EXR_MULTILAYER")


def colour_problem(scene: bpy.types.Scene) -> str:
    """Why rendered files will not have the worker's exact colours; "" when they will."""
    view = scene.view_settings
    wrong = []
    if view.view_transform != "Standard":
        wrong.append(f"the view transform is {view.view_transform}")
    if view.look not in ("None", ""):
        wrong.append(f"the look is {view.look}")
    if view.exposure != 0 or view.gamma != 1 or view.use_curve_mapping:
        wrong.append("exposure, gamma or curves are set")
    if scene.display_settings.display_device != "sRGB":
        wrong.append(f"the display is {scene.display_settings.display_device}")
    if scene.render.dither_intensity != 0:
        wrong.append("dither is on")
    if not wrong:
        return ""
    return f"Colors will differ from the portrait's: {', '.join(wrong)}. Use Exact Colors."


def use_exact_colours(scene: bpy.types.Scene) -> None:
    """Make rendered files hold the worker's bytes; a lossless format that was chosen stays."""
    use_exact_view(scene)
    if scene.render.image_settings.file_format not in _LOSSLESS:
        compat.use_png_output(scene)
        if scene.render.film_transparent:
            scene.render.image_settings.color_mode = "RGBA"


def use_exact_view(scene: bpy.types.Scene) -> None:
    """Show and save the worker's colours as they are."""
    scene.display_settings.display_device = "sRGB"
    view = scene.view_settings
    view.view_transform = "Standard"
    view.look = "None"
    view.exposure, view.gamma, view.use_curve_mapping = 0, 1, False
    scene.render.dither_intensity = 0


def use_blenders_view(scene: bpy.types.Scene) -> None:
    """Show colours as a new scene of Blender's does."""
    scene.view_settings.view_transform = "AgX"
    scene.render.dither_intensity = 1


def canvas_of(scene: bpy.types.Scene, camera_data: bpy.types.Camera) -> Canvas:
    """The scene's picture, and how the camera's face is laid on it."""
    render = scene.render
    return Canvas(
        width=render.resolution_x * render.resolution_percentage // 100,
        height=render.resolution_y * render.resolution_percentage // 100,
        framing=camera_data.photorig.framing,
        pixel_aspect=render.pixel_aspect_x / render.pixel_aspect_y,
        centre=_face_centre(camera_data),
    )


def _face_centre(camera_data: bpy.types.Camera) -> tuple[float, float]:
    """Where the face is in the camera's picture, x and y from 0 to 1: a photo may show it at its
    edge, a crop has it in its middle."""
    if camera_data.photorig.size != "FULL":
        return 0.5, 0.5
    try:
        portrait = portrait_of(camera_data)
    except PhotorigError:  # whoever needs the picture will say so
        return 0.5, 0.5
    to_square = np.vstack([np.reshape(portrait.alignment, (2, 3)), [0, 0, 1]])
    centre = np.linalg.solve(to_square, [0.5, 0.5, 1])[:2] / portrait.photo_size
    x, y = np.clip(centre, 0, 1).tolist()
    return x, y


def file_canvas(scene: bpy.types.Scene, camera_data: bpy.types.Camera) -> Canvas | None:
    """What the worker lays a frame on that it writes into a file, so that it shows what F12 does;
    None where the picture is as large as the render, or the render too large for that.

    Raises:
        InputError: as ``picture_size``.
    """
    canvas = canvas_of(scene, camera_data)
    if canvas.is_too_large or canvas.is_plain(*picture_size(camera_data)):
        return None
    return canvas


def resolution_problem(scene: bpy.types.Scene, camera_data: bpy.types.Camera) -> str:
    """How the face is changed to fill the scene's resolution; "" where it is not.

    Raises:
        InputError: the whole photo is asked for and the portrait cannot be read.
    """
    canvas, (width, height) = canvas_of(scene, camera_data), picture_size(camera_data)
    if (canvas.width, canvas.height) == (width, height) and canvas.pixel_aspect == 1:
        return ""
    shown, (new_width, new_height) = "", canvas.size_of(width, height)
    if (new_width, new_height) != (width, height):
        shown = f" It is scaled to {new_width} × {new_height}"
    if new_width > canvas.width or new_height > canvas.height:
        shown += (" and" if shown else " It is") + " cut off at the edges"
    elif new_width < canvas.width or new_height < canvas.height:
        beside = "nothing" if scene.render.film_transparent else "black"
        shown += (" with " if shown else " There is ") + f"{beside} beside it"
    return (
        f"The face is {width} × {height} pixels and the render"
        f" {canvas.width} × {canvas.height}.{shown}."
    )


def picture_size(camera_data: bpy.types.Camera) -> tuple[int, int]:
    """(width, height) in pixels of what the worker renders for this camera.

    Raises:
        InputError: the whole photo is asked for and the portrait cannot be read.
    """
    size = camera_data.photorig.size
    if size == "FULL":
        return portrait_of(camera_data).photo_size
    return int(size), int(size)


def begin_shot(camera_data: bpy.types.Camera, picture: str) -> str:
    """Set a camera that shows its first face as the preferences say, and the scenes it renders.

    Args:
        picture: PHOTO or FILL.

    Returns:
        A sentence about what was set beyond the camera, "" where nothing was.

    Raises:
        InputError: the portrait cannot be read.
    """
    settings = camera_data.photorig
    for name, value in (("size", "FULL"), ("framing", "FILL")):
        if not settings.is_property_set(name):  # a script may have prepared the camera
            setattr(settings, name, value)
    told = ""
    for scene in bpy.data.scenes if picture == PHOTO and settings.size == "FULL" else ():
        is_shown = scene.camera is not None and scene.camera.data == camera_data
        if is_shown and scene.is_editable and use_picture_size_once(scene, camera_data):
            width, height = picture_size(camera_data)
            told = f"The scene is {width} × {height} pixels now, as the photo"
    return told


def use_picture_size_once(scene: bpy.types.Scene, camera_data: bpy.types.Camera) -> bool:
    """As ``use_picture_size``, if nobody has chosen a resolution. Returns whether it did."""
    is_open = _has_blenders_size(scene)
    if is_open:
        use_picture_size(scene, camera_data)
    return is_open


def _has_blenders_size(scene: bpy.types.Scene) -> bool:
    """Whether the resolution is a new scene's, which nobody has chosen."""
    render = scene.render
    size = (render.resolution_x, render.resolution_y, render.resolution_percentage)
    return size == _BLENDERS_SIZE and render.pixel_aspect_x == render.pixel_aspect_y


def use_picture_size(scene: bpy.types.Scene, camera_data: bpy.types.Camera) -> None:
    """Set the resolution to that of the worker's picture, so that it is not scaled."""
    render = scene.render
    render.resolution_x, render.resolution_y = picture_size(camera_data)
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1
