"""The tuning of the generator in a portrait's file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from photorig.worker.generators.tuning import WeightTuning

PREFIX = "tuning."
MAXIMUM_BYTES = 24 << 20
MAXIMUM_ARRAYS = 400
LONGEST_NAME = 100


def tuning_tensors(tuning: WeightTuning) -> dict[str, np.ndarray]:
    """The tuning as a portrait's file keeps it."""
    return {
        f"{PREFIX}{name}": np.ascontiguousarray(delta, np.float16)
        for name, delta in tuning.deltas.items()
    }


def tuning_from_tensors(tensors: Mapping[str, np.ndarray]) -> WeightTuning | None:
    """The tuning in a portrait's file; None where it has none.

    Whether names and shapes are those of the generator, `WeightTuning.applied` finds out.

    Raises:
        ValueError: too large, of another type, or with values that are not finite.
    """
    deltas = {
        name.removeprefix(PREFIX): tensors[name] for name in tensors if name.startswith(PREFIX)
    }
    if not deltas:
        return None
    total = sum(delta.nbytes for delta in deltas.values())
    if len(deltas) > MAXIMUM_ARRAYS or total > MAXIMUM_BYTES:
        raise ValueError("a tuning that is too large")
    for name, delta in deltas.items():
        if delta.dtype != np.float16 or len(name) > LONGEST_NAME:
            raise ValueError("a tuning of another form")
        if not np.isfinite(delta).all():
            raise ValueError("a tuning that is not finite")
    return WeightTuning(deltas)
