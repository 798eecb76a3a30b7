# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig's shape keys and head bone compiled to Blender's own drivers on the camera's parameters.

Drivers, because they are evaluated together with the render: a rig that is hidden from it is not.
All expressions are simple ones, which Blender runs with automatic scripts switched off.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import bpy
from mathutils import Vector

from .compat import driver_without_modifiers
from .shared.errors import InputError
from .shared.vocabulary import parameter_of

_DEGREES = f"{math.degrees(1):.8f}"
_CENTIMETRES = "100"
_ALIGNED = math.cos(math.radians(30))
_LETTERS = "XYZ"
_HEAD_BONES = ("head", "def-head", "cc_base_head", "mixamorig:head", "j_bip_c_head", "bip01 head")


@dataclass(frozen=True)
class _HeadAxis:
    """A head angle or shift and the armature axis about or along which it is counted.

    The face looks along −Y with +Z up, as in Blender's front view, where +X is image right.
    """

    parameter: str
    axis: tuple[float, float, float]


_HEAD_AXES = (
    _HeadAxis("headRoll", (0, -1, 0)),
    _HeadAxis("headPitch", (-1, 0, 0)),
    _HeadAxis("headYaw", (0, 0, 1)),
)
"""In the order in which they turn: roll, then pitch, then yaw, as Blender names Euler orders."""

_HEAD_SHIFTS = (
    _HeadAxis("headX", (1, 0, 0)),
    _HeadAxis("headY", (0, 0, 1)),
    _HeadAxis("headZ", (0, -1, 0)),
)
"""Directions of the armature in which the head moves: image right, up, towards the camera."""


def connect_shape_keys(camera: bpy.types.Camera, mesh_object: bpy.types.Object) -> tuple[str, ...]:
    """Drive the parameters by the shape keys that have their names, in any usual spelling.

    Where several keys stand for one parameter (browInnerUp_L and browInnerUp_R), their mean counts.

    Args:
        camera: camera data.
        mesh_object: has shape keys; its reference key is left out.

    Returns:
        The ids of the parameters that are driven now.

    Raises:
        InputError: no shape key has a known name.
    """
    shape_keys = getattr(mesh_object.data, "shape_keys", None)
    sources: dict[str, list[str]] = {}
    if shape_keys is not None:
        for block in shape_keys.key_blocks:
            parameter = parameter_of(block.name)
            if parameter is not None and block != shape_keys.reference_key:
                sources.setdefault(parameter, []).append(block.name)
    if not sources:
        raise InputError(
            f"{mesh_object.name!r} has no shape key with an ARKit name",
            "Name them as in jawOpen or eyeBlinkLeft, or select another mesh.",
        )
    for parameter, names in sources.items():
        _drive_by_shape_keys(camera, parameter, shape_keys, names)
    return tuple(sources)


def _drive_by_shape_keys(
    camera: bpy.types.Camera, parameter: str, shape_keys: bpy.types.Key, names: list[str]
) -> None:
    driver = driver_without_modifiers(camera, f"photorig.{parameter}").driver
    for number, name in enumerate(names):
        variable = driver.variables.new()
        variable.name = f"key_{number}"
        variable.type = "SINGLE_PROP"
        target = variable.targets[0]
        target.id_type = "KEY"
        target.id = shape_keys
        target.data_path = f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'
    total = " + ".join(variable.name for variable in driver.variables)
    driver.type = "SCRIPTED"
    driver.expression = total if len(names) == 1 else f"({total}) / {len(names)}"


def connect_head_bone(
    camera: bpy.types.Camera, armature: bpy.types.Object, bone_name: str
) -> tuple[str, ...]:
    """Drive the head's angles and place by how a bone moved away from its rest pose.

    The angles are those of R = yaw · pitch · roll, as the worker measures them on a picture. The
    turns and shifts of neck bones below the head are added, which is exact where they share an
    axis. Blender's metres are the face's, whatever the scale of the armature object.

    Args:
        camera: camera data.
        armature: object whose rest pose looks along −Y with +Z up.
        bone_name: the head bone; at rest its axes lie along those of the armature.

    Returns:
        The ids of the parameters that are driven now.

    Raises:
        InputError: there is no such bone, or it lies askew at rest.
    """
    bone = armature.data.bones.get(bone_name)
    if bone is None:
        raise InputError(f"{armature.name!r} has no bone {bone_name!r}", "Choose the head bone.")
    turns = [_bone_turn(bone)]
    for neck_bone in _neck_bones(bone):
        # A neck that leans far forward turns about axes of its own; the head alone counts then.
        with contextlib.suppress(InputError):
            turns.append(_bone_turn(neck_bone))
    for head_axis in (*_HEAD_AXES, *_HEAD_SHIFTS):
        _drive_by_bones(camera, head_axis, armature, turns)
    return tuple(head_axis.parameter for head_axis in (*_HEAD_AXES, *_HEAD_SHIFTS))


_ASKEW_HINT = "The head bone must lie along the armature's axes at rest, with the face towards -Y."


@dataclass(frozen=True)
class _BoneTurn:
    """How to read a bone's channels as head angles and shifts.

    Attributes:
        bone: its name.
        axes: by head axis, letter and sign ("" or "-") of the bone's own axis that lies along it.
        order: Euler order in which roll turns first, then pitch, then yaw.
    """

    bone: str
    axes: dict[_HeadAxis, tuple[str, str]]
    order: str


def _bone_turn(bone: bpy.types.Bone) -> _BoneTurn:
    """Raises InputError where the bone lies askew at rest."""
    to_bone = bone.matrix_local.to_3x3().inverted()
    axes = {}
    for head_axis in (*_HEAD_AXES, *_HEAD_SHIFTS):
        local = to_bone @ Vector(head_axis.axis)
        letter, component = max(zip(_LETTERS, local, strict=True), key=lambda pair: abs(pair[1]))
        if abs(component) < _ALIGNED:
            raise InputError(f"The bone {bone.name!r} lies askew at rest", _ASKEW_HINT)
        axes[head_axis] = (letter, "-" if component < 0 else "")
    order = "".join(axes[head_axis][0] for head_axis in _HEAD_AXES)
    return _BoneTurn(bone.name, axes, order)


def _neck_bones(bone: bpy.types.Bone) -> list[bpy.types.Bone]:
    """The bones right below the head bone that are named as a neck."""
    necks = []
    while bone.parent is not None and "neck" in bone.parent.name.lower():
        bone = bone.parent
        necks.append(bone)
    return necks


def _drive_by_bones(
    camera: bpy.types.Camera,
    head_axis: _HeadAxis,
    armature: bpy.types.Object,
    turns: list[_BoneTurn],
) -> None:
    is_turn = head_axis in _HEAD_AXES
    driver = driver_without_modifiers(camera, f"photorig.{head_axis.parameter}").driver
    terms = []
    for number, turn in enumerate(turns):
        letter, sign = turn.axes[head_axis]
        variable = driver.variables.new()
        variable.name = f"angle_{number}" if is_turn else f"shift_{number}"
        variable.type = "TRANSFORMS"
        target = variable.targets[0]
        target.id = armature
        target.bone_target = turn.bone
        target.transform_space = "LOCAL_SPACE"
        target.transform_type = f"ROT_{letter}" if is_turn else f"LOC_{letter}"
        target.rotation_mode = turn.order
        terms.append(f"{sign or '+'} {variable.name}")
    driver.type = "SCRIPTED"
    driver.expression = f"({' '.join(terms)}) * {_DEGREES if is_turn else _CENTIMETRES}"


def guess_head_bone(armature: bpy.types.Object) -> str | None:
    """The bone that has one of the usual names of a head bone, None where none has."""
    by_name = {bone.name.lower(): str(bone.name) for bone in armature.data.bones}
    return next((by_name[name] for name in _HEAD_BONES if name in by_name), None)
