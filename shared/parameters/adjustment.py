"""What a shot does to the numbers of its rig before they are rendered: gain by group, and mirror.

Both act on how far the parameters are from where they began, so that a face at rest stays the
photo whatever they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .schema import FACE_SCHEMA, Parameter, ParameterSchema

_TURNED_ROUND = frozenset({"headYaw", "headRoll", "headX"})
"""Parameters that a mirror image negates; their mirror partner is themselves."""


def mirror_sign(parameter: Parameter) -> float:
    """-1 for a parameter that a mirror image negates, 1 for others."""
    return -1.0 if parameter.id in _TURNED_ROUND else 1.0


def adjusted(
    values: np.ndarray,
    origin: np.ndarray,
    gains: Mapping[str, float],
    mirror: bool = False,
    schema: ParameterSchema = FACE_SCHEMA,
) -> np.ndarray:
    """The parameters to render.

    Args:
        values: (n,) what sliders, keyframes or a rig say, in the schema's order and units.
        origin: (n,) the values that give the photo as it is.
        gains: factor by group on the way from the origin; 1 for groups that are not named.
        mirror: let what the left side does be done by the right side, and the other way round.

    Returns:
        (n,) float32 from the schema's least to its highest values; ``values`` itself where nothing
        is to be done.
    """
    factors = np.array([gains.get(p.group, 1.0) for p in schema.parameters], np.float64)
    if not mirror and (factors == 1.0).all():
        return np.asarray(values, np.float32)
    way = (np.asarray(values, np.float64) - origin) * factors
    if mirror:
        partners = [schema.index[parameter.mirror] for parameter in schema.parameters]
        signs = np.array([mirror_sign(parameter) for parameter in schema.parameters])
        way = way[partners] * signs
    return np.clip(origin + way, schema.least, schema.maximum).astype(np.float32)
