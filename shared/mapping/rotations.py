"""Rotations as three angles, for many frames at once: Euler angles, and what a viewer sees.

Blender's order XYZ turns about X first: R = Rz · Ry · Rx.
"""

from __future__ import annotations

import numpy as np

_LETTERS = "XYZ"
_TURN_ORDER = "YXZ"
_TURN_SIGNS = np.array([1.0, -1.0, -1.0])
"""Yaw is about z, pitch about -x and roll about -y, in that order of matrices (turns.py)."""


def euler_matrices(angles: np.ndarray, order: str) -> np.ndarray:
    """(n, 3, 3) from angles (n, 3) about X, Y and Z in radians."""
    result = np.broadcast_to(np.eye(3), (len(angles), 3, 3))
    for letter in order:
        index = _LETTERS.index(letter)
        result = _about(index, angles[:, index]) @ result
    return result


def _about(axis: int, angles: np.ndarray) -> np.ndarray:
    """(n, 3, 3) turns about one axis."""
    result = np.zeros((len(angles), 3, 3))
    one, two = (axis + 1) % 3, (axis + 2) % 3
    result[:, axis, axis] = 1
    result[:, one, one] = result[:, two, two] = np.cos(angles)
    result[:, two, one] = np.sin(angles)
    result[:, one, two] = -result[:, two, one]
    return result


def euler_angles(matrices: np.ndarray, order: str) -> np.ndarray:
    """(n, 3) angles about X, Y and Z in radians, the middle one within a quarter turn."""
    first, middle, last = (_LETTERS.index(letter) for letter in order)
    sign = 1.0 if (middle - first) % 3 == 1 else -1.0
    result = np.empty((len(matrices), 3))
    result[:, middle] = np.arcsin(np.clip(-sign * matrices[:, last, first], -1, 1))
    result[:, first] = np.arctan2(sign * matrices[:, last, middle], matrices[:, last, last])
    result[:, last] = np.arctan2(sign * matrices[:, middle, first], matrices[:, first, first])
    return result


def turn_matrices(angles: np.ndarray) -> np.ndarray:
    """(n, 3, 3) from yaw, pitch and roll (n, 3) in radians, along the axes of turns.py."""
    yaw, pitch, roll = (angles * _TURN_SIGNS).T
    return euler_matrices(np.stack([pitch, roll, yaw], axis=1), _TURN_ORDER)


def quaternion_matrix(quaternion: np.ndarray) -> np.ndarray:
    """(3, 3) of a unit quaternion (4,) w, x, y, z."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
