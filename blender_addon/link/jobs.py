# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes the worker a while, and goes on while Blender stays usable.

A job lives in the slot of its kind and not in an operator, so that undo and panels cannot lose it.
A timer moves it on, on the main thread; without a user interface ``run_to_end`` does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import bpy
from bpy.app.handlers import persistent

from ..shared.errors import ConnectionLost, InputError, PhotorigError
from ..translation import said
from .link import link, redraw_panels

TICK_SECONDS = 0.1
_SECONDS_BETWEEN_REPORTS = 5.0
_log = logging.getLogger(__name__)


class Job:
    """Waits for the worker, begins, and goes on until it is done.

    A subclass says how it begins and goes on, and raises what goes wrong.

    Attributes:
        error: one sentence once it failed.
        is_done: whether it ended, well or not.
        unattended: why it cannot go on until a person has decided, "" where it can.
        needs_worker: whether it is done over the connection to the worker.
    """

    needs_worker = True

    def __init__(self) -> None:
        self.error = ""
        self.is_done = False
        self.unattended = ""

    @property
    def summary(self) -> str:
        """One sentence for the person who waits."""
        raise NotImplementedError

    @property
    def progress(self) -> float:
        """How much is done, from 0 to 1."""
        return 0.0

    @property
    def shown(self) -> object:
        """What panels show; while it stays the same nothing need be drawn."""
        return self.summary

    @property
    def pause(self) -> float:
        """Seconds until the next tick."""
        return TICK_SECONDS

    def tick(self) -> None:
        """Do what can be done without waiting. Never raises; see ``error``."""
        if self.is_done or self.unattended:
            return
        try:
            if self._has_begun:
                self._go_on()
            else:
                self._begin_when_ready()
        except ConnectionLost as error:
            self._lose_worker(error)
        except PhotorigError as error:
            self._fail(str(error))
        except Exception as error:
            _log.exception("%s failed", type(self).__name__)
            self._fail(f"Photorig failed unexpectedly ({error}). See the console.")

    def cancel(self, reason: str) -> None:
        """End with a sentence that says why; what is finished stays."""
        if not self.is_done:
            self._fail(reason)

    def _begin_when_ready(self) -> None:
        link.poll()
        if link.is_ready or not self.needs_worker:
            self._begin()
        else:
            link.raise_if_failed()

    @property
    def _has_begun(self) -> bool:
        raise NotImplementedError

    def _begin(self) -> None:
        """Ask the worker, which is ready now."""
        raise NotImplementedError

    def _go_on(self) -> None:
        """Take what has come, and set ``is_done`` at the end."""
        raise NotImplementedError

    def _stop(self) -> None:
        """The job has failed: nothing of it is wanted any more."""

    def _lose_worker(self, error: ConnectionLost) -> None:
        """A lost worker shows as a closed connection; the link knows what happened."""
        link.poll()
        self._fail(str(error) if link.is_ready else link.message)

    def _fail(self, reason: str) -> None:
        self.error, self.is_done, self.unattended = reason, True, ""
        self._stop()


def data_block(collection: Any, session_uid: int) -> Any | None:
    """The data-block of a collection of bpy.data that has this number in this session.

    A reference would not survive undo, a name not renaming; in another file there is none.
    """
    return next((item for item in collection if item.session_uid == session_uid), None)


JobOfKind = TypeVar("JobOfKind", bound=Job)


class JobSlot(Generic[JobOfKind]):
    """Where the jobs of one kind live: one runs at a time, and the last one can be asked how it
    went until another file is opened.

    Args:
        busy: what is said to who asks for a second one, and what to do.
        idle: why nothing can be cancelled while none runs.
        stopped: what a job says that was cancelled.
        other_file: what it says when it is ended because another file is opened; "" where it goes
            on: it is about no file.
        redraw: has Blender draw what shows the job.

    Attributes:
        current: the job that runs, or the last one.
    """

    def __init__(
        self,
        busy: tuple[str, str],
        idle: str = "",
        stopped: str = "It was stopped",
        other_file: str = "",
        redraw: Callable[[], None] = redraw_panels,
    ) -> None:
        self.busy, self.idle = busy, idle
        self.current: JobOfKind | None = None
        self._stopped, self._other_file, self._redraw = stopped, other_file, redraw
        self._before_load = persistent(lambda *_: self.cancel(other_file))
        self._after_load = persistent(lambda *_: self.forget())

    @property
    def is_running(self) -> bool:
        return self.current is not None and not self.current.is_done

    def start(self, make: Callable[[], JobOfKind]) -> JobOfKind:
        """Begin a job; a timer moves it on where there is a user interface.

        Raises:
            InputError: another one runs, or what ``make`` raises.
            ConnectionLost: it needs the worker, none runs and none may be started.
        """
        if self.is_running:
            raise InputError(*self.busy)
        job = make()
        if job.needs_worker:
            link.start_if_wanted()
        self.current = job
        if not bpy.app.background and not bpy.app.timers.is_registered(self._tick):
            bpy.app.timers.register(self._tick, persistent=True)
        return job

    def cancel(self, reason: str = "") -> None:
        """End the job that runs, if one does; what is finished stays."""
        if self.current is not None:
            self.current.cancel(reason or self._stopped)

    def forget(self) -> None:
        """Drop what the last job said: it is about another file, or another try."""
        if not self.is_running:
            self.current = None

    def _tick(self) -> float | None:
        """A turn of the timer: move the job on, and have drawn what changed."""
        job = self.current
        if job is None or job.is_done:
            return None
        before = job.shown
        job.tick()
        if job.is_done or job.shown != before:
            self._redraw()
        return None if job.is_done else job.pause

    def register(self) -> None:
        if self._other_file:
            bpy.app.handlers.load_pre.append(self._before_load)
        bpy.app.handlers.load_post.append(self._after_load)

    def unregister(self) -> None:
        bpy.app.handlers.load_post.remove(self._after_load)
        if self._other_file:
            bpy.app.handlers.load_pre.remove(self._before_load)
        if bpy.app.timers.is_registered(self._tick):
            bpy.app.timers.unregister(self._tick)
        self.cancel("Photorig was switched off")
        self.current = None


def with_time_left(stage: str, progress: float, seconds: float) -> str:
    """What a job is at, and how much longer it takes as soon as that can be known.

    Args:
        progress: how much is done, from 0 to 1.
        seconds: how long that took.
    """
    if progress < 0.05 or progress >= 1 or seconds < 3:
        return said(stage)
    left = seconds * (1 - progress) / progress
    if left > 90:
        return said("{stage}, {count} min left", stage=said(stage), count=round(left / 60))
    return said("{stage}, {count} s left", stage=said(stage), count=round(left))


def run_to_end(job: Job, report: Callable[[str], None] | None = None) -> None:
    """Without a user interface: wait for a job, and say how far it is every few seconds.

    Raises:
        PhotorigError: it failed, or nobody is there to decide what it asks.
    """
    said = time.monotonic()
    while not job.is_done:
        job.tick()
        if job.unattended:
            job.cancel(job.unattended)
        time.sleep(0.005)
        if report is not None and time.monotonic() - said > _SECONDS_BETWEEN_REPORTS:
            said = time.monotonic()
            report(f"{job.summary}: {job.progress:.0%}")
    if job.error:
        raise PhotorigError(job.error.rstrip("."))
