"""A face and a photo whose alignment is known."""

from __future__ import annotations

import numpy as np


def landmarks(turn: float = 0.0, scale: float = 1.0, centre=(200.0, 150.0)) -> np.ndarray:
    """(478, 3): a face whose eyes are 60 px apart and 70 px above its mouth, turned in degrees."""
    points = np.zeros((478, 3))
    points[[33, 133], :2] = [[-40, 0], [-20, 0]]
    points[[362, 263], :2] = [[20, 0], [40, 0]]
    points[[61, 291], :2] = [[-25, 70], [25, 70]]
    angle = np.deg2rad(turn)
    turning = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points[:, :2] = points[:, :2] @ turning.T * scale + centre
    return points


def smooth_photo(height: int = 300, width: int = 400) -> np.ndarray:
    """Slow waves of colour: can be resampled with hardly a loss."""
    y, x = np.mgrid[:height, :width] + 0.5
    waves = [np.sin(x / 31), np.cos(y / 23), np.sin((x + y) / 37)]
    return np.rint(127 + 100 * np.stack(waves, -1)).astype(np.uint8)
