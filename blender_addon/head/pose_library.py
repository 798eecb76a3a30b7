# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of the control board as an asset library: written by this Blender, listed in its browsers.

Written rather than shipped as a .blend file, so that each version of Blender has actions of its
own kind, and one table says what the poses are.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import bpy
import numpy as np

from ..compat import new_curves
from ..extension import PACKAGE
from ..shared.files.writing import write_atomically
from .board_layout import TRAVEL
from .face_poses import FacePose, face_poses
from .pose_pictures import EDGE, picture_of

LIBRARY = "Photorig Faces"
_FILE, _CATALOGS = "face-poses.blend", "blender_assets.cats.txt"
_NAMESPACE = uuid.UUID("5f0f3d0e-6f5e-4d7e-9a55-2f0c1e5d8b21")
"""Catalogs keep their ids, wherever the library is written."""


def library_folder() -> Path:
    """Where the library lies, in the extension's own folder; made if missing."""
    return Path(bpy.utils.extension_path_user(PACKAGE, path="poses", create=True))


def add_pose_library() -> Path:
    """Write the library and list it among the preferences' asset libraries; returns its folder."""
    folder = library_folder()
    write_library(folder)
    libraries = bpy.context.preferences.filepaths.asset_libraries
    if not any(Path(bpy.path.abspath(each.path)) == folder for each in libraries if each.path):
        libraries.new(name=LIBRARY, directory=str(folder))
    return folder


def write_library(folder: Path) -> None:
    """The poses as assets in a .blend file, and their catalogs beside it."""
    catalogs = {pose.catalog: uuid.uuid5(_NAMESPACE, pose.catalog) for pose in face_poses()}
    lines = [f"{number}:{LIBRARY}/{name}:{name}" for name, number in catalogs.items()]
    write_atomically(folder / _CATALOGS, ("VERSION 1\n\n" + "\n".join(lines) + "\n").encode())
    with _actions() as actions:
        bpy.data.libraries.write(
            str(folder / _FILE), actions, fake_user=True, compress=True, path_remap="NONE"
        )


@contextmanager
def _actions() -> Iterator[set[bpy.types.Action]]:
    """All poses as actions under their own names, which leave this file as it was."""
    names = {pose.name for pose in face_poses()}
    taken = {
        each: each.name for each in bpy.data.actions if each.name in names and not each.library
    }
    actions: set[bpy.types.Action] = set()
    try:
        for number, action in enumerate(taken):
            action.name = f"photorig {number}"
        for pose in face_poses():
            actions.add(_action(pose))
        yield actions
    finally:
        for action in actions:
            bpy.data.actions.remove(action)
        for action, name in taken.items():
            action.name = name


def _action(pose: FacePose) -> bpy.types.Action:
    action = bpy.data.actions.new(pose.name)
    curves = new_curves(action)
    for bone, axis, place in pose.channels:
        path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].location'
        curve = curves.new(path, index=axis)
        curve.keyframe_points.add(1)
        curve.keyframe_points[0].co = (1.0, place * TRAVEL)
    action.asset_mark()
    action.asset_data.catalog_id = str(uuid.uuid5(_NAMESPACE, pose.catalog))
    action.asset_data.author, action.asset_data.license = "Photorig", "CC0-1.0"
    preview = action.preview_ensure()
    preview.image_size = (EDGE, EDGE)
    preview.image_pixels_float.foreach_set(_picture(pose.name).ravel())
    return action


@cache
def _picture(name: str) -> np.ndarray:
    """(EDGE, EDGE, 4) float32 of a pose; drawn once."""
    return picture_of(next(pose.values for pose in face_poses() if pose.name == name))
