# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way a character stands and looks at rest, in the world, and what a centimetre is on it.

A centimetre is one everywhere: of what is seen in the scene, `scene.unit_settings` included. An
armature at scale 0.01 whose head moves by one of its own units moves by a centimetre in a scene in
metres, and so does one at scale 1 in a scene whose unit is a centimetre.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector

from ..shared.errors import InputError
from ..shared.mapping.control_names import control_name

_UPRIGHT = math.cos(math.radians(30))
_NEAR_AXIS = math.cos(math.radians(20))
_LYING = 0.3
"""Cosine below which what should be above something is not."""
_ONE_SIDED = 0.5
"""Part of the distances between left and right that must lie in one direction."""
_FAR = 2.0
"""Bone lengths from the armature's origin from which on its direction says something."""
_MOST_KEYS = 24
_NAMES = (("X", Vector((1, 0, 0))), ("Y", Vector((0, 1, 0))), ("Z", Vector((0, 0, 1))))


@dataclass(frozen=True)
class BodyAxes:
    """How a character stands.

    Attributes:
        matrix: 3 × 3, the world's directions of its own left, its back and its top as columns. A
            face that looks along -Y with +Z up has the unit matrix.
    """

    matrix: Matrix

    @property
    def quaternion(self) -> Quaternion:
        return self.matrix.to_quaternion()

    @property
    def text(self) -> str:
        """As "looks along −Y, its top is +Z, its left is +X"."""
        left, back, top = (self.matrix.col[index] for index in range(3))
        return (
            f"looks along {axis_name(-back)}, its top is {axis_name(top)},"
            f" its left is {axis_name(left)}"
        )


def axis_name(direction: Vector) -> str:
    """The world axis nearest to a direction, "between" two where it lies askew."""
    by_nearness = sorted(
        ((direction.normalized().dot(axis), name) for name, axis in _NAMES),
        key=lambda e: -abs(e[0]),
    )
    names = [f"{'+' if cosine > 0 else '−'}{name}" for cosine, name in by_nearness]
    if abs(by_nearness[0][0]) > _NEAR_AXIS:
        return names[0]
    return f"between {names[0]} and {names[1]}"


def centimetres(item: bpy.types.Object) -> float:
    """Centimetres in a unit of the scene that an object is in."""
    scenes = item.users_scene
    scene = bpy.context.scene
    if scene not in scenes and scenes:
        scene = scenes[0]
    return 100.0 * float(scene.unit_settings.scale_length)


def directions_of(item: bpy.types.Object) -> Matrix:
    """3 × 3, an object's own axes in the world, each of length 1. Raises InputError."""
    matrix = item.matrix_world.to_3x3()
    if min(column.length for column in matrix.col) == 0:
        raise InputError(f"{item.name!r} has a scale of 0", "Give it another one.")
    if matrix.determinant() < 0:
        raise InputError(
            f"{item.name!r} is mirrored: its left is its right",
            "Apply its negative scale, or choose head rows by hand.",
        )
    return Matrix([column.normalized() for column in matrix.col]).transposed()


def armature_axes(
    armature: bpy.types.Object, head: bpy.types.Bone, meshes: Iterable[bpy.types.Object] = ()
) -> BodyAxes:
    """How the character of an armature stands, by its rest pose and where its object is now.

    Its top is the armature's axis that points up. Which way it looks is told by bones in pairs
    (left and right), or by shape keys in pairs, or else by what is usual: along -Y where +Z is up,
    and, as in FBX files, along +Z where +Y is up.

    Raises:
        InputError: it does not stand, or it cannot be told how.
    """
    own = directions_of(armature)
    left = _left_of_bones(armature)
    if left is not None:
        left = own @ left
    else:
        left = left_of_meshes(meshes)
    above = _above(armature, head, is_lone=left is None)
    return _axes(armature, own, above, left)


def object_axes(item: bpy.types.Object) -> BodyAxes:
    """How the head stands that a mesh without an armature is. Raises InputError."""
    return _axes(item, directions_of(item), None, left_of_meshes([item]))


def _axes(
    item: bpy.types.Object, own: Matrix, above: Vector | None, left: Vector | None
) -> BodyAxes:
    axes = [sign * own.col[index] for index in range(3) for sign in (1.0, -1.0)]
    top = max(axes, key=lambda axis: axis.z)
    if top.z < _UPRIGHT and above is not None and above.z > _UPRIGHT:
        top = Vector((0, 0, 1))
    if top.z < _UPRIGHT or (above is not None and above.dot(top) < _LYING):
        where = above if above is not None else own.col[2]
        raise InputError(
            f"{item.name!r} does not stand upright at rest: its top is {axis_name(where)}"
            " of the world",
            "Turn the object until it stands on +Z; afterwards it may lie again.",
        )
    if left is None:
        looks = _usual_look(item, own, top)
    else:
        level = left - left.dot(top) * top
        if level.length < math.cos(math.radians(45)) * left.length:
            raise InputError(
                f"It is not understood how {item.name!r} stands: its top is {axis_name(top)} of"
                f" the world, its left is {axis_name(left)}",
                "Turn the object until it stands on +Z, or name left and right as they are.",
            )
        looks = level.normalized().cross(top)
        nearest = max(axes, key=looks.dot)
        if nearest.dot(looks) > _NEAR_AXIS and abs(nearest.dot(top)) < 0.1:
            looks = nearest
    back = -(looks - looks.dot(top) * top).normalized()
    return BodyAxes(Matrix([back.cross(top), back, top]).transposed())


def _usual_look(item: bpy.types.Object, own: Matrix, top: Vector) -> Vector:
    if top.dot(own.col[2]) > _NEAR_AXIS:
        return -own.col[1]
    if top.dot(own.col[1]) > _NEAR_AXIS:
        return own.col[2].copy()
    raise InputError(
        f"It cannot be told which way {item.name!r} looks: its own X is {axis_name(own.col[0])},"
        f" Y {axis_name(own.col[1])}, Z {axis_name(own.col[2])} of the world",
        "Name bones of its left and right side, or turn it so that +Z is up and it looks along -Y.",
    )


def _left_of_bones(armature: bpy.types.Object) -> Vector | None:
    """From right to left by bones in pairs, in the armature's axes; None where none say."""
    sides: dict[tuple[str, ...], dict[str, Vector]] = {}
    for bone in armature.data.bones:
        name = control_name(bone.name)
        if len(name.sides) == 1 and name.words:
            middle = (bone.head_local + bone.tail_local) / 2
            sides.setdefault(name.words, {})[name.sides[0]] = middle
    return _common([pair["left"] - pair["right"] for pair in sides.values() if len(pair) == 2])


def left_of_meshes(meshes: Iterable[bpy.types.Object]) -> Vector | None:
    """From right to left in the world by shape keys in pairs, None where none say."""
    ways = []
    for item in meshes:
        turn = item.matrix_world.to_3x3()
        ways += [turn @ way for way in _key_ways(item)]
    return _common(ways)


def _key_ways(item: bpy.types.Object) -> Iterator[Vector]:
    keys = getattr(item.data, "shape_keys", None)
    if keys is None:
        return
    sides: dict[tuple[str, ...], dict[str, bpy.types.ShapeKey]] = {}
    for block in keys.key_blocks:
        name = control_name(block.name)
        if block != keys.reference_key and len(name.sides) == 1 and len(name.words) > 1:
            sides.setdefault(name.words, {})[name.sides[0]] = block
    pairs = [pair for pair in sides.values() if len(pair) == 2][:_MOST_KEYS]
    if not pairs:
        return
    rest = coordinates(keys.reference_key)
    for pair in pairs:
        middles = [_middle_of_change(rest, coordinates(pair[side])) for side in ("left", "right")]
        if middles[0] is not None and middles[1] is not None:
            yield Vector(middles[0] - middles[1])


def coordinates(block: bpy.types.ShapeKey) -> np.ndarray:
    """(n, 3) float32 places of a shape key's points, in the object's axes."""
    points = np.empty(3 * len(block.data), np.float32)
    block.data.foreach_get("co", points)
    return points.reshape(-1, 3)


def _middle_of_change(rest: np.ndarray, moved: np.ndarray) -> np.ndarray | None:
    amounts = np.linalg.norm(moved - rest, axis=1)
    total = float(amounts.sum())
    return None if total == 0 else (rest * amounts[:, None]).sum(axis=0) / total


def _common(ways: list[Vector]) -> Vector | None:
    total = sum((way.length for way in ways), 0.0)
    together = sum(ways, Vector((0, 0, 0)))
    if total == 0 or together.length < _ONE_SIDED * total:
        return None
    return together.normalized()


def _above(armature: bpy.types.Object, head: bpy.types.Bone, is_lone: bool) -> Vector | None:
    """From what the head stands on to the head, in the world; None where nothing says."""
    below, way = head, Vector((0, 0, 0))
    while below.parent is not None and way.length < head.length:
        below = below.parent
        way = head.head_local - below.head_local
    if way.length < head.length / 2:
        if not is_lone:
            return None
        way = head.head_local.copy()  # from the armature's origin, as a floor
        if way.length < _FAR * head.length:
            way = head.matrix_local.to_3x3().col[1]
            # A bone may point anywhere; only where it points up does it say something.
            own = armature.matrix_world.to_3x3() @ Vector((0, 0, 1))
            if own.normalized().z > _UPRIGHT:
                return None
    return (armature.matrix_world.to_3x3() @ way).normalized()
