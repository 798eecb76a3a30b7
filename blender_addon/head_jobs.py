# SPDX-License-Identifier: GPL-3.0-or-later
"""Create Head from Portrait: asks the worker for the head's shape and builds it when it comes."""

from __future__ import annotations

import logging
import time

import bpy

from .frame_request import portrait_of
from .head_from_portrait import create_head
from .head_query import HeadQuery
from .shared.errors import InputError, PhotorigError
from .worker_link import link, redraw_panels

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.1


class HeadJob:
    """One head that is being made.

    Attributes:
        portrait: the portrait's file.
        scene: name of the scene it goes into; a reference would not survive undo.
        error: one sentence once it failed.
        is_done: whether it ended, well or not.
    """

    def __init__(self, context: bpy.types.Context, camera: bpy.types.Camera) -> None:
        """Raises InputError where the camera's portrait cannot be read."""
        self.portrait = portrait_of(camera)
        self.scene = context.scene.name
        self.error = ""
        self.is_done = False
        self._query: HeadQuery | None = None

    @property
    def summary(self) -> str:
        """One sentence for the person who waits."""
        if self.error:
            return self.error
        if self.is_done:
            return f"The head of {self.portrait.name} was made"
        return "Measuring the head" if self._query is not None else "Waiting for the worker"

    def tick(self) -> None:
        """Do what can be done without waiting. Never raises; see ``error``."""
        if self.is_done:
            return
        try:
            if self._query is None:
                link.poll()
                if link.is_ready:
                    content = self.portrait.content
                    self._query = HeadQuery(link.in_use()[0], self.portrait.id, content)
                else:
                    link.raise_if_failed()
            else:
                self._collect(self._query)
        except PhotorigError as error:
            link.poll()
            self._fail(str(error) if link.is_ready else link.message)
        except Exception as error:
            _log.exception("making a head failed")
            self._fail(f"Photorig failed unexpectedly ({error}). See the console.")

    def cancel(self, reason: str) -> None:
        """End with a sentence that says why."""
        if not self.is_done:
            self._fail(reason)

    def _collect(self, query: HeadQuery) -> None:
        query.poll()
        if query.error is not None:
            raise query.error
        if query.head is None:
            return
        scene = bpy.data.scenes.get(self.scene)
        if scene is None:
            raise InputError("The scene for the head is not here any more", "Create it again.")
        context = bpy.context
        windows = context.window_manager.windows
        if windows and not bpy.app.background:
            # A timer has no window of its own, and building needs one for its modes.
            window = next((each for each in windows if each.scene == scene), None)
            if window is None:
                raise InputError(
                    f"The scene {self.scene!r} is not shown", "Show it and create the head again."
                )
            with context.temp_override(window=window):
                self._build(query)
            bpy.ops.ed.undo_push(message="Create Head from Portrait")
        else:
            self._build(query)
        self.is_done = True

    def _build(self, query: HeadQuery) -> None:
        if bpy.context.mode != "OBJECT":
            raise InputError("The head cannot be added in this mode", "Leave edit or pose mode.")
        assert query.head is not None
        create_head(bpy.context, self.portrait, query.head)

    def _fail(self, reason: str) -> None:
        self.error, self.is_done = reason, True
        if self._query is not None:
            self._query.cancel()


current: HeadJob | None = None
"""The job that runs, or the last one."""


def is_running() -> bool:
    return current is not None and not current.is_done


def start(context: bpy.types.Context, camera: bpy.types.Camera) -> HeadJob:
    """Begin; a timer moves it on where there is a user interface.

    Raises:
        InputError: another head is being made, or the portrait cannot be read.
        ConnectionLost: no worker runs and none may be started.
    """
    global current
    if is_running():
        raise InputError("A head is being made", "Wait for it.")
    job = HeadJob(context, camera)
    link.start_if_wanted()
    current = job
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, persistent=True)
    return job


def run_to_end(job: HeadJob) -> None:
    """Without a user interface: wait for the head. Raises PhotorigError where it failed."""
    while not job.is_done:
        job.tick()
        time.sleep(0.01)
    if job.error:
        raise PhotorigError(job.error.rstrip("."))


def _tick() -> float | None:
    if current is None or current.is_done:
        return None
    before = current.summary
    current.tick()
    if current.summary != before:
        redraw_panels()
    return None if current.is_done else _TICK_SECONDS


def register() -> None:
    """Nothing is needed before the first head."""


def unregister() -> None:
    global current
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if current is not None:
        current.cancel("Photorig was switched off")
    current = None
