"""Heads of rigs as programs make them, and how to turn and move them by what a viewer sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import bpy
from mathutils import Matrix, Vector
from rigs import evaluated, select

ANGLES = ("headYaw", "headPitch", "headRoll")
PLACES = ("headX", "headY", "headZ")


@dataclass(frozen=True)
class Rig:
    """A skeleton in its armature's own axes and units.

    Attributes:
        bones: name, parent, head, tail and roll in degrees, parents first.
        head, neck, torso: names of bones; "" where there is none.
        turned: degrees about X, Y, Z of the armature object.
        scale: of the armature object.
        unit: `scene.unit_settings.scale_length`.
    """

    bones: Sequence[tuple[str, str, tuple, tuple, float]]
    head: str
    neck: str = ""
    torso: str = ""
    turned: tuple[float, float, float] = (0, 0, 0)
    scale: float = 1.0
    unit: float = 1.0
    eyes: tuple[str, str] | tuple[()] = field(default=())


def body(
    names: dict[str, str], up: str = "Z", unit: float = 1.0, lean: float = 0.0, roll: float = 0.0
) -> list[tuple[str, str, tuple, tuple, float]]:
    """A skeleton from hips to head with eyes and arms, along the axes that a program uses.

    Args:
        names: of hips, chest, neck, head, left and right arm and eye; those that are left out
            are not there.
        up: "Z" for a face that looks along -Y, "Y" for one that looks along +Z.
        lean: degrees by which the head bone leans forward.
        roll: degrees of the head bone about itself.
    """
    lean_forward = math.tan(math.radians(lean)) * 0.2
    places = {
        "hips": ("", (0, 0, 1.0), (0, 0, 1.2)),
        "chest": ("hips", (0, 0, 1.2), (0, 0, 1.5)),
        "neck": ("chest", (0, 0, 1.5), (0, -0.03, 1.6)),
        "head": ("neck", (0, -0.03, 1.6), (0, -0.03 - lean_forward, 1.8)),
        "arm_left": ("chest", (0.2, 0, 1.45), (0.6, 0, 1.45)),
        "arm_right": ("chest", (-0.2, 0, 1.45), (-0.6, 0, 1.45)),
        "eye_left": ("head", (0.03, -0.1, 1.7), (0.03, -0.14, 1.71)),
        "eye_right": ("head", (-0.03, -0.1, 1.7), (-0.03, -0.14, 1.71)),
    }

    def placed(point: tuple[float, float, float]) -> tuple[float, float, float]:
        x, y, z = (value * unit for value in point)
        return (x, y, z) if up == "Z" else (x, z, -y)

    bones = []
    for part, (parent, head, tail) in places.items():
        if part in names:
            while parent and parent not in names:
                parent = places[parent][0]
            angle = roll if part == "head" else 0.0
            bones.append((names[part], names.get(parent, ""), placed(head), placed(tail), angle))
    return bones


def build(scene: bpy.types.Scene, rig: Rig, name: str = "Rig") -> bpy.types.Object:
    """The armature object of a rig, selected."""
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    scene.collection.objects.link(armature)
    select(armature)
    bpy.ops.object.mode_set(mode="EDIT")
    for bone_name, parent, head, tail, roll in rig.bones:
        bone = armature.data.edit_bones.new(bone_name)
        bone.head, bone.tail, bone.roll = head, tail, math.radians(roll)
        if parent:
            bone.parent = armature.data.edit_bones[parent]
    bpy.ops.object.mode_set(mode="OBJECT")
    armature.rotation_euler = [math.radians(angle) for angle in rig.turned]
    armature.scale = (rig.scale,) * 3
    scene.unit_settings.scale_length = rig.unit
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
    bpy.context.view_layer.update()
    return armature


def seen_turn(yaw: float, pitch: float, roll: float, facing: float = 0.0) -> Matrix:
    """The turn in the world that a viewer in front of the face sees as these angles, in degrees.

    Args:
        facing: degrees about Z by which the face looks away from -Y at rest.
    """
    turn = (
        Matrix.Rotation(math.radians(yaw), 3, "Z")
        @ Matrix.Rotation(math.radians(-pitch), 3, "X")
        @ Matrix.Rotation(math.radians(-roll), 3, "Y")
    )
    around = Matrix.Rotation(math.radians(facing), 3, "Z")
    return around @ turn @ around.inverted()


def turn_bone(armature: bpy.types.Object, name: str, turn: Matrix) -> None:
    """Turn a bone in the world, away from its rest pose; its parents are at rest."""
    bone = armature.pose.bones[name]
    at_rest = armature.matrix_world.to_3x3().normalized() @ bone.bone.matrix_local.to_3x3()
    bone.rotation_quaternion = (at_rest.inverted() @ turn @ at_rest).to_quaternion()


def move_bone(armature: bpy.types.Object, name: str, way: Vector) -> None:
    """Move a bone in the world, in the scene's units."""
    bone = armature.pose.bones[name]
    at_rest = armature.matrix_world.to_3x3() @ bone.bone.matrix_local.to_3x3()
    bone.location = at_rest.inverted() @ way


def reset(armature: bpy.types.Object) -> None:
    for bone in armature.pose.bones:
        bone.matrix_basis = Matrix()


def angles(scene: bpy.types.Scene) -> tuple[float, ...]:
    """Yaw, pitch and roll of the scene's camera, in degrees."""
    parameters = evaluated(scene)
    return tuple(getattr(parameters, name) for name in ANGLES)


def places(scene: bpy.types.Scene) -> tuple[float, ...]:
    """Where the head is to image right, up and towards the camera, in centimetres."""
    parameters = evaluated(scene)
    return tuple(getattr(parameters, name) for name in PLACES)
