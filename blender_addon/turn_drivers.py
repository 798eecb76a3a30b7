# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns as drivers: a bone's or object's rotation to yaw, pitch and roll, in simple expressions.

One expression is too short for it, so there are two steps, or three where the camera is looked
from. Each step's numbers are a custom property of the camera data, for each source of a turn:
``photorig seen 0`` (from the camera), ``photorig turn 0``, ``photorig angles 0``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import bpy

from .driver_targets import (
    LOCAL,
    SINGLE,
    WORLD,
    Target,
    curve_at,
    driver_problem,
    quaternion_targets,
    read_target,
    write_driver,
)
from .shared.mapping import ANGLES, BODY, CAMERA, Source
from .shared.mapping_turns import (
    ANGLE_EXPRESSIONS,
    LETTERS,
    relative_expressions,
    turn_expressions,
)

_STEPS = ("seen", "turn", "angles")
_LENGTHS = {"seen": 4, "turn": 4, "angles": 3}
_OWN = re.compile(r'^\["photorig angles ([0-9]+)"\]\[([0-2])\]$')
_ANY = re.compile(r"^photorig (seen|turn|angles) ([0-9]+)$")
_CAMERA_LETTERS = ("a", "b", "c", "d")


@dataclass(frozen=True)
class TurnSource:
    """What is turned.

    Attributes:
        source: of any of its channels.
        owner: the object.
    """

    source: Source
    owner: bpy.types.Object

    @property
    def key(self) -> tuple[Source, bpy.types.Object]:
        """The same for all channels of a turn."""
        return replace(self.source, channel=ANGLES[0]), self.owner


def viewer_of(camera: bpy.types.Camera) -> bpy.types.Object | None:
    """The object that shows this camera data, the scene's camera if it is one."""
    camera = camera.original
    scene_cameras = [scene.camera for scene in bpy.data.scenes]
    for item in (*scene_cameras, *bpy.data.objects):
        if item is not None and item.data is not None and item.data == camera:
            return item
    return None


def write_turns(camera: bpy.types.Camera, sources: Sequence[TurnSource]) -> list[Target]:
    """Make the drivers of these turns, and take those of all others away.

    Returns:
        For each source what a variable reads to get its angle, in radians.
    """
    numbers: dict[tuple[Source, bpy.types.Object], int] = {}
    for each in sources:
        numbers.setdefault(each.key, len(numbers))
    _remove_others(camera, {(n, s[0].space == CAMERA) for s, n in numbers.items()})
    for (source, owner), number in numbers.items():
        _write_turn(camera, source, owner, number)
    return [
        Target(
            SINGLE, camera, _path("angles", numbers[each.key], ANGLES.index(each.source.channel))
        )
        for each in sources
    ]


def _write_turn(
    camera: bpy.types.Camera, source: Source, owner: bpy.types.Object, number: int
) -> None:
    space = LOCAL if source.space == BODY and source.control else WORLD
    read = quaternion_targets(owner, source.control, space, LETTERS)
    viewer = viewer_of(camera) if source.space == CAMERA else None
    if viewer is not None:
        seen = quaternion_targets(viewer, "", WORLD, _CAMERA_LETTERS)
        _write_step(camera, "seen", number, relative_expressions(), read | seen)
        read = _own_targets(camera, "seen", number)
    _write_step(camera, "turn", number, turn_expressions(source), read)
    turned = _own_targets(camera, "turn", number)
    _write_step(camera, "angles", number, [ANGLE_EXPRESSIONS[name] for name in ANGLES], turned)


def _write_step(
    camera: bpy.types.Camera,
    step: str,
    number: int,
    expressions: Sequence[str],
    variables: dict[str, Target],
) -> None:
    name = f"photorig {step} {number}"
    if len(camera.get(name, ())) != len(expressions):
        camera[name] = [0.0] * _LENGTHS[step]
    for index, expression in enumerate(expressions):
        used = {each: target for each, target in variables.items() if each in _names(expression)}
        write_driver(camera, _path(step, number), expression, used, index)


def _names(expression: str) -> set[str]:
    return set(re.findall(r"(?<![a-z0-9])[a-z](?![a-z0-9])", expression))


def _own_targets(camera: bpy.types.Camera, step: str, number: int) -> dict[str, Target]:
    return {
        letter: Target(SINGLE, camera, _path(step, number, index))
        for index, letter in enumerate(LETTERS)
    }


def _path(step: str, number: int, index: int | None = None) -> str:
    path = f'["photorig {step} {number}"]'
    return path if index is None else f"{path}[{index}]"


def _remove_others(camera: bpy.types.Camera, kept: set[tuple[int, bool]]) -> None:
    for name in list(camera.keys()):
        found = _ANY.match(name)
        if found is None:
            continue
        step, number = found[1], int(found[2])
        if (number, True) in kept or ((number, False) in kept and step != "seen"):
            continue
        for index in range(_LENGTHS[step]):
            camera.driver_remove(f'["{name}"]', index)
        del camera[name]


def read_turn(camera: bpy.types.Camera, target: Target) -> tuple[Source, bpy.types.Object] | None:
    """What an angle of ours is of; without its frame and rest, which only rows know."""
    found = _OWN.match(target.path)
    if found is None or target.id != camera:
        return None
    number, channel = int(found[1]), ANGLES[int(found[2])]
    space = CAMERA if f"photorig seen {number}" in camera else ""
    for step in ("seen", "turn"):
        curve = curve_at(camera, _path(step, number), 0)
        for variable in curve.driver.variables if curve is not None else ():
            read = read_target(variable)
            if read is not None and read.kind != SINGLE and variable.name in LETTERS:
                space = space or (BODY if read.space == LOCAL else "WORLD")
                return Source("TURN", read.id.name, read.bone, channel, space=space), read.id
    return None


def turn_problem(camera: bpy.types.Camera, target: Target) -> str:
    """Why an angle of ours is not what it should be, "" where it is."""
    found = _OWN.match(target.path)
    if found is None or target.id.name != camera.name:
        return ""
    number = int(found[1])
    for step in _STEPS if f"photorig seen {number}" in camera else _STEPS[1:]:
        for index in range(_LENGTHS[step]):
            problem = driver_problem(curve_at(camera, _path(step, number), index))
            if problem:
                return problem
    return ""
