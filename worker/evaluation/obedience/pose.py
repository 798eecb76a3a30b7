"""How a head has turned, by the classic way: landmarks against a face in space (PnP).

The judges' own map from landmarks to degrees was fitted to what Net3D says of generated faces. This
one knows nothing of Net3D but the shape of MediaPipe's canonical face.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import cv2
import numpy as np
import torch

from photorig.worker.faces import geometry
from photorig.worker.faces.canonical import load_canonical_face

POINTS: Mapping[int, int] = {
    36: 33,
    39: 133,
    42: 362,
    45: 263,
    27: 168,
    30: 4,
    33: 2,
    31: 98,
    35: 327,
    48: 61,
    54: 291,
    8: 152,
}
"""Which vertex of the canonical face each landmark is: corners of eyes and mouth, nose, chin. The
outline of the jaw is another line on the skin as the head turns."""
PNP, MAP, TRAINING_POSE = "PnP", "judges' map", "Net3D"
"""Ways to read a head's angles: dlib's landmarks against a face in space, the same through the
judges' map to degrees, and what training looked through."""
_FOCAL = 2.0  # sides of the picture: a portrait lens


@cache
def _face() -> np.ndarray:
    vertices = load_canonical_face().vertices[list(POINTS.values())]
    return np.ascontiguousarray(vertices, np.float64)


def head_angles(landmarks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(3,) yaw, pitch, roll in degrees of (68, 2) landmarks in a picture of (height, width); NaN
    where there are none."""
    points = np.asarray(landmarks, np.float64)[list(POINTS)]
    if not np.isfinite(points).all():
        return np.full(3, np.nan)
    height, width = size
    focal = _FOCAL * max(size)
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    # OpenCV's camera looks along +z with y down; the canonical face has y up and looks to +z.
    flipped = _face() * [1, -1, -1]
    found, turn, _ = cv2.solvePnP(flipped, points, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    if not found:
        return np.full(3, np.nan)
    rotation = np.diag([1.0, -1, -1]) @ cv2.Rodrigues(turn)[0] @ np.diag([1.0, -1, -1])
    return np.asarray(geometry.head_angles(torch.from_numpy(rotation)[None])[0].numpy())
