"""How far something is turned, as a viewer in front of it sees it, whatever its own axes are.

A face that looks along -Y with +Z up has the axes x to image right, y away from the viewer, z up.
Its turn is R = yaw about z · pitch about -x · roll about -y, as the worker measures it.
In quaternions (w, x, y, z) it is p = before · q · after, where q is what Blender says of the bone
or object now, so p is linear in q and fits in one of Blender's simple expressions, and its angles
in another three.
"""

from __future__ import annotations

import math

import numpy as np

from .rows import ANGLES, BODY, CAMERA, NO_TURN, Source

LETTERS = ("w", "x", "y", "z")
ANGLE_EXPRESSIONS = {
    "YAW": "atan2(2*(w*z-x*y),1-2*(x*x+z*z))",
    "PITCH": "asin(max(-1,min(1,-2*(y*z+w*x))))",
    "ROLL": "atan2(2*(x*z-w*y),1-2*(x*x+y*y))",
}
"""Radians of each of ANGLES from the quaternion of a turn, in variables named as LETTERS."""
_SEEN = (math.sqrt(0.5), -math.sqrt(0.5), 0.0, 0.0)
"""From the axes above to a camera's, which are right, up and back towards the viewer."""
_SMALL = 1e-6


def product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(4,) The quaternion that turns as the second and then as the first."""
    a, b, c, d = first
    w, x, y, z = second
    return np.array(
        [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ]
    )


def inverse(quaternion: np.ndarray) -> np.ndarray:
    """(4,) The quaternion that turns back; it must have length 1."""
    return np.asarray(quaternion, float) * (1, -1, -1, -1)


def before_and_after(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """What the quaternion read from a turn's source stands between; see above."""
    frame, rest = np.array(source.frame, float), np.array(source.rest, float)
    after = product(inverse(rest), frame)
    if source.space == CAMERA:
        return inverse(np.array(_SEEN)), after
    if source.space == BODY and source.control:
        return inverse(after), after
    return inverse(frame), after


def turn(source: Source, now: np.ndarray, camera: np.ndarray | None = None) -> np.ndarray:
    """(4,) The turn of a source.

    Args:
        now: its quaternion: of a bone in BODY away from its rest pose, else in the world.
        camera: the camera's in the world, for CAMERA.
    """
    before, after = before_and_after(source)
    if source.space == CAMERA:
        now = product(inverse(np.array(NO_TURN if camera is None else camera)), now)
    return product(product(before, now), after)


def angle(quaternion: np.ndarray, channel: str) -> float:
    """One of ANGLES of a turn, in radians."""
    w, x, y, z = map(float, quaternion)
    angles = (
        math.atan2(2 * (w * z - x * y), 1 - 2 * (x * x + z * z)),
        math.asin(max(-1.0, min(1.0, -2 * (y * z + w * x)))),
        math.atan2(2 * (x * z - w * y), 1 - 2 * (x * x + y * y)),
    )
    return angles[ANGLES.index(channel)]


def turn_expressions(source: Source) -> list[str]:
    """The four numbers of a turn, in variables named as LETTERS of what is read from its source."""
    before, after = before_and_after(source)
    columns = [product(product(before, unit), after) for unit in np.eye(4)]
    return [
        _sum([(column[row], name) for column, name in zip(columns, LETTERS, strict=True)])
        for row in range(4)
    ]


def relative_expressions() -> list[str]:
    """The four numbers of q seen from a camera whose quaternion is in a, b, c, d."""
    return [
        "a*w+b*x+c*y+d*z",
        "a*x-b*w-c*z+d*y",
        "a*y+b*z-c*w-d*x",
        "a*z-b*y+c*x-d*w",
    ]


def _sum(terms: list[tuple[float, str]]) -> str:
    text = ""
    for factor, name in terms:
        if abs(factor) > _SMALL:
            number = np.format_float_positional(np.float32(factor), trim="-")
            text += f"{'' if number.startswith('-') or not text else '+'}{number}*{name}"
    return text or f"0*{terms[0][1]}"
