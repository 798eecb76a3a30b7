"""Motions that a tuning rehearses, so that a tuned face still moves as the bundle moves faces."""

from __future__ import annotations

import numpy as np

from photorig.worker.generators.weights import N_ROWS, W_DIM
from photorig.worker.portraits.pivotal_tuning import Motion
from photorig.worker.reenactment.bundle import ModelBundle

_LOCAL: tuple[dict[str, float], ...] = (
    {"mouthSmileLeft": -0.8, "mouthSmileRight": -0.8},
    {"jawOpen": 0.5},
    {"eyeBlinkLeft": 0.8, "eyeBlinkRight": 0.8},
    {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8},
    {"jawOpen": -0.5, "mouthPucker": 0.6},
    {"browInnerUp": 0.8, "browOuterUpLeft": 0.6, "browOuterUpRight": 0.6},
)
_TURNS: tuple[dict[str, float], ...] = (
    {"headYaw": 20.0},
    {"headPitch": 12.0},
    {"headYaw": -20.0},
    {"headPitch": -12.0},
)
"""Changes of parameters: what uncovers teeth, lids and the sides of a head, and what hides them."""


def rehearsed_motions(bundle: ModelBundle, parameters: np.ndarray) -> list[Motion]:
    """Motions of a face that shows ``parameters`` (n,), as far as it has room; local ones and turns
    in turn, so that few steps meet both."""
    motions = []
    for index in range(max(len(_LOCAL), len(_TURNS))):
        for changes, is_local in ((_LOCAL, True), (_TURNS, False)):
            if index < len(changes):
                motions.append(Motion(_shift(bundle, parameters, changes[index]), is_local))
    return motions


def _shift(bundle: ModelBundle, parameters: np.ndarray, change: dict[str, float]) -> np.ndarray:
    """(rows, 512)"""
    wanted = parameters.copy()
    for name, amount in change.items():
        wanted[bundle.schema.index[name]] += amount
    lowest = np.minimum(bundle.lowest, parameters)
    highest = np.maximum(bundle.highest, parameters)
    wanted = np.clip(wanted, lowest, highest)
    motion = bundle.bearable(bundle.motion(parameters, wanted - parameters))
    return bundle.shifted(np.zeros((N_ROWS, W_DIM), np.float32), motion)
