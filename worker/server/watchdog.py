"""Notices that a thread does not come back, while the server's loop says that all is well.

A frame that is computed cannot be interrupted. So who waits is told, the portrait at fault is
refused for a while, and the worker ends with a sentence; whoever started it starts it again.
"""

from __future__ import annotations

import time
from collections.abc import Hashable

from photorig.shared.errors import PhotorigError

PATIENCE_SECONDS = 180.0
"""Without a sign of life."""
SECONDS_A_MEGAPIXEL = 40.0
"""That a frame of a whole photo may take longer; on one busy core it takes six."""
UNUSUAL_SECONDS = 20.0
"""From when on clients are told that it takes long."""


class WorkerHung(PhotorigError):
    """A thread of the worker did not come back from a portrait."""


class Watchdog:
    """Watches one thread.

    Args:
        patience_seconds: how long it may go without a sign of life while it works.
    """

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._sign: Hashable = None
        self._since = 0.0

    def is_hung(self, sign: Hashable, photo_pixels: int = 0) -> bool:
        """Look again.

        Args:
            sign: of life: what changes as long as there is progress; None where nothing is done.
            photo_pixels: of the whole photo that a frame is made of.
        """
        now = time.monotonic()
        if sign is None or sign != self._sign:
            self._sign, self._since = sign, now
        extra = photo_pixels / 1e6 * SECONDS_A_MEGAPIXEL
        return now - self._since > self._patience_seconds + extra


def hung(portrait: str, patience_seconds: float) -> WorkerHung:
    """The error for those who wait for such a portrait."""
    return WorkerHung(
        f"The worker did not come back from the portrait {portrait[:12]} within"
        f" {patience_seconds:.0f} seconds",
        "It ends, and refuses that portrait for an hour. Start it again.",
    )
