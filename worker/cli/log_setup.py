"""The log of a worker: what comes from outside can neither forge a line of it nor fill the disk."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from photorig.shared.errors import InputError
from photorig.shared.files.writing import make_private_folder

MAXIMUM_BYTES = 5 << 20
"""Of a log file; one more of that size is kept."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BURST, _BURST_SECONDS = 20, 10.0
_MOST_PLACES = 500


def start_log(path: Path | None, verbose: bool) -> None:
    """Let everything of Photorig be logged, to a file or to standard error.

    Raises:
        InputError: the file cannot be written.
    """
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if path is not None:
        handler = _file_handler(path)
    handler.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Bursts())
    logger = logging.getLogger("photorig")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)


def _file_handler(path: Path) -> logging.Handler:
    try:
        make_private_folder(path.absolute().parent)
        if path.exists() and not path.is_file():
            raise InputError(f"The log {path} is no ordinary file", "Give another --log-file.")
        handler = _PrivateFile(
            path, maxBytes=MAXIMUM_BYTES, backupCount=1, encoding="utf-8", errors="backslashreplace"
        )
    except OSError as error:
        raise InputError(f"Cannot write the log {path}: {error.strerror}") from error
    return handler


class _PrivateFile(RotatingFileHandler):
    """A log file for its owner only, which starts anew before it gets too large."""

    def _open(self):  # type: ignore[no-untyped-def]
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)

        def opener(name: str, _: int) -> int:
            handle = os.open(name, flags, 0o600)
            if hasattr(os, "fchmod"):  # one of an earlier version, which everybody could read
                os.fchmod(handle, 0o600)
            return handle

        return open(
            self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=opener
        )


class PlainFormatter(logging.Formatter):
    """One record is one line, and what follows it of a traceback is indented.

    A name that somebody chose may hold line breaks, and what terminals take for commands.
    """

    def format(self, record: logging.LogRecord) -> str:
        plain = logging.makeLogRecord({**record.__dict__, "exc_info": None, "stack_info": None})
        plain.exc_text = None
        lines = [escaped(super().format(plain))]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        if record.stack_info:
            lines += str(record.stack_info).splitlines()
        return "\n    ".join([lines[0], *map(escaped, lines[1:])])


def escaped(text: str) -> str:
    """The text without line breaks and other control characters: ``\\x1b`` for an escape."""
    return _CONTROL.sub(lambda match: ascii(match.group())[1:-1], text)


class Bursts(logging.Filter):
    """Lets the same line of the program say something twenty times in ten seconds, and then counts.

    Only what ends the worker always goes through.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._said: dict[tuple[str, int], list[float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno > logging.ERROR:
            return True
        now, place = time.monotonic(), (record.pathname, record.lineno)
        with self._lock:
            if len(self._said) > _MOST_PLACES:
                self._said.clear()
            began, count = self._said.get(place, [now, 0])
            if now - began > _BURST_SECONDS:
                if count > _BURST:
                    record.msg = f"{record.getMessage()} (and {count - _BURST:.0f} more like it)"
                    record.args = ()
                began, count = now, 0
            self._said[place] = [began, count + 1]
        return count < _BURST
