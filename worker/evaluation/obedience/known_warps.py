"""Faces moved by a known way, to see how much of it the judges see.

A judge that reads half of what is there would call a portrait that obeys lazy. So a photo at rest
is bent smoothly, each landmark of a group by the full motion of `yardstick`, and looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .shape import FaceFrame
from .yardstick import BY_NAME, GAZES, SMILE_OUT, SMILE_UP, Look, eye_heights, eye_width

_ROUNDS = 20


@dataclass(frozen=True)
class Push:
    """Part of a face that moves as one, smoothly less around it.

    Attributes:
        points: the landmarks it lies around; each is pushed.
        move: eye distances, x to the subject's left, y up.
        radius: eye distances, from where on nothing moves.
        core: of the radius, within which everything moves as one.
    """

    points: tuple[int, ...]
    move: tuple[float, float]
    radius: float
    core: float = 0.3


@dataclass(frozen=True)
class Warp:
    """A known motion, which a move of `yardstick.MOVES` by its name should see in full."""

    move: str
    pushes: tuple[Push, ...]


def _pair(
    left: Sequence[int], right: Sequence[int], x: float, y: float, radius: float
) -> tuple[Push, Push]:
    return Push(tuple(left), (x, y), radius), Push(tuple(right), (-x, y), radius)


_MOUTH = tuple(range(48, 60))
_IRIS = 0.06  # eye distances, about a seventh of an eye's width
_EYES = tuple(range(42, 48)), tuple(range(36, 42))
_LID = 0.07  # eye distances, about half of an eye's height
WARPS: tuple[Warp, ...] = (
    Warp("smile", _pair((54,), (48,), SMILE_OUT, SMILE_UP, 0.6)),
    Warp("smile left", (Push((54,), (SMILE_OUT, SMILE_UP), 0.6),)),
    Warp("inner brow up", (Push((20, 21, 22, 23), (0, 0.086), 0.3),)),
    Warp("outer brow left up", (Push((23, 24, 25, 26), (0, 0.117), 0.35),)),
    Warp("brows down", (Push((20, 21, 22, 23), (0, -0.044), 0.25),)),
    Warp("pucker", _pair((54,), (48,), -0.147 / 2, 0, 0.4)),
    Warp("frown", _pair((54,), (48,), 0, -0.072, 0.35)),
    Warp("upper lip up", (Push((50, 51, 52, 61, 62, 63), (0, 0.126), 0.4),)),
    Warp("jaw left", (Push((57, 8, 7, 9), (0.137, 0), 0.7),)),
    Warp("mouth left", (Push(_MOUTH, (0.171, 0), 0.6),)),
    Warp("cheeks puffed", _pair((35, 54, 13), (31, 48, 3), 0.09, 0, 0.5)),
    Warp("nose sneers", _pair((35,), (31,), 0, 0.118, 0.35)),
    *(
        Warp(name, tuple(Push(eye, (x * _IRIS, y * _IRIS), 0.2, 0.5) for eye in _EYES))
        for name, x, y in (("look left", 1, 0), ("look up", 0, 1), ("look down", 0, -1))
    ),
    Warp("both lids", (Push((43, 44), (0, -_LID), 0.16), Push((37, 38), (0, -_LID), 0.16))),
)
_AROUND_MIDDLE = frozenset({"cheeks puffed", *GAZES})
"""Pushed around the middle of their points, not around each of them."""


def displacement(face: FaceFrame, warp: Warp, shape: tuple[int, int]) -> np.ndarray:
    """(h, w, 2) pixels: how far each pixel of the face at rest goes."""
    field = np.zeros((*shape, 2))
    rows, columns = np.indices(shape)
    for push in warp.pushes:
        centres = face.rest[list(push.points)] - 0.5  # OpenCV's pixel i has its middle at i
        if warp.move in _AROUND_MIDDLE:
            centres = centres.mean(0, keepdims=True)
        distance = np.min([np.hypot(columns - x, rows - y) for x, y in centres], axis=0) / (
            push.radius * face.unit
        )
        fade = np.clip((1 - distance) / (1 - push.core), 0, 1)
        weight = fade * fade * (3 - 2 * fade)
        field += weight[..., None] * (np.array(push.move) @ face.axes * face.unit)
    return field


def warped(image: np.ndarray, face: FaceFrame, warp: Warp) -> np.ndarray:
    """The picture with the face moved: each pixel shows what has gone there."""
    field = displacement(face, warp, image.shape[:2]).astype(np.float32)
    rows, columns = np.indices(image.shape[:2], np.float32)
    back = field.copy()
    for _ in range(_ROUNDS):  # where a pixel came from: x − d(x − d(x − …))
        back = cv2.remap(field, columns - back[..., 0], rows - back[..., 1], cv2.INTER_LINEAR)
    return np.asarray(
        cv2.remap(
            image,
            columns - back[..., 0],
            rows - back[..., 1],
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )


def known_share(warp: Warp, rest: Look, judge: str) -> float:
    """How much of the full motion a warp is, on this face.

    Eyes differ in size, and each judge takes their height for another one.
    """
    if warp.move in GAZES:
        return _IRIS / eye_width(rest) / BY_NAME[warp.move].full
    if warp.move == "both lids":
        return float(_LID / eye_heights(rest, judge).mean() / BY_NAME[warp.move].full)
    return 1.0


def places_of_warps() -> Mapping[str, int]:
    """Where each warp stands among what `look.look_at_known_warps` gives."""
    return {warp.move: place for place, warp in enumerate(WARPS, start=1)}
