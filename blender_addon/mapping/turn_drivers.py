# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns as drivers: a bone's or object's rotation to yaw, pitch and roll, in simple expressions.

One expression is too short for it, so there are two steps, or three where the camera is looked
from. Each step's numbers are custom properties, for each source of a turn: ``seen 0 w`` (from the
camera), ``turn 0 w``, ``angle 0 yaw``.

They are on a data-block of their own that the camera holds: where drivers of custom properties and
of others are on one data-block, Blender loses a number in some ten thousand evaluations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import bpy

from ..shared.mapping.rows import ANGLES, BODY, CAMERA, Source
from ..shared.mapping.turns import (
    ANGLE_EXPRESSIONS,
    LETTERS,
    relative_expressions,
    turn_expressions,
)
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

_NUMBERS = {"seen": LETTERS, "turn": LETTERS, "angle": tuple(map(str.lower, ANGLES))}
"""Names of the numbers of each step."""
_OWN = re.compile(r'^\["angle ([0-9]+) ([a-z]+)"\]$')
_ANY = re.compile(r"^(seen|turn|angle) ([0-9]+) [a-z]+$")
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
    holder = _own_holder(camera, bool(numbers))
    if holder is None:
        return []
    _remove_others(holder, {(n, s[0].space == CAMERA) for s, n in numbers.items()})
    viewer = viewer_of(camera)
    for (source, owner), number in numbers.items():
        _write_turn(holder, source, owner, number, viewer)
    return [
        Target(SINGLE, holder, _path("angle", numbers[each.key], each.source.channel.lower()))
        for each in sources
    ]


def copies_of(camera: bpy.types.Camera) -> list[bpy.types.Camera]:
    """Cameras that share the turns of this one, because one is a copy of the other."""
    holder = camera.photorig.turns
    if holder is None:
        return []
    return [c for c in bpy.data.cameras if c != camera and c.photorig.turns == holder]


def _own_holder(camera: bpy.types.Camera, is_needed: bool) -> bpy.types.Speaker | None:
    """What holds the turns of this camera alone; gone where none are needed."""
    settings = camera.photorig
    holder = settings.turns
    if holder is not None and (not holder.is_editable or copies_of(camera)):
        holder = settings.turns = None
    if is_needed and holder is None:
        holder = settings.turns = bpy.data.speakers.new(f"{camera.name} Turns")
    if not is_needed and holder is not None:
        settings.turns = None
        bpy.data.speakers.remove(holder)
        return None
    return holder


def _write_turn(
    holder: bpy.types.Speaker,
    source: Source,
    owner: bpy.types.Object,
    number: int,
    viewer: bpy.types.Object | None,
) -> None:
    space = LOCAL if source.space == BODY and source.control else WORLD
    read = quaternion_targets(owner, source.control, space, LETTERS)
    if source.space == CAMERA and viewer is not None:
        seen = quaternion_targets(viewer, "", WORLD, _CAMERA_LETTERS)
        _write_step(holder, "seen", number, relative_expressions(), read | seen)
        read = _own_targets(holder, "seen", number)
    _write_step(holder, "turn", number, turn_expressions(source), read)
    turned = _own_targets(holder, "turn", number)
    _write_step(holder, "angle", number, [ANGLE_EXPRESSIONS[name] for name in ANGLES], turned)


def _write_step(
    holder: bpy.types.Speaker,
    step: str,
    number: int,
    expressions: Sequence[str],
    variables: dict[str, Target],
) -> None:
    for number_name, expression in zip(_NUMBERS[step], expressions, strict=True):
        name = f"{step} {number} {number_name}"
        if not isinstance(holder.get(name), float):
            holder[name] = 0.0
        used = {each: target for each, target in variables.items() if each in _names(expression)}
        write_driver(holder, f'["{name}"]', expression, used)


def _names(expression: str) -> set[str]:
    return set(re.findall(r"(?<![a-z0-9])[a-z](?![a-z0-9])", expression))


def _own_targets(holder: bpy.types.Speaker, step: str, number: int) -> dict[str, Target]:
    return {letter: Target(SINGLE, holder, _path(step, number, letter)) for letter in LETTERS}


def _path(step: str, number: int, name: str) -> str:
    return f'["{step} {number} {name}"]'


def _remove_others(holder: bpy.types.Speaker, kept: set[tuple[int, bool]]) -> None:
    for name in list(holder.keys()):
        found = _ANY.match(name)
        if found is None:
            continue
        step, number = found[1], int(found[2])
        if (number, True) in kept or ((number, False) in kept and step != "seen"):
            continue
        holder.driver_remove(f'["{name}"]')
        del holder[name]


def read_turn(camera: bpy.types.Camera, target: Target) -> tuple[Source, bpy.types.Object] | None:
    """What an angle of ours is of; without its frame and rest, which only rows know."""
    found = _OWN.match(target.path)
    holder = camera.photorig.turns
    if found is None or holder is None or target.id != holder:
        return None
    number, channel = int(found[1]), found[2].upper()
    space = CAMERA if f"seen {number} w" in holder else ""
    for step in ("seen", "turn"):
        curve = curve_at(holder, _path(step, number, "w"))
        for variable in curve.driver.variables if curve is not None else ():
            read = read_target(variable)
            if read is not None and read.kind != SINGLE and variable.name in LETTERS:
                space = space or (BODY if read.space == LOCAL else "WORLD")
                return Source("TURN", read.id.name, read.bone, channel, space=space), read.id
    return None


def turn_problem(target: Target) -> str:
    """Why an angle of ours is not what it should be, "" where it is, or is none."""
    found, holder = _OWN.match(target.path), target.id
    if found is None or not isinstance(holder, bpy.types.Speaker):
        return ""
    number = int(found[1])
    for step, names in _NUMBERS.items():
        if step == "seen" and f"seen {number} w" not in holder:
            continue
        for name in names:
            problem = driver_problem(curve_at(holder, _path(step, number, name)))
            if problem:
                return problem
    return ""
