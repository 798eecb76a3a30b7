"""Small pictures of driven people for the report, measured (rendered) like everything else."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .cached_results import CachedResult, Task
from .context import EvaluationContext, FrameSize

TILES = "tiles"
TILE = 112


def tiles_task(person: int, frames: list[tuple[str, FrameSize | None, dict[str, float]]]) -> Task:
    """Tiles of one person.

    Args:
        frames: mode, size of the frame that is then shrunk (None: that of the judged frames), and
            values by parameter id. In absolute mode what is not named stays as in the photo.
    """
    details: list[Any] = [TILE]
    for mode, size, values in frames:
        rounded = sorted((name, round(float(value), 5)) for name, value in values.items())
        details.append([mode, size, rounded])
    return Task(TILES, person, tuple(details))


def measure_tiles(context: EvaluationContext, task: Task) -> CachedResult:
    """Returns ``tiles`` (frames, 112, 112, 3) uint8; grey where there is no face to drive."""
    side, *frames = task.details
    tiles = np.full((len(frames), side, side, 3), 128, np.uint8)
    portrait = context.portrait(task.person)
    if portrait is not None:
        for i, (mode, size, values) in enumerate(frames):
            missing = context.schema.rest if mode == "relative" else portrait.parameters
            vector = context.schema.vector(dict(values), missing)
            image = context.frame(portrait, vector, mode, size)
            tiles[i] = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return {"tiles": tiles}
