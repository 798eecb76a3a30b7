# SPDX-License-Identifier: GPL-3.0-or-later
"""What a camera asks of its face now: sliders, keys or rig, with gains and mirror."""

from __future__ import annotations

import bpy
import numpy as np

from ..shared.parameters.adjustment import adjusted
from .extra_parameters import is_driven, schema_of, value_of
from .properties import GROUPS, gain_property, rest_values


def neutral_to_render(settings: bpy.types.PropertyGroup) -> float:
    """How much of the photo's own expression is taken away: in absolute mode there is none left."""
    return float(settings.photo_neutral) if settings.mode == "RELATIVE" else 0.0


def parameters_to_render(camera_data: bpy.types.Camera) -> np.ndarray:
    """(n,) float32 in the order and units of ``schema_of``, with the shot's gains and mirror."""
    settings, schema = camera_data.photorig, schema_of(camera_data)
    values = slider_values(camera_data)
    origin = np.array(list(rest_values(settings).values()), np.float32)
    gains = {group: getattr(settings, gain_property(group)) for group in GROUPS}
    result = adjusted(values, origin, gains, settings.mirror, schema)
    # Below 0 is the difference of two expressions; one that is seen is not below 0.
    return result if settings.mode == "RELATIVE" else np.maximum(result, schema.minimum)


def slider_values(camera_data: bpy.types.Camera) -> np.ndarray:
    """(n,) float32 in the order and units of ``schema_of``, as sliders, keyframes or a rig say.

    What a rig drives is within the sliders' limits: a control that goes both ways, up for one
    parameter and down for another, does not mean less than nothing of the other.
    """
    schema = schema_of(camera_data)
    values = np.array([value_of(camera_data, p) for p in schema.parameters], np.float32)
    for position in np.flatnonzero(values < schema.minimum):
        if is_driven(camera_data, schema.ids[position]):
            values[position] = schema.minimum[position]
    return values
