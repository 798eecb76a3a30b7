# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows for the head: which bone or object it is, how it is turned, and where it moves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import bpy
from mathutils import Matrix, Vector

from ..camera.mapping_rows import RigRow
from ..shared.errors import InputError
from ..shared.mapping.control_names import head_rank, is_neck
from ..shared.mapping.rows import (
    AS_SET,
    BODY,
    BONE,
    CAMERA,
    LOCATIONS,
    OBJECT,
    TURN,
    WORLD,
    MappingRow,
    Source,
)
from .body_axes import BodyAxes, armature_axes, centimetres, directions_of, object_axes

AUTO = "AUTO"
HEAD_SPACES = (AUTO, BODY, WORLD, CAMERA)
"""What the head's turns may be measured from; AUTO is BODY where a neck is added, else WORLD."""
_ALIGNED = math.cos(math.radians(30))
_EXACTLY = math.cos(math.radians(0.1))
_NO_PART = 0.002
_LETTERS = "XYZ"
_ASKEW_HINT = "The head bone must lie along the character's axes at rest: it "


@dataclass(frozen=True)
class _HeadAxis:
    """A head angle or shift and the axis about or along which it is counted.

    Attributes:
        axis: of a face that looks along -Y with +Z up; +X is image right in Blender's front view.
    """

    parameter: str
    channel: str
    axis: tuple[float, float, float]


_TURNS = (
    _HeadAxis("headRoll", "ROLL", (0, -1, 0)),
    _HeadAxis("headPitch", "PITCH", (-1, 0, 0)),
    _HeadAxis("headYaw", "YAW", (0, 0, 1)),
)
"""In the order in which they turn: roll, then pitch, then yaw, as Blender names Euler orders."""
_SHIFTS = (
    _HeadAxis("headX", "", (1, 0, 0)),
    _HeadAxis("headY", "", (0, 0, 1)),
    _HeadAxis("headZ", "", (0, -1, 0)),
)
"""Directions in which the head moves: image right, up, towards the camera."""
_FULL_TURN, _FULL_SHIFT = 90.0, 10.0
"""Degrees and centimetres that a row's gain is told in."""

HEAD_PARAMETERS = tuple(each.parameter for each in (*_TURNS, *_SHIFTS))


def guess_head_bone(armature: bpy.types.Object, names: Sequence[str] = ()) -> str | None:
    """The bone that has one of these names or is named as heads are, None where none is."""
    wanted = [name.lower() for name in names]
    ranked: list[tuple[int, int, str]] = []
    for bone in armature.data.bones:
        name = bone.name.lower()
        rank = wanted.index(name) - len(wanted) if name in wanted else head_rank(bone.name)
        if rank is not None:
            ranked.append((rank, len(ranked), str(bone.name)))
    return min(ranked)[2] if ranked else None


def neck_bones(bone: bpy.types.Bone) -> list[bpy.types.Bone]:
    """The bones right below the head bone that are named as a neck."""
    necks = []
    while bone.parent is not None and is_neck(bone.parent.name):
        bone = bone.parent
        necks.append(bone)
    return necks


def space_of(bone: bpy.types.Bone, space: str = AUTO) -> str:
    """What a head bone's turns are measured from; see HEAD_SPACES."""
    if space != AUTO:
        return space
    return BODY if neck_bones(bone) else WORLD


def head_rows(
    armature: bpy.types.Object,
    bone_name: str,
    space: str = AUTO,
    meshes: Iterable[bpy.types.Object] = (),
) -> list[RigRow]:
    """Rows for the head's angles and place by how a bone moved away from its rest pose.

    The angles are those of R = yaw · pitch · roll, as the worker measures them on a picture. In
    BODY the turns and shifts of neck bones below the head are added, which is exact where they
    share an axis. A centimetre is one of the scene, whatever the object's scale.

    Args:
        bone_name: the head bone.
        space: see HEAD_SPACES.
        meshes: their shape keys help to tell which way the character looks.

    Raises:
        InputError: there is no such bone, it lies askew at rest, or it is not understood how the
            character stands.
    """
    bone = armature.data.bones.get(bone_name)
    if bone is None:
        raise InputError(f"{armature.name!r} has no bone {bone_name!r}", "Choose the head bone.")
    axes = armature_axes(armature, bone, meshes)
    _check_not_askew(armature, bone, axes)
    chosen = space_of(bone, space)
    necks = neck_bones(bone) if chosen == BODY else []
    by_bone = [
        _turn_rows(armature, each, axes, chosen) + _shift_rows(armature, each, axes)
        for each in (bone, *necks)
    ]
    order = {name: number for number, name in enumerate(HEAD_PARAMETERS)}
    rows = [row for group in by_bone for row in group]
    rows.sort(key=lambda row: order[row.parameter])
    return [RigRow(row, armature) for row in rows]


def object_rows(item: bpy.types.Object, space: str = AUTO) -> list[RigRow]:
    """Rows for the head's angles and place by a mesh without an armature; see head_rows."""
    axes = object_axes(item)
    chosen = CAMERA if space == CAMERA else WORLD
    rest = item.matrix_world.to_3x3().normalized()
    rows = [_turn_row(item, "", axes, chosen, each, rest) for each in _TURNS]
    above = (item.matrix_world @ item.matrix_basis.inverted_safe()).to_3x3()
    unit = centimetres(item)
    for each in _SHIFTS:
        way = axes.matrix @ Vector(each.axis)
        for index, channel in enumerate(LOCATIONS):
            column = above.col[index]
            part = way.dot(column) * unit
            if abs(part) > _NO_PART * unit * column.length:
                source = Source(OBJECT, item.name, "", channel, space=AS_SET)
                rows.append(_row_of_part(source, each.parameter, item.location[index], part))
    return [RigRow(row, item) for row in rows]


def _row_of_part(source: Source, parameter: str, start: float, part: float) -> MappingRow:
    """A row that adds ``part`` to a parameter for each unit of its source."""
    width = math.copysign(_FULL_SHIFT, part) / abs(part)
    return MappingRow(source, parameter, start, start + width, _FULL_SHIFT)


def _check_not_askew(armature: bpy.types.Object, bone: bpy.types.Bone, axes: BodyAxes) -> None:
    own = _bone_directions(armature, bone)
    for each in _TURNS:
        axis = axes.matrix @ Vector(each.axis)
        if max(abs(column.dot(axis)) for column in own.col) < _ALIGNED:
            raise InputError(f"The bone {bone.name!r} lies askew at rest", _ASKEW_HINT + axes.text)


def _bone_directions(armature: bpy.types.Object, bone: bpy.types.Bone) -> Matrix:
    """3 × 3, a bone's own axes at rest in the world."""
    return directions_of(armature) @ bone.matrix_local.to_3x3()


def _turn_rows(
    armature: bpy.types.Object, bone: bpy.types.Bone, axes: BodyAxes, space: str
) -> list[MappingRow]:
    """Plain rotation channels where the bone's own axes are the face's, turns otherwise."""
    own = _bone_directions(armature, bone)
    letters, signs = [], []
    for each in _TURNS:
        parts = [column.dot(axes.matrix @ Vector(each.axis)) for column in own.col]
        index = max(range(3), key=lambda number: abs(parts[number]))
        if abs(parts[index]) > _EXACTLY:
            letters.append(_LETTERS[index])
            signs.append(math.copysign(1.0, parts[index]))
    if space != BODY or len(letters) < len(_TURNS):
        return [_turn_row(armature, bone.name, axes, space, each, own) for each in _TURNS]
    order = "".join(letters)
    rows = []
    for each, letter, sign in zip(_TURNS, letters, signs, strict=True):
        source = Source(BONE, armature.name, bone.name, f"ROT_{letter}", order)
        rows.append(MappingRow(source, each.parameter, 0.0, sign * math.pi / 2, _FULL_TURN))
    return rows


def _turn_row(
    owner: bpy.types.Object,
    bone: str,
    axes: BodyAxes,
    space: str,
    each: _HeadAxis,
    rest: Matrix,
) -> MappingRow:
    source = turn_source(owner, bone, axes, space, each.channel, rest)
    return MappingRow(source, each.parameter, 0.0, math.pi / 2, _FULL_TURN)


def turn_source(
    owner: bpy.types.Object, bone: str, axes: BodyAxes, space: str, channel: str, rest: Matrix
) -> Source:
    """The source of a turn.

    Args:
        bone: "" for the object itself.
        channel: one of mapping.ANGLES.
        rest: 3 × 3, what turns at rest in the world.
    """
    frame, at_rest = axes.quaternion, rest.to_quaternion()
    return Source(
        TURN,
        owner.name,
        bone,
        channel,
        space=space,
        frame=(frame.w, frame.x, frame.y, frame.z),
        rest=(at_rest.w, at_rest.x, at_rest.y, at_rest.z),
    )


def bone_turn_source(
    armature: bpy.types.Object, bone: bpy.types.Bone, axes: BodyAxes, channel: str
) -> Source:
    """How far a bone is turned away from its rest pose."""
    return turn_source(armature, bone.name, axes, BODY, channel, _bone_directions(armature, bone))


def _shift_rows(
    armature: bpy.types.Object, bone: bpy.types.Bone, axes: BodyAxes
) -> list[MappingRow]:
    unit = centimetres(armature)
    columns = (armature.matrix_world.to_3x3() @ bone.matrix_local.to_3x3()).col
    rows = []
    for each in _SHIFTS:
        way = axes.matrix @ Vector(each.axis)
        for column, channel in zip(columns, LOCATIONS, strict=True):
            part = way.dot(column) * unit
            if abs(part) > _NO_PART * unit * column.length:
                source = Source(BONE, armature.name, bone.name, channel)
                rows.append(_row_of_part(source, each.parameter, 0.0, part))
    return rows


__all__ = [
    "AUTO",
    "HEAD_PARAMETERS",
    "HEAD_SPACES",
    "bone_turn_source",
    "guess_head_bone",
    "head_rows",
    "neck_bones",
    "object_rows",
    "space_of",
]
