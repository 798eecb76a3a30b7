"""From a rig's controls to parameters: rows of a mapping, and what they come to in numbers.

The extension compiles the same rows to Blender's drivers (mapping_expression.py); this is their
twin, for tests, live values and programs without Blender.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..parameters.schema import FACE_SCHEMA, ParameterSchema

SHAPE_KEY, BONE, PROPERTY = "SHAPE_KEY", "BONE", "PROPERTY"
OBJECT, TURN = "OBJECT", "TURN"
VALUE = "VALUE"
LOCATIONS = ("LOC_X", "LOC_Y", "LOC_Z")
ROTATIONS = ("ROT_X", "ROT_Y", "ROT_Z")
SCALES = ("SCALE_X", "SCALE_Y", "SCALE_Z")
CHANNELS = (VALUE, *LOCATIONS, *ROTATIONS, *SCALES)
ANGLES = ("YAW", "PITCH", "ROLL")
"""Channels of a turn: what a viewer in front sees; to image right, up, and to image right."""
BODY, WORLD, CAMERA, AS_SET = "BODY", "WORLD", "CAMERA", "AS_SET"
SPACES = (BODY, WORLD, CAMERA, AS_SET)
NO_TURN = (1.0, 0.0, 0.0, 0.0)
"""The quaternion (w, x, y, z) that turns nothing."""
ORDERS = ("AUTO", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
ADD, MAX, MIN, MULTIPLY = "ADD", "MAX", "MIN", "MULTIPLY"
COMBINATIONS: dict[str, Callable[[float, float], float]] = {
    ADD: lambda before, contribution: before + contribution,
    MAX: max,
    MIN: min,
    MULTIPLY: lambda before, contribution: before * contribution,
}


@dataclass(frozen=True)
class Source:
    """One number of a rig.

    Attributes:
        kind: SHAPE_KEY, BONE, PROPERTY, OBJECT or TURN.
        owner: name of the object that has it.
        control: name of the shape key or bone; of a property, its data path from the object; ""
            for the object itself, where kind is OBJECT or TURN.
        channel: VALUE; for a bone its location (its armature's units), rotation (radians) or scale
            along its own axes, away from its rest pose; for an object the same along its parent's;
            for a turn one of ANGLES (radians).
        order: order of Euler angles of a rotation; AUTO for the bone's own.
        space: what a turn is measured from: BODY (what the bone hangs on), WORLD or CAMERA (how
            the camera sees it). Of a bone BODY, or AS_SET for what an animator has set, without
            what constraints do.
        frame: of a turn, the quaternion from the axes of a face that looks along -Y with +Z up to
            those of this one at rest, in the world.
        rest: of a turn, the quaternion of the bone's or object's own axes at rest in the world.
    """

    kind: str
    owner: str
    control: str
    channel: str = VALUE
    order: str = "AUTO"
    space: str = BODY
    frame: tuple[float, float, float, float] = NO_TURN
    rest: tuple[float, float, float, float] = NO_TURN


@dataclass(frozen=True)
class MappingRow:
    """What one number of a rig does to one parameter.

    Attributes:
        source: where the number comes from.
        parameter: id in the schema.
        start, end: values of the source at the two ends of its range.
        amount: what the parameter gets at the end of the range, in its unit; at the start 0.
        invert: count from the end, so that the start gives the amount.
        clamp: let the source stop at the ends of its range.
        combine: how it joins the rows before it that drive the same parameter.
    """

    source: Source
    parameter: str
    start: float = 0.0
    end: float = 1.0
    amount: float = 1.0
    invert: bool = False
    clamp: bool = False
    combine: str = ADD

    def contribution(self, value: float) -> float:
        """What a value of the source comes to, in the parameter's unit."""
        fraction = (value - self.start) / (self.end - self.start)
        if self.invert:
            fraction = 1 - fraction
        if self.clamp:
            fraction = min(max(fraction, 0.0), 1.0)
        return self.amount * fraction

    def source_value(self, contribution: float) -> float | None:
        """The value of the source that comes to this, None where its amount is zero."""
        if self.amount == 0:
            return None
        fraction = contribution / self.amount
        if self.invert:
            fraction = 1 - fraction
        return self.start + fraction * (self.end - self.start)

    def check(self, schema: ParameterSchema = FACE_SCHEMA) -> None:
        """Raise InputError, which says what is wrong, unless the row can be used."""
        if self.parameter not in schema.index:
            raise InputError(f"There is no parameter {self.parameter!r}", "Choose one of the list.")
        if not self.source.control and self.source.kind not in (OBJECT, TURN):
            raise InputError("The row has no source", "Choose a shape key, bone or property.")
        if self.source.kind in (BONE, OBJECT) and self.source.channel not in CHANNELS[1:]:
            what = "A bone" if self.source.kind == BONE else "An object"
            raise InputError(f"{what} has no value", "Choose one of its channels.")
        if self.source.kind == TURN and self.source.channel not in ANGLES:
            raise InputError("A turn has no value", "Choose yaw, pitch or roll.")
        if self.source.kind == TURN and self.source.space == AS_SET:
            raise InputError("A turn is relative to body, world or camera", "Choose one of them.")
        if self.source.kind in (BONE, OBJECT) and self.source.space not in (BODY, AS_SET):
            raise InputError(
                "A channel is not relative to world or camera", "Choose the kind Turn for that."
            )
        numbers = (self.start, self.end, self.amount)
        if not np.isfinite(numbers).all():
            raise InputError("The row's numbers are not finite", "Give finite numbers.")
        if np.float32(self.start) == np.float32(self.end):
            raise InputError("The range is empty", "Give it two different ends.")
        if self.combine not in COMBINATIONS:
            raise InputError(f"There is no way {self.combine!r} to combine rows")


def by_parameter(rows: Iterable[MappingRow]) -> dict[str, list[MappingRow]]:
    """The rows of each parameter in their order."""
    grouped: dict[str, list[MappingRow]] = {}
    for row in rows:
        grouped.setdefault(row.parameter, []).append(row)
    return grouped


def combined(rows: Iterable[MappingRow], values: Mapping[Source, float]) -> float:
    """What the rows of one parameter come to together; the first counts as it is.

    Args:
        values: of each row's source.
    """
    total: float | None = None
    for row in rows:
        contribution = row.contribution(values[row.source])
        if total is None:
            total = contribution
        else:
            total = COMBINATIONS[row.combine](total, contribution)
    return 0.0 if total is None else total


def combined_frames(
    rows: Iterable[MappingRow], values: Mapping[Source, np.ndarray]
) -> np.ndarray | None:
    """``combined`` for many frames at once, (n,); None without rows.

    Args:
        values: (n,) of each row's source.
    """
    joins: dict[str, Callable[..., np.ndarray]] = {
        ADD: np.add,
        MAX: np.maximum,
        MIN: np.minimum,
        MULTIPLY: np.multiply,
    }
    total: np.ndarray | None = None
    for row in rows:
        fraction = (values[row.source] - row.start) / (row.end - row.start)
        if row.invert:
            fraction = 1 - fraction
        if row.clamp:
            fraction = np.clip(fraction, 0.0, 1.0)
        contribution = row.amount * fraction
        total = contribution if total is None else joins[row.combine](total, contribution)
    return total


def mapped(
    rows: Iterable[MappingRow],
    values: Mapping[Source, float],
    neutral: Mapping[str, float] | None = None,
    schema: ParameterSchema = FACE_SCHEMA,
) -> dict[str, float]:
    """The parameters that a mapping gives, by id, from the schema's least to its highest values.

    Args:
        values: of each row's source.
        neutral: what is added to a parameter, so that a pose other than the rig's rest can stand
            for the photo.
    """
    offsets = neutral or {}
    parameters = {}
    for name, group in by_parameter(rows).items():
        parameter = schema.parameters[schema.index[name]]
        value = combined(group, values) + offsets.get(name, 0.0)
        parameters[name] = min(max(value, parameter.least), parameter.maximum)
    return parameters
