"""How the judges' units compare with those that parameters are asked for in.

The judges read coefficients off landmarks through maps fitted to Net3D's answers on un-driven
faces. Such a map is cautious: where landmarks tell little, it says too little. Its own slope on
un-driven people tells how much of a gain below 1 is the judge's caution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photorig.shared.parameters.schema import ParameterSchema

from ..estimators.families import Net3DFamily
from ..protocols.cached_results import CachedResult
from ..protocols.sweeps import OTHER_STYLES, REST

SURE = 0.5
"""R² from which on the judge's own slope is believed."""
_FEWEST = 10


@dataclass(frozen=True)
class Agreement:
    """One parameter of one family against Net3D on un-driven people.

    Attributes:
        slope: least squares of the family's reading on Net3D's, about the means.
        linearity: R² of that line; NaN for both where there are too few people.
    """

    slope: float
    linearity: float

    @property
    def is_sure(self) -> bool:
        return bool(self.linearity >= SURE and self.slope > 0)


def agreements(
    schema: ParameterSchema, people: Sequence[CachedResult], family: str
) -> dict[str, Agreement]:
    """By parameter id, over everybody at rest and with other fine styles."""
    known = [cached for cached in people if f"{family}.parameters" in cached]
    reference, seen = (
        np.concatenate([cached[f"{name}.parameters"][[REST, OTHER_STYLES]] for cached in known])
        for name in (Net3DFamily.name, family)
    )
    return {name: _line(reference[:, i], seen[:, i]) for i, name in enumerate(schema.ids)}


def _line(reference: np.ndarray, seen: np.ndarray) -> Agreement:
    both = np.isfinite(reference) & np.isfinite(seen)
    x, y = reference[both].astype(float), seen[both].astype(float)
    if len(x) < _FEWEST:
        return Agreement(float("nan"), float("nan"))
    x, y = x - x.mean(), y - y.mean()
    power, total = float(x @ x), float(y @ y)
    if power < 1e-9 or total < 1e-9:
        return Agreement(float("nan"), float("nan"))
    return Agreement(float(x @ y) / power, float(x @ y) ** 2 / (power * total))
