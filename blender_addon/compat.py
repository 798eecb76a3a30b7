# SPDX-License-Identifier: GPL-3.0-or-later
"""All differences between Blender 4.2 and 5.2 that Photorig meets, and nothing else.

Where an attribute can be probed it is, rather than the version: daily builds of Blender have a new
name long before the release that brings it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy


def path_options() -> set[str]:
    """Options of a property that may hold a path beginning with "//"; 4.5 asks that it says so."""
    return {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()


def overridable(properties: dict[str, Any]) -> dict[str, Any]:
    """Properties that can be changed where their owner is a library override.

    Args:
        properties: what bpy.props gives, by name.
    """
    return {name: _overridable(each) for name, each in properties.items()}


def _overridable(deferred: Any) -> Any:
    is_collection = deferred.function is bpy.props.CollectionProperty
    kinds = {"LIBRARY_OVERRIDABLE"} | ({"USE_INSERTION"} if is_collection else set())
    return deferred.function(**deferred.keywords, override=kinds)


def strips_of(editor: bpy.types.SequenceEditor) -> Any:
    """The strips at the top level of a sequence editor (``sequences`` before 4.4)."""
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def all_strips_of(editor: bpy.types.SequenceEditor) -> Any:
    """All strips, those inside meta strips too."""
    return editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all


def strip_content_start(strip: Any) -> int:
    """The frame at which the first image of an image strip lies."""
    name = "content_start" if hasattr(strip, "content_start") else "frame_start"
    return round(getattr(strip, name))


def move_strip_content(strip: Any, frame: int) -> None:
    """Put the first image of a strip at this frame."""
    name = "content_start" if hasattr(strip, "content_start") else "frame_start"
    setattr(strip, name, frame)


def edited_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose sequencer the person edits; apart from the view layer's since 5.0."""
    workspace = getattr(context, "workspace", None)
    return getattr(workspace, "sequencer_scene", None) or context.scene


def show_in_empty_sequencers(scene: bpy.types.Scene) -> None:
    """Let workspaces whose sequencer has no scene (since 5.0 each has its own) show this one."""
    for workspace in bpy.data.workspaces:
        if hasattr(workspace, "sequencer_scene") and workspace.sequencer_scene is None:
            workspace.sequencer_scene = scene


def reload_strip_images(scene: bpy.types.Scene, strip: Any) -> None:
    """Forget the images of a strip that were decoded before their files changed."""
    if hasattr(strip, "invalidate_cache"):
        strip.invalidate_cache("RAW")
    if hasattr(strip, "update"):
        strip.update(data=True)


def compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The nodes that the scene's renders go through; None where they go through none."""
    if hasattr(scene, "compositing_node_group"):  # from 5.0 on
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def use_png_output(scene: bpy.types.Scene) -> None:
    """PNG files of 8 bits and three channels."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = "PNG"
    settings.color_mode = "RGB"
    settings.color_depth = "8"


def plain_driver(target: Any, path: str, index: int = -1) -> bpy.types.FCurve:
    """A fresh driver that gives its expression's value; whatever drove the property is replaced.

    A new driver comes with a polynomial in 4.2 and with two keyframes in 5.0, which would bend its
    value or round it.
    """
    target.driver_remove(path, index)
    curve = target.driver_add(path, index)
    for modifier in list(curve.modifiers):
        curve.modifiers.remove(modifier)
    for point in reversed(list(curve.keyframe_points)):
        curve.keyframe_points.remove(point)
    return curve


def curve_of(owner: bpy.types.ID, path: str, index: int = 0) -> bpy.types.FCurve | None:
    """The F-curve that animates a property; actions have slots from 4.4, no curves from 5.0 on."""
    animation = owner.animation_data
    action = animation.action if animation is not None else None
    if action is None:
        return None
    slot = getattr(animation, "action_slot", None)
    if slot is None:
        return action.fcurves.find(path, index=index) if hasattr(action, "fcurves") else None
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot)
            curve = bag.fcurves.find(path, index=index) if bag is not None else None
            if curve is not None:
                return curve
    return None


def animates(owner: bpy.types.ID, path: str, index: int) -> bool:
    """Whether the active action animates this number."""
    return curve_of(owner, path, index) is not None


def new_curves(action: bpy.types.Action, id_type: str = "OBJECT", name: str = "Object") -> Any:
    """The curves of a new action for a kind of data-block; actions have layers and slots from 4.4
    on."""
    if not hasattr(action, "layers"):
        action.id_root = id_type
        return action.fcurves
    slot = action.slots.new(id_type=id_type, name=name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True).fcurves


def new_curve(curves: Any, path: str, index: int, group: str) -> bpy.types.FCurve:
    """A curve in a group of channels, where Blender lets a script say so at once."""
    known = curves.bl_rna.functions["new"].parameters.keys()
    name = next((each for each in ("group_name", "action_group") if each in known), None)
    return curves.new(path, index=index, **({name: group} if name else {}))


def on_exit(function: Callable[..., None], register: bool) -> None:
    """Call a function just before Blender ends, where Blender can say so (5.1 and newer)."""
    handlers = getattr(bpy.app.handlers, "exit_pre", None)
    if handlers is None:
        return
    if register and function not in handlers:
        handlers.append(function)
    elif not register and function in handlers:
        handlers.remove(function)
