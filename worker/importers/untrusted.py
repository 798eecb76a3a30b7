"""Networks of files that a stranger may have made: one sentence for what is wrong, and a bound."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import numpy as np

from photorig.shared.errors import ModelError

MOST_FOLD = 16
"""Bytes of memory for each byte of a network's file, while it is read. Half precision is widened,
and every layer keeps its weights for itself; where many name the same ones it is too much."""


@contextlib.contextmanager
def network_file(name: str) -> Iterator[None]:
    """Whatever is raised inside, which a damaged file may cause, becomes a ModelError."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # an edge: the file is a stranger's
        raise ModelError(
            f"The network {name} cannot be read: {error!s:.200}", "Fetch the model again."
        ) from error


class Allowance:
    """What may be allocated for a file.

    Args:
        file_bytes: of the file.
    """

    def __init__(self, file_bytes: int) -> None:
        self._left = MOST_FOLD * file_bytes

    def take(self, arrays: Iterable[np.ndarray], copies: int = 1) -> None:
        """Before so many copies are made of these. Raises ModelError."""
        self._left -= copies * sum(array.nbytes for array in arrays)
        if self._left < 0:
            raise ModelError(
                f"A network would take over {MOST_FOLD} times the memory of its file",
                "Fetch the model again.",
            )
