"""Notices that a thread does not come back, while the server's loop says that all is well.

A frame that is computed cannot be interrupted. So who waits is told, the portrait at fault is
refused for a while, and the worker ends with a sentence; whoever started it starts it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from photorig.shared.errors import PhotorigError

from .executors.interface import DeviceStatus
from .later import AtWork

PATIENCE_SECONDS = 180.0
"""Without a sign of life."""
PREPARING_SECONDS = 1800.0
"""Longer for what may have to fetch a model first, over whatever network there is."""
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

    def is_hung(self, sign: Hashable, extra_seconds: float = 0.0) -> bool:
        """Look again.

        Args:
            sign: of life: what changes as long as there is progress; None where nothing is done.
            extra_seconds: that this work may take longer.
        """
        now = time.monotonic()
        if sign is None or sign != self._sign:
            self._sign, self._since = sign, now
        return now - self._since > self._patience_seconds + extra_seconds


class Watch:
    """Watches the device and the thread that reads portraits."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.patience_seconds = patience_seconds
        self._device, self._reader = Watchdog(patience_seconds), Watchdog(patience_seconds)

    def culprit(
        self, status: DeviceStatus, reading: AtWork | None, portrait_of: Callable[[int], str]
    ) -> str | None:
        """The portrait that one of them does not come back from, "" where it is not known which;
        None as long as both do.

        Args:
            portrait_of: the portrait of a frame by its task's number, "" where there is none.
        """
        is_watched = status.busy_seconds is not None and not status.heals_itself
        at_frame = (status.task_id, status.doing) if is_watched else None
        frame_extra = status.photo_pixels / 1e6 * SECONDS_A_MEGAPIXEL
        frame_extra += PREPARING_SECONDS if status.doing else 0.0
        reading_extra = PREPARING_SECONDS if reading is not None and reading.kind == "head" else 0.0
        if self._device.is_hung(at_frame, frame_extra):
            return portrait_of(status.task_id or 0)
        if self._reader.is_hung(reading, reading_extra) and reading is not None:
            return reading.portrait
        return None


def hung(portrait: str, patience_seconds: float) -> WorkerHung:
    """The error for those who wait for such a portrait."""
    return WorkerHung(
        f"The worker did not come back from the portrait {portrait[:12]} within"
        f" {patience_seconds:.0f} seconds",
        "It ends, and refuses that portrait for an hour. Start it again.",
    )
