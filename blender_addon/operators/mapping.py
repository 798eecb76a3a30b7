# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit the rows that map a rig, and turn them into keyframes."""

from __future__ import annotations

import bpy

from ..camera.choice import camera_in_context
from ..camera.extra_parameters import schema_of
from ..camera.mapping_rows import (
    RigRow,
    active_row,
    add_row,
    changing,
    remove_row,
    remove_rows,
    row_of,
)
from ..mapping.bake import bake_mapping
from ..mapping.drivers import problem_of, rows_from_drivers
from ..mapping.neutral import capture_neutral, reset_to_photo
from ..mapping.rig import mirrored, source_value
from ..mapping.turn_drivers import viewer_of
from ..shared.errors import InputError
from ..shared.mapping.rows import BONE, CHANNELS, VALUE, MappingRow, Source
from .base import PhotorigOperator, camera_data_in_context, needs_camera


def _needs_row(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Poll rule: there is a row to work on."""
    if not needs_camera(operator, context):
        return False
    if active_row(camera_data_in_context(context)) is None:
        operator.poll_message_set("Choose a row of the mapping")
        return False
    return True


class PHOTORIG_OT_add_mapping_row(PhotorigOperator, bpy.types.Operator):
    """Add a row; choose its source and what it drives below the list"""

    bl_idname = "photorig.add_mapping_row"
    bl_label = "Add Row"
    bl_options = {"REGISTER", "UNDO"}

    parameter: bpy.props.StringProperty(name="Parameter", default="jawOpen")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs_camera(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        camera, active = camera_data_in_context(context), context.active_object
        with changing(camera) as settings:
            item = settings.mapping.add()
            item.parameter = self.parameter
            if active is not None and active.type == "MESH":
                item.owner = active
                keys = active.data.shape_keys
                if keys is not None and active.active_shape_key not in (None, keys.reference_key):
                    item.control = active.active_shape_key.name
            settings.mapping_index = len(settings.mapping) - 1
        return {"FINISHED"}


class PHOTORIG_OT_map_selected_bone(PhotorigOperator, bpy.types.Operator):
    """Add a row for the active bone, on the channel that is farthest from its rest pose"""

    bl_idname = "photorig.map_selected_bone"
    bl_label = "Row from Selected Bone"
    bl_options = {"REGISTER", "UNDO"}

    parameter: bpy.props.StringProperty(name="Parameter", default="jawOpen")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.active_pose_bone is None:
            cls.poll_message_set("Make a bone active in pose mode")
            return False
        return needs_camera(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        bone, camera = context.active_pose_bone, camera_data_in_context(context)
        owner = bone.id_data
        channel, value = _farthest_channel(owner, bone.name)
        rest = 1.0 if channel.startswith("SCALE") else 0.0
        is_rotation = channel.startswith("ROT")
        end = value if abs(value - rest) > 1e-5 else rest + (1.0 if is_rotation else 0.1)
        row = MappingRow(Source(BONE, owner.name, bone.name, channel), self.parameter, rest, end)
        with changing(camera) as settings:
            add_row(settings, RigRow(row, owner))
            settings.mapping_index = len(settings.mapping) - 1
        self.report({"INFO"}, f"{bone.name} drives {self.parameter}")
        return {"FINISHED"}


def _farthest_channel(owner: bpy.types.Object, bone: str) -> tuple[str, float]:
    """The channel of a bone that differs most from rest, a whole turn counting as a length."""
    length = owner.data.bones[bone].length
    best, best_distance = ("LOC_X", 0.0), 1e-5
    for channel in CHANNELS:
        if channel == VALUE:
            continue
        value = source_value(owner, Source(BONE, owner.name, bone, channel))
        distance = abs(value - 1) if channel.startswith("SCALE") else abs(value)
        if channel.startswith("LOC"):
            distance /= length
        if distance > best_distance:
            best, best_distance = (channel, value), distance
    return best


class PHOTORIG_OT_remove_mapping_row(PhotorigOperator, bpy.types.Operator):
    """Remove the chosen row, or all of them"""

    bl_idname = "photorig.remove_mapping_row"
    bl_label = "Remove Row"
    bl_options = {"REGISTER", "UNDO"}

    everything: bpy.props.BoolProperty(name="All Rows", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _needs_row(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        with changing(camera_data_in_context(context)) as settings:
            if self.everything:
                have_gone = remove_rows(settings)
            else:
                have_gone = remove_row(settings, settings.mapping_index)
            settings.mapping_index = max(0, min(settings.mapping_index, len(settings.mapping) - 1))
        if not have_gone:
            self.report({"INFO"}, "Rows of the linked file cannot be removed here: they are muted")
        return {"FINISHED"}


class PHOTORIG_OT_move_mapping_row(PhotorigOperator, bpy.types.Operator):
    """Move the chosen row; rows join those above them that drive the same parameter"""

    bl_idname = "photorig.move_mapping_row"
    bl_label = "Move Row"
    bl_options = {"REGISTER", "UNDO"}

    up: bpy.props.BoolProperty(name="Up")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _needs_row(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        settings = camera_data_in_context(context).photorig
        target = settings.mapping_index + (-1 if self.up else 1)
        if not 0 <= target < len(settings.mapping):
            return {"CANCELLED"}
        with changing(settings.id_data):
            settings.mapping.move(settings.mapping_index, target)
            settings.mapping_index = target
        return {"FINISHED"}


class PHOTORIG_OT_mirror_mapping_row(PhotorigOperator, bpy.types.Operator):
    """Add the same row for the other side of the face"""

    bl_idname = "photorig.mirror_mapping_row"
    bl_label = "Row for the Other Side"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _needs_row(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        camera = camera_data_in_context(context)
        item = active_row(camera)
        problem = "There is no row" if item is None else problem_of(item)
        if item is None or problem:
            raise InputError("The row drives nothing", problem)
        other = mirrored(RigRow(row_of(item), item.owner), schema_of(camera))
        with changing(camera) as settings:
            add_row(settings, other)
            settings.mapping_index = len(settings.mapping) - 1
        self.report({"INFO"}, f"{other.row.source.control} drives {other.row.parameter}")
        return {"FINISHED"}


class PHOTORIG_OT_set_mapping_range(PhotorigOperator, bpy.types.Operator):
    """Take the source's present value as this end of the range"""

    bl_idname = "photorig.set_mapping_range"
    bl_label = "Set from Current Pose"
    bl_options = {"REGISTER", "UNDO"}

    end: bpy.props.EnumProperty(
        name="End", items=(("START", "Start", "Rest"), ("END", "End", "The whole gain"))
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _needs_row(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        item = active_row(camera_data_in_context(context))
        if item is None or item.owner is None:
            raise InputError("The row has no source", "Choose one first.")
        context.view_layer.update()
        value = source_value(item.owner, row_of(item).source, viewer_of(item.id_data))
        setattr(item, self.end.lower(), value)
        return {"FINISHED"}


class PHOTORIG_OT_capture_neutral(PhotorigOperator, bpy.types.Operator):
    """Take the rig's present pose as what is seen in the photo.

    Its half-closed eyes or slight smile then count from there, in absolute mode
    """

    bl_idname = "photorig.capture_neutral"
    bl_label = "Match Photo to Pose"
    bl_options = {"REGISTER", "UNDO"}

    clear: bpy.props.BoolProperty(
        name="Clear", description="Count from the rig's rest again", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs_camera(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        context.view_layer.update()
        capture_neutral(camera_data_in_context(context), self.clear)
        return {"FINISHED"}


class PHOTORIG_OT_reset_to_photo(PhotorigOperator, bpy.types.Operator):
    """Put all parameters that nothing drives back to the face in the photo"""

    bl_idname = "photorig.reset_to_photo"
    bl_label = "Reset to Photo"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs_camera(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        kept = reset_to_photo(camera_data_in_context(context))
        if kept:
            self.report({"INFO"}, f"{kept} parameters follow a rig or keyframes and were left")
        return {"FINISHED"}


class PHOTORIG_OT_rows_from_drivers(PhotorigOperator, bpy.types.Operator):
    """Make rows of the drivers that the parameters have, whoever made them"""

    bl_idname = "photorig.rows_from_drivers"
    bl_label = "Rows from Drivers"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs_camera(cls, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        read = rows_from_drivers(camera_data_in_context(context))
        self.report({"INFO"}, f"{len(read.rows)} rows were made of drivers")
        if read.unreadable:
            names = ", ".join(read.unreadable)
            self.report({"WARNING"}, f"Left as they are, because no rows can say them: {names}")
        return {"FINISHED"}


class PHOTORIG_OT_bake_mapping(PhotorigOperator, bpy.types.Operator):
    """Write what the rig drives as keyframes of the parameters, and switch the mapping off"""

    bl_idname = "photorig.bake_mapping"
    bl_label = "Bake to Keyframes"
    bl_options = {"REGISTER", "UNDO"}

    frame_start: bpy.props.IntProperty(name="Start", default=1)
    frame_end: bpy.props.IntProperty(name="End", default=250)
    step: bpy.props.IntProperty(name="Step", default=1, min=1)
    reduce: bpy.props.BoolProperty(
        name="Reduce Keys", description="Keep only the keys that the curves need"
    )
    tolerance: bpy.props.FloatProperty(
        name="Tolerance",
        description="Greatest error of a curve, as a part of a whole movement",
        default=0.005,
        min=0.0,
        max=0.2,
        precision=4,
        step=0.1,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not needs_camera(cls, context):
            return False
        if not camera_data_in_context(context).photorig.mapped_parameters:
            cls.poll_message_set("Map a rig first")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.frame_start, self.frame_end = context.scene.frame_start, context.scene.frame_end
        return context.window_manager.invoke_props_dialog(self)

    def run(self, context: bpy.types.Context) -> set[str]:
        camera = camera_in_context(context)
        frames = range(self.frame_start, self.frame_end + 1, self.step)
        tolerance = self.tolerance if self.reduce else None
        count = bake_mapping(context.scene, camera, frames, tolerance)
        self.report({"INFO"}, f"{count} keyframes were written; the mapping is switched off")
        return {"FINISHED"}


CLASSES = (
    PHOTORIG_OT_add_mapping_row,
    PHOTORIG_OT_map_selected_bone,
    PHOTORIG_OT_remove_mapping_row,
    PHOTORIG_OT_move_mapping_row,
    PHOTORIG_OT_mirror_mapping_row,
    PHOTORIG_OT_set_mapping_range,
    PHOTORIG_OT_capture_neutral,
    PHOTORIG_OT_reset_to_photo,
    PHOTORIG_OT_rows_from_drivers,
    PHOTORIG_OT_bake_mapping,
)
