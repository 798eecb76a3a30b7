"""Parameter schema: which numbers drive a face, in which order, with which units and limits.

The default schema ``arkit-52`` is three head angles in degrees, the ARKit blend shape coefficients
in [0, 1] and where the head is, in centimetres. Left and right are the subject's own. Signs:
yaw > 0 nose to image right, pitch > 0 nose up, roll > 0 counter-clockwise in the image; x > 0 to
image right, y > 0 up, z > 0 towards the camera. The head of a photo is at (0, 0, 0).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError

_LONGEST_WORD = 200
_MOST_PARAMETERS = 1000
_GREATEST = 3.4e38
"""Beyond this a float32 is infinity."""
_FULL_MOVES = {
    "degree": 25.0,
    "centimetre": 5.0,
    "coefficient": 1.0,
    "headPitch": 15.0,
    "headRoll": 30.0,
}
_ID = re.compile(r"\w{1,60}")
"""What a parameter may be called: lists of them are written with spaces between."""


def is_parameter_id(name: str) -> bool:
    """Whether a parameter may be called so."""
    return _ID.fullmatch(name) is not None


@dataclass(frozen=True)
class Parameter:
    """One number that drives the face.

    Attributes:
        id: name in files, on the wire and in Blender, for example ``jawOpen``.
        label: the name a person reads.
        group: ``head``, ``eyes``, ``brows``, ``jaw``, ``mouth`` or ``other``.
        unit: ``degree``, ``coefficient`` or ``centimetre``.
        minimum, maximum: limits in that unit; see `least` for what is below.
        default: value at rest.
        mirror: id of the parameter on the other side of the face, its own id when a mirror image
            negates or keeps it.
    """

    id: str
    label: str
    group: str
    unit: str
    minimum: float
    maximum: float
    default: float
    mirror: str

    @property
    def least(self) -> float:
        """Lowest value that means something. Coefficients of a face are not below 0, but the
        difference of two faces is, and in relative mode that is what they are."""
        return min(self.minimum, -self.maximum if self.unit == "coefficient" else self.minimum)

    @property
    def full_move(self) -> float:
        """What counts as a whole movement, in its unit; all of its range in an unknown one."""
        known = _FULL_MOVES.get(self.id, _FULL_MOVES.get(self.unit))
        return self.maximum - self.minimum if known is None else known


@dataclass(frozen=True)
class ParameterSchema:
    """An ordered set of parameters; a parameter vector p is a float32 array in this order."""

    name: str
    parameters: tuple[Parameter, ...]

    def __len__(self) -> int:
        return len(self.parameters)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        return tuple(parameter.id for parameter in self.parameters)

    @cached_property
    def index(self) -> dict[str, int]:
        """Position in the vector by parameter id."""
        return {parameter.id: i for i, parameter in enumerate(self.parameters)}

    @cached_property
    def minimum(self) -> np.ndarray:
        """(n,) float32, in each parameter's unit."""
        return np.array([parameter.minimum for parameter in self.parameters], np.float32)

    @cached_property
    def maximum(self) -> np.ndarray:
        """(n,) float32, in each parameter's unit."""
        return np.array([parameter.maximum for parameter in self.parameters], np.float32)

    @cached_property
    def least(self) -> np.ndarray:
        """(n,) float32, the lowest values that mean something, in each parameter's unit."""
        return np.array([parameter.least for parameter in self.parameters], np.float32)

    @cached_property
    def rest(self) -> np.ndarray:
        """(n,) float32, the vector of defaults."""
        return np.array([parameter.default for parameter in self.parameters], np.float32)

    @cached_property
    def full_moves(self) -> np.ndarray:
        """(n,) float64, what counts as a whole movement of each parameter: yaw 25°, pitch 15°,
        roll 30°, 5 cm, coefficient 1. Degrees and coefficients are compared by it, and a
        tolerance is a part of it."""
        return np.array([parameter.full_move for parameter in self.parameters], np.float64)

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of the schema; both processes compare it before they exchange vectors."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def includes(self, other: ParameterSchema) -> bool:
        """Whether all parameters of another schema are here, in the same units."""
        units = {parameter.id: parameter.unit for parameter in self.parameters}
        return all(units.get(parameter.id) == parameter.unit for parameter in other.parameters)

    def vector(self, values: Mapping[str, float], missing: np.ndarray | None = None) -> np.ndarray:
        """Named values to a parameter vector.

        Args:
            values: value by parameter id, in the parameter's unit.
            missing: (n,) what to take for parameters not named; the rest vector if None.

        Returns:
            (n,) float32.

        Raises:
            InputError: an unknown name, or a value that is no finite number.
        """
        vector = np.array(self.rest if missing is None else missing, np.float32)
        for name, value in values.items():
            position = self.index.get(name)
            if position is None:
                raise InputError(f"Unknown parameter {name!r}", self._suggestion(name))
            if isinstance(value, bool) or not isinstance(value, (int, float, np.floating)):
                raise InputError(f"Parameter {name!r} has the value {value!r}", "Give a number.")
            if not math.isfinite(value) or abs(value) > _GREATEST:
                raise InputError(f"Parameter {name!r} is {value!r}", "Give a finite number.")
            vector[position] = value
        return vector

    def named(self, vector: np.ndarray) -> dict[str, float]:
        """A (n,) vector to value by parameter id."""
        self.check(vector)
        return {name: float(value) for name, value in zip(self.ids, vector, strict=True)}

    def taken_from(self, vector: np.ndarray, ids: Sequence[str]) -> np.ndarray:
        """A vector (…, m) of parameters with these ids in this schema's order: (…, n) float32.

        What it does not hold is at rest; what this schema does not know is left out.
        """
        result = np.empty((*vector.shape[:-1], len(self)), np.float32)
        result[:] = self.rest
        for position, name in enumerate(ids):
            if name in self.index:
                result[..., self.index[name]] = vector[..., position]
        return result

    def check(self, vector: np.ndarray) -> None:
        """Raise InputError unless ``vector`` is (n,) and finite."""
        if vector.shape != (len(self),):
            raise InputError(f"Got {vector.shape} parameters where {self.name} has {len(self)}")
        if not np.isfinite(vector).all():
            bad = self.ids[int(np.flatnonzero(~np.isfinite(vector))[0])]
            raise InputError(f"Parameter {bad!r} is not finite", "Give a finite number.")

    def _suggestion(self, name: str) -> str:
        import difflib

        close = difflib.get_close_matches(name, self.ids, n=1)
        return f"Did you mean {close[0]!r}?" if close else f"See the {self.name} parameter list."

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "parameters": [vars(p) for p in self.parameters]}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ParameterSchema:
        """Inverse of to_json. Raises InputError on anything else."""
        try:
            entries = data["parameters"]
            if len(entries) > _MOST_PARAMETERS:
                raise ValueError("it has too many parameters")
            parameters = tuple(_read_parameter(entry) for entry in entries)
            schema = ParameterSchema(str(data["name"]), parameters)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"This is no parameter schema: {error!s:.200}") from error
        if len(schema.index) != len(schema):
            raise InputError("This is no parameter schema: it has a parameter twice")
        return schema


def _read_parameter(entry: Mapping[str, Any]) -> Parameter:
    """Raises KeyError, TypeError or ValueError where this is no parameter."""
    parameter = Parameter(**entry)
    words = (parameter.label, parameter.group, parameter.unit, parameter.mirror)
    if not all(isinstance(word, str) and len(word) <= _LONGEST_WORD for word in words):
        raise ValueError("a parameter without label, group, unit or mirror")
    if not is_parameter_id(parameter.id):
        raise ValueError(f"{parameter.id!r} is no name")
    numbers = (parameter.minimum, parameter.default, parameter.maximum)
    if not all(math.isfinite(number) for number in numbers) or sorted(numbers) != list(numbers):
        raise ValueError(f"{parameter.id} has the limits {numbers}")
    return parameter


ARKIT_NAMES: tuple[str, ...] = tuple(
    """browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff
    cheekSquintLeft cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight
    eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight
    eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft jawOpen jawRight
    mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft
    mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight
    mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight
    mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft
    noseSneerRight tongueOut""".split()
)
"""ARKit's 52 blend shapes: MediaPipe's order, then tongueOut, which MediaPipe does not report."""

HEAD_ANGLES = ("headYaw", "headPitch", "headRoll")
HEAD_TRANSLATION = ("headX", "headY", "headZ")

_GROUPS = {"brow": "brows", "eye": "eyes", "jaw": "jaw", "mouth": "mouth"}


def _head_angle(name: str, limit: float) -> Parameter:
    label = f"Head {name.removeprefix('head')}"
    return Parameter(name, label, "head", "degree", -limit, limit, 0.0, name)


def _coefficient(name: str) -> Parameter:
    words = "".join(f" {c}" if c.isupper() else c for c in name).split()
    group = _GROUPS.get(words[0], "other")
    if name.endswith("Left"):
        mirror = name[: -len("Left")] + "Right"
    elif name.endswith("Right"):
        mirror = name[: -len("Right")] + "Left"
    else:
        mirror = name
    label = " ".join(word.capitalize() for word in words)
    return Parameter(name, label, group, "coefficient", 0.0, 1.0, 0.0, mirror)


def _head_translation(name: str) -> Parameter:
    label = f"Head {name.removeprefix('head')}"
    return Parameter(name, label, "head", "centimetre", -10.0, 10.0, 0.0, name)


def arkit_schema(extra: Iterable[Parameter] = ()) -> ParameterSchema:
    """The default schema: HEAD_ANGLES, ARKIT_NAMES, HEAD_TRANSLATION (58 parameters)."""
    limits = zip(HEAD_ANGLES, (90.0, 60.0, 90.0), strict=True)
    angles = tuple(_head_angle(name, limit) for name, limit in limits)
    coefficients = tuple(map(_coefficient, ARKIT_NAMES))
    translation = tuple(map(_head_translation, HEAD_TRANSLATION))
    return ParameterSchema("arkit-52", angles + coefficients + translation + tuple(extra))


FACE_SCHEMA = arkit_schema()
"""The parameters that every version knows: 3 head angles, ARKit's 52 coefficients, 3 of the head's
translation. Files and messages know it by its id, which is older than the last three."""
