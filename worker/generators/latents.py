"""Latent codes: the mapping network on numpy and the checks that every backend shares.

The mapping network is small and runs once for a sampled person, so one implementation serves all
backends, one code at a time: a seed gives the same person on every device.
"""

from __future__ import annotations

import math

import numpy as np

from photorig.shared.errors import InputError

from .weights import N_ROWS, SLOPE, W_DIM, GeneratorWeights


def map_latents(weights: GeneratorWeights, z: np.ndarray, truncation: float) -> np.ndarray:
    """z (b, 512) standard normal → w (b, 512) float32.

    Args:
        truncation: how far w is from the mean latent, relative to what z says; 1 is all the way.

    Raises:
        InputError: z has another shape.
    """
    if z.ndim != 2 or z.shape[1] != W_DIM:
        raise InputError(f"random codes must be (n, {W_DIM}), not {z.shape}")
    codes = np.asarray(z, dtype=np.float32)
    return np.stack([_map_one(weights, code, truncation) for code in codes])


def _map_one(weights: GeneratorWeights, z: np.ndarray, truncation: float) -> np.ndarray:
    x = z / np.sqrt(np.square(z).mean() + np.float32(1e-8))
    for layer in weights.mapping.layers:
        x = layer.weight @ x + layer.bias
        x = np.where(x > 0, x, np.float32(SLOPE) * x) * np.float32(math.sqrt(2))
    mean = weights.statistics.mean
    return x if truncation == 1.0 else mean + np.float32(truncation) * (x - mean)


def expand_latents(w: np.ndarray) -> np.ndarray:
    """w (b, 512) → latents (b, 16, 512) float32 with the same row sixteen times."""
    return np.repeat(np.asarray(w, dtype=np.float32)[:, None, :], N_ROWS, axis=1)


def checked_latents(latents: np.ndarray) -> np.ndarray:
    """The latents as a contiguous float32 array (b, 16, 512).

    Raises:
        InputError: another shape, or a value that is not finite.
    """
    latents = np.ascontiguousarray(latents, dtype=np.float32)
    if latents.ndim != 3 or latents.shape[1:] != (N_ROWS, W_DIM):
        raise InputError(f"latents must be (n, {N_ROWS}, {W_DIM}), not {latents.shape}")
    if not np.isfinite(latents).all():
        raise InputError("latents contain a value that is not a finite number")
    return latents
