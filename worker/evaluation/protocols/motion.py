"""Moving pictures and repeated ones: does a smooth move come out smooth, the same as the same?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from ..metrics import statistics
from ..metrics.statistics import mean_known
from .cached_results import CachedResult, Task
from .context import EvaluationContext, FrameSize
from .sweeps import Readings, stack_families

MOTION, STILL = "motion", "still"
FRAMES_PER_SECOND, SECONDS = 25, 5
N_FRAMES = FRAMES_PER_SECOND * SECONDS
CUT_OFF = 5.0
"""Hz; the move has nothing faster than 0.6 Hz in it, so what is faster than this is jitter."""

_YAW, _PITCH = 18.0, 8.0
_ROLL_OF_REFERENCE = 6.0  # degrees, of the still picture that is moved for comparison
_SHIFT_OF_REFERENCE = 0.03  # of the side
_SIZES: tuple[int, ...] = (256, 512, 1024)


def move(context: EvaluationContext, frame: int) -> dict[str, float]:
    """The change asked for in a frame: the head turns and nods, the mouth smiles and opens."""
    t = 2 * np.pi * frame / N_FRAMES
    bundle, schema = context.renderer.bundle, context.schema
    values = {"headYaw": _YAW * np.sin(t), "headPitch": _PITCH * np.sin(2 * t)}
    parts = {"mouthSmileLeft": 2, "mouthSmileRight": 2, "jawOpen": 3}
    for name, beats in parts.items():
        end = bundle.responses[schema.index[name]].maximum
        values[name] = 0.5 * end * (1 - np.cos(beats * t)) / 2
    return {name: float(value) for name, value in values.items()}


def measure_motion(context: EvaluationContext, task: Task) -> CachedResult:
    """A smooth move of five seconds, and a still picture moved as smoothly for comparison.

    Returns:
        readings of 2 · 125 frames, the driven ones first; ``flicker``: mean over the pixels
        outside the person of their standard deviation in time, 0 to 255.
    """
    portrait = context.portrait(task.person)
    if portrait is None:
        return {"flicker": np.full(1, np.nan, np.float32)}
    readings: list[Readings] = []
    images = []
    person = np.zeros((context.settings.size,) * 2, bool)
    for frame in range(N_FRAMES):
        wanted = context.schema.vector(move(context, frame))
        image = context.frame(portrait, wanted, "relative")
        person |= context.person_mask(image)
        images.append(image)
        readings.append(context.read(image))
    rest = context.frame(portrait, context.schema.rest, "relative")
    readings += [context.read(_moved_picture(rest, frame)) for frame in range(N_FRAMES)]
    deviation = np.stack(images).astype(np.float32).std(0)[~person]
    flicker = float(deviation.mean()) if deviation.size else float("nan")
    return {"flicker": np.full(1, flicker, np.float32), **stack_families(context, readings)}


def _moved_picture(image: np.ndarray, frame: int) -> np.ndarray:
    """The picture turned and shifted in its plane, exactly and smoothly."""
    t = 2 * np.pi * frame / N_FRAMES
    side = image.shape[0]
    angle = _ROLL_OF_REFERENCE * float(np.sin(t))
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1.0)
    matrix[:, 2] += side * _SHIFT_OF_REFERENCE * np.array([np.sin(t), np.sin(2 * t)])
    return cv2.warpAffine(
        image,
        matrix,
        (side, side),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )


def motion_figures(cached_results: Sequence[CachedResult], family: str) -> dict[str, Any]:
    """Jitter of driven faces beside that of the moved still picture."""
    known = [cached for cached in cached_results if f"{family}.landmarks" in cached]
    driven = [_jitter(cached, family, slice(0, N_FRAMES)) for cached in known]
    still = [_jitter(cached, family, slice(N_FRAMES, None)) for cached in known]

    def mean_of(clips: list[dict[str, float]]) -> dict[str, float]:
        names = clips[0] if clips else {}
        return {name: float(mean_known(np.array([c[name] for c in clips]))) for name in names}

    return {
        "people": len(known),
        "driven": mean_of(driven),
        "moved_still_picture": mean_of(still),
        "background_flicker": float(
            mean_known(np.array([p["flicker"][0] for p in cached_results]))
        ),
    }


def _jitter(cached: CachedResult, family: str, frames: slice) -> dict[str, float]:
    landmarks = cached[f"{family}.landmarks"][frames]
    eyes = cached[f"{family}.eyes"][frames]
    pose = cached[f"{family}.parameters"][frames, :3]
    lost = ~np.isfinite(pose).all(1)
    eye_distance = float(mean_known(np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=-1)))
    if lost.any():
        return {"landmarks": float("nan"), "pose": float("nan"), "frames_lost": float(lost.sum())}
    fast = statistics.high_passed(landmarks, FRAMES_PER_SECOND, CUT_OFF)
    return {
        "landmarks": statistics.acceleration_jitter(landmarks, eye_distance),
        "landmarks_fast": statistics.acceleration_jitter(fast, eye_distance),
        "pose": float(statistics.high_passed(pose, FRAMES_PER_SECOND, CUT_OFF).std(0).mean()),
        "frames_lost": 0.0,
    }


def measure_still(context: EvaluationContext, task: Task) -> CachedResult:
    """The same requests in two orders, with other requests between: are the bytes the same?

    Returns:
        ``same``: (requests,) 1 where both frames were the same to the last bit.
    """
    portrait = context.portrait(task.person)
    if portrait is None:
        return {"same": np.zeros(0, np.int32)}
    moves = [move(context, frame) for frame in (0, 20, 55)]
    vectors = [context.schema.vector(values) for values in moves]
    sizes: list[FrameSize] = [s for s in _SIZES if s in context.renderer.generator.sizes]
    requests = [(v, size) for size in [*sizes, "full"] for v in vectors]
    first = [context.frame(portrait, v, "relative", size).tobytes() for v, size in requests]
    again = [context.frame(portrait, v, "relative", size).tobytes() for v, size in requests[::-1]]
    same = [a == b for a, b in zip(first, again[::-1], strict=True)]
    return {"same": np.array(same, np.int32)}
