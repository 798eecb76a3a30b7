"""Progress on standard error: a bar on a terminal, a plain line now and then otherwise."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType

SECONDS_BETWEEN_LINES = float(os.environ.get("PHOTORIG_PROGRESS_SECONDS", "10"))
"""A program that started this one may want to know sooner."""


class Progress:
    """Counts steps of long work.

        with Progress("frames", total) as progress:
            progress.advance()

    Args:
        unit: what is counted, in the plural.
        total: how many there will be, None if unknown.
    """

    def __init__(self, unit: str, total: int | None = None) -> None:
        self.unit, self.total, self.done = unit, total, 0
        self._bar = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=f" {unit}", leave=False, file=sys.stderr)
        self._started = self._last_line = time.monotonic()

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Some more are done; ``note`` is shown beside the count."""
        self.done += steps
        if self._bar is not None:
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(steps)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._print(note)

    def _print(self, note: str) -> None:
        of_total = f" of {self.total}" if self.total else ""
        seconds = time.monotonic() - self._started
        text = f"{self.done}{of_total} {self.unit}, {seconds:.0f} s"
        print(f"{text}, {note}" if note else text, file=sys.stderr, flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
