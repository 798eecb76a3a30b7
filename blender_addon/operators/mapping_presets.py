# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out what a rig is, and keep mappings as presets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import bpy

from ..camera.extra_parameters import schema_of
from ..camera.mapping_rows import row_of
from ..mapping.connect import Detection, apply_preset, detect_rig, user_preset_folder
from ..mapping.head_bone import AUTO
from ..mapping.rig import rig_objects
from ..shared.files.writing import write_atomically
from ..shared.mapping.presets import Preset, PresetRow, read_preset
from ..shared.mapping.rows import PROPERTY, TURN
from ..ui.detection_dialog import draw_detection, preset_items
from .base import PhotorigOperator, camera_data_in_context, choose_file, needs_camera

_NAMES_IN_PATH = re.compile(r'\["((?:[^"\\]|\\.)*)"\]')
_found: Detection | None = None
"""What the dialog shows; kept only while it is open, because objects may go away."""


_HEAD_SPACES = (
    (AUTO, "Automatic", "Body where bones of the neck are added, else the world"),
    ("BODY", "Body", "What the head does on its body; bones named as a neck are added"),
    ("WORLD", "World", "All that turns the head: neck, body, the whole object"),
    ("CAMERA", "Camera", "How the camera sees the head; it looks into the camera at 0"),
)


def _preset_items(_operator: object, _context: bpy.types.Context) -> list[tuple[str, ...]]:
    return preset_items(_found)


def _face_choices(_operator: object, _context: bpy.types.Context, text: str) -> list[str]:
    faces = _found.faces if _found is not None else ()
    return [item.name for item in faces if text.lower() in item.name.lower()]


def _detect_again(operator: PHOTORIG_OT_detect_rig, context: bpy.types.Context) -> None:
    """Another mesh was chosen as the face while the dialog is open."""
    global _found
    if _found is not None:
        _found = _detect(context, operator.face)


def _presets_changed(operator: PHOTORIG_OT_detect_rig, _context: bpy.types.Context) -> None:
    operator.preset = " ".join(
        each.preset.id
        for each in (_found.coverages if _found is not None else ())
        if each.preset.id in operator.presets
    )


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
        description="Ids of how the rig names its controls, with spaces; empty for what fits best",
        options={"SKIP_SAVE"},
    )
    presets: bpy.props.EnumProperty(
        name="Presets",
        description="How the rig names its controls; several add up",
        items=_preset_items,
        options={"SKIP_SAVE", "ENUM_FLAG"},
        update=_presets_changed,
    )
    face: bpy.props.StringProperty(
        name="Face",
        description="The mesh with the face; empty for the one whose shape keys move most vertices",
        search=_face_choices,
        options={"SKIP_SAVE"},
        update=_detect_again,
    )
    head_bone: bpy.props.StringProperty(
        name="Head Bone",
        description="What turns and moves the head; empty for the one that is named as a head",
        search=_bone_choices,
        search_options=set(),
        options={"SKIP_SAVE"},
    )
    head_space: bpy.props.EnumProperty(
        name="Head Relative to",
        description="What the head's turns are measured from",
        items=_HEAD_SPACES,
        default=AUTO,
    )
    replace: bpy.props.BoolProperty(
        name="Replace Rows",
        description="Take the present rows away; else the new ones join them",
        default=True,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not any(item.type in ("MESH", "ARMATURE") for item in context.selected_objects):
            cls.poll_message_set("Select the face mesh, its armature, or both")
            return False
        return needs_camera(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        global _found
        _found = None
        self.face = ""
        _found = _detect(context)
        chosen = _found.chosen()
        self.presets = {each.preset.id for each in chosen}
        self.preset = " ".join(each.preset.id for each in chosen)
        if _found.faces:
            self.face = _found.faces[0].name
        head = _found.head(chosen[0].preset if chosen else None)
        self.head_bone = head[1] if head is not None else _active_bone(context)
        return context.window_manager.invoke_props_dialog(self, width=460)

    def draw(self, context: bpy.types.Context) -> None:
        if _found is not None:
            draw_detection(self.layout, _found, self)
            return
        for name in ("preset", "face", "head_bone", "head_space", "replace"):  # adjusted afterwards
            self.layout.prop(self, name)

    def cancel(self, context: bpy.types.Context) -> None:
        global _found
        _found = None

    def run(self, context: bpy.types.Context) -> set[str]:
        global _found
        _found = None
        detection = _detect(context, self.face)
        camera = camera_data_in_context(context)
        chosen = detection.chosen(self.preset)
        head_bone = self.head_bone
        if not head_bone and detection.head(chosen[0].preset if chosen else None) is None:
            head_bone = _active_bone(context)
        applied = apply_preset(
            camera, detection, self.preset, head_bone, self.replace, self.head_space
        )
        labels = ", ".join(each.preset.label for each in applied.coverages) or "Head bone"
        owners = dict.fromkeys(each.owners[0] for each in applied.coverages)
        whose = f" of {', '.join(owners)}" if owners else ""
        count = len(applied.parameters)
        self.report({"INFO"}, f"{labels}{whose}: {count} parameters of {camera.name} follow")
        if applied.problem:
            self.report({"WARNING"}, f"The head does not: {applied.problem}")
        return {"FINISHED"}


def _detect(context: bpy.types.Context, face: str = "") -> Detection:
    """What the selected objects are, for the camera that is meant."""
    schema = schema_of(camera_data_in_context(context))
    return detect_rig(rig_objects(context.selected_objects), schema, face)


def _active_bone(context: bpy.types.Context) -> str:
    bone = context.active_pose_bone
    return bone.name if bone is not None else ""


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
        return choose_file(self, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        preset = read_preset(Path(bpy.path.abspath(self.filepath)))
        _write(user_preset_folder() / f"{_identifier(preset.id)}.json", preset)
        self.report({"INFO"}, f"{preset.label} is among your presets now")
        return {"FINISHED"}


def preset_of(camera: bpy.types.Camera, label: str) -> Preset:
    """The rows of a camera without the objects they belong to."""
    rows = []
    for row in map(row_of, camera.photorig.mapping):
        if row.source.kind == TURN:  # of this rig's rest pose; Detect Rig finds it on another
            continue
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
                row.source.space,
            )
        )
    return Preset(_identifier(label), label, "", tuple(rows))


def _identifier(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "preset"


def _write(path: Path, preset: Preset) -> None:
    write_atomically(path, json.dumps(preset.to_json(), indent=1).encode())


CLASSES = (PHOTORIG_OT_detect_rig, PHOTORIG_OT_export_mapping, PHOTORIG_OT_import_mapping)
