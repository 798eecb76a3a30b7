# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rig offers: its controls, and the numbers they have now."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector

from ..camera.mapping_rows import RigRow
from ..shared.errors import InputError
from ..shared.mapping.presets import MOVES, TURNS, Candidate, Coverage, Match
from ..shared.mapping.rows import (
    ANGLES,
    AS_SET,
    BODY,
    BONE,
    CAMERA,
    LOCATIONS,
    OBJECT,
    PROPERTY,
    ROTATIONS,
    SCALES,
    SHAPE_KEY,
    TURN,
    MappingRow,
    Source,
)
from ..shared.mapping.turns import angle, turn
from ..shared.parameters.schema import FACE_SCHEMA, ParameterSchema
from .body_axes import BodyAxes, armature_axes, coordinates, directions_of
from .head_bone import bone_turn_source, guess_head_bone

_LETTERS = "XYZ"
_INNER_BONES = ("ORG-", "MCH-", "DEF-", "VIS_", "photorig_")
"""Beginnings of the names of bones that are not to be mapped: Rigify's own, which are not for
animators, and those of our control board, which drives shape keys that are mapped."""
_ALIGNED = math.cos(math.radians(50))
_AXES = {"X": Vector((1, 0, 0)), "Y": Vector((0, 1, 0)), "Z": Vector((0, 0, 1))}
_MOVED = 1e-4
"""Part of a mesh's size from which on a vertex counts as moved."""


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


def faces_first(objects: Iterable[bpy.types.Object], face: str = "") -> list[bpy.types.Object]:
    """Objects with the mesh whose shape keys move most vertices first; disabled meshes are last.

    On characters of many meshes eyes, teeth and clothes often have the face's keys too.

    Args:
        face: name of the mesh that comes first in any case.
    """
    moved = {item: moved_vertices(item) for item in objects}
    return sorted(
        moved, key=lambda item: (item.name != face, is_disabled(item), -moved[item], item.type)
    )


def moved_vertices(item: bpy.types.Object) -> int:
    """How many vertices an object's shape keys move, counted for each key."""
    keys = getattr(item.data, "shape_keys", None)
    if keys is None:
        return 0
    rest = coordinates(keys.reference_key)
    near = _MOVED * float(np.ptp(rest, axis=0).max()) if len(rest) else 0.0
    changes = (
        np.abs(coordinates(block) - rest).max(axis=1)
        for block in keys.key_blocks
        if block != keys.reference_key and len(rest)
    )
    return sum(int(np.count_nonzero(change > near)) for change in changes)


def is_disabled(item: bpy.types.Object) -> bool:
    """Whether the viewport shows nothing of an object, in any file it is linked into."""
    return bool(item.hide_viewport)


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
    axes: dict[str, BodyAxes] = {}
    rows = []
    for match in coverage.matches:
        owner = by_name[match.candidate.owner]
        if match.row.is_bone and owner.name not in axes:
            axes[owner.name] = _axes_or_own(owner, objects)
        # A bone that lies askew cannot tell what the preset asks; the other rows still can.
        with contextlib.suppress(InputError):
            rows.append(RigRow(_row_of_match(match, owner, axes.get(owner.name)), owner))
    return rows


def _axes_or_own(armature: bpy.types.Object, objects: Iterable[bpy.types.Object]) -> BodyAxes:
    """How a character stands; where that is not understood, its face looks along its own -Y."""
    head = armature.data.bones.get(guess_head_bone(armature) or "")
    try:
        return armature_axes(armature, head or armature.data.bones[0], objects)
    except InputError:
        try:
            return BodyAxes(directions_of(armature))
        except InputError:
            return BodyAxes(Matrix.Identity(3))


def _row_of_match(match: Match, owner: bpy.types.Object, axes: BodyAxes | None) -> MappingRow:
    row, candidate = match.row, match.candidate
    channel, factor = row.channel, 1.0
    source = Source(candidate.kind, candidate.owner, candidate.control, channel, space=row.space)
    if axes is not None and channel in ANGLES:
        bone = owner.data.bones[candidate.control]
        source, factor = bone_turn_source(owner, bone, axes, channel), math.radians(1)
    elif axes is not None and (channel in TURNS or channel in MOVES):
        bone = owner.data.bones[candidate.control]
        letter, sign = _own_axis(owner, bone, axes.matrix @ _AXES[channel[-1]])
        kind, factor = (
            ("ROT", math.radians(sign)) if channel in TURNS else ("LOC", sign * bone.length)
        )
        source = replace(source, channel=f"{kind}_{letter}")
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


def _own_axis(armature: bpy.types.Object, bone: bpy.types.Bone, axis: Vector) -> tuple[str, float]:
    """Letter and sign of the bone's own axis along one of the world's at rest.

    Raises:
        InputError: none lies nearly along it.
    """
    own = directions_of(armature) @ bone.matrix_local.to_3x3()
    parts = zip(_LETTERS, (column.dot(axis) for column in own.col), strict=True)
    letter, component = max(parts, key=lambda pair: abs(pair[1]))
    if abs(component) < _ALIGNED:
        raise InputError(f"The bone {bone.name!r} lies askew at rest")
    return letter, math.copysign(1.0, component)


def mirrored(rig_row: RigRow, schema: ParameterSchema = FACE_SCHEMA) -> RigRow:
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
    sign, rest = 1.0, row.source.rest
    if row.source.kind in (BONE, TURN) and control:
        bones = rig_row.owner.data.bones
        if control not in bones:
            raise InputError(f"{rig_row.owner.name!r} has no bone {control!r}")
        bone, other = bones[row.source.control], bones[control]
        if row.source.kind == BONE:
            sign = _mirror_sign(bone, other, row.source.channel)
        else:
            sign = 1.0 if row.source.channel == "PITCH" else -1.0
            between = (bone.matrix_local.inverted() @ other.matrix_local).to_quaternion()
            rest = tuple(Quaternion(rest) @ between)
    source = replace(row.source, control=control, rest=rest)
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


def is_off(item: bpy.types.PropertyGroup) -> bool:
    """Whether the viewport shows nothing of a row's shape key."""
    if item.kind != SHAPE_KEY or item.owner is None:
        return False
    return is_disabled(item.owner) or item.owner.data.shape_keys.key_blocks[item.control].mute


def source_value(
    owner: bpy.types.Object, source: Source, viewer: bpy.types.Object | None = None
) -> float:
    """The number that a driver reads from a source now, as the viewport shows it.

    Args:
        viewer: the camera object, for turns that are relative to it.

    Raises:
        InputError: there is no such control.
    """
    try:
        if source.kind == SHAPE_KEY:
            block = owner.data.shape_keys.key_blocks[source.control]
            return 0.0 if block.mute or is_disabled(owner) else float(block.value)
        if source.kind == PROPERTY:
            return float(owner.path_resolve(source.control))
        if source.kind == TURN:
            return _angle_value(owner, source, viewer)
        return _channel_value(owner, source)
    except (AttributeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{owner.name!r} has no {source.control!r} to read") from error


def _angle_value(owner: bpy.types.Object, source: Source, viewer: bpy.types.Object | None) -> float:
    matrix = owner.matrix_world
    if source.control:
        bone = owner.pose.bones[source.control]
        matrix = _local_matrix(owner, source) if source.space == BODY else matrix @ bone.matrix
    camera = None
    if source.space == CAMERA and viewer is not None:
        camera = np.array(viewer.matrix_world.decompose()[1])
    return angle(turn(source, np.array(matrix.decompose()[1]), camera), source.channel)


def _local_matrix(owner: bpy.types.Object, source: Source) -> Matrix:
    if source.kind == OBJECT:
        if source.space == AS_SET:
            return owner.matrix_basis
        return owner.convert_space(matrix=owner.matrix_world, from_space="WORLD", to_space="LOCAL")
    bone = owner.pose.bones[source.control]
    if source.space == AS_SET:
        return bone.matrix_basis
    return owner.convert_space(
        pose_bone=bone, matrix=bone.matrix, from_space="POSE", to_space="LOCAL"
    )


def _channel_value(owner: bpy.types.Object, source: Source) -> float:
    matrix = _local_matrix(owner, source)
    index = _LETTERS.index(source.channel[-1])
    if source.channel in LOCATIONS:
        return float(matrix.to_translation()[index])
    if source.channel in ROTATIONS:
        order = source.order
        if order == "AUTO":
            holder = owner.pose.bones[source.control] if source.control else owner
            mode = holder.rotation_mode
            order = mode if mode in EULER_ORDERS else "XYZ"
        return float(matrix.to_euler(order)[index])
    return float(matrix.to_scale()[index])


EULER_ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
