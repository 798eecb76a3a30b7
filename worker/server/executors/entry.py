"""What an executor says of itself, and what a person may choose of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..portrait_store import PortraitStore
from ..watchdog import PATIENCE_SECONDS
from .interface import Executor
from .workshop import Workshop


@dataclass(frozen=True)
class ExecutorOptions:
    """What a person may choose.

    Attributes:
        address: of a cluster that runs already; "" for devices of this computer.
        actors: how many devices; 0 for as many as there are, also when more come later.
        patience_seconds: how long a frame may take without a sign of life before its device
            counts as hung.
    """

    address: str = ""
    actors: int = 0
    patience_seconds: float = PATIENCE_SECONDS


@dataclass(frozen=True)
class ExecutorEntry:
    """An executor on offer.

    Attributes:
        name: for ``photorig serve --executor``.
        sentence: where it makes frames.
        start: gives it ready to take frames. Raises PhotorigError with what is to be done.
        window: frames of a job that may be on their way to one client, so that all devices have
            some.
    """

    name: str
    sentence: str
    start: Callable[[Workshop, PortraitStore, ExecutorOptions], Executor]
    window: int
