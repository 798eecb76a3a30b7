# SPDX-License-Identifier: GPL-3.0-or-later
"""The control board: bones beside the head that slide and drive the shape keys of its face.

It is made of what every armature may have (bones with custom shapes, limits, drivers with simple
expressions), so that poses, keys, flipping and the pose library work on it, and so does a file on
a computer without this extension. Bones are never rendered.
"""

from __future__ import annotations

import bpy
from mathutils import Vector

from ..mapping.driver_targets import AS_SET, TRANSFORM, Target, curve_at, write_driver
from ..mapping.head_bone import guess_head_bone
from ..shared.errors import InputError
from .board_layout import (
    CONTROLS,
    PREFIX,
    TRAVEL,
    Axis,
    Control,
    axes_by_parameter,
    board_pose,
    expression_of,
)
from .board_shapes import frame_lines, knob, shape, slider, title

BOARD, FRAME = f"{PREFIX}board", f"{PREFIX}frame"
"""Bones: the handle that moves the whole board, and its lines, which cannot be clicked."""
COLLECTION = "Face Controls"
_PLACE = Vector((0.3, -0.075, 0.02))
"""Metres from the head bone to the board's middle: beside the head, out of its camera's square."""
_CHANNELS = ("LOC_X", "LOC_Y")
_BONE = 0.01
_COLOURS = {"L": (0.25, 0.55, 1.0), "R": (1.0, 0.3, 0.25), "": (1.0, 0.75, 0.1)}
"""Blue, red and yellow, as rigs have their left, right and middle."""
_FRAME_COLOUR = (0.8, 0.8, 0.84)


def armature_in_context(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature that is meant: the active object, or the one that moves it."""
    item = context.active_object
    return item if item is None or item.type == "ARMATURE" else item.find_armature()


def has_board(armature: bpy.types.Object) -> bool:
    return BOARD in armature.data.bones


def may_have_board(armature: bpy.types.Object) -> bool:
    """Whether it moves a Photorig head's face; cheap enough for panels."""
    return armature.data.is_editable and any(
        child.type == "MESH"
        and child.data.shape_keys is not None
        and "jawOpen" in child.data.shape_keys.key_blocks
        for child in armature.children
    )


def faces_of(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes that an armature moves and that have shape keys of the board's parameters."""
    wanted = set(axes_by_parameter())
    return [
        item
        for item in bpy.data.objects
        if item.find_armature() == armature
        and getattr(item.data, "shape_keys", None) is not None
        and wanted & set(item.data.shape_keys.key_blocks.keys())
    ]


def add_board(context: bpy.types.Context, armature: bpy.types.Object) -> None:
    """Give a head its board, and let the board drive the face from the expression that it has.

    Shape keys that have drivers already keep them.

    Raises:
        InputError: there is a board, nothing for it to drive, or keyframes that it would hide.
    """
    faces = faces_of(armature)
    _check(armature, faces)
    _add_bones(context, armature)
    expression = {
        name: float(block.value)
        for face in faces
        for name, block in face.data.shape_keys.key_blocks.items()
    }
    pose = board_pose(expression)
    for control in CONTROLS:
        _dress(armature, control)
        bone = armature.pose.bones[control.bone]
        bone.location = (pose[control.bone][0] * TRAVEL, pose[control.bone][1] * TRAVEL, 0.0)
    shown = expression_of(pose)
    for face in faces:
        _drive_keys(face.data.shape_keys, armature, shown)


def remove_board(context: bpy.types.Context, armature: bpy.types.Object) -> None:
    """Take the board away; the face keeps the expression that it has."""
    for face in faces_of(armature):
        keys = face.data.shape_keys
        for name in axes_by_parameter():
            block = keys.key_blocks.get(name)
            curve = None if block is None else curve_at(keys, _key(name))
            if curve is not None and _reads_board(curve, armature):
                value = block.value
                keys.driver_remove(_key(name))
                block.value = value
    with _EditMode(context, armature) as bones:
        for bone in [each for each in bones if each.name.startswith(PREFIX)]:
            bones.remove(bone)
    collection = armature.data.collections.get(COLLECTION)
    if collection is not None and not len(collection.bones):
        armature.data.collections.remove(collection)


def _check(armature: bpy.types.Object, faces: list[bpy.types.Object]) -> None:
    if has_board(armature):
        raise InputError(f"{armature.name!r} has a control board already")
    if not faces:
        raise InputError(
            f"{armature.name!r} moves no face with ARKit's shape keys", "Select a Photorig head."
        )
    for face in faces:
        animation = face.data.shape_keys.animation_data
        if animation is not None and (animation.action is not None or len(animation.nla_tracks)):
            raise InputError(
                f"The shape keys of {face.name!r} have keyframes, which a board would hide",
                "Unlink their action first, or add another head.",
            )


class _EditMode:
    """Edit mode of an armature, and back to the mode and the active object before."""

    def __init__(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        self._context, self._armature = context, armature

    def __enter__(self) -> bpy.types.ArmatureEditBones:
        layer = self._context.view_layer
        self._before, self._mode = layer.objects.active, self._armature.mode
        layer.objects.active = self._armature
        bpy.ops.object.mode_set(mode="EDIT")
        return self._armature.data.edit_bones

    def __exit__(self, *_failure: object) -> None:
        bpy.ops.object.mode_set(mode=self._mode)
        self._context.view_layer.objects.active = self._before


def _add_bones(context: bpy.types.Context, armature: bpy.types.Object) -> None:
    with _EditMode(context, armature) as bones:
        head = bones.get(guess_head_bone(armature) or "")
        middle = _PLACE + (Vector() if head is None else head.head)
        board = _add_bone(bones, BOARD, middle)
        _add_bone(bones, FRAME, middle).parent = board
        for control in CONTROLS:
            place = middle + TRAVEL * Vector((control.place[0], 0, control.place[1]))
            _add_bone(bones, control.bone, place).parent = board
    collection = armature.data.collections.new(COLLECTION)
    for name in (BOARD, FRAME, *(control.bone for control in CONTROLS)):
        collection.assign(armature.data.bones[name])
    armature.data.bones[FRAME].hide_select = True
    board, frame = armature.pose.bones[BOARD], armature.pose.bones[FRAME]
    _show(board, shape("Photorig Board Title", title), _FRAME_COLOUR, 1.0)
    _show(frame, shape("Photorig Board Frame", frame_lines), _FRAME_COLOUR, 1.0)


def _add_bone(bones: bpy.types.ArmatureEditBones, name: str, place: Vector) -> bpy.types.EditBone:
    """Its own axes are the board's: X to image right, Y up."""
    bone = bones.new(name)
    bone.head, bone.tail = place, place + Vector((0, 0, _BONE))
    bone.align_roll(Vector((0, -1, 0)))
    bone.use_deform = False
    return bone


def _dress(armature: bpy.types.Object, control: Control) -> None:
    """Shape, colour, locks and limits of a control."""
    bone = armature.pose.bones[control.bone]
    side = control.bone[-1] if control.bone[-2:] in (".L", ".R") else ""
    (left, right), (down, up) = control.limits
    is_slider = left == right or down == up
    handle = shape("Photorig Slider", slider) if is_slider else shape("Photorig Knob", knob)
    _show(bone, handle, _COLOURS[side], 2.5)
    bone.rotation_mode = "XYZ"
    bone.lock_location = (left == right, down == up, True)
    bone.lock_rotation = bone.lock_scale = (True, True, True)
    bone.lock_rotation_w = True
    limit = bone.constraints.new("LIMIT_LOCATION")
    limit.owner_space, limit.use_transform_limit = "LOCAL", True
    for name, value in (
        *(("min_x", left), ("max_x", right), ("min_y", down), ("max_y", up)),
        *(("min_z", 0), ("max_z", 0)),
    ):
        setattr(limit, f"use_{name}", True)
        setattr(limit, name, value * TRAVEL)


def _show(
    bone: bpy.types.PoseBone,
    look: bpy.types.Object,
    colour: tuple[float, float, float],
    width: float,
) -> None:
    bone.custom_shape, bone.custom_shape_wire_width = look, width
    bone.use_custom_shape_bone_size = False
    bone.color.palette = "CUSTOM"
    bone.color.custom.normal = colour
    bone.color.custom.select = [0.5 + 0.5 * part for part in colour]
    bone.color.custom.active = (1.0, 1.0, 1.0)


# What the drivers say


def _key(name: str) -> str:
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def _drive_keys(keys: bpy.types.Key, armature: bpy.types.Object, shown: dict[str, float]) -> None:
    for name, axes in axes_by_parameter().items():
        block = keys.key_blocks.get(name)
        if block is None or curve_at(keys, _key(name)) is not None:
            continue
        rest = float(block.value) - shown[name]
        expression, variables = _sum_of(axes, armature, rest)
        write_driver(keys, _key(name), expression, variables)


def _sum_of(
    axes: list[Axis], armature: bpy.types.Object, rest: float
) -> tuple[str, dict[str, Target]]:
    """A driver's expression for the sum of some axes and a constant, and what it reads."""
    names = [f"v{number}" for number in range(len(axes))]
    terms = "".join(
        f"{'+' if axis.sign > 0 else '-'}{name}" for axis, name in zip(axes, names, strict=True)
    )
    sum_of_axes = f"clamp(({terms.lstrip('+')})*{1 / TRAVEL:.9g},0,1)"
    variables = {
        # As set, for a number that has gone through the world and back is not quite 0 at rest,
        # and only at 0 a face is the photo itself.
        name: Target(TRANSFORM, armature, "", axis.bone, _CHANNELS[axis.axis], space=AS_SET)
        for axis, name in zip(axes, names, strict=True)
    }
    # What the control cannot show, for it stands on the other side of its middle, is added.
    return (f"min({sum_of_axes}+{rest:.9g},1)" if rest > 1e-6 else sum_of_axes), variables


def _reads_board(curve: bpy.types.FCurve, armature: bpy.types.Object) -> bool:
    return any(
        target.id == armature and target.bone_target.startswith(PREFIX)
        for variable in curve.driver.variables
        for target in variable.targets
    )
