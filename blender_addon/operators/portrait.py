# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the face that a camera shows."""

from __future__ import annotations

import contextlib

import bpy

from ..control import controls_of
from ..portrait_file import SUFFIX, read_portrait, resolve
from ..thumbnails import make_thumbnail
from ..worker_link import link
from .base import PhotorigOperator, camera_data_in_context, needs_camera


class PHOTORIG_OT_load_portrait(PhotorigOperator, bpy.types.Operator):
    """Choose the portrait file whose face this camera shows"""

    bl_idname = "photorig.load_portrait"
    bl_label = "Load Portrait"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(name="Portrait", subtype="FILE_PATH")
    filter_glob: bpy.props.StringProperty(default=f"*{SUFFIX}", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs_camera(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        portrait = read_portrait(resolve(self.filepath))
        # The path's update callback keeps id and name beside it.
        camera_data_in_context(context).photorig.portrait_path = _as_stored(context, self.filepath)
        make_thumbnail(portrait)
        self.report({"INFO"}, f"Loaded {portrait.name}")
        return {"FINISHED"}


def _as_stored(context: bpy.types.Context, path: str) -> str:
    """Relative to the .blend file if the person's preferences ask for that and it is possible."""
    if bpy.data.filepath and context.preferences.filepaths.use_relative_paths:
        with contextlib.suppress(ValueError):  # another drive
            return str(bpy.path.relpath(path))
    return path


class PHOTORIG_OT_explain_parameter(PhotorigOperator, bpy.types.Operator):
    """How far and how exactly the face follows this parameter"""

    bl_idname = "photorig.explain_parameter"
    bl_label = "About This Parameter"
    bl_options = {"INTERNAL"}

    camera: bpy.props.StringProperty(name="Camera Data")
    parameter: bpy.props.StringProperty(name="Parameter")

    @classmethod
    def description(
        cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties
    ) -> str:
        return ".\n".join(_told(properties.camera, properties.parameter))

    def run(self, context: bpy.types.Context) -> set[str]:
        self.report({"INFO"}, ". ".join(_told(self.camera, self.parameter)))
        return {"FINISHED"}


def _told(camera_name: str, parameter: str) -> tuple[str, ...]:
    camera = bpy.data.cameras.get(camera_name)
    control = controls_of(camera, link.responses).get(parameter) if camera is not None else None
    return control.sentences if control is not None else ("There is no such parameter",)


CLASSES = (PHOTORIG_OT_load_portrait, PHOTORIG_OT_explain_parameter)
