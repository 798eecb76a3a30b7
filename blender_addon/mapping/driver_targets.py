# SPDX-License-Identifier: GPL-3.0-or-later
"""What a driver's variables read, written and read back; nothing here knows rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy

from ..compat import plain_driver

SINGLE, TRANSFORM = "SINGLE_PROP", "TRANSFORMS"
LOCAL, AS_SET, WORLD = "LOCAL_SPACE", "TRANSFORM_SPACE", "WORLD_SPACE"
"""Blender's spaces: with what constraints do, without it, and in the world."""


@dataclass(frozen=True)
class Target:
    """What a driver's variable reads.

    Attributes:
        kind: SINGLE or TRANSFORM.
        id: the data-block.
        path: data path of a single property.
        bone, channel, order, space: of a transform; "" for the object's own.
    """

    kind: str
    id: bpy.types.ID
    path: str = ""
    bone: str = ""
    channel: str = ""
    order: str = "AUTO"
    space: str = LOCAL


def key_path(name: str, what: str = "value") -> str:
    """Where a shape key's number is, from the object that has it.

    From the object and not from its Key: Blender does not keep what points to the Key of a linked
    object when a file is saved.
    """
    return f'data.shape_keys.key_blocks["{bpy.utils.escape_identifier(name)}"].{what}'


def curve_at(owner: bpy.types.ID, path: str) -> bpy.types.FCurve | None:
    """The driver of a property."""
    animation = owner.animation_data
    return None if animation is None else animation.drivers.find(path)


def write_driver(
    owner: bpy.types.ID, path: str, expression: str, variables: dict[str, Target]
) -> None:
    """Let a driver say this; one that says it already stays as it is."""
    present = curve_at(owner, path)
    if present is not None and _says(present, expression, variables):
        return
    driver = plain_driver(owner, path).driver
    for name, target in variables.items():
        # A property that a script made unnoticed would be missing at the first evaluation, and
        # Blender never again tries a driver that failed.
        target.id.update_tag()
        variable = driver.variables.new()
        variable.name, variable.type = name, target.kind
        slot = variable.targets[0]
        if target.kind == SINGLE:
            slot.id_type = target.id.id_type
            slot.id = target.id
            slot.data_path = target.path
        else:
            slot.id, slot.bone_target = target.id, target.bone
            slot.transform_space = target.space
            slot.transform_type, slot.rotation_mode = target.channel, target.order
    driver.type = "SCRIPTED"
    driver.expression = expression


def _says(curve: bpy.types.FCurve, expression: str, variables: dict[str, Target]) -> bool:
    driver = curve.driver
    is_plain = not len(curve.modifiers) and not len(curve.keyframe_points)
    if not (driver.is_valid and is_plain) or driver.type != "SCRIPTED":
        return False
    if driver.expression != expression:
        return False
    return {each.name: read_target(each) for each in driver.variables} == variables


def read_target(variable: bpy.types.DriverVariable) -> Target | None:
    """What a variable reads, None where it is of a kind that we do not write."""
    if len(variable.targets) != 1 or variable.targets[0].id is None:
        return None
    slot = variable.targets[0]
    if variable.type == SINGLE:
        return Target(SINGLE, slot.id, slot.data_path)
    if variable.type != TRANSFORM:
        return None
    channel, order, space = slot.transform_type, slot.rotation_mode, slot.transform_space
    return Target(TRANSFORM, slot.id, "", slot.bone_target, channel, order, space)


def driver_problem(curve: bpy.types.FCurve | None) -> str:
    """Why a driver gives nothing, "" where it does."""
    if curve is None:
        return "Its driver is missing"
    for variable in curve.driver.variables:
        for target in variable.targets:
            if target.id is None:
                return "Its driver has lost what it reads"
            if target.id.is_missing:
                return f"{target.id.name!r} is in a library that was not found"
    return "" if curve.driver.is_valid else "Its driver is invalid"


def quaternion_targets(
    item: bpy.types.Object, bone: str, space: str, letters: Sequence[str]
) -> dict[str, Target]:
    """Variables of the four numbers of a rotation, named by the letters in the order w, x, y, z."""
    return {
        letter: Target(TRANSFORM, item, "", bone, f"ROT_{axis}", "QUATERNION", space)
        for letter, axis in zip(letters, "WXYZ", strict=True)
    }
