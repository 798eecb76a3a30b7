# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures on the graphics card; large ones are prepared by the timer, not while drawing."""

from __future__ import annotations

import time

import gpu
import numpy as np

from ..shared.bounded_cache import BoundedCache
from .display_pixels import Preparation
from .frame_cache import Picture, PictureKey

_AT_ONCE_PIXELS = 256 * 256
_BUDGET_SECONDS = 0.003
_KEPT = 6
_SPARES = 3
_textures = BoundedCache[PictureKey, gpu.types.GPUTexture](_KEPT)
_preparations: dict[PictureKey, Preparation] = {}
_spare: dict[int, np.ndarray] = {}
"""The last array of each size that a texture was made from, to be filled again."""


def texture_of(picture: Picture) -> gpu.types.GPUTexture | None:
    """Its texture (RGBA8, sRGB values, rows from below); None while it is being prepared.

    Only while Blender draws.
    """
    texture = _textures.get(picture.key)
    if texture is not None:
        return texture
    preparation = _preparations.get(picture.key)
    if preparation is None:
        preparation = Preparation(picture.pixels, _spare.pop(picture.pixels.size, None))
        if picture.pixels.shape[0] * picture.pixels.shape[1] <= _AT_ONCE_PIXELS:
            preparation.finish()
        _preparations[picture.key] = preparation
    if not preparation.is_done:
        return None
    del _preparations[picture.key]
    height, width = preparation.values.shape[:2]
    # Blender takes nothing but floats here, whatever the texture's format.
    buffer = gpu.types.Buffer("FLOAT", height * width * 4, preparation.values.ravel())
    texture = gpu.types.GPUTexture((width, height), format="RGBA8", data=buffer)
    _spare[picture.pixels.size] = preparation.values
    while len(_spare) > _SPARES:
        del _spare[next(iter(_spare))]
    _textures.put(picture.key, texture)
    return texture


def go_on() -> bool:
    """Prepare some more of what was asked for last. Returns whether a picture became ready."""
    while len(_preparations) > _KEPT:
        del _preparations[next(iter(_preparations))]
    for preparation in reversed(_preparations.values()):
        if not preparation.is_done:
            deadline = time.perf_counter() + _BUDGET_SECONDS
            while not preparation.is_done and time.perf_counter() < deadline:
                preparation.go_on()
            return preparation.is_done
    return False


def is_busy() -> bool:
    """Whether something is left to prepare."""
    return any(not preparation.is_done for preparation in _preparations.values())


def clear() -> None:
    _textures.clear()
    _preparations.clear()
    _spare.clear()
