"""Coordinates of latent shifts in which every direction is equally usual."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Whitening:
    """Coordinates u of shifts in which w has unit covariance: shift = u Lᵀ."""

    forward: Tensor
    inverse: Tensor

    @staticmethod
    def of(covariance: Tensor) -> Whitening:
        values, vectors = torch.linalg.eigh(covariance)
        deviation = values.clamp_min(values.max() * 1e-5).sqrt()
        return Whitening((vectors * deviation).T, vectors / deviation)

    def shift(self, whitened: Tensor) -> Tensor:
        """(…, w_dim) whitened to (…, w_dim) in w."""
        return whitened @ self.forward

    def whiten(self, shift: Tensor) -> Tensor:
        """(…, w_dim) in w to (…, w_dim) whitened."""
        return shift @ self.inverse
