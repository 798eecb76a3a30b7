"""The tuning of the generator that belongs to a portrait: in its file, and where it is driven."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from photorig.worker.generators.tuning import WeightTuning

if TYPE_CHECKING:
    from photorig.worker.generators import Generator

    from .portrait import Portrait

PREFIX = "tuning."
MAXIMUM_BYTES = 24 << 20
MAXIMUM_ARRAYS = 400
LONGEST_NAME = 100
_REMEMBERED = 3  # tuned generators; the weights of one take 30 MB


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
        name.removeprefix(PREFIX): delta
        for name, delta in tensors.items()
        if name.startswith(PREFIX)
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


class TunedGenerators:
    """The generator of each portrait: the common one, or that one tuned to the portrait's person.

    The last few are remembered, so that going back and forth between portraits costs nothing;
    threads may share it.
    """

    def __init__(self, generator: Generator) -> None:
        self.untuned = generator
        self._tuned: OrderedDict[str, Generator] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, portrait: Portrait) -> Generator:
        """Raises InputError where the portrait's tuning belongs to another generator."""
        if portrait.tuning is None:
            return self.untuned
        with self._lock:
            if portrait.tuning.id not in self._tuned:
                while len(self._tuned) >= _REMEMBERED:
                    self._tuned.popitem(last=False)
                self._tuned[portrait.tuning.id] = self.untuned.tuned(portrait.tuning)
            self._tuned.move_to_end(portrait.tuning.id)
            return self._tuned[portrait.tuning.id]
