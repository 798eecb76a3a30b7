# SPDX-License-Identifier: GPL-3.0-or-later
"""Add a rigged head to start from: the built-in one, or one in the likeness of a portrait."""

from __future__ import annotations

import bpy

from ..camera.choice import camera_in_context
from ..head import job as head_jobs
from ..head.board import add_board, armature_in_context, remove_board
from ..head.build import build_head, head_of_camera
from ..link import jobs
from ..portrait import fit as fit_jobs
from .base import PhotorigOperator, camera_data_in_context


class PHOTORIG_OT_add_head(PhotorigOperator, bpy.types.Operator):
    """Add a rigged head with its camera, ready to be keyframed"""

    bl_idname = "photorig.add_head"
    bl_label = "Photorig Head"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Name", default="Photorig Head")
    use_board: bpy.props.BoolProperty(
        name="Control Board",
        description="Bones beside the head that drive its shape keys, to pose, key and flip, and"
        " for the pose library. Without it the shape keys themselves can be keyed",
        default=True,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave edit or pose mode first")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        head = build_head(
            context, self.name, use_board=self.use_board, camera=_camera_without_rig(context)
        )
        self.report({"INFO"}, f"The head drives {head.camera.name}")
        return {"FINISHED"}


def _camera_without_rig(context: bpy.types.Context) -> bpy.types.Object | None:
    """The camera that shows a face, or soon will, and that nothing drives yet; None without one."""
    camera = camera_in_context(context)
    if camera is None or not camera.data.is_editable or len(camera.data.photorig.mapping):
        return None
    shows_face = camera.data.photorig.portrait_path or fit_jobs.is_for(camera.data)
    return camera if shows_face else None


class PHOTORIG_OT_create_head(PhotorigOperator, bpy.types.Operator):
    """Make a rigged head in the likeness of this camera's portrait, posed like its photo"""

    bl_idname = "photorig.create_head"
    bl_label = "Create Head from Portrait"
    bl_options = {"REGISTER"}

    replace: bpy.props.BoolProperty(
        name="Replace the Head",
        description="Give the head that is there the portrait's shape; its keyframes, its drivers"
        " and its place stay. Off, another head is added",
        default=True,
    )
    mode: bpy.props.EnumProperty(
        name="Mode",
        description="How the head's camera works",
        items=(
            ("KEEP", "As the Camera", "The mode of the camera that has the portrait"),
            ("ABSOLUTE", "Absolute", "The head is posed like the photo: what it does is seen"),
            ("RELATIVE", "Relative", "The head at rest is the photo as it is"),
        ),
        default="KEEP",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        camera = camera_in_context(context)
        if camera is None or not camera.data.photorig.portrait_id:
            cls.poll_message_set("Give the camera a portrait first: fit a photo or load one")
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave edit or pose mode first")
            return False
        if head_jobs.slot.is_running:
            cls.poll_message_set("A head is being made")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        camera, mode = camera_data_in_context(context), self.mode
        before = head_of_camera(context.scene, camera) if self.replace else None
        job = head_jobs.start(
            context,
            camera,
            "" if mode == "KEEP" else mode,
            0 if before is None else before.armature.session_uid,
        )
        if bpy.app.background:
            jobs.run_to_end(job)
            self.report({"INFO"}, job.summary)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.mode = "ABSOLUTE"
        return context.window_manager.invoke_props_dialog(self, width=360)

    def draw(self, context: bpy.types.Context) -> None:
        """What there is, what becomes of it, and how the camera will work."""
        layout = self.layout
        camera = camera_data_in_context(context)
        head = head_of_camera(context.scene, camera)
        if head is not None:
            layout.prop(self, "replace")
            kept = (
                "keeps its keyframes and its place" if self.replace else "stays beside the new one"
            )
            layout.label(text=f"{head.armature.name} {kept}", icon="INFO", translate=False)
        column = layout.column()
        column.use_property_split = True
        column.prop(self, "mode")


class PHOTORIG_OT_add_board(PhotorigOperator, bpy.types.Operator):
    """Give the selected head a control board: bones beside it that drive its shape keys"""

    bl_idname = "photorig.add_board"
    bl_label = "Add Control Board"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _needs_armature(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        add_board(context, armature_in_context(context))
        return {"FINISHED"}


class PHOTORIG_OT_remove_board(PhotorigOperator, bpy.types.Operator):
    """Take the control board away: the face keeps its expression, and its shape keys can be keyed
    again. Keyframes of the board are lost with its bones"""

    bl_idname = "photorig.remove_board"
    bl_label = "Remove Control Board"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _needs_armature(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        remove_board(context, armature_in_context(context))
        return {"FINISHED"}


class PHOTORIG_OT_add_pose_library(PhotorigOperator, bpy.types.Operator):
    """Put expressions and mouth shapes for the control board into the asset browser: an asset
    library in the extension's folder, listed in the preferences under File Paths"""

    bl_idname = "photorig.add_pose_library"
    bl_label = "Add Face Poses"
    bl_options = {"REGISTER"}

    def run(self, context: bpy.types.Context) -> set[str]:
        from ..head.pose_library import LIBRARY, add_pose_library

        add_pose_library()
        self.report({"INFO"}, f"The asset library {LIBRARY!r} has them: show it in pose mode")
        return {"FINISHED"}


def _needs_armature(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    armature = armature_in_context(context)
    if armature is None or not armature.data.is_editable:
        operator.poll_message_set("Select a head or its armature, one of this file")
        return False
    return True


CLASSES: tuple[type, ...] = (
    PHOTORIG_OT_add_head,
    PHOTORIG_OT_create_head,
    PHOTORIG_OT_add_board,
    PHOTORIG_OT_remove_board,
    PHOTORIG_OT_add_pose_library,
)
