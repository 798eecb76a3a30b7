"""A grid of turned faces made whole: where a generator's picture does not show the face any more,
or something else is taken for it, the face at rest is turned instead."""

from __future__ import annotations

import numpy as np

from photorig.worker.portraits.response import MIDDLE_TURN

from .face_mesh import FacePose

_MIDDLE = (33, 133, 263, 362, 61, 291)  # corners of eyes and mouth: they stay in the middle
_DEGREES_OFF, _PART_OFF = 12.0, 0.5
"""By how much a face may be turned otherwise than others tell, in degrees, and as a part of it."""
_LEAST_MOTION = 0.3  # that tells how a face turns
_SCALES = (0.85, 1.2)
"""How large a turned face may be, by its size at rest."""
_FLIP = np.array([1.0, -1.0, -1.0])


def completed(poses: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """Landmarks (n, n, 478, 3) of a face at all combinations of yaw and pitch, none missing.

    Args:
        poses: the same, NaN where no face was found; the one in the middle is at rest.
        turned: (2, n) motion of headYaw and headPitch.
    """
    rest = poses[MIDDLE_TURN, MIDDLE_TURN]
    angles, scales = _seen(poses, rest)
    rates = [
        _rate(np.moveaxis(angles, axis, 0)[:, MIDDLE_TURN, axis], turned[axis]) for axis in (0, 1)
    ]
    expected = np.stack(np.meshgrid(*(turned.T * rates).T, indexing="ij"), -1)
    allowed = np.maximum(_DEGREES_OFF, _PART_OFF * np.abs(expected))
    with np.errstate(invalid="ignore"):
        is_sound = (np.abs(angles - expected) <= allowed).all(-1)
        is_sound &= (scales > _SCALES[0]) & (scales < _SCALES[1])
    result = poses.copy()
    for place in np.argwhere(~is_sound).tolist():
        result[tuple(place)] = _turned(rest, *expected[tuple(place)])
    result[MIDDLE_TURN, MIDDLE_TURN] = rest
    return result


def _seen(poses: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, n, 2) degrees of yaw and pitch by which each face is turned, and (n, n) its size."""
    still = FacePose.of(rest)
    angles, scales = np.full((*poses.shape[:2], 2), np.nan), np.full(poses.shape[:2], np.nan)
    for i, j in np.ndindex(*poses.shape[:2]):
        if np.isfinite(poses[i, j]).all():
            pose = FacePose.of(poses[i, j])
            turn = pose.rotation @ still.rotation.T
            angles[i, j, 0] = np.degrees(np.arctan2(turn[0, 2], turn[2, 2]))
            angles[i, j, 1] = np.degrees(np.arcsin(np.clip(-turn[1, 2], -1, 1)))
            scales[i, j] = pose.scale / still.scale
    return angles, scales


def _rate(angles: np.ndarray, motion: np.ndarray) -> float:
    """Degrees for a motion of 1, by those (n,) that turn most: others may be another face."""
    tells = np.isfinite(angles) & (np.abs(motion) >= min(_LEAST_MOTION, np.abs(motion).max()))
    rates = angles[tells] / motion[tells]
    rates = rates[np.argsort(np.abs(rates))]
    return float(np.median(rates[len(rates) // 2 :])) if rates.size else 0.0


def _turned(rest: np.ndarray, yaw: float, pitch: float) -> np.ndarray:
    """(478, 3) landmarks turned rigidly by degrees about what is in the middle of the face."""
    (cy, cp), (sy, sp) = (f(np.radians([yaw, pitch])) for f in (np.cos, np.sin))
    across = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    points = rest * _FLIP
    away = (points - points[list(_MIDDLE)].mean(0)) @ (across @ nod).T
    return np.asarray((away - away[list(_MIDDLE)].mean(0)) * _FLIP + rest[list(_MIDDLE)].mean(0))
