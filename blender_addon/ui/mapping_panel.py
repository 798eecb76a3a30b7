# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rig's mapping is seen and edited: the list of rows, and the chosen row below it."""

from __future__ import annotations

import re

import bpy

from ..camera.choice import camera_in_context
from ..camera.extra_parameters import schema_of
from ..camera.mapping_rows import PhotorigMappingRow, active_row, range_properties, row_of
from ..mapping.health import broken_rows, shown_problem
from ..mapping.neutral import has_neutral
from ..mapping.rig import source_value
from ..mapping.turn_drivers import viewer_of
from ..shared.errors import InputError
from ..shared.mapping.control_names import control_name
from ..shared.mapping.rows import BONE, OBJECT, ROTATIONS, SHAPE_KEY, TURN
from .draw import draw_sentence, region_width

_WIDE = 400
"""Pixels of a region in which two names stand side by side."""
_NAMES_SHARE = 0.75
_KIND_ICONS = {
    "SHAPE_KEY": "SHAPEKEY_DATA",
    "BONE": "BONE_DATA",
    "PROPERTY": "PROPERTIES",
    "OBJECT": "OBJECT_DATA",
    "TURN": "ORIENTATION_GIMBAL",
}


def live_value(item: PhotorigMappingRow) -> str:
    """What a row adds at the moment, "" where it adds nothing."""
    if shown_problem(item):
        return ""
    row = row_of(item)
    try:
        value = source_value(item.owner, row.source, viewer_of(item.id_data))
        return f"{row.contribution(value):.2f}"
    except (InputError, ZeroDivisionError):
        return ""


class PHOTORIG_UL_mapping(bpy.types.UIList):
    """Rows: what drives what, and how much it is now."""

    def filter_items(
        self, context: bpy.types.Context, data: bpy.types.bpy_struct, name: str
    ) -> tuple[list[int], list[int]]:
        """Rows whose control or parameter has the text that is searched for."""
        wanted = self.filter_name.lower()
        if not wanted:
            return [], []
        shown = [
            wanted in item.control.lower() or wanted in item.parameter.lower()
            for item in getattr(data, name)
        ]
        return [self.bitflag_filter_item if each else 0 for each in shown], []

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.bpy_struct,
        item: PhotorigMappingRow,
        icon: int,
        active_data: bpy.types.bpy_struct,
        active_property: str,
        index: int = 0,
        flt_flag: int = 0,
    ) -> None:
        row = layout.row(align=True)
        row.alert = bool(shown_problem(item))
        body = row.row(align=True)
        body.active = not item.mute
        names = body.split(factor=_NAMES_SHARE)
        _draw_names(names.row(align=True), item)
        value = names.row()
        value.alignment = "RIGHT"
        value.label(text=live_value(item))
        row.prop(item, "mute", text="", icon="HIDE_ON" if item.mute else "HIDE_OFF", emboss=False)
        solo = "SOLO_ON" if item.solo else "SOLO_OFF"
        row.prop(item, "solo", text="", icon=solo, emboss=False)


def _draw_names(layout: bpy.types.UILayout, item: PhotorigMappingRow) -> None:
    """What drives what; a narrow list has room for one name, which often is both."""
    channel = f" {item.channel}" if item.kind in (BONE, OBJECT, TURN) else ""
    name = item.owner.name if item.kind in (OBJECT, TURN) and item.owner is not None else "?"
    control = f"{item.control or name}{channel}"
    schema = schema_of(item.id_data)
    position = schema.index.get(item.parameter)
    label = item.parameter if position is None else schema.parameters[position].label
    if region_width() >= _WIDE:
        layout.label(text=control, icon=_KIND_ICONS[item.kind])
        layout.label(text=label, icon="FORWARD")
        return
    if control_name(item.control) != control_name(item.parameter):
        label = f"{control} → {label}"
    for side in ("Left", "Right"):  # the letter says it where the word would be cut off
        label = re.sub(rf" {side}$", f" {side[0]}", label)
    layout.label(text=label)


def draw_mapping(layout: bpy.types.UILayout, camera: bpy.types.Camera) -> None:
    """All of a camera's mapping."""
    settings = camera.photorig
    if not len(settings.mapping):
        layout.label(text="Detect Rig fills this list", icon="INFO")
    layout.operator("photorig.detect_rig", icon="VIEWZOOM")
    broken = len(broken_rows(camera))
    if broken:
        text = f"{broken} rows drive nothing: the face would rest, and renders stop"
        draw_sentence(layout, text.replace("1 rows drive", "1 row drives"), "ERROR")
    layout.prop(settings, "use_mapping")
    body = layout.column()
    body.active = settings.use_mapping
    row = body.row()
    row.template_list(
        "PHOTORIG_UL_mapping", "", settings, "mapping", settings, "mapping_index", rows=4
    )
    buttons = row.column(align=True)
    buttons.operator("photorig.add_mapping_row", text="", icon="ADD")
    buttons.operator("photorig.remove_mapping_row", text="", icon="REMOVE")
    buttons.separator()
    buttons.operator("photorig.move_mapping_row", text="", icon="TRIA_UP").up = True
    buttons.operator("photorig.move_mapping_row", text="", icon="TRIA_DOWN").up = False
    buttons.separator()
    buttons.menu("PHOTORIG_MT_mapping", text="", icon="DOWNARROW_HLT")
    item = active_row(camera)
    if item is not None:
        draw_row(body.box(), item)
    draw_neutral(body, camera)


def draw_row(layout: bpy.types.UILayout, item: PhotorigMappingRow) -> None:
    """The settings of one row."""
    column = layout.column()
    column.use_property_split, column.use_property_decorate = True, False
    problem = shown_problem(item)
    if problem:
        draw_sentence(column, problem, "ERROR")
    column.prop(item, "owner")
    column.prop(item, "kind")
    _draw_control(column, item)
    if item.kind in (BONE, OBJECT, TURN):
        column.prop(item, "channel")
        column.prop(item, "space")
        if item.channel in ROTATIONS:
            column.prop(item, "order")
    column.prop(item, "parameter")
    for name, end in zip(range_properties(item), ("START", "END"), strict=True):
        row = column.row(align=True)
        row.prop(item, name)
        row.operator("photorig.set_mapping_range", text="", icon="EYEDROPPER").end = end
    column.prop(item, "amount")
    column.prop(item, "invert")
    column.prop(item, "clamp")
    column.prop(item, "combine")


def _draw_control(column: bpy.types.UILayout, item: PhotorigMappingRow) -> None:
    """A search field among what the object has, where Blender can list it."""
    keys = getattr(item.owner.data, "shape_keys", None) if item.owner is not None else None
    if item.kind == SHAPE_KEY and keys is not None:
        column.prop_search(item, "control", keys, "key_blocks", text="Shape Key")
    elif item.kind == OBJECT:
        return
    elif item.kind in (BONE, TURN) and item.owner is not None and item.owner.pose is not None:
        column.prop_search(item, "control", item.owner.pose, "bones", text="Bone")
    else:
        column.prop(item, "control")


def draw_neutral(layout: bpy.types.UILayout, camera: bpy.types.Camera) -> None:
    """Which pose of the rig stands for the photo."""
    row = layout.row(align=True)
    row.operator("photorig.capture_neutral", icon="USER")
    if has_neutral(camera):
        row.operator("photorig.capture_neutral", text="", icon="X").clear = True


class PHOTORIG_MT_mapping(bpy.types.Menu):
    """What can be done with all rows."""

    bl_label = "Mapping"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.operator("photorig.map_selected_bone", icon="BONE_DATA")
        layout.operator("photorig.mirror_mapping_row", icon="MOD_MIRROR")
        layout.operator("photorig.rows_from_drivers", icon="DRIVER")
        layout.operator("photorig.bake_mapping", icon="KEYFRAME_HLT")
        layout.separator()
        layout.operator("photorig.import_mapping", icon="IMPORT")
        layout.operator("photorig.export_mapping", icon="EXPORT")
        layout.separator()
        layout.operator("photorig.remove_mapping_row", text="Remove All Rows").everything = True


class PHOTORIG_PT_camera_mapping(bpy.types.Panel):
    """Properties > Camera > Photorig > Mapping."""

    bl_label = "Mapping"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "data"
    bl_parent_id = "PHOTORIG_PT_camera"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        draw_mapping(self.layout, context.camera)


class PHOTORIG_PT_sidebar_mapping(bpy.types.Panel):
    """The mapping beside the rig."""

    bl_label = "Mapping"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Photorig"
    bl_parent_id = "PHOTORIG_PT_sidebar"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return camera_in_context(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        camera = camera_in_context(context)
        if camera is not None:
            draw_mapping(self.layout, camera.data)


_CLASSES = (
    PHOTORIG_UL_mapping,
    PHOTORIG_MT_mapping,
    PHOTORIG_PT_camera_mapping,
    PHOTORIG_PT_sidebar_mapping,
)


def register() -> None:
    for panel in _CLASSES:
        bpy.utils.register_class(panel)


def unregister() -> None:
    for panel in reversed(_CLASSES):
        bpy.utils.unregister_class(panel)
