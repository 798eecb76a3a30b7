"""What is neither head nor shoulders, and how much of it changes when a face is driven."""

from __future__ import annotations

import cv2
import numpy as np

from .families import N_OUTLINE

_DILATION = 0.05  # of the side, as algorithms.md §9.7 has it
_HALF_WIDTH, _HALF_HEIGHT, _RISE = 0.95, 1.0, 0.2  # in widths and heights of the face


def head_and_shoulders(outline: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A generous guess at where a person is, from the outline of the face alone.

    Args:
        outline: (n, 2) pixels around the face, the forehead included.
        shape: height and width of the picture.

    Returns:
        (height, width) bool: an ellipse for head and hair, and all that lies below the chin.
    """
    height, width = shape
    low, high = outline.min(0), outline.max(0)
    face_width, face_height = high - low
    centre = (low + high) / 2 - [0, _RISE * face_height]
    y, x = np.mgrid[:height, :width] + 0.5
    across = (x - centre[0]) / (_HALF_WIDTH * face_width)
    down = (y - centre[1]) / (_HALF_HEIGHT * face_height)
    head = across**2 + down**2 < 1
    return head | (y > high[1])


def person_mask(landmarks: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) bool, head and shoulders widened by 5 % of the side; landmarks are Net3D's 68."""
    mask = head_and_shoulders(landmarks[:N_OUTLINE], shape).astype(np.uint8)
    width = 2 * round(_DILATION * shape[1]) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return cv2.dilate(mask, kernel) > 0


def background_change(
    source: np.ndarray, driven: np.ndarray, source_mask: np.ndarray, driven_mask: np.ndarray
) -> float:
    """BG = Σ B |I_r − I_s| ÷ Σ B with B = 1 − (M_s ∪ M_r), 0 to 255; NaN where B is empty.

    Args:
        source, driven: (h, w, 3) uint8.
        source_mask, driven_mask: (h, w) bool, True on the person.
    """
    outside = ~(source_mask | driven_mask)
    if not outside.any():
        return float("nan")
    difference = np.abs(driven[outside].astype(np.float32) - source[outside])
    return float(difference.mean())
