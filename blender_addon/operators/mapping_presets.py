# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out what a rig is, and keep mappings as presets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import bpy

from ..connect import Detection, apply_preset, detect_rig, user_preset_folder
from ..extra_parameters import schema_of
from ..mapping_rows import row_of
from ..rig import rig_objects
from ..shared.errors import InputError
from ..shared.mapping import PROPERTY
from ..shared.mapping_presets import Preset, PresetRow, read_preset
from .base import PhotorigOperator, camera_data_in_context, needs_camera

_SHOWN_MISSING = 6
_NAMES_IN_PATH = re.compile(r'\["((?:[^"\\]|\\.)*)"\]')
_found: Detection | None = None
"""What the dialog shows; kept only while it is open, because objects may go away."""


def _preset_choices(_operator: object, _context: bpy.types.Context, text: str) -> list[str]:
    coverages = _found.coverages if _found is not None else ()
    return [each.preset.id for each in coverages if text.lower() in each.preset.id]


def _bone_choices(_operator: object, _context: bpy.types.Context, text: str) -> list[str]:
    objects = _found.objects if _found is not None else ()
    armatures = [item for item in objects if item.type == "ARMATURE"]
    names = [bone.name for armature in armatures for bone in armature.data.bones]
    return [name for name in names if text.lower() in name.lower()]


class PHOTORIG_OT_detect_rig(PhotorigOperator, bpy.types.Operator):
    """Find out what the selected rig is, show how much of the face it covers, and map it.

    Select the face mesh, the armature, or both. The bone that is active in pose mode is the head
    bone where none is named as one
    """

    bl_idname = "photorig.detect_rig"
    bl_label = "Detect Rig"
    bl_options = {"REGISTER", "UNDO"}

    preset: bpy.props.StringProperty(
        name="Preset",
        description="How the rig names its controls; empty for what fits best",
        search=_preset_choices,
        search_options=set(),
        options={"SKIP_SAVE"},
    )
    head_bone: bpy.props.StringProperty(
        name="Head Bone",
        description="What turns and moves the head; empty for the one that is named as a head",
        search=_bone_choices,
        search_options=set(),
        options={"SKIP_SAVE"},
    )
    replace: bpy.props.BoolProperty(
        name="Replace Rows", description="Take the present rows away", default=True
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not any(item.type in ("MESH", "ARMATURE") for item in context.selected_objects):
            cls.poll_message_set("Select the face mesh, its armature, or both")
            return False
        return needs_camera(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        global _found
        _found = _detect(context)
        coverage = _found.coverage()
        self.preset = coverage.preset.id if coverage is not None else ""
        head = _found.head(coverage.preset if coverage is not None else None)
        self.head_bone = head[1] if head is not None else _active_bone(context)
        return context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, context: bpy.types.Context) -> None:
        if _found is not None:
            draw_detection(self.layout, _found, self)
            return
        for name in ("preset", "head_bone", "replace"):  # adjusting it afterwards
            self.layout.prop(self, name)

    def cancel(self, context: bpy.types.Context) -> None:
        global _found
        _found = None

    def run(self, context: bpy.types.Context) -> set[str]:
        global _found
        detection = _detect(context)
        _found = None
        camera = camera_data_in_context(context)
        coverage = detection.coverage(self.preset)
        head_bone = self.head_bone
        if not head_bone and detection.head(coverage.preset if coverage else None) is None:
            head_bone = _active_bone(context)
        applied = apply_preset(camera, detection, self.preset, head_bone, self.replace)
        label = coverage.preset.label if coverage is not None else "Head bone"
        count = len(applied.parameters)
        self.report({"INFO"}, f"{label}: {count} parameters of {camera.name} follow the rig")
        if applied.problem:
            self.report({"WARNING"}, f"The head does not: {applied.problem}")
        return {"FINISHED"}


def _detect(context: bpy.types.Context) -> Detection:
    """What the selected objects are, for the camera that is meant."""
    schema = schema_of(camera_data_in_context(context))
    return detect_rig(rig_objects(context.selected_objects), schema)


def _active_bone(context: bpy.types.Context) -> str:
    bone = context.active_pose_bone
    return bone.name if bone is not None else ""


def draw_detection(
    layout: bpy.types.UILayout, detection: Detection, operator: PHOTORIG_OT_detect_rig
) -> None:
    """What was found, before anything is changed."""
    coverage = detection.coverage(operator.preset)
    head = detection.head(coverage.preset if coverage is not None else None, operator.head_bone)
    if coverage is None and head is None:
        layout.label(text="Nothing of this rig has a known name", icon="ERROR")
        return
    layout.prop(operator, "preset")
    for each in detection.coverages:
        icon = "RADIOBUT_ON" if each is coverage else "RADIOBUT_OFF"
        layout.label(text=each.summary, icon=icon)
    if coverage is not None and coverage.missing:
        rest = len(coverage.missing) - _SHOWN_MISSING
        names = ", ".join(coverage.missing[:_SHOWN_MISSING])
        layout.label(text=f"Missing: {names}" + (f" and {rest} more" if rest > 0 else ""))
    layout.prop(operator, "head_bone", icon="BONE_DATA")
    if head is None:
        layout.label(text="The head's angles and place stay as they are", icon="INFO")
    layout.prop(operator, "replace")


class PHOTORIG_OT_export_mapping(PhotorigOperator, bpy.types.Operator):
    """Keep the rows as a preset: a file for others, or one of your own presets"""

    bl_idname = "photorig.export_mapping"
    bl_label = "Export Mapping"
    bl_options = {"REGISTER"}

    filepath: bpy.props.StringProperty(
        name="File",
        description="Empty to keep it among your own presets",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})
    label: bpy.props.StringProperty(name="Name", default="My Rig")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not needs_camera(cls, context):
            return False
        if not len(camera_data_in_context(context).photorig.mapping):
            cls.poll_message_set("Map a rig first")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = f"{_identifier(self.label)}.json"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        preset = preset_of(camera_data_in_context(context), self.label)
        path = user_preset_folder() / f"{preset.id}.json"
        if self.filepath:
            path = Path(bpy.path.abspath(self.filepath)).with_suffix(".json")
        _write(path, preset)
        self.report({"INFO"}, f"Wrote {len(preset.rows)} rows to {path}")
        return {"FINISHED"}


class PHOTORIG_OT_import_mapping(PhotorigOperator, bpy.types.Operator):
    """Add a preset file to your own presets; Detect Rig then knows it"""

    bl_idname = "photorig.import_mapping"
    bl_label = "Import Mapping Preset"
    bl_options = {"REGISTER"}

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH")
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        preset = read_preset(Path(bpy.path.abspath(self.filepath)))
        _write(user_preset_folder() / f"{_identifier(preset.id)}.json", preset)
        self.report({"INFO"}, f"{preset.label} is among your presets now")
        return {"FINISHED"}


def preset_of(camera: bpy.types.Camera, label: str) -> Preset:
    """The rows of a camera without the objects they belong to."""
    rows = []
    for row in map(row_of, camera.photorig.mapping):
        control = row.source.control
        if row.source.kind == PROPERTY:  # the way to it is the rig's own matter
            control = (_NAMES_IN_PATH.findall(control) or [control])[-1]
        rows.append(
            PresetRow(
                (control,),
                row.parameter,
                row.source.channel,
                row.start,
                row.end,
                row.amount,
                row.invert,
                row.clamp,
                row.combine,
            )
        )
    return Preset(_identifier(label), label, "", tuple(rows))


def _identifier(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "preset"


def _write(path: Path, preset: Preset) -> None:
    try:
        path.write_text(json.dumps(preset.to_json(), indent=1), encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write {str(path)!r}: {error.strerror}") from error


CLASSES = (PHOTORIG_OT_detect_rig, PHOTORIG_OT_export_mapping, PHOTORIG_OT_import_mapping)
