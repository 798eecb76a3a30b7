"""Which pixels of a photo are skin of the face: not hair over it, nor what is beside it."""

from __future__ import annotations

import cv2
import numpy as np

from photorig.worker.faces.face_topology import FACE_BORDER
from photorig.worker.portraits.alignment import Alignment

from .layers import grown

_SIDE = 384
"""Pixels of the aligned square's side at which skin is told."""

# Lengths are parts of the aligned square's side.
_SURE = 0.05
"""How far inside a face's border there is hardly anything but the face."""
_NEARBY = 0.06
"""From how far colours of the face are taken."""
_BESIDE = 0.012
"""How far outside a face's border its skin may go on."""
_EDGE = 0.003
"""How far inside of what looks like skin it is believed, and over how much that ends."""

_APART, _NOISE = 2.6, 6.0
"""By how many of its deviations, and of these levels, a colour is no skin any more."""
_LEAST_KNOWN = 1e-3


def skin_of(photo: np.ndarray, alignment: Alignment, landmarks: np.ndarray) -> np.ndarray:
    """(h, w) float32 in [0, 1]: how far each pixel shows skin of the face.

    A colour is skin's if it is no further from those of the inner face nearby than these are from
    each other; features of the inner face are taken for what they are beside.

    Args:
        photo: (h, w, 3) uint8.
        alignment: from its pixels to the aligned square.
        landmarks: (≥ 468, 3) of the face, in sides of the square.
    """
    square = cv2.GaussianBlur(alignment.crop(photo, _SIDE), (0, 0), 0.7)
    colours = cv2.cvtColor(square, cv2.COLOR_RGB2LAB).astype(np.float32)
    face = np.zeros((_SIDE, _SIDE), np.uint8)
    outline = landmarks[list(FACE_BORDER), :2] * _SIDE
    cv2.fillPoly(face, [np.round(outline).astype(np.int32)], 1)
    depth = cv2.distanceTransform(face, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / _SIDE
    sure = (depth > min(_SURE, 0.5 * float(depth.max()))).astype(np.float32)
    known = cv2.GaussianBlur(sure, (0, 0), _NEARBY * _SIDE) + np.float32(_LEAST_KNOWN)
    weights, total = cv2.merge([sure] * 3), cv2.merge([known] * 3)
    mean = cv2.GaussianBlur(colours * weights, (0, 0), _NEARBY * _SIDE) / total
    apart = (colours - mean) ** 2
    spread = cv2.GaussianBlur(apart * weights, (0, 0), _NEARBY * _SIDE) / total
    unlike = (apart / (spread + _NOISE**2)).mean(-1) / _APART**2
    like = (unlike < 1) & (grown(face, _BESIDE * _SIDE) > 0)
    like = grown(cv2.medianBlur(like.astype(np.uint8), 5), -_EDGE * _SIDE).astype(np.float32)
    skin = cv2.GaussianBlur(like, (0, 0), _EDGE * _SIDE)
    return np.asarray(alignment.placed(skin, photo.shape[:2]))
