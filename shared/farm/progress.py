"""What a program on a node says of its progress, in the words of the farm that runs it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TextIO

PLAIN, OPENJD = "plain", "openjd"
FORMS = (PLAIN, OPENJD)


@dataclass(frozen=True)
class FarmProgress:
    """Lines on standard output.

    OpenJD reads ``openjd_progress``, ``openjd_status`` and ``openjd_fail`` at the beginning of a
    line (Open Job Description 2023-09, How Jobs Are Run); other farms show what there is.
    """

    form: str = PLAIN
    stream: TextIO | None = None

    def frame(self, number: int, n_finished: int, n_frames: int) -> None:
        """Say that a frame is on the disk."""
        told = f"frame {number}, {n_finished} of {n_frames}"
        if self.form == OPENJD:
            self._write(f"openjd_progress: {100 * n_finished / max(1, n_frames):.1f}")
            self._write(f"openjd_status: {told}")
        else:
            self._write(f"Photorig: {told}")

    def status(self, sentence: str) -> None:
        self._write(f"{'openjd_status' if self.form == OPENJD else 'Photorig'}: {_line(sentence)}")

    def fail(self, sentence: str) -> None:
        self._write(f"{'openjd_fail' if self.form == OPENJD else 'Photorig'}: {_line(sentence)}")

    def set_variable(self, name: str, value: str) -> None:
        """Give the actions after this one a variable of their environment."""
        if self.form == OPENJD:
            self._write(f"openjd_env: {name}={_line(value)}")

    def _write(self, line: str) -> None:
        print(line, file=self.stream or sys.stdout, flush=True)


def _line(text: str) -> str:
    """On one line: what follows a line break would be read as another message."""
    return " ".join(text.split())
