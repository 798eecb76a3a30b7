"""Where the head is in the picture, from landmarks: how far it has moved, in centimetres."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from photorig.shared.parameters.schema import ParameterSchema

TRANSLATION = ("headX", "headY", "headZ")
EYE_DISTANCE_CM = 6.3
"""Between the middles of the two eyes; people differ by a twelfth of it."""
CAMERA_DISTANCE_CM = 80.0
"""From the camera to the head, as headZ is defined."""


def head_translation(
    landmarks: np.ndarray, rest_landmarks: np.ndarray, rest_eyes: np.ndarray, rest_yaw: float
) -> np.ndarray:
    """(f, 3) cm to image right, up, and towards the camera, of heads that do not turn.

    Args:
        landmarks: (f, 68, 2) pixels; rest_landmarks: (68, 2).
        rest_eyes: (2, 2) pixels.
        rest_yaw: degrees; a turned head shows its eyes closer together.
    """
    eye_distance = np.linalg.norm(rest_eyes[0] - rest_eyes[1]) / np.cos(np.radians(rest_yaw))
    moved = (landmarks.mean(-2) - rest_landmarks.mean(-2)) * (EYE_DISTANCE_CM / eye_distance)
    scale = _extent(landmarks) / _extent(rest_landmarks)
    closer = CAMERA_DISTANCE_CM * (1 - 1 / scale)
    return np.stack([moved[..., 0], -moved[..., 1], closer], -1)


def _extent(landmarks: np.ndarray) -> np.ndarray:
    """(…,) root mean square distance of the points (…, 68, 2) from their middle."""
    centred = landmarks - landmarks.mean(-2, keepdims=True)
    return np.sqrt(np.square(centred).sum((-1, -2)))


def parameter_change(
    schema: ParameterSchema, seen: Mapping[str, np.ndarray], rest: Mapping[str, np.ndarray]
) -> np.ndarray:
    """(f, n) measured change of all parameters, the head's translation included.

    Args:
        seen: fields of the readings of f frames, see `families.Reading`.
        rest: fields of the reading of the same person at rest.
    """
    change = np.array(seen["parameters"] - rest["parameters"])
    translation = head_translation(
        seen["landmarks"], rest["landmarks"], rest["eyes"], float(rest["parameters"][0])
    )
    for axis, name in enumerate(TRANSLATION):
        if name in schema.index:
            change[:, schema.index[name]] = translation[:, axis]
    return change
