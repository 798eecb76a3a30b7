# SPDX-License-Identifier: GPL-3.0-or-later
"""Every picture that Blender writes from this engine says that a model made its face."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..extension import ENGINE, VERSION
from ..link.link import link
from ..shared.errors import PhotorigError
from ..shared.files.provenance import Provenance, insert_provenance
from ..shared.files.writing import write_atomically

_log = logging.getLogger(__name__)
_frame_started = time.time()


@persistent
def _remember_start(*_arguments: object) -> None:
    global _frame_started
    _frame_started = time.time()


@persistent
def _add_provenance(scene: bpy.types.Scene, *_arguments: object) -> None:
    """After a file was written. Blender only logs what a handler raises, so nothing may."""
    if scene.render.engine != ENGINE:
        return
    model_id = link.welcome.model_id if link.welcome is not None else ""
    for path in _written_now(scene):
        try:
            content = path.read_bytes()
            told = insert_provenance(content, Provenance(VERSION, model_id))
            if told is not content:
                write_atomically(path, told)
        except (OSError, PhotorigError):
            _log.exception("cannot add provenance to %s", path)


def _written_now(scene: bpy.types.Scene) -> list[Path]:
    """The file just written: a still has no frame number, a frame of an animation has one.

    The handler is not told which of the two it was, so the time of the file decides.
    """
    render = scene.render
    numbered = Path(bpy.path.abspath(render.frame_path(frame=scene.frame_current)))
    extension = render.file_extension if render.use_file_extension else ""
    still = Path(bpy.path.abspath(render.filepath))
    if extension and still.suffix.lower() != extension:
        still = still.with_name(still.name + extension)
    # Some file systems keep times to two seconds.
    return [
        path
        for path in {numbered, still}
        if path.is_file() and path.stat().st_mtime >= _frame_started - 2
    ]


def register() -> None:
    bpy.app.handlers.render_pre.append(_remember_start)
    bpy.app.handlers.render_write.append(_add_provenance)


def unregister() -> None:
    bpy.app.handlers.render_pre.remove(_remember_start)
    bpy.app.handlers.render_write.remove(_add_provenance)
