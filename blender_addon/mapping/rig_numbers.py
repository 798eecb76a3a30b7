# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a mapped rig can be keyed, and the parameters as functions of it.

A row reads a shape key, a bone, an object or a property. Where that is driven by others in turn, as
shape keys are by the control board, those are what is keyed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import bpy
import numpy as np

from ..camera.extra_parameters import schema_of
from ..camera.mapping_rows import PhotorigMappingRow, row_of
from ..camera.properties import neutral_of
from ..shared.errors import InputError
from ..shared.mapping.formula import value_of
from ..shared.mapping.inverse import Quantity, Unknown
from ..shared.mapping.rows import (
    ANGLES,
    BODY,
    BONE,
    LOCATIONS,
    OBJECT,
    PROPERTY,
    ROTATIONS,
    SCALES,
    SHAPE_KEY,
    TURN,
    MappingRow,
    Source,
    combined_frames,
)
from .driver_targets import curve_at, read_target
from .drivers import source_of, usable_items
from .rig import EULER_ORDERS, is_off, source_value
from .turn_drivers import viewer_of

_DEEPEST = 4
"""Drivers that read what is driven that read what is driven: so far, and no circle."""
_KEY_PATH = 'key_blocks["{}"].value'


@dataclass(frozen=True)
class Channel:
    """A number of a data-block that can be keyed.

    Attributes:
        owner: the data-block that is animated.
        path, index: of the property; index -1 where it is one number.
        name: what a person calls it.
        is_whole: whether it takes whole numbers only.
    """

    owner: bpy.types.ID
    path: str
    index: int
    name: str
    is_whole: bool = False


@dataclass(frozen=True)
class Rotation:
    """A bone or an object whose rotation is keyed as a whole; its three angles are unknowns.

    Attributes:
        owner: the object.
        bone: "" for the object itself.
        source: of one of the angles: says how they are counted.
        columns: of the three angles among the unknowns, about X, Y, Z or yaw, pitch, roll.
    """

    owner: bpy.types.Object
    bone: str
    source: Source
    columns: tuple[int, int, int]

    @property
    def name(self) -> str:
        return self.bone or self.owner.name


@dataclass(frozen=True)
class _Number:
    """A number of the rig as a function of the unknowns (n, m)."""

    depends: tuple[int, ...]
    value: Callable[[np.ndarray], np.ndarray]


@dataclass
class RigNumbers:
    """The unknowns of a rig, how each is keyed, and what the parameters are made of.

    Attributes:
        parameters: by id, the parameter as a function of the unknowns.
        unknowns: what the solver has to find.
        channels: by column of the unknowns.
        rotations: by object and bone.
        fixed: names of controls that something else moves, so that they cannot be keyed.
    """

    parameters: dict[str, Quantity] = field(default_factory=dict)
    unknowns: list[Unknown] = field(default_factory=list)
    channels: dict[int, Channel] = field(default_factory=dict)
    rotations: dict[tuple[str, str], Rotation] = field(default_factory=dict)
    fixed: list[str] = field(default_factory=list)

    def controls_of(self, parameter: str) -> tuple[str, ...]:
        """Names of what a parameter is made of, each once."""
        depends = self.parameters[parameter].depends
        return tuple(dict.fromkeys(self._name_of(column) for column in depends))

    def _name_of(self, column: int) -> str:
        if column in self.channels:
            return self.channels[column].name
        return next(each.name for each in self.rotations.values() if column in each.columns)


def rig_numbers(camera: bpy.types.Camera) -> RigNumbers:
    """Read the mapping of a camera backwards.

    Raises:
        InputError: nothing is mapped, or the rig is linked and cannot be keyed.
    """
    reader = _Reader(camera)
    for parameter, items in usable_items(camera.photorig).items():
        reader.add(parameter, items)
    if not reader.found.parameters:
        raise InputError(
            "No rig is mapped to this camera", "Use Detect Rig first, or key the camera itself."
        )
    return reader.found


class _Reader:
    """Collects the unknowns while it goes from parameters through rows and drivers."""

    def __init__(self, camera: bpy.types.Camera) -> None:
        self._camera, self._viewer = camera, viewer_of(camera)
        self._neutral, self._schema = neutral_of(camera.photorig), schema_of(camera)
        self.found = RigNumbers()
        self._columns: dict[tuple[str, str, int], int] = {}

    def add(self, parameter: str, items: Sequence[PhotorigMappingRow]) -> None:
        rows = [row_of(item) for item in items]
        numbers = {
            row.source: self._of_row(item, row) for item, row in zip(items, rows, strict=True)
        }
        described = self._schema.parameters[self._schema.index[parameter]]
        offset = self._neutral.get(parameter, 0.0)

        def value(unknowns: np.ndarray) -> np.ndarray:
            values = {source: number.value(unknowns) for source, number in numbers.items()}
            total = combined_frames(rows, values)
            assert total is not None
            return np.clip(total + offset, described.minimum, described.maximum)

        depends = _union(number.depends for number in numbers.values())
        self.found.parameters[parameter] = Quantity(depends, value, described.full_move)

    def _of_row(self, item: PhotorigMappingRow, row: MappingRow) -> _Number:
        if is_off(item):
            return _constant(0.0)
        return self._number(item.owner, row.source, abs(row.end - row.start))

    def _number(
        self, owner: bpy.types.Object, source: Source, span: float, depth: int = 0
    ) -> _Number:
        if source.kind == SHAPE_KEY:
            return self._shape_key(owner, source, depth)
        if source.kind == PROPERTY:
            return self._property(owner, source, span, depth)
        if source.kind == TURN or source.channel in ROTATIONS:
            return self._angle(owner, source)
        return self._moved(owner, source, span, depth)

    def _shape_key(self, owner: bpy.types.Object, source: Source, depth: int) -> _Number:
        keys = owner.data.shape_keys
        block = keys.key_blocks[source.control]
        path = _KEY_PATH.format(bpy.utils.escape_identifier(source.control))
        limits = (float(block.slider_min), float(block.slider_max))
        curve = curve_at(keys, path)
        if curve is not None:
            return _clipped(self._driven(owner, source, curve, depth), *limits)
        channel = Channel(keys, path, -1, source.control)
        rest = min(max(0.0, limits[0]), limits[1])
        return self._unknown(channel, Unknown(*limits, rest, 1.0))

    def _property(
        self, owner: bpy.types.Object, source: Source, span: float, depth: int
    ) -> _Number:
        curve = curve_at(owner, source.control)
        if curve is not None:
            return self._driven(owner, source, curve, depth)
        path, index = _path_and_index(source.control)
        least, most, rest, is_whole = _limits_of_property(owner, source.control)
        channel = Channel(owner, path, index, _last_name(source.control), is_whole)
        return self._unknown(channel, Unknown(least, most, rest, span or 1.0))

    def _moved(self, owner: bpy.types.Object, source: Source, span: float, depth: int) -> _Number:
        """A place or a size."""
        index = "XYZ".index(source.channel[-1])
        what = "location" if source.channel in LOCATIONS else "scale"
        path = _path_of(source) + what
        animation = owner.animation_data
        curve = animation.drivers.find(path, index=index) if animation is not None else None
        if curve is not None:
            return self._driven(owner, source, curve, depth)
        least, most = _limits_of_bone(owner, source)
        rest = 1.0 if source.channel in SCALES else 0.0
        if source.kind == OBJECT:
            rest = float(getattr(owner, what)[index])
        known = most - least if math.isfinite(most - least) else 0.0
        channel = Channel(owner, path, index, source.control or owner.name)
        return self._unknown(channel, Unknown(least, most, rest, span or known or 1.0))

    def _angle(self, owner: bpy.types.Object, source: Source) -> _Number:
        place = (owner.name, source.control)
        counted = _convention(owner, source)
        rotation = self.found.rotations.get(place)
        if rotation is None:
            first = len(self.found.unknowns)
            free = Unknown(-math.inf, math.inf, 0.0, math.radians(30))
            self.found.unknowns += [free] * 3
            columns = (first, first + 1, first + 2)
            rotation = Rotation(owner, source.control, source, columns)
            self.found.rotations[place] = rotation
        if _convention(owner, rotation.source) != counted:
            return self._fixed(owner, source)  # one way to count the angles of a bone
        channels = ANGLES if source.kind == TURN else ROTATIONS
        column = rotation.columns[channels.index(source.channel)]
        return _Number((column,), lambda unknowns: unknowns[:, column])

    def _driven(
        self, owner: bpy.types.Object, source: Source, curve: bpy.types.FCurve, depth: int
    ) -> _Number:
        """By the numbers that its driver reads."""
        try:
            return self._of_driver(curve, depth)
        except InputError:
            return self._fixed(owner, source)

    def _of_driver(self, curve: bpy.types.FCurve, depth: int) -> _Number:
        driver, numbers = curve.driver, {}
        if depth > _DEEPEST:
            raise InputError("Drivers read one another in a circle")
        for variable in driver.variables:
            target = read_target(variable)
            place = source_of(self._camera, target) if target is not None else None
            if place is None:
                raise InputError(f"The driver's variable {variable.name!r} is of another kind")
            numbers[variable.name] = self._number(place[1], place[0], 0.0, depth + 1)
        expression = _expression_of(driver)

        def value(unknowns: np.ndarray) -> np.ndarray:
            read = {name: number.value(unknowns) for name, number in numbers.items()}
            return np.broadcast_to(value_of(expression, read), (len(unknowns),))

        value(np.zeros((1, len(self.found.unknowns))))  # it can be read
        return _Number(_union(number.depends for number in numbers.values()), value)

    def _fixed(self, owner: bpy.types.Object, source: Source) -> _Number:
        """What something else moves: it stays where it is now."""
        self.found.fixed.append(source.control or owner.name)
        return _constant(source_value(owner, source, self._viewer))

    def _unknown(self, channel: Channel, unknown: Unknown) -> _Number:
        if not channel.owner.is_editable:
            raise InputError(
                f"{channel.owner.name!r} is linked from another file and cannot be keyed",
                "Make a library override of the rig first.",
            )
        place = (channel.owner.name_full, channel.path, channel.index)
        column = self._columns.get(place)
        if column is None:
            column = self._columns[place] = len(self.found.unknowns)
            self.found.unknowns.append(unknown)
            self.found.channels[column] = channel
        return _Number((column,), lambda unknowns: unknowns[:, column])


def _constant(number: float) -> _Number:
    return _Number((), lambda unknowns: np.full(len(unknowns), number))


def _clipped(number: _Number, least: float, most: float) -> _Number:
    return _Number(number.depends, lambda unknowns: np.clip(number.value(unknowns), least, most))


def _union(depends: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(sorted({column for each in depends for column in each}))


def _path_of(source: Source) -> str:
    """The way from an object to the bone of a source."""
    if source.kind == BONE:
        return f'pose.bones["{bpy.utils.escape_identifier(source.control)}"].'
    return ""


def _path_and_index(path: str) -> tuple[str, int]:
    """``rotation_euler[2]`` to its parts; a custom property has a name in brackets, no number."""
    before, bracket, after = path.rpartition("[")
    if bracket and after[:-1].isdigit() and before:
        return before, int(after[:-1])
    return path, -1


def _last_name(path: str) -> str:
    return path.rstrip("]").rpartition("[")[2].strip('"') or path


def _limits_of_property(owner: bpy.types.Object, path: str) -> tuple[float, float, float, bool]:
    """Least, most, rest, and whether it is whole."""
    value = owner.path_resolve(path)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    before, _, name = path.rpartition("[")
    try:
        holder = owner.path_resolve(before) if before else owner
        told = holder.id_properties_ui(name.rstrip("]").strip('"')).as_dict()
    except (ValueError, TypeError, AttributeError, KeyError):
        return -math.inf, math.inf, 0.0, is_whole
    least, most = float(told.get("min", -math.inf)), float(told.get("max", math.inf))
    default = told.get("default", 0.0)
    rest = float(default) if isinstance(default, int | float) else 0.0
    return least, most, min(max(rest, least), most), is_whole


def _limits_of_bone(owner: bpy.types.Object, source: Source) -> tuple[float, float]:
    """How far its own limits let a bone go, where they are counted as the row counts."""
    if source.kind != BONE or source.channel not in LOCATIONS:
        return -math.inf, math.inf
    letter = source.channel[-1].lower()
    least, most = -math.inf, math.inf
    for limit in owner.pose.bones[source.control].constraints:
        if limit.type == "LIMIT_LOCATION" and limit.owner_space == "LOCAL" and not limit.mute:
            if getattr(limit, f"use_min_{letter}"):
                least = max(least, float(getattr(limit, f"min_{letter}")))
            if getattr(limit, f"use_max_{letter}"):
                most = min(most, float(getattr(limit, f"max_{letter}")))
    return least, max(least, most)


def _convention(owner: bpy.types.Object, source: Source) -> tuple[object, ...]:
    """How the angles of a source are counted: the same for its three channels."""
    if source.kind == TURN:
        return (TURN, source.space, source.frame, source.rest)
    return (BODY, order_of(owner, source))


def order_of(owner: bpy.types.Object, source: Source) -> str:
    """The order of the Euler angles of a rotation; what is no Euler angle is read as XYZ."""
    if source.order != "AUTO":
        return source.order
    holder = owner.pose.bones[source.control] if source.control else owner
    return holder.rotation_mode if holder.rotation_mode in EULER_ORDERS else "XYZ"


def _expression_of(driver: bpy.types.Driver) -> str:
    names = [variable.name for variable in driver.variables]
    if driver.type == "SCRIPTED" or not names:
        return str(driver.expression)
    total = "+".join(names)
    if driver.type in ("MIN", "MAX"):
        return f"{driver.type.lower()}({','.join(names)})"
    return f"({total})/{len(names)}" if driver.type == "AVERAGE" else total
