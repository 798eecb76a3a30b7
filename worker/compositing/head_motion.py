"""Moving a head in the picture: what of a parameter shift is geometry, and the field that does it.

Generators of aligned faces cannot roll or shift a head, so both are done to their picture. The head
turns rigidly about the top of its neck, the shoulders stay, and the neck between them bends: every
point follows the head's motion as far as it belongs to the head, from the rest pose through all
poses in between (the flow of a velocity field), so nothing can fold, however short the neck.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np

from photorig.shared.parameters.schema import ParameterSchema

ROLL_RANGE = (-35.0, 35.0)
X_RANGE = (-5.0, 5.0)
Y_RANGE = (-3.0, 3.0)
Z_RANGE = (-8.0, 8.0)
"""Shifts, in degrees and centimetres, up to which moved heads look right."""

CAMERA_DISTANCE = 80.0
"""cm between camera and head at which headZ is seen: a usual portrait."""

_STEPS = 8  # of the flow; the error of 8 is below a hundredth of a pixel at 256
_GRID = 64  # points along the longer side at which the flow is followed


@dataclass(frozen=True)
class HeadMotion:
    """How the head moves in the picture.

    Attributes:
        roll: degrees in the plane of the image, counter-clockwise > 0.
        x, y, z: cm, to image right, up and towards the camera.
        lead: cm to the right and up in the aligned square, before the head is rolled: how far the
            face goes ahead of the neck that it turns on, see `with_lead_of_face`.
    """

    roll: float = 0.0
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    lead: tuple[float, float] = (0.0, 0.0)

    @property
    def is_rest(self) -> bool:
        return self == HeadMotion()


@dataclass(frozen=True)
class HeadPlace:
    """Where a head is in a picture, in pixels (pixel i covers [i, i + 1), y down).

    Attributes:
        pivot: (2,) the point that the head turns about.
        chin: (2,) centre of the round lower end of the head, between mouth and chin.
        chin_radius: from there to the edge of the chin.
        centre: (2,) of the aligned square; the camera's axis goes through it.
        pixels_per_cm: at the distance of the face.
        unit: pixels of the aligned square's side.
        axis: direction of the square's upper edge, x + iy of length 1.
    """

    pivot: np.ndarray
    chin: np.ndarray
    chin_radius: float
    centre: np.ndarray
    pixels_per_cm: float
    unit: float = 1.0
    axis: complex = 1.0


def split_shift(
    schema: ParameterSchema, origin: np.ndarray, asked: np.ndarray, held: np.ndarray
) -> tuple[HeadMotion, np.ndarray]:
    """What of a shift the picture's geometry realises, and what is left to the generator.

    Yaw, pitch and roll are one rotation, Ry(yaw) · Rx(pitch) · Rz(roll). The generator turns the
    head with the roll it has, then the picture is rolled: Rz(φ) Ry(yaw') Rx(pitch') Rz(roll_s) is
    the same rotation, with other yaw and pitch where both a turn and a roll are asked for.

    Args:
        origin: (n,) p_s, measured on the photo.
        asked: (n,) Δp; its roll and translation are clamped to their ranges here.
        held: (n,) Δp that the generator can follow.

    Returns:
        The motion, and ``held`` with other yaw and pitch and without roll and translation.
    """
    yaw, pitch, roll, x, y, z = (
        schema.index[name]
        for name in ("headYaw", "headPitch", "headRoll", "headX", "headY", "headZ")
    )
    left = np.array(held, np.float32)
    left[[roll, x, y, z]] = 0.0
    asked_roll = _clamped(asked[roll], ROLL_RANGE)
    in_plane = 0.0
    if asked_roll != 0.0:
        wanted = np.asarray(origin, np.float64)[[yaw, pitch]] + held[[yaw, pitch]]
        in_plane, *turned = _rolled_last(float(wanted[0]), float(wanted[1]), asked_roll)
        left[[yaw, pitch]] += (turned - wanted).astype(np.float32)
    motion = HeadMotion(
        in_plane,
        _clamped(asked[x], X_RANGE),
        _clamped(asked[y], Y_RANGE),
        _clamped(asked[z], Z_RANGE),
    )
    return motion, left


_FACE = (7.0, 7.0)
"""cm, up and forward, from the point that a head turns on to what stays in its place when a
generator of aligned faces turns it: the middle between eyes and mouth (docs/measurements.md)."""


def with_lead_of_face(
    schema: ParameterSchema, origin: np.ndarray, shift: np.ndarray, motion: HeadMotion
) -> HeadMotion:
    """The motion with a head that turns on its neck, and not on its face.

    A generator of aligned faces keeps the face in the middle, so that the neck wanders off to the
    other side when it turns one. Here the face is led to where it is when the neck stays.

    Args:
        origin: (n,) p_s; shift: (n,) Δp that the generator follows.
    """
    angles = [schema.index["headYaw"], schema.index["headPitch"]]
    before = _face_at(*np.asarray(origin, np.float64)[angles])
    after = _face_at(*(np.asarray(origin, np.float64) + shift)[angles])
    return replace(motion, lead=(after[0] - before[0], after[1] - before[1]))


def _face_at(yaw: float, pitch: float) -> tuple[float, float]:
    """cm from the neck to the face, to the right and up, for a head turned by these degrees."""
    up, forward = _FACE
    cp, sp = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    return math.sin(math.radians(yaw)) * (forward * cp - up * sp), up * cp + forward * sp


def _clamped(value: np.floating, limits: tuple[float, float]) -> float:
    return float(min(max(float(value), limits[0]), limits[1]))


def _rolled_last(yaw: float, pitch: float, roll: float) -> tuple[float, float, float]:
    """φ, yaw', pitch' in degrees with Rz(φ) Ry(yaw') Rx(pitch') = Ry(yaw) Rx(pitch) Rz(roll)."""
    cy, sy = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    cp, sp = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])  # pitch > 0 is nose up
    cr, sr = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    whole = turn @ nod @ np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    in_plane = math.atan2(whole[1, 0], whole[0, 0])
    new_yaw = math.asin(max(-1.0, min(1.0, -whole[2, 0])))
    new_pitch = math.atan2(-whole[2, 1], whole[2, 2])
    return math.degrees(in_plane), math.degrees(new_yaw), math.degrees(new_pitch)


def source_positions(shape: tuple[int, int], place: HeadPlace, motion: HeadMotion) -> np.ndarray:
    """For every pixel of the moved picture, where in the picture at rest it comes from.

    Args:
        shape: height and width of the picture.

    Returns:
        (h, w, 2) float32, x and y as OpenCV counts them: the first pixel's centre is 0.
    """
    ways = source_ways(shape, place, motion)
    ways[..., 0] += np.arange(shape[1], dtype=np.float32)
    ways[..., 1] += np.arange(shape[0], dtype=np.float32)[:, None]
    return ways


def source_ways(shape: tuple[int, int], place: HeadPlace, motion: HeadMotion) -> np.ndarray:
    """(h, w, 2) float32: from each pixel to where it comes from; see `source_positions`."""
    import cv2

    points, x, y = _grid(shape)
    way = _followed_back(points, place, motion) - points
    axes = (np.ascontiguousarray(axis, np.float32) for axis in (way.real, way.imag))
    return cv2.merge([cv2.remap(axis, x, y, cv2.INTER_LINEAR) for axis in axes])


@functools.lru_cache(maxsize=4)
def _grid(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Complex points at which the flow is followed, and where between them each pixel lies."""
    height, width = shape
    step = max(height, width) / _GRID
    columns, rows = math.ceil(width / step) + 1, math.ceil(height / step) + 1
    x, y = np.meshgrid(np.arange(columns) * step, np.arange(rows) * step)
    # Grid point (i, j) lies at pixel position (j, i) · step, pixel centre p at p + ½.
    across, down = (((np.arange(n) + 0.5) / step).astype(np.float32) for n in (width, height))
    return (x + 1j * y, *np.meshgrid(across, down))


def head_similarity(place: HeadPlace, motion: HeadMotion) -> tuple[complex, complex]:
    """(a, b) of the head's motion p → a p + b, points as complex numbers of pixels, y down."""
    scale = CAMERA_DISTANCE / (CAMERA_DISTANCE - motion.z)
    pivot, centre = complex(*place.pivot), complex(*place.centre)
    turn = complex(math.cos(math.radians(motion.roll)), -math.sin(math.radians(motion.roll)))
    shift = complex(motion.x, -motion.y) * place.pixels_per_cm
    lead = complex(motion.lead[0], -motion.lead[1]) * place.axis * place.pixels_per_cm
    # Lead the face, turn about the pivot, shift in the plane of the face, come closer along the
    # camera's axis.
    return scale * turn, centre + scale * (pivot + shift + turn * (lead - pivot) - centre)


def _followed_back(points: np.ndarray, place: HeadPlace, motion: HeadMotion) -> np.ndarray:
    """Complex positions after the motion to those before it.

    With A the logarithm of the head's motion, a point moves with velocity k·A while the head is on
    its way, k being how much it belongs to the head. Seen from the head that is h' = (k(h) − 1) A h
    at any time: it is followed backwards from the end of the motion.
    """
    a, b = head_similarity(place, motion)
    rate = np.log(a)
    drift = b * (rate / (a - 1) if abs(a - 1) > 1e-9 else 1.0)

    def follow(h: np.ndarray, duration: np.ndarray) -> np.ndarray:
        growth = np.exp(duration * rate)
        shift = (growth - 1) / rate if abs(rate) > 1e-9 else duration
        return h * growth + drift * shift

    seen = (points - b) / a  # from the head, when it has arrived
    for _ in range(_STEPS):
        middle = follow(seen, (1 - head_weight(seen, place)) / (2 * _STEPS))
        # Each step is exact for points that belong to the head, or to the body, altogether.
        seen = follow(seen, (1 - head_weight(middle, place)) / _STEPS)
    return seen


NECK_LENGTH = 7.0
"""cm below the chin at which nothing follows the head any more."""

HEAD_REACH = (0.55, 0.9)
"""Distances from the middle of the aligned square, in its sides, up to which everything follows
the head and from which nothing does: whoever stands beside it is somebody else."""


def head_weight(points: np.ndarray, place: HeadPlace) -> np.ndarray:
    """How much complex positions belong to the head: 1 above and around the chin, 0 on the body."""
    relative = points - complex(*place.chin)
    below = np.maximum(relative.imag, 0.0)
    beyond_chin = np.maximum(np.abs(relative) - place.chin_radius, 0.0)
    down_neck = np.minimum(below, beyond_chin) / (NECK_LENGTH * place.pixels_per_cm)
    near, far = HEAD_REACH
    aside = (np.abs(points - complex(*place.centre)) / place.unit - near) / (far - near)
    return _falling(down_neck) * _falling(aside)


def _falling(value: np.ndarray) -> np.ndarray:
    """1 below 0, 0 above 1, smooth between."""
    t = np.clip(1 - value, 0.0, 1.0)
    return t * t * (3 - 2 * t)
