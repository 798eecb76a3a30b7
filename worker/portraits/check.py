"""The one check of a portrait, before it is kept or drawn: whoever made it may be a stranger.

What it lets through can be sent, stored and rendered at any size that memory allows, in a time that
the size explains. Sizes and types of the file were checked before (shared/files/portrait_layout.py); here
it is about what the arrays say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from photorig.shared.files.portrait_layout import (
    LONGEST_NAME,
    MAXIMUM_PARAMETERS,
    check_alignment,
    check_photo_size,
    checked_text,
)

if TYPE_CHECKING:
    from .face_geometry import FaceGeometry
    from .portrait import Portrait

_MOST_ROWS = 64
_MOST_CONTROLS, _MOST_AMOUNTS = 400, 64
_GREATEST = {"latents": 1e4, "parameters": 1e4, "references": 1e4, "response": 1e5, "motion": 1e3}
"""Magnitudes beyond which numbers mean nothing any more, and beyond which they could overflow."""
_GREATEST_PLACE = 50.0
"""Sides of the aligned square that a landmark may be away."""
_GREATEST_PIXEL = 1e5
"""Of what is kept of a mouth, and pixels along a centimetre of it."""


def check_portrait(portrait: Portrait) -> None:
    """Raise ValueError unless all of a portrait can be used."""
    checked_text(portrait.name, LONGEST_NAME)
    for name in (portrait.model_id, portrait.schema_hash):
        checked_text(name)
    latents, parameters, photo = portrait.latents, portrait.parameters, portrait.photo
    if latents.ndim != 2 or latents.shape[1] != 512 or not 1 <= len(latents) <= _MOST_ROWS:
        raise ValueError("latents of a wrong shape")
    if parameters.ndim != 1 or not 1 <= len(parameters) <= MAXIMUM_PARAMETERS:
        raise ValueError("parameters of a wrong shape")
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
        raise ValueError("a photo of a wrong form")
    _check_size(latents, _GREATEST["latents"])
    _check_size(parameters, _GREATEST["parameters"])
    height, width = photo.shape[:2]
    check_photo_size(width, height)
    check_alignment(portrait.alignment, width, height)
    for reference in portrait.references:
        _check_size(reference.latents, _GREATEST["references"])
        _check_size(reference.parameters, _GREATEST["references"])
    response = portrait.response
    if response is not None:
        checked_text(response.bundle_id)
        response.check(len(parameters))
        for array in (response.moved, response.seen, response.turned, response.turns_seen):
            _check_size(array, _GREATEST["response"])
    if portrait.geometry is not None:
        _check_geometry(portrait.geometry)


def _check_geometry(geometry: FaceGeometry) -> None:
    checked_text(geometry.made_for)
    geometry.check()
    controls, amounts = geometry.moves.shape[:2]
    if not (1 <= controls <= _MOST_CONTROLS and 1 <= amounts <= _MOST_AMOUNTS):
        raise ValueError("a geometry of too many controls, or none")
    for array in (geometry.turned, geometry.amounts, geometry.gains):
        _check_size(array, _GREATEST["motion"])
    for array in (geometry.poses, geometry.moves):
        _check_size(array, _GREATEST_PLACE)
    if geometry.mouth is not None:
        _check_size(geometry.mouth.lips, _GREATEST_PIXEL)
        _check_size(geometry.mouth.scale, _GREATEST_PIXEL)
        if float(geometry.mouth.scale[0]) < 1 / _GREATEST_PIXEL:
            raise ValueError("a mouth without a size")
    if geometry.lids is not None:
        _check_size(geometry.lids.rise, _GREATEST["motion"])


def _check_size(array: np.ndarray, greatest: float) -> None:
    """Raise ValueError unless all numbers are finite and not larger than this."""
    # Written so that NaN, which is not less than anything, is refused as well.
    if array.size and not float(np.abs(array).max()) <= greatest:
        raise ValueError("numbers that are not finite, or too large")
