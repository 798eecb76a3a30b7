# SPDX-License-Identifier: GPL-3.0-or-later
"""The face at rest as an image datablock, for image editors and reference."""

from __future__ import annotations

import bpy

from .display_pixels import Preparation
from .frame_cache import Picture, PictureKey

NAME = "Photorig Preview"
_MARK = "photorig_preview"
_written: tuple[int, PictureKey] | None = None


def preview_image() -> bpy.types.Image | None:
    """The image that Photorig writes; a person's own of the same name is left alone."""
    for image in bpy.data.images:
        if image.get(_MARK) and image.library is None:
            return image
    return None


def forget() -> None:
    """What the image holds is not known any more."""
    global _written
    _written = None


def write(picture: Picture | None) -> bool:
    """Put a picture into the image, made if need be. Returns whether anything was written."""
    global _written
    if picture is None:
        return False
    image = preview_image()
    if image is not None and _written == (image.session_uid, picture.key):
        return False
    values = Preparation(picture.pixels).finish()
    height, width = values.shape[:2]
    if image is None:
        image = bpy.data.images.new(NAME, width, height)
        image[_MARK] = True
    elif tuple(image.size) != (width, height):
        image.scale(width, height)
    image.pixels.foreach_set(values.ravel())
    image.update()
    _written = (image.session_uid, picture.key)
    _redraw_image_editors()
    return True


def _redraw_image_editors() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR":
                area.tag_redraw()
