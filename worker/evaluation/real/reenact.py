"""Frames of a portrait driven by a recording, beside the real ones, as all families read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from photorig.worker.portraits.portrait import Portrait

from ..estimators.families import Reading, stacked
from ..protocols.cached_results import CachedResult, ResultCache, Task
from .image_metrics import face_mask
from .photo_measures import TILE
from .recording import Recording
from .tools import EvaluationTools, head_tile

SELF, ROW, SMOOTH, CROSS = "self", "row", "smooth", "cross"
_CHUNK = 8  # frames a cached result, so that little is lost when a run is stopped

REAL, MADE = "real", "made"


@dataclass(frozen=True, eq=False)
class Scene:
    """Who is driven by which recording, and where what was measured is kept.

    Attributes:
        source: the recording whose frame 0 the portrait was made of; in self-reenactment the
            driver too.
    """

    tools: EvaluationTools
    portrait: Portrait
    source: Recording
    driver: Recording
    store: ResultCache


def measure(
    scene: Scene, stage: str, numbers: Sequence[int], advance: Callable[[int], None]
) -> CachedResult:
    """Readings and distances of the frames that can be measured, in the order of their numbers.

    Args:
        advance: is told how many frames are done.

    Returns:
        ``number`` (f,); ``l1`` and ``l1_still`` (f,), mean difference on the real frame's face in
        levels of 255 of the frame and of the un-driven photo; ``tiles`` (f, 2, TILE, TILE, 3) real
        and made; ``real.<family>.<field>`` and ``made.<family>.<field>``. Without frames: empty.
    """
    usable = [n for n in numbers if scene.driver.drive(n) is not None and n in scene.driver.images]
    smooth = scene.driver.smooth_drive(usable) if stage == SMOOTH else {}
    cached_results = []
    for first in range(0, len(usable), _CHUNK):
        chunk = usable[first : first + _CHUNK]
        task = Task(stage, chunk[0], (chunk,))
        cached = scene.store.read(task)
        if cached is None:
            cached = _measured(scene, stage, chunk, smooth)
            scene.store.write(task, cached)
        cached_results.append(cached)
        advance(first + len(chunk))
    if not cached_results:
        return {}
    return {
        name: np.concatenate([cached[name] for cached in cached_results])
        for name in cached_results[0]
    }


def _measured(
    scene: Scene, stage: str, numbers: Sequence[int], smooth: dict[int, np.ndarray]
) -> CachedResult:
    tools, still = scene.tools, scene.source.images[0]
    own_view = scene.portrait.alignment
    view = own_view if stage != CROSS else scene.driver.view
    real: list[tuple[Reading | None, ...]] = []
    made: list[tuple[Reading | None, ...]] = []
    distances, tiles = [], []
    for number in numbers:
        image = scene.driver.images[number]
        drive = smooth.get(number, scene.driver.drive(number))
        frame = driven_frame(scene, stage, drive)
        real.append(tools.read(image))
        made.append(tools.read(frame))
        face = scene.driver.faces[number]
        tiles.append([head_tile(image, view, TILE), head_tile(frame, own_view, TILE)])
        if stage == CROSS or face is None:
            distances.append((np.nan, np.nan))
        else:
            mask = face_mask(face, image.shape[:2])
            distances.append((_distance(frame, image, mask), _distance(still, image, mask)))
    cached: CachedResult = {
        "number": np.array(numbers, np.int32),
        "l1": np.array([made for made, _ in distances], np.float32),
        "l1_still": np.array([still for _, still in distances], np.float32),
        "tiles": np.array(tiles, np.uint8),
    }
    for name, readings in ((REAL, real), (MADE, made)):
        for i, family in enumerate(tools.families):
            arrays = stacked(family, [reading[i] for reading in readings])
            cached |= {f"{name}.{key}": values for key, values in arrays.items()}
    return cached


def driven_frame(scene: Scene, stage: str, drive: np.ndarray | None) -> np.ndarray:
    """The whole photo driven to a frame of the recording: absolutely by its own, by the change
    since its first frame if somebody else drives."""
    tools, first = scene.tools, scene.driver.drive(0)
    if drive is None or first is None:
        drive, first = tools.schema.rest, tools.schema.rest
    if stage == CROSS:
        change = np.asarray(drive - first + tools.schema.rest, np.float32)
        return tools.frame(scene.portrait, change, "relative")
    return tools.frame(scene.portrait, drive, "absolute")


def still_is_still(scene: Scene, numbers: Sequence[int]) -> tuple[int, int]:
    """How often the same drive gave the same bytes, with other frames between; of how many."""
    drives = [scene.driver.drive(number) for number in numbers]
    first = [driven_frame(scene, SELF, drive).tobytes() for drive in drives]
    again = [driven_frame(scene, SELF, drive).tobytes() for drive in reversed(drives)]
    same = [a == b for a, b in zip(first, reversed(again), strict=True)]
    return sum(same), len(same)


def _distance(one: np.ndarray, other: np.ndarray, mask: np.ndarray) -> float:
    """Mean |difference| over a mask in levels of 255; NaN where it is empty."""
    if not mask.any():
        return float("nan")
    return float(np.abs(one[mask].astype(np.float32) - other[mask]).mean())
