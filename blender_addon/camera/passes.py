# SPDX-License-Identifier: GPL-3.0-or-later
"""Render passes beside Combined, chosen for each view layer, and their panel."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..extension import ENGINE


@dataclass(frozen=True)
class RenderPass:
    """A pass as Blender and the worker name it.

    Attributes:
        name: in the compositor and in multilayer files.
        on_wire: the worker's name for it, one of shared.messages.PASSES.
        channels: their letters, as Blender's ``register_pass`` wants them.
        kind: "COLOR" or "VALUE".
    """

    name: str
    on_wire: str
    channels: str
    kind: str

    @property
    def property_name(self) -> str:
        return f"use_pass_{self.on_wire}"


PASSES = (
    RenderPass("Face", "face", "RGBA", "COLOR"),
    RenderPass("Matte", "matte", "X", "VALUE"),
)


def passes_of(view_layer: bpy.types.ViewLayer) -> tuple[RenderPass, ...]:
    """Those that a view layer asks for."""
    settings = view_layer.photorig
    return tuple(entry for entry in PASSES if getattr(settings, entry.property_name))


def _passes_changed(settings: PhotorigPassSettings, _context: bpy.types.Context) -> None:
    """Let the compositor's Render Layers nodes learn their sockets."""
    for view_layer in settings.id_data.view_layers:
        view_layer.update_render_passes()


class PhotorigPassSettings(bpy.types.PropertyGroup):
    """``view_layer.photorig``: what a render brings beside the picture."""

    use_pass_face: bpy.props.BoolProperty(
        name="Face",
        description="The driven face before it is put back into the photo",
        options=set(),
        update=_passes_changed,
    )
    use_pass_matte: bpy.props.BoolProperty(
        name="Matte",
        description="How much of each pixel is the person, from 0 to 1",
        options=set(),
        update=_passes_changed,
    )


class PHOTORIG_PT_passes(bpy.types.Panel):
    """Properties > View Layer > Passes."""

    bl_label = "Passes"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "view_layer"
    COMPAT_ENGINES = {ENGINE}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.engine in cls.COMPAT_ENGINES

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        column = layout.column(heading="Include")
        for entry in PASSES:
            column.prop(context.view_layer.photorig, entry.property_name)


_CLASSES = (PhotorigPassSettings, PHOTORIG_PT_passes)


def register() -> None:
    for entry in _CLASSES:
        bpy.utils.register_class(entry)
    bpy.types.ViewLayer.photorig = bpy.props.PointerProperty(
        type=PhotorigPassSettings, name="Photorig"
    )


def unregister() -> None:
    del bpy.types.ViewLayer.photorig
    for entry in reversed(_CLASSES):
        bpy.utils.unregister_class(entry)
