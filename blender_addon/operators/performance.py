# SPDX-License-Identifier: GPL-3.0-or-later
"""Key the whole face; performances from files and into them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import bpy

from ..camera.portrait_file import resolve
from ..compat import path_options
from ..link.jobs import run_to_end
from ..link.link import redraw_panels
from ..mapping import footage
from ..mapping.keys import key_face
from ..mapping.performance import (
    CAMERA,
    IMPORT_MODES,
    RELATIVE_TO_FIRST,
    RIG,
    ImportOptions,
    export_performance,
    import_performance,
)
from ..shared.parameters.takes import SUFFIXES
from .base import (
    CancelsJob,
    PhotorigOperator,
    camera_data_in_context,
    choose_file,
    needs_camera,
    over_photorig,
)

SUFFIX = ".jsonl"
_FOOTAGE = (*footage.VIDEO_SUFFIXES, *footage.SOUND_SUFFIXES, *footage.PICTURE_SUFFIXES)
_TAKES = ";".join(f"*{suffix}" for suffix in (*SUFFIXES, *_FOOTAGE))
_SAME_RATE = 1e-3
"""Frames a second that two rates differ by which are one."""


class PHOTORIG_OT_key_face(PhotorigOperator, bpy.types.Operator):
    """Insert keyframes of all parameters that no rig drives, at the present frame"""

    bl_idname = "photorig.key_face"
    bl_label = "Key Face"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs_camera(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        count = key_face(camera_data_in_context(context), context.scene.frame_current)
        if not count:
            self.report({"WARNING"}, "A rig drives all of the face: key the rig, or bake it")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{count} parameters were keyed")
        return {"FINISHED"}


class PHOTORIG_OT_import_performance(PhotorigOperator, bpy.types.Operator):
    """Key a video, pictures, a sound in English, or a take of a phone or a lip-sync program"""

    bl_idname = "photorig.import_performance"
    bl_label = "Import Performance"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default=_TAKES, options={"HIDDEN"})
    mode: bpy.props.EnumProperty(
        name="Mode",
        description="How recording and photo come together; it sets the mode of the camera",
        items=IMPORT_MODES,
        default=RELATIVE_TO_FIRST,
    )
    onto: bpy.props.EnumProperty(
        name="Onto",
        description="What is keyed",
        items=(
            (CAMERA, "Camera", "The parameters of the camera; the mapping of a rig waits"),
            (
                RIG,
                "Rig",
                "Shape keys, bones and properties of the mapped rig, so that the rig gives the"
                " recording to the camera",
            ),
        ),
        default=CAMERA,
    )
    at_present_frame: bpy.props.BoolProperty(
        name="At Present Frame",
        description="Let it begin here; off, where the scene begins",
        default=False,
    )
    use_time: bpy.props.BoolProperty(
        name="Keep Time",
        description="A second of the recording is a second of the scene, whatever their frame"
        " rates; off, a frame is a frame",
        default=True,
    )
    smoothing: bpy.props.FloatProperty(
        name="Smoothing",
        description="How far curves are smoothed; nothing comes later or lower",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    as_strip: bpy.props.BoolProperty(
        name="As NLA Strip",
        description="Put the keys into actions of their own, in NLA strips over what is animated",
        default=False,
    )
    from_sound: bpy.props.BoolProperty(
        name="Lips from Sound",
        description="Of a video key the lips only, by what is heard; a sound file always is. The"
        " recogniser knows American English",
        default=False,
    )
    language: bpy.props.EnumProperty(
        name="Language",
        description="What is spoken in the sound",
        items=(
            ("ENGLISH", "English", "Words are recognised, and their sounds found at their times"),
            ("OTHER", "Another", "By sounds alone, taken for those of English; less exact"),
        ),
        default="ENGLISH",
    )
    text_file: bpy.props.StringProperty(
        name="Text",
        description="A text file with what is said in the sound: lips are more exact with it",
        subtype="FILE_PATH",
        options=path_options(),
    )
    sequence_rate: bpy.props.FloatProperty(
        name="Frame Rate",
        description="Frames a second of a sequence of pictures: of the one that is chosen all are"
        " taken that are named like it but for their number",
        default=24.0,
        min=1.0,
        max=240.0,
    )
    with_sound: bpy.props.BoolProperty(
        name="With Sound",
        description="Put the sound of a video into the sequencer, where its first frame is",
        default=True,
    )
    reduce: bpy.props.BoolProperty(
        name="Reduce Keys", description="Keep only the keys that the curves need", default=False
    )
    tolerance: bpy.props.FloatProperty(
        name="Tolerance",
        description="Greatest error of a curve, as a part of a whole movement",
        default=0.01,
        min=0.0,
        max=0.2,
        precision=4,
        step=0.1,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs_camera(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        render = context.scene.render
        self.sequence_rate = render.fps / render.fps_base
        if self.filepath:  # dropped
            return self.execute(context)
        return choose_file(self, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        camera, path = camera_data_in_context(context), resolve(self.filepath)
        rate = scene.render.fps / scene.render.fps_base
        text = resolve(self.text_file) if self.text_file else None
        recorded = footage.footage_of(
            path,
            rate,
            self.sequence_rate,
            self.with_sound,
            self.from_sound,
            _speech(self.language, text),
        )
        options = ImportOptions(
            frame_start=scene.frame_current if self.at_present_frame else scene.frame_start,
            tolerance=self.tolerance if self.reduce else None,
            mode=self.mode,
            frames_per_second=rate if self.use_time else 0.0,
            smoothing=self.smoothing,
            as_strip=self.as_strip,
            onto=self.onto,
            from_rest=recorded is not None and recorded.command == "lips",
        )
        if recorded is not None:
            job = footage.start(context, camera, recorded, options)
            if bpy.app.background:
                run_to_end(job)
            self.report({"INFO"}, job.summary)
            for sentence in job.notes:
                self.report({"WARNING"}, sentence)
            return {"FINISHED"}
        keyed = import_performance(scene, camera, path, options)
        scene.frame_set(scene.frame_current)
        told = f"Frames {keyed.first:.4g} to {keyed.last:.4g} were keyed"
        self.report({"INFO"}, told + _rates(keyed.rate, rate, self.use_time))
        for sentence in keyed.rig.sentences() if keyed.rig is not None else ():
            self.report({"WARNING"}, sentence)
        return {"FINISHED"}


class PHOTORIG_OT_cancel_import(CancelsJob, bpy.types.Operator):
    """Stop analysing the recording; nothing is keyed"""

    bl_idname = "photorig.cancel_import"
    bl_label = "Cancel Import"
    bl_options = {"INTERNAL"}
    slot = footage.slot


class PHOTORIG_OT_dismiss_import(PhotorigOperator, bpy.types.Operator):
    """Hide this line"""

    bl_idname = "photorig.dismiss_import"
    bl_label = "Dismiss"
    bl_options = {"INTERNAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        footage.slot.forget()
        redraw_panels()
        return {"FINISHED"}


def _speech(language: str, text: Path | None) -> tuple[str, ...]:
    """What is told of speech, as options of ``photorig lips``."""
    if text is not None:
        return ("--text", str(text))
    return ("--language", "other") if language == "OTHER" else ()


def _rates(recorded: Fraction | None, of_scene: float, use_time: bool) -> str:
    """What to say where recording and scene have different frame rates."""
    if recorded is None or abs(float(recorded) - of_scene) < _SAME_RATE:
        return ""
    took = "it takes its own time" if use_time else "it goes by frame by frame"
    rates = f"{float(recorded):.4g} frames a second, the scene {of_scene:.4g}"
    return f". The recording has {rates}: {took}"


class PHOTORIG_OT_export_performance(PhotorigOperator, bpy.types.Operator):
    """Write the frames' parameters for 'photorig render', or as .csv in Live Link Face's columns"""

    bl_idname = "photorig.export_performance"
    bl_label = "Export Performance"
    bl_options = {"REGISTER"}

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default=f"*{SUFFIX};*.csv", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        camera = context.scene.camera
        if camera is None or camera.type != "CAMERA" or not camera.data.photorig.portrait_id:
            cls.poll_message_set("Give the scene's camera a portrait first")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = f"{context.scene.name}{SUFFIX}"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        path = Path(resolve(self.filepath))
        if path.suffix.lower() != ".csv":
            path = path.with_suffix(SUFFIX)
        count = export_performance(context, path)
        mode = context.scene.camera.data.photorig.mode.lower()
        how = "" if path.suffix == ".csv" else f"; render it with --mode {mode}"
        self.report({"INFO"}, f"Wrote {count} frames to {path}{how}")
        return {"FINISHED"}


class PHOTORIG_FH_performance(bpy.types.FileHandler):
    """A performance dropped into the 3D view or the properties."""

    bl_idname = "PHOTORIG_FH_performance"
    bl_label = "Photorig: Import Performance"
    bl_import_operator = "photorig.import_performance"
    bl_file_extensions = ";".join((SUFFIX, ".csv", ".tsv"))

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        is_place = context.area is not None and context.area.type in ("VIEW_3D", "PROPERTIES")
        return is_place and PHOTORIG_OT_import_performance.poll(context)


class PHOTORIG_FH_footage(bpy.types.FileHandler):
    """A video or a sound dropped onto the properties, the sidebar, or a view that shows the face.

    Blender asks what shall become of it where others want it, too.
    """

    bl_idname = "PHOTORIG_FH_footage"
    bl_label = "Photorig: Import Performance"
    bl_import_operator = "photorig.import_performance"
    bl_file_extensions = ";".join((*footage.VIDEO_SUFFIXES, *footage.SOUND_SUFFIXES))

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return over_photorig(context) and PHOTORIG_OT_import_performance.poll(context)


def draw_in_import_menu(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.operator(
        "photorig.import_performance",
        text="Photorig Performance (video, sound, .jsonl, .csv)",
    )


def draw_in_export_menu(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.operator("photorig.export_performance", text=f"Photorig Performance ({SUFFIX})")


CLASSES: tuple[type, ...] = (
    PHOTORIG_OT_key_face,
    PHOTORIG_OT_import_performance,
    PHOTORIG_OT_cancel_import,
    PHOTORIG_OT_dismiss_import,
    PHOTORIG_OT_export_performance,
    PHOTORIG_FH_performance,
    PHOTORIG_FH_footage,
)
