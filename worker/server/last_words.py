"""What a program that failed has said: a person is told that, not a guess."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import IO

_LONGEST_LINE = 300
"""Letters of a program's last line that are told to a person."""


class LastWords:
    """Passes on what a program says on standard error to ours, and keeps the last line."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._line = stream, b""
        self._reader = threading.Thread(target=self._read, name="photorig-last-words", daemon=True)
        self._reader.start()

    def line(self, timeout: float = 2.0) -> str:
        """The last one that says something, without a full stop; for a program that has ended.

        Args:
            timeout: seconds for a child of the program that holds the stream open.
        """
        self._reader.join(timeout)
        text = self._line.decode(errors="replace")
        printable = "".join(letter if letter.isprintable() else " " for letter in text)
        return " ".join(printable.split())[:_LONGEST_LINE].rstrip(".")

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._stream:
            while line := self._stream.readline(_LONGEST_LINE * 4):
                if line.strip():
                    self._line = line
                with contextlib.suppress(OSError):
                    os.write(2, line)


def how_it_ended(status: int) -> str:
    """`exit code 3`, or `signal SIGKILL` for a program that was ended."""
    if status >= 0:
        return f"exit code {status}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-status).name}"
    return f"signal {-status}"
