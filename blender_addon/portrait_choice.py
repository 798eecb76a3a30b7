# SPDX-License-Identifier: GPL-3.0-or-later
"""Which portrait a camera shows: the one place where it is set."""

from __future__ import annotations

import contextlib
from pathlib import Path

import bpy

from .extra_parameters import learn
from .portrait_file import PortraitFile, read_portrait
from .thumbnails import make_thumbnail
from .worker_link import link


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


def stored_path(path: Path) -> str:
    """Relative to the .blend file if the person's preferences ask for that and it is possible."""
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths:
        with contextlib.suppress(ValueError):  # another drive
            return str(bpy.path.relpath(str(path)))
    return str(path)
