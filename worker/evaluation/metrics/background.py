"""What is neither head nor shoulders, and how much of it changes when a face is driven."""

from __future__ import annotations

import cv2
import numpy as np

_PERSON = 0.5  # of the matte
_DILATION = 0.05  # of the side, as algorithms.md §9.7 has it


def widened(matte: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: the person of a matte in [0, 1] of any size, widened by 5 % of the side.

    Args:
        shape: height and width of the picture that the matte belongs to.
    """
    height, width = shape
    whole = cv2.resize(matte.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    size = 2 * round(_DILATION * width) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return cv2.dilate((whole > _PERSON).astype(np.uint8), kernel) > 0


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
