"""Checks of latents at the door of every backend."""

from __future__ import annotations

import numpy as np

from photorig.shared.errors import InputError

ROW_SHAPE = (16, 512)


def checked_latents(latents: np.ndarray) -> np.ndarray:
    """The latents as a contiguous float32 array (b, 16, 512).

    Raises:
        InputError: another shape, or a value that is not finite.
    """
    latents = np.ascontiguousarray(latents, dtype=np.float32)
    if latents.ndim != 3 or latents.shape[1:] != ROW_SHAPE:
        raise InputError(f"latents must be (n, 16, 512), not {latents.shape}")
    if not np.isfinite(latents).all():
        raise InputError("latents contain a value that is not a finite number")
    return latents
