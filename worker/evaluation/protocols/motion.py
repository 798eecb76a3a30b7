"""Moving pictures and repeated ones: does a smooth move come out smooth, the same as the same?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from ..metrics import statistics
from ..metrics.statistics import mean_known
from .pieces import Piece, Task
from .studio import FrameSize, Studio
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


def move(studio: Studio, frame: int) -> dict[str, float]:
    """The change asked for in a frame: the head turns and nods, the mouth smiles and opens."""
    t = 2 * np.pi * frame / N_FRAMES
    bundle, schema = studio.renderer.bundle, studio.schema
    values = {"headYaw": _YAW * np.sin(t), "headPitch": _PITCH * np.sin(2 * t)}
    parts = {"mouthSmileLeft": 2, "mouthSmileRight": 2, "jawOpen": 3}
    for name, beats in parts.items():
        end = bundle.responses[schema.index[name]].maximum
        values[name] = 0.5 * end * (1 - np.cos(beats * t)) / 2
    return {name: float(value) for name, value in values.items()}


def measure_motion(studio: Studio, task: Task) -> Piece:
    """A smooth move of five seconds, and a still picture moved as smoothly for comparison.

    Returns:
        readings of 2 · 125 frames, the driven ones first; ``flicker``: mean over the pixels
        outside the person of their standard deviation in time, 0 to 255.
    """
    portrait = studio.portrait(task.person)
    if portrait is None:
        return {"flicker": np.full(1, np.nan, np.float32)}
    readings: list[Readings] = []
    images = []
    person = np.zeros((studio.settings.size,) * 2, bool)
    for frame in range(N_FRAMES):
        wanted = studio.schema.vector(move(studio, frame))
        image = studio.frame(portrait, wanted, "relative")
        person |= studio.person_mask(image)
        images.append(image)
        readings.append(studio.read(image))
    rest = studio.frame(portrait, studio.schema.rest, "relative")
    readings += [studio.read(_moved_picture(rest, frame)) for frame in range(N_FRAMES)]
    deviation = np.stack(images).astype(np.float32).std(0)[~person]
    flicker = float(deviation.mean()) if deviation.size else float("nan")
    return {"flicker": np.full(1, flicker, np.float32), **stack_families(studio, readings)}


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


def motion_figures(pieces: Sequence[Piece], family: str) -> dict[str, Any]:
    """Jitter of driven faces beside that of the moved still picture."""
    known = [piece for piece in pieces if f"{family}.landmarks" in piece]
    driven = [_jitter(piece, family, slice(0, N_FRAMES)) for piece in known]
    still = [_jitter(piece, family, slice(N_FRAMES, None)) for piece in known]

    def mean_of(clips: list[dict[str, float]]) -> dict[str, float]:
        names = clips[0] if clips else {}
        return {name: float(mean_known(np.array([c[name] for c in clips]))) for name in names}

    return {
        "people": len(known),
        "driven": mean_of(driven),
        "moved_still_picture": mean_of(still),
        "background_flicker": float(mean_known(np.array([p["flicker"][0] for p in pieces]))),
    }


def _jitter(piece: Piece, family: str, frames: slice) -> dict[str, float]:
    landmarks = piece[f"{family}.landmarks"][frames]
    eyes = piece[f"{family}.eyes"][frames]
    pose = piece[f"{family}.parameters"][frames, :3]
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


def measure_still(studio: Studio, task: Task) -> Piece:
    """The same requests in two orders, with other requests between: are the bytes the same?

    Returns:
        ``same``: (requests,) 1 where both frames were the same to the last bit.
    """
    portrait = studio.portrait(task.person)
    if portrait is None:
        return {"same": np.zeros(0, np.int32)}
    moves = [move(studio, frame) for frame in (0, 20, 55)]
    vectors = [studio.schema.vector(values) for values in moves]
    sizes: list[FrameSize] = [s for s in _SIZES if s in studio.renderer.generator.sizes]
    requests = [(v, size) for size in [*sizes, "full"] for v in vectors]
    first = [studio.frame(portrait, v, "relative", size).tobytes() for v, size in requests]
    again = [studio.frame(portrait, v, "relative", size).tobytes() for v, size in requests[::-1]]
    same = [a == b for a, b in zip(first, again[::-1], strict=True)]
    return {"same": np.array(same, np.int32)}
