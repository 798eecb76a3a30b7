# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the face that a camera shows."""

from __future__ import annotations

import bpy

from ..camera.control import controls_of
from ..camera.portrait_file import SUFFIX, resolve
from ..link.link import link
from ..portrait.choice import give_portrait
from .base import PhotorigOperator, camera_data_in_context, choose_file, needs_camera


class PHOTORIG_OT_load_portrait(PhotorigOperator, bpy.types.Operator):
    """Choose the portrait file whose face this camera shows"""

    bl_idname = "photorig.load_portrait"
    bl_label = "Load Portrait"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(name="Portrait", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default=f"*{SUFFIX}", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs_camera(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.filepath:  # dropped
            return self.execute(context)
        return choose_file(self, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        camera = camera_data_in_context(context)
        portrait, told = give_portrait(camera, resolve(self.filepath))
        self.report({"INFO"}, ". ".join(filter(None, (f"Loaded {portrait.name}", told))))
        return {"FINISHED"}


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
    controls = {} if camera is None else controls_of(camera, link.responses, link.bundle_id)
    control = controls.get(parameter)
    return control.sentences if control is not None else ("There is no such parameter",)


CLASSES: tuple[type, ...] = (PHOTORIG_OT_load_portrait, PHOTORIG_OT_explain_parameter)
