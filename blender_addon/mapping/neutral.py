# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a photo's own expression is taken for: what rig pose it stands for, and how to get back."""

from __future__ import annotations

import bpy

from ..camera.extra_parameters import data_path, is_driven, set_value
from ..camera.mapping_rows import changing, row_of
from ..camera.properties import neutral_of, photo_parameters, rest_values, set_neutral
from ..compat import curve_of
from ..shared.errors import InputError
from ..shared.mapping.rows import by_parameter, combined
from .rig import source_value
from .turn_drivers import viewer_of


def capture_neutral(camera: bpy.types.Camera, clear: bool = False) -> None:
    """Let the rig's present pose stand for the photo: from then on the two move together.

    Relative mode adds to what the photo shows, or to a face at rest (*Neutral*). This switches to
    absolute mode and adds to each mapped parameter what the photo has more than the rig; parameters
    that nothing drives become the photo's.

    Args:
        clear: take the offsets away again; the mode stays.

    Raises:
        InputError: no portrait was loaded that says what is in the photo, or nothing is mapped.
    """
    settings = camera.photorig
    if clear:
        with changing(camera):
            set_neutral(settings, {})
        return
    photo = photo_parameters(settings)
    if photo is None:
        raise InputError("It is not known what the photo shows", "Load the portrait again.")
    items = [item for item in settings.mapping if item.compiled]
    if not items:
        raise InputError("Nothing is mapped", "Detect a rig or add rows first.")
    rows = [row_of(item) for item in items]
    viewer = viewer_of(camera)
    values = {
        row.source: source_value(item.owner, row.source, viewer)
        for row, item in zip(rows, items, strict=True)
    }
    offsets = {
        name: photo[name] - combined(group, values) for name, group in by_parameter(rows).items()
    }
    with changing(camera):
        settings.mode = "ABSOLUTE"
        set_neutral(settings, offsets)
    reset_to_photo(camera)


def reset_to_photo(camera: bpy.types.Camera) -> int:
    """Put the parameters that nothing drives or animates back to the face in the photo.

    Returns:
        How many were left because something does.
    """
    kept = 0
    for name, value in rest_values(camera.photorig).items():
        if is_driven(camera, name) or curve_of(camera, data_path(name)) is not None:
            kept += 1
        else:
            set_value(camera, name, value)
    return kept


def has_neutral(camera: bpy.types.Camera) -> bool:
    """Whether a pose of the rig was captured as the photo's."""
    return bool(neutral_of(camera.photorig))
