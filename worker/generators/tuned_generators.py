"""The generator of each person: the common one, tuned; the last few are remembered."""

from __future__ import annotations

import threading

from photorig.shared.bounded_cache import BoundedCache

from .interface import Generator
from .tuning import WeightTuning

_REMEMBERED = 3  # tuned generators; the weights of one take 30 MB


class TunedGenerators:
    """The generator of each portrait: the common one, or that one tuned to the portrait's person.

    The last few are remembered, so that going back and forth between portraits costs nothing;
    threads may share it.
    """

    def __init__(self, generator: Generator) -> None:
        self.untuned = generator
        self._tuned = BoundedCache[str, Generator](_REMEMBERED)
        self._lock = threading.Lock()

    def of(self, tuning: WeightTuning | None) -> Generator:
        """The generator with a tuning. Raises InputError where it belongs to another generator."""
        if tuning is None:
            return self.untuned
        with self._lock:
            known = self._tuned.get(tuning.id)
            if known is None:
                self._tuned.make_room(1)
                known = self.untuned.tuned(tuning)
                self._tuned.put(tuning.id, known)
            return known
