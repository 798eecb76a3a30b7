"""Amounts of ARKit's motion, and what Net3D reads where they are shown.

Parameters are amounts: 1 is ARKit's full motion, half of it is half the way. Net3D's coefficients
are neither: a face whose lids are shut reads 0.77, one whose jaw is half open 0.33, one at rest
squints by 0.32. What it reads of a face is a *reading* here, and turned into amounts before it is a
parameter. Both processes need this: portrait files keep readings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .schema import FACE_SCHEMA

AMOUNTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
READINGS: Mapping[str, tuple[float, ...]] = {
    "browInnerUp": (0.00, 0.01, 0.03, 0.10, 0.23, 0.43),
    "browOuterUp": (0.01, 0.04, 0.12, 0.29, 0.50, 0.68),
    "eyeBlink": (0.08, 0.20, 0.36, 0.52, 0.66, 0.77),
    "eyeLookDown": (0.04, 0.09, 0.24, 0.44, 0.61, 0.73),
    "eyeLookIn": (0.01, 0.05, 0.15, 0.32, 0.50, 0.68),
    "eyeLookOut": (0.02, 0.06, 0.14, 0.29, 0.46, 0.64),
    "eyeLookUp": (0.05, 0.13, 0.27, 0.44, 0.61, 0.71),
    "eyeSquint": (0.32, 0.39, 0.45, 0.52, 0.59, 0.65),
    "jawOpen": (0.00, 0.03, 0.23, 0.42, 0.57, 0.70),
    "mouthSmile": (0.07, 0.43, 0.67, 0.81, 0.91, 0.95),
    "mouthStretch": (0.00, 0.02, 0.06, 0.20, 0.45, 0.66),
    "mouthUpperUp": (0.00, 0.01, 0.03, 0.15, 0.40, 0.62),
}
"""Net3D's reading at each of AMOUNTS, without the side: median over the 16 calmest of 60 generated
faces whose landmarks were moved by the shape table (docs/measurements.md). What is not here answers
too little to be told apart from noise, and is taken as it is read."""


def amounts_of(readings: np.ndarray, ids: Sequence[str] = FACE_SCHEMA.ids) -> np.ndarray:
    """Net3D's readings (…, n) as amounts (…, n) float32; angles and centimetres stay.

    Args:
        ids: what the numbers are; fewer numbers are the first of them.
    """
    return _mapped(readings, ids, to_amounts=True)


def readings_of(amounts: np.ndarray, ids: Sequence[str] = FACE_SCHEMA.ids) -> np.ndarray:
    """What Net3D reads of a face that shows these amounts; inverse of `amounts_of` for all but
    readings below that at rest or above that at full motion."""
    return _mapped(amounts, ids, to_amounts=False)


def has_curve(name: str) -> bool:
    """Whether a parameter's amounts and readings differ."""
    return _without_side(name) in READINGS


def _mapped(values: np.ndarray, ids: Sequence[str], to_amounts: bool) -> np.ndarray:
    result = np.array(values, np.float32)
    for position, name in enumerate(ids[: result.shape[-1]]):
        curve = READINGS.get(_without_side(name))
        if curve is not None:
            source, target = (curve, AMOUNTS) if to_amounts else (AMOUNTS, curve)
            result[..., position] = np.interp(result[..., position], source, target)
    return result


def _without_side(name: str) -> str:
    return name.removesuffix("Left").removesuffix("Right")
