# SPDX-License-Identifier: GPL-3.0-or-later
"""Render to the sequencer, cancel that, and the settings for exact pixels."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import compat
from ..link import jobs
from ..render.settings import colour_problem, use_exact_colours, use_picture_size
from ..sequence import job as render_jobs
from ..sequence import strip as sequencer
from .base import CancelsJob, PhotorigOperator, camera_data_in_context, needs_camera


class PHOTORIG_OT_render_to_sequencer(PhotorigOperator, bpy.types.Operator):
    """Render the scene's frame range into image files and one image strip.

    Frames that are finished already are not rendered again
    """

    bl_idname = "photorig.render_to_sequencer"
    bl_label = "Render to Sequencer"
    bl_options = {"REGISTER"}

    directory: bpy.props.StringProperty(
        name="Folder",
        description="Where the frames go, as frame_0001; empty for the scene's output path",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if render_jobs.slot.is_running:
            cls.poll_message_set("A sequence is being rendered")
            return False
        if context.scene.camera is None:
            cls.poll_message_set("Set a camera for the scene")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        render_jobs.slot.forget()
        problem = colour_problem(context.scene)
        if problem:
            self.report({"WARNING"}, problem)
        folder = Path(bpy.path.abspath(self.directory)).resolve() if self.directory else None
        plan = render_jobs.plan_sequence(context, compat.edited_scene(context), folder)
        job = render_jobs.start(plan)
        if bpy.app.background:
            jobs.run_to_end(job, lambda sentence: self.report({"INFO"}, sentence))
            self.report({"INFO"}, f"{job.summary} in {plan.files.folder}")
        return {"FINISHED"}


class PHOTORIG_OT_cancel_render(CancelsJob, bpy.types.Operator):
    """Stop rendering the sequence. Finished frames are kept"""

    bl_idname = "photorig.cancel_render"
    bl_label = "Cancel"
    slot = render_jobs.slot


class PHOTORIG_OT_use_exact_colours(PhotorigOperator, bpy.types.Operator):
    """Set the Standard view transform, no dither and lossless files: the face keeps its colors"""

    bl_idname = "photorig.use_exact_colours"
    bl_label = "Use Exact Colors"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> set[str]:
        use_exact_colours(context.scene)
        return {"FINISHED"}


class PHOTORIG_OT_use_picture_size(PhotorigOperator, bpy.types.Operator):
    """Set the scene's resolution to the size of the face's picture, so that it is not scaled"""

    bl_idname = "photorig.use_picture_size"
    bl_label = "Match Resolution"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs_camera(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        fitted = [
            strip for strip in sequencer.strips_of(scene) if sequencer.is_fitted(scene, strip)
        ]
        use_picture_size(scene, camera_data_in_context(context))
        for strip in fitted:
            sequencer.fit(scene, strip)
        return {"FINISHED"}


CLASSES = (
    PHOTORIG_OT_render_to_sequencer,
    PHOTORIG_OT_cancel_render,
    PHOTORIG_OT_use_exact_colours,
    PHOTORIG_OT_use_picture_size,
)
