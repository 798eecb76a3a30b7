# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge at which failures become one sentence for a person and a log record for an engineer."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ..camera.choice import camera_in_context
from ..extension import ENGINE
from ..link.jobs import JobSlot
from ..link.link import link, redraw_panels
from ..shared.errors import InputError, PhotorigError

_log = logging.getLogger(__name__)


class PhotorigOperator:
    """Base of all operators: a subclass writes ``run`` and raises what goes wrong."""

    bl_idname: str
    poll_message_set: Callable[[str], None]
    report: Callable[[set[str], str], None]

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            return self.run(context)
        except PhotorigError as error:
            self.report({"ERROR"}, str(error))
        except Exception as error:
            _log.exception("%s failed", self.bl_idname)
            self.report({"ERROR"}, f"Photorig failed unexpectedly ({error}). See the console.")
        return {"CANCELLED"}

    def run(self, context: bpy.types.Context) -> set[str]:
        """Do the work; returns an operator's result. Raises PhotorigError."""
        raise NotImplementedError


class CancelsJob(PhotorigOperator):
    """Base of the operators that end a job; a subclass names the slot."""

    slot: JobSlot[Any]
    is_worth_telling = True
    """Whether who stopped it is told that it was stopped."""

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if not cls.slot.is_running:
            cls.poll_message_set(cls.slot.idle)
        return cls.slot.is_running

    def run(self, _context: bpy.types.Context) -> set[str]:
        self.slot.cancel()
        if not self.is_worth_telling:
            self.slot.forget()
        redraw_panels()
        return {"FINISHED"}


def choose_file(
    operator: bpy.types.Operator, context: bpy.types.Context, folder: str = ""
) -> set[str]:
    """Open the file browser for an operator's ``filepath``, in a folder and with no file named.

    Left alone, Blender would name the .blend file, which is none of what can be chosen.

    Args:
        folder: where to look; "" for beside the .blend file, or at home where it has no place yet.
    """
    beside = Path(bpy.data.filepath).parent if bpy.data.filepath else _home()
    operator.filepath = f"{Path(folder) if folder else beside}{os.sep}"
    context.window_manager.fileselect_add(operator)
    return {"RUNNING_MODAL"}


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user that the system knows nothing of
        return Path(bpy.app.tempdir)


def camera_data_in_context(context: bpy.types.Context) -> bpy.types.Camera:
    """The data of the camera that is meant. Raises InputError where there is none."""
    camera = camera_in_context(context)
    if camera is None:
        raise InputError("There is no camera", "Select one, or set one for the scene.")
    return camera.data


def needs_camera(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Poll rule: there is a camera to work on, and it can be changed."""
    camera = camera_in_context(context)
    if camera is None:
        operator.poll_message_set("Select a camera, or set one for the scene")
        return False
    if not camera.data.is_editable:
        operator.poll_message_set("The camera is linked from another file")
        return False
    return True


def over_photorig(context: bpy.types.Context) -> bool:
    """Whether a file is dropped where Photorig is: onto its panels, or into a 3D view of somebody
    who works with it, whom Blender then asks what shall become of it."""
    if context.area is None:
        return False
    if context.area.type != "VIEW_3D":
        return bool(context.area.type == "PROPERTIES")
    if context.region is not None and context.region.type == "UI":
        return True
    is_rendered = context.scene.render.engine == ENGINE
    return is_rendered or context.workspace.photorig.show_overlay or link.is_ready
