# SPDX-License-Identifier: GPL-3.0-or-later
"""What Detect Rig shows before anything is changed: presets, face, head, and how it stands."""

from __future__ import annotations

from typing import Any

import bpy

from ..mapping.body_axes import armature_axes, centimetres, object_axes
from ..mapping.connect import Detection
from ..mapping.head_bone import AUTO, space_of
from ..mapping.rig import moved_vertices
from ..shared.errors import InputError
from ..shared.mapping.presets import Coverage
from .draw import draw_sentence

_SHOWN_MISSING = 6
_NO_ITEMS = [("", "", "")]
_items: list[tuple[str, ...]] = []
"""What Blender shows of an enumeration must stay in memory."""


def preset_items(detection: Detection | None) -> list[tuple[str, ...]]:
    """The presets that fit, as choices, each with how much of it the rig has."""
    global _items
    coverages = detection.coverages if detection is not None else ()
    _items = [(each.preset.id, each.summary, each.preset.description) for each in coverages]
    return _items


def draw_detection(layout: bpy.types.UILayout, detection: Detection, operator: Any) -> None:
    """All of it."""
    try:
        chosen = detection.chosen(operator.preset)
    except InputError:
        chosen = []
    preset = chosen[0].preset if chosen else None
    head = detection.head(preset, operator.head_bone)
    if not detection.coverages and head is None:
        layout.label(text="Nothing of this rig has a known name", icon="ERROR")
        return
    if detection.coverages:
        layout.label(text="Presets (several add up):")
        layout.column(align=True).prop(operator, "presets")
    for coverage in chosen:
        _draw_coverage(layout, coverage)
    if detection.faces:
        layout.prop(operator, "face", icon="MESH_DATA")
        face = detection.faces[0]
        layout.label(text=f"Its shape keys move {moved_vertices(face)} vertices in all")
    layout.prop(operator, "head_bone", icon="BONE_DATA")
    layout.prop(operator, "head_space")
    draw_head(layout, detection, chosen, operator)
    layout.prop(operator, "replace")


def _draw_coverage(layout: bpy.types.UILayout, coverage: Coverage) -> None:
    layout.label(text=coverage.summary)
    column = layout.column(align=True)
    column.label(text=f"Controls of {', '.join(coverage.owners)}", icon="OBJECT_DATA")
    if coverage.missing:
        rest = len(coverage.missing) - _SHOWN_MISSING
        names = ", ".join(coverage.missing[:_SHOWN_MISSING])
        column.label(text=f"Missing: {names}" + (f" and {rest} more" if rest > 0 else ""))


def draw_head(
    layout: bpy.types.UILayout, detection: Detection, chosen: list[Coverage], operator: Any
) -> None:
    """Which way the character looks, or why that is not understood."""
    head = detection.head(chosen[0].preset if chosen else None, operator.head_bone)
    item = head[0] if head is not None else detection.head_object(chosen)
    if item is None:
        layout.label(text="The head's angles and place stay as they are", icon="INFO")
        return
    try:
        if head is not None:
            bone = item.data.bones[head[1]]
            axes = armature_axes(item, bone, detection.faces)
            space = space_of(bone, operator.head_space)
        else:
            axes = object_axes(item)
            space = "WORLD" if operator.head_space in (AUTO, "BODY") else operator.head_space
    except InputError as error:
        draw_sentence(layout, str(error), "ERROR")
        return
    unit = item.matrix_world.to_scale()[0] * centimetres(item)
    layout.label(text=f"{item.name} {axes.text}", icon="EMPTY_AXIS")
    layout.label(text=f"Relative to {space.lower()}; one of its own units is {unit:g} cm")
