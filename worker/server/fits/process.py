"""A fit in a process of its own, at a low priority.

In a process, because a fit keeps all cores busy for a minute and frames must be answered meanwhile:
the system then gives previews nearly all they ask for. It also can be ended at any moment, and
whatever happens to it (no memory, a defect) happens to nothing else.

The program is told its task as arguments and says how far it is in lines of JSON on standard
output; photorig.worker.server.fits.program is the real one. It ends by itself when its standard
input is closed, so that it never outlives the worker.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from photorig.shared import programs
from photorig.shared.errors import ERROR_TYPES, Cancelled, PhotorigError
from photorig.shared.wire.messages import (
    FitFaces,
    FitProgress,
    FitRequest,
    FittedPortrait,
    FoundFace,
    SentFile,
)

from ..last_words import LastWords, how_it_ended
from .queue import FitEvent, FitOutcome

log = logging.getLogger(__name__)

WAITING = FitProgress("Waiting for the photo before it", 0.0)
STARTING = FitProgress("Starting", 0.0)


class ProcessFitter:
    """Fits photos one after the other, each in a new process.

    Args:
        command: the program; arguments are added to it.
        photos: how many photos of a person it takes.
    """

    def __init__(self, command: Sequence[str], photos: int = 1) -> None:
        self.wake: Callable[[], None] = lambda: None
        self.photos = photos
        self._command = list(command)
        self._orders: queue.SimpleQueue[tuple[int, FitRequest] | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[FitEvent] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._cancelled: set[int] = set()
        self._closed = False
        self._current: tuple[int, subprocess.Popen[bytes]] | None = None
        self._thread = threading.Thread(target=self._loop, name="photorig-fit", daemon=True)
        self._thread.start()

    def start(self, fit_id: int, request: FitRequest) -> None:
        with self._lock:
            self._waiting += 1
            is_first = self._waiting == 1
        self._tell(fit_id, STARTING if is_first else WAITING)
        self._orders.put((fit_id, request))

    def cancel(self, fit_id: int) -> None:
        with self._lock:
            self._cancelled.add(fit_id)
            if self._current is not None and self._current[0] == fit_id:
                self._current[1].kill()

    def events(self) -> list[FitEvent]:
        events = []
        with contextlib.suppress(queue.Empty):
            while True:
                events.append(self._events.get_nowait())
        return events

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._current is not None:
                self._current[1].kill()
        self._orders.put(None)
        self._thread.join(timeout=2)

    def _loop(self) -> None:
        while (order := self._orders.get()) is not None:
            fit_id, request = order
            try:
                outcome = self._fit(fit_id, request)
            except PhotorigError as error:
                outcome = error
            except Exception as error:  # an edge: the next photo must find a thread that lives
                log.error("a fit failed", exc_info=error)
                reason = getattr(error, "strerror", None) or type(error).__name__
                outcome = PhotorigError(
                    f"The worker failed at this photo: {reason}", "See its log."
                )
            with self._lock:
                self._waiting -= 1
                if fit_id in self._cancelled:
                    self._cancelled.discard(fit_id)
                    outcome = Cancelled("The fit was stopped")
            self._tell(fit_id, outcome)

    def _tell(self, fit_id: int, outcome: FitOutcome) -> None:
        self._events.put(FitEvent(fit_id, outcome))
        self.wake()

    def _fit(self, fit_id: int, request: FitRequest) -> FitOutcome:
        with tempfile.TemporaryDirectory(
            prefix="photorig-fit-", ignore_cleanup_errors=True
        ) as name:
            folder = Path(name)
            for number, photo in enumerate(request.photos, start=1):
                _put(photo, folder / f"photo-{number}")
            arguments = ["--folder", name, f"--name={request.name}"]
            arguments += [] if request.face is None else ["--face", str(request.face)]
            arguments += ["--quick"] if request.quick else []
            process = self._launch(fit_id, arguments, folder)
            try:
                return self._follow(fit_id, process, folder / "x.portrait")
            finally:
                process.kill()
                process.wait()
                for stream in (process.stdin, process.stdout):
                    if stream is not None:
                        stream.close()
                with self._lock:
                    self._current = None

    def _launch(self, fit_id: int, arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed or fit_id in self._cancelled:
                raise Cancelled("The fit was stopped")
            try:
                process = programs.start(
                    [*self._command, *arguments],
                    folder,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    flags=_LOW_PRIORITY,
                )
            except OSError as error:
                program = Path(self._command[0]).name
                raise PhotorigError(
                    f"Fitting the photo cannot start: {program}: {error.strerror or error}",
                    "Check the worker's environment.",
                ) from error
            self._current = fit_id, process
        return process

    def _follow(self, fit_id: int, process: subprocess.Popen[bytes], out: Path) -> FitOutcome:
        """Pass on what the program says until it has ended; returns how."""
        assert process.stderr is not None
        last_words = LastWords(process.stderr)
        for event in _lines(process):
            kind = event.pop("event", "")
            if kind == "progress":
                self._tell(fit_id, FitProgress(**event))
            elif kind == "faces":
                return _faces(event)
            elif kind == "error":
                error = ERROR_TYPES.get(str(event["code"]), PhotorigError)
                return error(str(event["message"]), str(event.get("hint", "")))
            elif kind == "done":
                note = str(event.get("note", ""))
                return FittedPortrait(str(event["id"]), out.read_bytes(), note)
        status = process.wait()
        with self._lock:
            if self._closed or fit_id in self._cancelled:
                raise Cancelled("The fit was stopped")
        return _ended(status, last_words.line())


def _put(photo: bytes | SentFile, path: Path) -> None:
    if isinstance(photo, bytes):
        path.write_bytes(photo)
    else:
        photo.copy(path)


def _ended(status: int, last_line: str) -> PhotorigError:
    """For a program that has ended without an answer: its own last line, or how it was ended."""
    how = how_it_ended(status)
    log.error("the fitting program ended with %s: %s", how, last_line or "it said nothing")
    if how == "signal SIGKILL":
        return PhotorigError(
            "The system ended the fit of the photo",
            "It does so where memory runs out: close other programs and try again.",
        )
    reason = f"{last_line} ({how})" if last_line and status < 0 else last_line or how
    return PhotorigError(f"Fitting the photo ended unexpectedly: {reason}", "See the worker's log.")


def _lines(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """What the program says; whatever else a library prints is passed over."""
    for line in process.stdout or ():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def _faces(event: dict[str, Any]) -> FitFaces:
    faces = []
    for entry in event["faces"]:
        left, top, right, bottom = map(float, entry["box"])
        pixels = np.frombuffer(base64.b64decode(entry["thumbnail"]), np.uint8)
        side = int(entry["side"])
        thumbnail = pixels.reshape(side, side, 3)
        faces.append(FoundFace((left, top, right, bottom), thumbnail, str(entry["problem"])))
    return FitFaces(tuple(faces), int(event["width"]), int(event["height"]))


_LOW_PRIORITY: int = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0) | getattr(
    subprocess, "CREATE_NO_WINDOW", 0
)
"""Windows sets a priority at the start; elsewhere the program lowers its own."""
