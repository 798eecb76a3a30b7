# SPDX-License-Identifier: GPL-3.0-or-later
"""Which portrait a camera shows: the one place where it is set, and how its path is kept."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..camera.extra_parameters import learn
from ..camera.portrait_file import PortraitFile, read_portrait, resolve
from ..camera.properties import same_portrait
from ..link.link import link
from ..link.options import shot_picture
from ..render.settings import begin_shot
from .thumbnails import make_thumbnail


@dataclass
class _Saving:
    """A file that is being written.

    Attributes:
        folder: where it goes.
        paths: of portraits by session number of the camera data, as they were before.
    """

    folder: Path
    paths: dict[int, str] = field(default_factory=dict)


_saving: _Saving | None = None


def choose_portrait(camera: bpy.types.Camera, path: Path) -> PortraitFile:
    """Let a camera show this portrait; the path's update callback keeps id and name beside it.

    Args:
        path: absolute.

    Raises:
        InputError: there is no such file, or it is no portrait.
    """
    portrait = read_portrait(path)
    camera.photorig.portrait_path = stored_path(path)
    learn(camera, link.schema)
    make_thumbnail(portrait)
    return portrait


def give_portrait(camera: bpy.types.Camera, path: Path) -> tuple[PortraitFile, str]:
    """Let a camera show this portrait. One that showed none is set as the preferences say for new
    shots; what has been set on a camera stays.

    Returns:
        The portrait, and a sentence about what was set beyond the camera, "" without.

    Raises:
        InputError: as ``choose_portrait``.
    """
    is_first = not camera.photorig.portrait_path
    portrait = choose_portrait(camera, path)
    return portrait, begin_shot(camera, shot_picture()) if is_first else ""


def stored_path(path: Path) -> str:
    """Relative to the .blend file if the person's preferences ask for that and it is possible."""
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths:
        return _seen_from(path, Path(bpy.data.filepath).parent)
    return str(path)


def _seen_from(path: Path, folder: Path) -> str:
    """A path as a file in a folder holds it."""
    with contextlib.suppress(ValueError):  # another drive
        return "//" + os.path.relpath(path, folder).replace(os.sep, "/")
    return str(path)


@persistent
def _before_save(filepath: str = "", *_arguments: object) -> None:
    """Blender rewrites its own relative paths for a file that is saved elsewhere, but none of an
    extension's. As with those, a file that is saved for the first time gets relative ones."""
    global _saving
    _saving, here = None, bpy.data.filepath
    folder = Path(filepath).parent
    if not filepath or (here and Path(here).parent == folder):
        return
    _saving = _Saving(folder)
    becomes_relative = not here and bpy.context.preferences.filepaths.use_relative_paths
    with same_portrait():
        for camera in bpy.data.cameras:
            path = camera.photorig.portrait_path
            is_meant = path.startswith("//") or (path and becomes_relative)
            if is_meant and camera.is_editable:
                _saving.paths[camera.session_uid] = path
                camera.photorig.portrait_path = _seen_from(resolve(path), folder)


@persistent
def _after_save(*_arguments: object) -> None:
    """Where a copy was saved, or nothing, paths hold as before: the session's own file has not
    moved."""
    global _saving
    saving, _saving = _saving, None
    here = Path(bpy.data.filepath).parent if bpy.data.filepath else None
    if saving is None or here == saving.folder:
        return
    with same_portrait():
        for camera in bpy.data.cameras:
            if camera.session_uid in saving.paths:
                camera.photorig.portrait_path = saving.paths[camera.session_uid]


_HANDLERS = (
    ("save_pre", _before_save),
    ("save_post", _after_save),
    ("save_post_fail", _after_save),
)


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
