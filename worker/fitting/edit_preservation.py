"""Edits that a tuning has to preserve, so that a tuned face still moves as the bundle moves faces.

Pivotal tuning's locality regulariser (Roich et al. 2021) keeps what random codes show; these are
the codes that driving a face leads to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from photorig.worker.reenactment.bundle import ModelBundle

Part = Literal["mouth", "eyes", "face", "head"]
"""What an edit changes: below the middle of the nose, above it, all of the face, all there is."""

_EDITS: tuple[tuple[Part, dict[str, float]], ...] = (
    ("mouth", {"mouthSmileLeft": -0.8, "mouthSmileRight": -0.8}),
    ("head", {"headYaw": 20.0}),
    ("mouth", {"jawOpen": 0.5}),
    ("head", {"headYaw": -20.0}),
    ("eyes", {"eyeBlinkLeft": 0.8, "eyeBlinkRight": 0.8}),
    ("head", {"headPitch": 12.0}),
    ("face", {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}),
    ("head", {"headYaw": 20.0, "jawOpen": 0.4}),
    ("mouth", {"jawOpen": -0.5, "mouthPucker": 0.6}),
    ("head", {"headPitch": -12.0}),
    ("eyes", {"browInnerUp": 0.8, "browOuterUpLeft": 0.6, "browOuterUpRight": 0.6}),
)
"""Changes of parameters: what uncovers teeth, lids and the sides of a head, and what hides them."""


@dataclass(frozen=True, eq=False)
class Edit:
    """A shift of W+ (n_rows, w_dim) that moves a part of a face."""

    shift: np.ndarray
    part: Part

    def applied(self, latents: Tensor) -> Tensor:
        """Latents (1, n_rows, w_dim) moved."""
        return latents + torch.from_numpy(self.shift).to(latents.device)


def preserved_edits(bundle: ModelBundle, parameters: np.ndarray, n_rows: int) -> list[Edit]:
    """Edits of a face that shows ``parameters`` (n,), as far as it has room; of other parts in
    turn, so that few steps meet all of them.

    Args:
        n_rows: of the latents.
    """
    return [Edit(_shift(bundle, parameters, change, n_rows), part) for part, change in _EDITS]


def _shift(
    bundle: ModelBundle, parameters: np.ndarray, change: dict[str, float], n_rows: int
) -> np.ndarray:
    """(n_rows, w_dim)"""
    wanted = parameters.copy()
    for name, amount in change.items():
        wanted[bundle.schema.index[name]] += amount
    lowest = np.minimum(bundle.lowest, parameters)
    highest = np.maximum(bundle.highest, parameters)
    wanted = np.clip(wanted, lowest, highest)
    motion = bundle.clamped_motion(bundle.motion(parameters, wanted - parameters))
    return bundle.shifted(np.zeros((n_rows, bundle.directions.shape[2]), np.float32), motion)
