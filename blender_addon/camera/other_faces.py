# SPDX-License-Identifier: GPL-3.0-or-later
"""Further faces of a camera's photo: other cameras, each with a portrait and a rig of its own."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..compat import overridable
from ..shared.errors import InputError


def _is_other_camera(item: bpy.types.PropertyGroup, found: bpy.types.Object) -> bool:
    return found.type == "CAMERA" and found.data != item.id_data


def _changed(item: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    item.id_data.update_tag()


class PhotorigOtherFace(bpy.types.PropertyGroup):
    """``camera.data.photorig.others``: a camera whose face is driven in this one's picture, too."""

    __annotations__ = overridable(
        {
            "camera": bpy.props.PointerProperty(
                type=bpy.types.Object,
                name="Camera",
                description="A camera whose portrait is another face of the same photo. What drives"
                " it there drives it in this picture, too",
                poll=_is_other_camera,
                update=_changed,
            )
        }
    )


def cameras_of_faces(camera_data: bpy.types.Camera) -> Iterator[bpy.types.Camera]:
    """The camera and those of the further faces in its picture, in the order in which they are
    laid over one another; evaluated where ``camera_data`` is.

    Raises:
        InputError: a further face has no camera.
    """
    yield camera_data
    for item in camera_data.photorig.others:
        if item.camera is None or item.camera.type != "CAMERA":
            raise InputError(
                f"A further face of {camera_data.name!r} has no camera",
                "Choose one in Photorig > Further Faces, or remove the line.",
            )
        yield item.camera.data


def may_have_others(camera_data: bpy.types.Camera, scene: bpy.types.Scene) -> bool:
    """Whether another camera of the scene holds another face, so that there is a choice."""
    own = {"", camera_data.photorig.portrait_id}
    return any(
        item.type == "CAMERA" and item.data.photorig.portrait_id not in own
        for item in scene.objects
    )


def register() -> None:
    bpy.utils.register_class(PhotorigOtherFace)


def unregister() -> None:
    bpy.utils.unregister_class(PhotorigOtherFace)
