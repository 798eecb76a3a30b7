# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rig offers: its controls, where its head bone is, and the numbers they have now."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import bpy
from mathutils import Vector

from .mapping_rows import RigRow
from .shared.errors import InputError
from .shared.mapping import (
    BONE,
    LOCATIONS,
    PROPERTY,
    ROTATIONS,
    SCALES,
    SHAPE_KEY,
    MappingRow,
    Source,
)
from .shared.mapping_presets import MOVES, TURNS, Candidate, Coverage, Match
from .shared.schema import ARKIT_52, ParameterSchema

HEAD_BONES = ("head", "def-head", "cc_base_head", "mixamorig:head", "j_bip_c_head", "bip01 head")
_LETTERS = "XYZ"
_INNER_BONES = ("ORG-", "MCH-", "DEF-", "VIS_")
"""Beginnings of the names of Rigify's bones that are not for animators."""
_HEAD_ALIGNED = math.cos(math.radians(30))
_ALIGNED = math.cos(math.radians(50))
_AXES = {"X": Vector((1, 0, 0)), "Y": Vector((0, 1, 0)), "Z": Vector((0, 0, 1))}
_ASKEW_HINT = "The head bone must lie along the armature's axes at rest, with the face towards -Y."


@dataclass(frozen=True)
class _HeadAxis:
    """A head angle or shift and the armature axis about or along which it is counted.

    The face looks along −Y with +Z up, as in Blender's front view, where +X is image right.

    Attributes:
        reach: angle in radians or distance in metres that stands for ``amount``.
        amount: in the parameter's unit.
    """

    parameter: str
    axis: tuple[float, float, float]
    reach: float
    amount: float


_HEAD_TURNS = (
    _HeadAxis("headRoll", (0, -1, 0), math.pi / 2, 90.0),
    _HeadAxis("headPitch", (-1, 0, 0), math.pi / 2, 90.0),
    _HeadAxis("headYaw", (0, 0, 1), math.pi / 2, 90.0),
)
"""In the order in which they turn: roll, then pitch, then yaw, as Blender names Euler orders."""

_HEAD_SHIFTS = (
    _HeadAxis("headX", (1, 0, 0), 0.1, 10.0),
    _HeadAxis("headY", (0, 0, 1), 0.1, 10.0),
    _HeadAxis("headZ", (0, -1, 0), 0.1, 10.0),
)
"""Directions of the armature in which the head moves: image right, up, towards the camera."""

HEAD_PARAMETERS = tuple(axis.parameter for axis in (*_HEAD_TURNS, *_HEAD_SHIFTS))


def rig_objects(objects: Iterable[bpy.types.Object]) -> list[bpy.types.Object]:
    """These objects, the armatures that move them, and the meshes below the armatures."""
    found: dict[bpy.types.Object, None] = {}
    for item in objects:
        found[item] = None
    for item in list(found):
        for armature in _armatures_of(item):
            found[armature] = None
    for item in list(found):
        if item.type == "ARMATURE":
            for child in item.children_recursive:
                found[child] = None
    return [item for item in found if item.type not in ("CAMERA", "LIGHT", "EMPTY")]


def _armatures_of(item: bpy.types.Object) -> Iterator[bpy.types.Object]:
    for modifier in item.modifiers:
        if modifier.type == "ARMATURE" and modifier.object is not None:
            yield modifier.object
    if item.parent is not None and item.parent.type == "ARMATURE":
        yield item.parent


def candidates(objects: Iterable[bpy.types.Object]) -> list[Candidate]:
    """The controls of some objects: shape keys, bones, numbers among the custom properties."""
    found = []
    for item in objects:
        keys = getattr(item.data, "shape_keys", None)
        if keys is not None:
            for block in keys.key_blocks:
                if block != keys.reference_key:
                    found.append(Candidate(SHAPE_KEY, item.name, block.name, block.name))
        found += _custom_properties(item, item, "")
        for bone in item.pose.bones if item.pose is not None else ():
            if not bone.name.startswith(_INNER_BONES):
                found.append(Candidate(BONE, item.name, bone.name, bone.name))
            path = f'pose.bones["{bpy.utils.escape_identifier(bone.name)}"]'
            found += _custom_properties(item, bone, path)
    return found


def _custom_properties(
    item: bpy.types.Object, holder: bpy.types.bpy_struct, path: str
) -> Iterator[Candidate]:
    for name in holder.keys():  # noqa: SIM118 - a bpy_struct, not a dict
        if isinstance(holder.get(name), (int, float)):
            control = f'{path}["{bpy.utils.escape_identifier(name)}"]'
            yield Candidate(PROPERTY, item.name, control, name)


def rows_of(coverage: Coverage, objects: Sequence[bpy.types.Object]) -> list[RigRow]:
    """The rows that a preset comes to on a rig.

    Args:
        objects: those that the coverage's candidates were collected from.
    """
    by_name = {item.name: item for item in objects}
    rows = []
    for match in coverage.matches:
        owner = by_name[match.candidate.owner]
        # A bone that lies askew cannot tell what the preset asks; the other rows still can.
        with contextlib.suppress(InputError):
            rows.append(RigRow(_row_of_match(match, owner), owner))
    return rows


def _row_of_match(match: Match, owner: bpy.types.Object) -> MappingRow:
    row, candidate = match.row, match.candidate
    channel, factor = row.channel, 1.0
    if channel in TURNS or channel in MOVES:
        bone = owner.data.bones[candidate.control]
        letter, sign = _own_axis(bone, _AXES[channel[-1]], _ALIGNED)
        if channel in TURNS:
            channel, factor = f"ROT_{letter}", math.radians(sign)
        else:
            channel, factor = f"LOC_{letter}", sign * bone.length
    source = Source(candidate.kind, candidate.owner, candidate.control, channel)
    return MappingRow(
        source,
        row.parameter,
        row.start * factor,
        row.end * factor,
        row.amount * match.share,
        row.invert,
        row.clamp,
        row.combine,
    )


def _own_axis(bone: bpy.types.Bone, axis: Vector, aligned: float) -> tuple[str, float]:
    """Letter and sign of the bone's own axis along one of the armature's.

    Raises:
        InputError: none lies nearly along it.
    """
    local = bone.matrix_local.to_3x3().inverted() @ axis
    letter, component = max(zip(_LETTERS, local, strict=True), key=lambda pair: abs(pair[1]))
    if abs(component) < aligned:
        raise InputError(f"The bone {bone.name!r} lies askew at rest", _ASKEW_HINT)
    return letter, math.copysign(1.0, component)


def head_rows(armature: bpy.types.Object, bone_name: str) -> list[RigRow]:
    """Rows for the head's angles and place by how a bone moved away from its rest pose.

    The angles are those of R = yaw · pitch · roll, as the worker measures them on a picture. The
    turns and shifts of neck bones below the head are added, which is exact where they share an
    axis. Blender's metres are the face's, whatever the scale of the armature object.

    Args:
        armature: object whose rest pose looks along −Y with +Z up.
        bone_name: the head bone; at rest its axes lie along those of the armature.

    Raises:
        InputError: there is no such bone, or it lies askew at rest.
    """
    bone = armature.data.bones.get(bone_name)
    if bone is None:
        raise InputError(f"{armature.name!r} has no bone {bone_name!r}", "Choose the head bone.")
    by_bone = [_rows_of_head_bone(armature, bone)]
    for neck_bone in _neck_bones(bone):
        # A neck that leans far forward turns about axes of its own; the head alone counts then.
        with contextlib.suppress(InputError):
            by_bone.append(_rows_of_head_bone(armature, neck_bone))
    return [RigRow(row, armature) for group in zip(*by_bone, strict=True) for row in group]


def _rows_of_head_bone(armature: bpy.types.Object, bone: bpy.types.Bone) -> list[MappingRow]:
    """A row for each of HEAD_PARAMETERS. Raises InputError where the bone lies askew at rest."""
    turns = [_own_axis(bone, Vector(each.axis), _HEAD_ALIGNED) for each in _HEAD_TURNS]
    shifts = [_own_axis(bone, Vector(each.axis), _HEAD_ALIGNED) for each in _HEAD_SHIFTS]
    order = "".join(letter for letter, _ in turns)
    rows = []
    for each, (letter, sign) in zip(_HEAD_TURNS, turns, strict=True):
        source = Source(BONE, armature.name, bone.name, f"ROT_{letter}", order)
        rows.append(MappingRow(source, each.parameter, 0.0, sign * each.reach, each.amount))
    for each, (letter, sign) in zip(_HEAD_SHIFTS, shifts, strict=True):
        source = Source(BONE, armature.name, bone.name, f"LOC_{letter}", order)
        rows.append(MappingRow(source, each.parameter, 0.0, sign * each.reach, each.amount))
    return rows


def _neck_bones(bone: bpy.types.Bone) -> list[bpy.types.Bone]:
    """The bones right below the head bone that are named as a neck."""
    necks = []
    while bone.parent is not None and "neck" in bone.parent.name.lower():
        bone = bone.parent
        necks.append(bone)
    return necks


def guess_head_bone(armature: bpy.types.Object, names: Sequence[str] = ()) -> str | None:
    """The bone that has one of these or of the usual names of a head bone, None where none has."""
    by_name = {bone.name.lower(): str(bone.name) for bone in armature.data.bones}
    wanted = (*(name.lower() for name in names), *HEAD_BONES)
    return next((by_name[name] for name in wanted if name in by_name), None)


def mirrored(rig_row: RigRow, schema: ParameterSchema = ARKIT_52) -> RigRow:
    """The row that does on the other side of the face what this one does on its own.

    The control's name is flipped as Blender flips names; a bone's range is negated where its axis
    is not the mirror image of the other bone's.

    Raises:
        InputError: neither control nor parameter has another side, or the bones do not lie alike.
    """
    row = rig_row.row
    control = bpy.utils.flip_name(row.source.control)
    partner = schema.parameters[schema.index[row.parameter]].mirror
    if control == row.source.control and partner == row.parameter:
        raise InputError("The row has no other side", "Choose one of a left or right control.")
    sign = 1.0
    if row.source.kind == BONE:
        bones = rig_row.owner.data.bones
        if control not in bones:
            raise InputError(f"{rig_row.owner.name!r} has no bone {control!r}")
        sign = _mirror_sign(bones[row.source.control], bones[control], row.source.channel)
    source = replace(row.source, control=control)
    start, end = sign * row.start, sign * row.end
    return RigRow(
        replace(row, source=source, parameter=partner, start=start, end=end), rig_row.owner
    )


def _mirror_sign(bone: bpy.types.Bone, other: bpy.types.Bone, channel: str) -> float:
    """-1 where the same number on the other bone is the mirror image's opposite."""
    if channel in SCALES:
        return 1.0
    column = _LETTERS.index(channel[-1])
    image = bone.matrix_local.to_3x3().col[column].copy()
    image.x = -image.x
    if channel in ROTATIONS:  # an axis of rotation is mirrored the other way round
        image = -image
    likeness = image.dot(other.matrix_local.to_3x3().col[column])
    if abs(likeness) < _ALIGNED:
        raise InputError(
            f"{bone.name!r} and {other.name!r} do not lie alike", "Add the other row by hand."
        )
    return math.copysign(1.0, likeness)


def source_value(owner: bpy.types.Object, source: Source) -> float:
    """The number that a driver reads from a source now, in metres or radians where it is one.

    Raises:
        InputError: there is no such control.
    """
    try:
        if source.kind == SHAPE_KEY:
            return float(owner.data.shape_keys.key_blocks[source.control].value)
        if source.kind == PROPERTY:
            return float(owner.path_resolve(source.control))
        return _bone_value(owner, source)
    except (AttributeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{owner.name!r} has no {source.control!r} to read") from error


def _bone_value(owner: bpy.types.Object, source: Source) -> float:
    bone = owner.pose.bones[source.control]
    matrix = owner.convert_space(
        pose_bone=bone, matrix=bone.matrix, from_space="POSE", to_space="LOCAL"
    )
    index = _LETTERS.index(source.channel[-1])
    if source.channel in LOCATIONS:
        return float(matrix.to_translation()[index])
    if source.channel in ROTATIONS:
        order = source.order
        if order == "AUTO":
            order = bone.rotation_mode if bone.rotation_mode in _EULER_ORDERS else "XYZ"
        return float(matrix.to_euler(order)[index])
    return float(matrix.to_scale()[index])


_EULER_ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
