# SPDX-License-Identifier: GPL-3.0-or-later
"""Submit a shot to a render farm; and what a farm's nodes call."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import compat
from ..camera.portrait_file import resolve
from ..extension import ENGINE
from ..farm.chunk import preflight, render_chunk
from ..farm.submit import Submission, scene_frames, submit
from ..link.link import link
from ..shared.errors import InputError
from ..shared.farm.frames import format_frames, parse_frames
from ..shared.farm.job import MOST_CHUNK
from ..shared.farm.progress import PLAIN, FarmProgress
from ..shared.farm.write import next_step
from .base import PhotorigOperator

_DEFAULT_CHUNK = 24


class PHOTORIG_OT_submit_to_farm(PhotorigOperator, bpy.types.Operator):
    """Write the shot as a job that a render farm takes: a copy of the file, the portraits, and what
    every node is compared with
    """

    bl_idname = "photorig.submit_to_farm"
    bl_label = "Submit to Farm"
    bl_options = {"REGISTER"}

    farm: bpy.props.EnumProperty(
        name="Farm",
        description="Which farm reads the job",
        items=(
            ("OPENJD", "OpenJD", "Open Job Description, for example AWS Deadline Cloud"),
            ("FLAMENCO", "Flamenco", "Blender Studio's farm; its own add-on submits the job"),
        ),
    )
    nodes: bpy.props.EnumProperty(
        name="Nodes Have",
        description="What is installed on the nodes",
        items=(
            ("BLENDER", "Blender", "Blender with this extension, and the worker"),
            ("WORKER", "Worker Only", "The worker alone: for frames without compositing"),
        ),
    )
    job_folder: bpy.props.StringProperty(
        name="Job Folder",
        description="Where the job is written; nodes must be able to read it",
        subtype="DIR_PATH",
        options=compat.path_options(),
    )
    frames: bpy.props.StringProperty(
        name="Frames", description="For example 1-240 or 1,5,10-20; empty for the scene's range"
    )
    chunk_size: bpy.props.IntProperty(
        name="Chunk Size",
        description="Frames that a node takes at once",
        default=_DEFAULT_CHUNK,
        min=1,
        max=MOST_CHUNK,
    )
    output_folder: bpy.props.StringProperty(
        name="Output Folder",
        description="Where the frames go; empty for a folder in the job's",
        subtype="DIR_PATH",
        options=compat.path_options(),
    )
    needs_gpu: bpy.props.BoolProperty(
        name="Only Nodes with a Graphics Card",
        description="Ask the farm for nodes that have one",
    )
    allow_mixed_devices: bpy.props.BoolProperty(
        name="Allow Mixed Devices",
        description="Let nodes take part whose frames differ in their last bits from this"
        " computer's",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        camera = context.scene.camera
        if context.scene.render.engine != ENGINE:
            cls.poll_message_set("Choose Photorig as render engine")
            return False
        if camera is None or camera.type != "CAMERA" or not camera.data.photorig.portrait_id:
            cls.poll_message_set("Give the scene's camera a portrait first")
            return False
        if not bpy.app.background and not link.is_ready:
            cls.poll_message_set("Start the worker first: nodes are compared with it")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.frames = format_frames(scene_frames(context.scene))
        if not self.job_folder:
            self.job_folder = "//farm/"
        if link.welcome is not None:
            self.needs_gpu = link.welcome.device != "cpu"
        return context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        for name in ("farm", "nodes", "frames", "chunk_size", "job_folder", "output_folder"):
            layout.prop(self, name)
        layout.prop(self, "needs_gpu")
        layout.prop(self, "allow_mixed_devices")

    def run(self, context: bpy.types.Context) -> set[str]:
        place = submit(
            context,
            Submission(
                farm=self.farm.lower(),
                nodes=self.nodes.lower(),
                folder=_folder(self.job_folder or "//farm/"),
                frames=self.frames,
                chunk_size=self.chunk_size,
                output=str(_folder(self.output_folder)) if self.output_folder else "",
                needs_gpu=self.needs_gpu,
                allow_mixed_devices=self.allow_mixed_devices,
            ),
        )
        self.report({"INFO"}, next_step(self.farm.lower(), place))
        return {"FINISHED"}


class _NodeOperator(PhotorigOperator):
    """Of a node; called by the script in a job's folder, never by a person."""

    job: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    messages: bpy.props.StringProperty(default=PLAIN, options={"HIDDEN", "SKIP_SAVE"})

    @property
    def progress(self) -> FarmProgress:
        return FarmProgress(self.messages)


class PHOTORIG_OT_farm_preflight(_NodeOperator, bpy.types.Operator):
    """Compare this computer with the one that a farm's job was submitted from"""

    bl_idname = "photorig.farm_preflight"
    bl_label = "Compare with Farm Job"
    bl_options = {"INTERNAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        try:
            preflight(context.scene, Path(self.job), self.progress)
        finally:
            link.stop()
        self.progress.status("this node is as the submitter's computer")
        return {"FINISHED"}


class PHOTORIG_OT_farm_render(_NodeOperator, bpy.types.Operator):
    """Render frames of a farm's job"""

    bl_idname = "photorig.farm_render"
    bl_label = "Render Frames of Farm Job"
    bl_options = {"INTERNAL"}

    frames: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    output: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> set[str]:
        frames = parse_frames(self.frames)
        try:
            done = render_chunk(
                context, Path(self.job), frames, Path(self.output).absolute(), self.progress
            )
        finally:
            link.stop()
        self.progress.status(f"{done.made} frames made, {done.found} were there already")
        return {"FINISHED"}


def _folder(path: str) -> Path:
    """Raises InputError: it is beside a file that has no place yet."""
    if path.startswith("//") and not bpy.data.filepath:
        raise InputError("The job folder is beside a file that has no name", "Save the file first.")
    return resolve(path).absolute()


CLASSES: tuple[type, ...] = (
    PHOTORIG_OT_submit_to_farm,
    PHOTORIG_OT_farm_preflight,
    PHOTORIG_OT_farm_render,
)
