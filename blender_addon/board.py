# SPDX-License-Identifier: GPL-3.0-or-later
"""The control board: bones beside the head that slide and drive the shape keys of its face.

It is made of what every armature may have (bones with custom shapes, limits, drivers with simple
expressions), so that poses, keys, flipping and the pose library work on it, and so does a file on
a computer without this extension. Bones are never rendered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import bpy
import numpy as np
from mathutils import Vector

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
from .driver_targets import AS_SET, TRANSFORM, Target, curve_at, write_driver
from .shared.errors import InputError

BOARD, FRAME = f"{PREFIX}board", f"{PREFIX}frame"
"""Bones: the handle that moves the whole board, and its lines, which cannot be clicked."""
COLLECTION = "Face Controls"
_PLACE = Vector((0.3, -0.03, -0.01))
"""Metres, the board's middle in the head's own axes: beside it, out of its camera's square."""
_CHANNELS = ("LOC_X", "LOC_Y")
_LEFT, _RIGHT, _BOTTOM, _TOP = -7.8, 7.8, -9.3, 8.5
"""The board's edges, in travels."""
_BONE = 0.01
_KNOB, _SLIDER, _TEXT, _TITLE = 0.0065, 0.005, 0.009, 0.016
_LABEL_DROP = 0.014
_COLOURS = {"L": (0.25, 0.55, 1.0), "R": (1.0, 0.3, 0.25), "": (1.0, 0.75, 0.1)}
"""Blue, red and yellow, as rigs have their left, right and middle."""
_FRAME_COLOUR = (0.62, 0.62, 0.66)


def has_board(armature: bpy.types.Object) -> bool:
    return BOARD in armature.data.bones


def faces_of(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes that an armature moves and that have shape keys of the board's parameters."""
    wanted = set(axes_by_parameter())
    return [
        item
        for item in bpy.data.objects
        if item.find_armature() == armature
        and item.data.shape_keys is not None
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
        board = _add_bone(bones, BOARD, _PLACE)
        _add_bone(bones, FRAME, _PLACE).parent = board
        for control in CONTROLS:
            place = _PLACE + TRAVEL * Vector((control.place[0], 0, control.place[1]))
            _add_bone(bones, control.bone, place).parent = board
    collection = armature.data.collections.new(COLLECTION)
    for name in (BOARD, FRAME, *(control.bone for control in CONTROLS)):
        collection.assign(armature.data.bones[name])
    armature.data.bones[FRAME].hide_select = True
    board, frame = armature.pose.bones[BOARD], armature.pose.bones[FRAME]
    _show(board, _shape("Photorig Board Title", _title), _FRAME_COLOUR, 1.0)
    _show(frame, _shape("Photorig Board Frame", _frame), _FRAME_COLOUR, 1.0)


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
    shape = _shape("Photorig Slider", _slider) if is_slider else _shape("Photorig Knob", _knob)
    _show(bone, shape, _COLOURS[side], 2.5)
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
    shape: bpy.types.Object,
    colour: tuple[float, float, float],
    width: float,
) -> None:
    bone.custom_shape, bone.custom_shape_wire_width = shape, width
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


# Shapes: lines in the plane of the board, X to image right and Y up

Line = Sequence[tuple[float, float]]


def _shape(name: str, draw: Callable[[str], bpy.types.Mesh]) -> bpy.types.Object:
    """The shape of that name, which all boards share; it lies in no scene."""
    item = bpy.data.objects.get(name)
    if item is None or item.type != "MESH":
        item = bpy.data.objects.new(name, draw(name))
    return item


def _mesh_of(name: str, closed: Iterable[Line], strokes: Iterable[Line] = ()) -> bpy.types.Mesh:
    """A mesh of lines, of which some end where they begin."""
    points: list[tuple[float, float, float]] = []
    edges: list[tuple[int, int]] = []
    for line, is_closed in [*((each, True) for each in closed), *((s, False) for s in strokes)]:
        first, count = len(points), len(line)
        points += [(x, y, 0.0) for x, y in line]
        edges += [
            (first + n, first + (n + 1) % count) for n in range(count if is_closed else count - 1)
        ]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, edges, [])
    return mesh


def _box(left: float, right: float, bottom: float, top: float) -> Line:
    return [(left, bottom), (right, bottom), (right, top), (left, top)]


def _circle(radius: float) -> Line:
    turns = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    return [(radius * math.cos(turn), radius * math.sin(turn)) for turn in turns]


def _knob(name: str) -> bpy.types.Mesh:
    return _mesh_of(name, [_circle(_KNOB), _circle(_KNOB * 0.35)])


def _slider(name: str) -> bpy.types.Mesh:
    return _mesh_of(name, [_circle(_SLIDER)])


def _title(name: str) -> bpy.types.Mesh:
    place = (0.0, _TOP * TRAVEL + 0.5 * _TITLE)
    return _mesh_of(name, [], _letters([("Face", place, _TITLE)]))


def _frame(name: str) -> bpy.types.Mesh:
    """The board's edge, the way that each control can go, and what it is called."""
    edges = (edge * TRAVEL for edge in (_LEFT, _RIGHT, _BOTTOM, _TOP))
    lines: list[Line] = [_box(*edges)]
    labels = []
    for control in CONTROLS:
        x, y = (TRAVEL * part for part in control.place)
        (left, right), (down, up) = control.limits
        left, right, down, up = (TRAVEL * end for end in (left, right, down, up))
        lines.append(_box(x + left, x + right, y + down, y + up))
        if left != right and down != up:  # a cross where both axes are at rest
            lines += [[(x + left, y), (x + right, y)], [(x, y + down), (x, y + up)]]
        elif down < 0 < up:
            lines.append([(x - 0.1 * TRAVEL, y), (x + 0.1 * TRAVEL, y)])
        labels.append((control.label, (x, y + down - _LABEL_DROP), _TEXT))
    return _mesh_of(name, lines, _letters(labels))


def _letters(labels: list[tuple[str, tuple[float, float], float]]) -> list[Line]:
    """Texts as open lines, each centred at a place and of a height in metres."""
    lines: list[Line] = []
    for text, (x, y), height in labels:
        unit = height / 4
        left = x - 0.5 * _ADVANCE * unit * len(text)
        for number, letter in enumerate(text.upper()):
            for stroke in _STROKES.get(letter, "").split():
                digits = [int(digit) for digit in stroke]
                lines.append(
                    [
                        (left + (_ADVANCE * number + _NARROW * across) * unit, y + up * unit)
                        for across, up in zip(digits[::2], digits[1::2], strict=True)
                    ]
                )
    return lines


_ADVANCE, _NARROW = 2.4, 0.75
_STROKES = {
    "A": "0003142320 0222",
    "B": "00041423120212211000",
    "C": "24040020",
    "D": "000414232110 0010",
    "E": "24040020 0212",
    "F": "240400 0212",
    "G": "240400202212",
    "H": "0004 0222 2024",
    "I": "1014",
    "J": "24211001",
    "K": "0004 240220",
    "L": "040020",
    "M": "0004122420",
    "N": "00042024",
    "O": "0004242000",
    "P": "0004242202",
    "Q": "0004242000 1120",
    "R": "0004242202 1220",
    "S": "240402222000",
    "T": "0424 1410",
    "U": "04002024",
    "V": "041024",
    "W": "0400122024",
    "X": "0024 0420",
    "Y": "041224 1210",
    "Z": "04240020",
}
"""Letters as strokes through points of a grid, two digits each: 0 to 2 across, 0 to 4 up."""
