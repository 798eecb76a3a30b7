# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the worker's environment work? Runs ``photorig doctor`` beside Blender and keeps the answer.

Nothing is installed from here: Blender's own Python is Blender's, and the worker's environment is
made once, in a terminal, by the lines of ``SETUP_LINES``.
"""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from ..client.process import (
    ENVIRONMENT_FOLDER,
    FoundProgram,
    creation_flags,
    find_program,
    worker_environment,
)
from ..extension import PACKAGE, VERSION
from ..shared import programs
from ..shared.errors import InputError, PhotorigError
from .link import link, redraw_panels
from .options import worker_options

IDLE, RUNNING, DONE = "idle", "running", "done"
_TIMEOUT = 300.0
_TICK_SECONDS = 0.25
_MAXIMUM_CHARACTERS = 20_000

_SCRIPTS = "Scripts" if os.name == "nt" else "bin"
_PYTHON = "py -3" if os.name == "nt" else "python3"
SETUP_LINES = (
    f"{_PYTHON} -m venv {ENVIRONMENT_FOLDER}",
    f"{Path(ENVIRONMENT_FOLDER) / _SCRIPTS / 'pip'} install FOLDER_OR_WHEEL_OF_PHOTORIG",
    f"{Path(ENVIRONMENT_FOLDER) / _SCRIPTS / 'photorig'} models fetch",
)
"""What to type in a terminal to make the worker's environment; it is found there by itself."""
OFFLINE_HINT = (
    "Without a network: run these lines on a computer of the same kind that has one, with"
    " PHOTORIG_CACHE set to a folder for the models. Copy both folders to the same places, and set"
    " PHOTORIG_CACHE and PHOTORIG_OFFLINE=1 here"
)


class WorkerCheck:
    """One run of the doctor.

    Attributes:
        state: "idle", "running" or "done".
        report: what it said.
        is_good: whether it ended without a complaint.
    """

    def __init__(self) -> None:
        self.state = IDLE
        self.report = ""
        self.is_good = False
        self._process: subprocess.Popen[bytes] | None = None
        self._output = Path()
        self._deadline = 0.0

    @property
    def summary(self) -> str:
        """One sentence."""
        if self.state == RUNNING:
            return "The worker's environment is being checked"
        if self.state == IDLE:
            return "The worker's environment was not checked yet"
        return "The environment works" if self.is_good else "The environment does not work"

    def start(self, with_speed: bool) -> None:
        """Run the doctor and return at once.

        Raises:
            InputError: there is no worker program, or it cannot be run.
        """
        self.cancel()
        program = worker_program().path
        folder = Path(bpy.utils.extension_path_user(PACKAGE, path="worker", create=True))
        self._output = folder / f"check-{os.getpid()}.txt"
        command = [str(program), "doctor", *([] if with_speed else ["--no-speed"])]
        try:
            with self._output.open("wb") as output:
                self._process = programs.start(
                    command,
                    folder,
                    worker_environment(),
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    flags=creation_flags(),
                )
        except OSError as error:
            raise InputError(f"Cannot run {program}: {error.strerror}") from error
        self.state, self.report, self.is_good = RUNNING, "", False
        self._deadline = time.monotonic() + _TIMEOUT

    def poll(self) -> None:
        """See whether it has ended. Does not wait."""
        if self._process is None:
            return
        status = self._process.poll()
        is_late = time.monotonic() > self._deadline
        if status is None and not is_late:
            return
        self._end_process()
        text = self._output.read_text(encoding="utf-8", errors="replace")
        self._output.unlink(missing_ok=True)
        if is_late and status is None:
            text += f"\nIt was stopped after {_TIMEOUT:.0f} seconds."
        self.report, self.is_good = text[-_MAXIMUM_CHARACTERS:].strip(), status == 0
        self.state = DONE

    def cancel(self) -> None:
        """Stop it if it runs."""
        if self._process is not None:
            self._end_process()
            self._output.unlink(missing_ok=True)
            self.state = IDLE

    def _end_process(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            self._process = None


check = WorkerCheck()


def worker_program() -> FoundProgram:
    """The worker program that the preferences or the system name. Raises InputError."""
    return find_program(worker_options().executable)


def start(with_speed: bool) -> None:
    """Begin a check; a timer sees when it has ended. Raises InputError."""
    check.start(with_speed)
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, persistent=True)


def wait(should_cancel: Callable[[], bool]) -> None:
    """Without a user interface: wait for the check."""
    while check.state == RUNNING and not should_cancel():
        check.poll()
        time.sleep(0.02)


def support_report() -> str:
    """All that somebody who helps needs to know, to be pasted into a message."""
    try:
        found = worker_program()
        program = f"{found.path} ({found.how})"
    except PhotorigError as error:
        program = str(error)
    lines = [
        f"Photorig extension {VERSION}, Blender {bpy.app.version_string}",
        f"System: {platform.platform()}",
        f"Worker program: {program}",
        f"Worker: {link.message}",
    ]
    if link.welcome is not None:
        lines.append(f"Connected to {link.welcome.worker}, model {link.welcome.model_id}")
    if check.report:
        lines += ["", "photorig doctor", check.report]
    tail = link.log_tail()
    if tail:
        lines += ["", "End of the worker's log", tail]
    return "\n".join(lines)


def _tick() -> float | None:
    check.poll()
    if check.state == RUNNING:
        return _TICK_SECONDS
    redraw_panels()
    return None


def register() -> None:
    """Nothing is checked before a person asks for it."""


def unregister() -> None:
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    check.cancel()
