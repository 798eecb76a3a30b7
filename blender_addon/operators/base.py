# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge at which failures become one sentence for a person and a log record for an engineer."""

from __future__ import annotations

import logging
from collections.abc import Callable

import bpy

from ..shared.errors import InputError, PhotorigError

_log = logging.getLogger(__name__)


class PhotorigOperator:
    """Base of all operators: a subclass writes ``run`` and raises what goes wrong."""

    bl_idname: str
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


def camera_in_context(context: bpy.types.Context) -> bpy.types.Object | None:
    """The camera that is meant: the active object if it is one, else the scene's."""
    for candidate in (context.active_object, context.scene.camera):
        if candidate is not None and candidate.type == "CAMERA":
            return candidate
    return None


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
