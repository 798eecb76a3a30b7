"""Starts and stops the worker as a process of this computer. Knows nothing of Blender.

How often a worker that died is started again is the caller's decision.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..shared import programs
from ..shared.errors import Cancelled, ConnectionLost, InputError
from ..shared.wire.connection import ConnectionInfo

EXECUTABLE_VARIABLE = "PHOTORIG_WORKER"
ENVIRONMENT_FOLDER = "~/photorig-worker"
"""Where the worker's environment is looked for when nothing else names it."""
_LOG_LINES = 12
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class FoundProgram:
    """The worker program, and in a few words how it was found."""

    path: Path
    how: str


def find_program(explicit: str = "") -> FoundProgram:
    """The ``photorig`` command: the explicit path, else $PHOTORIG_WORKER, else where it is usual.

    Raises:
        InputError: there is none.
    """
    for named, how in (
        (explicit, "named in the preferences"),
        (os.environ.get(EXECUTABLE_VARIABLE, ""), f"named by {EXECUTABLE_VARIABLE}"),
    ):
        if not named:
            continue
        found = programs.find(str(Path(named).expanduser()))
        if found is None:
            raise InputError(
                f"The worker program {named} is not there or cannot be run",
                "Set the whole path of the photorig command in the preferences.",
            )
        return FoundProgram(found, how)
    folder = Path(ENVIRONMENT_FOLDER).expanduser() / ("Scripts" if os.name == "nt" else "bin")
    found = programs.find(str(folder / "photorig"))
    if found is not None:
        return FoundProgram(found, f"found in {ENVIRONMENT_FOLDER}")
    found = programs.find("photorig")
    if found is not None:
        return FoundProgram(found, "found on the search path")
    raise InputError(
        "The photorig command is not installed",
        "Install the worker, or set its path in the preferences.",
    )


def find_executable(explicit: str = "") -> Path:
    """The path that ``find_program`` finds. Raises InputError."""
    return find_program(explicit).path


class WorkerProcess:
    """One running worker.

    Args:
        command: program and its arguments up to and including ``serve``.
        connection_file: where the worker is to write it; it stands in that folder, too.
        log_file: where the worker writes its log.
        arguments: further arguments of ``serve``, for example ("--device", "cpu").
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        connection_file: Path,
        log_file: Path,
        arguments: Sequence[str] = (),
    ) -> None:
        self.connection_file = Path(connection_file).absolute()
        self.log_file = Path(log_file).absolute()
        self._command = [
            *map(str, command),
            "--connection-file",
            str(self.connection_file),
            "--parent-pid",
            str(os.getpid()),
            "--end-with-stdin",
            *arguments,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process and return at once; ``poll_ready`` says when it can be used.

        Raises:
            InputError: the program cannot be run.
        """
        if self.is_running:
            return
        self.connection_file.unlink(missing_ok=True)
        try:
            self.connection_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.log_file.open("wb") as log:
                self._process = programs.start(
                    self._command,
                    self.connection_file.parent,
                    worker_environment(),
                    stdin=subprocess.PIPE,
                    # "ready" on standard output is for people and scripts; here the file says it.
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    flags=creation_flags(),
                )
        except OSError as error:
            raise InputError(
                f"Cannot start {self._command[0]}: {error.strerror}",
                "Set the path of the photorig command in the preferences.",
            ) from error

    def poll_ready(self) -> ConnectionInfo | None:
        """How to connect, None while the worker is still starting. Does not wait.

        Raises:
            ConnectionLost: the worker has ended; the hint is the end of its log.
        """
        if not self.is_running:
            raise ConnectionLost("The worker ended before it was ready", self.log_tail())
        if not self.connection_file.exists():
            return None
        return ConnectionInfo.load(self.connection_file)

    def wait_ready(
        self, timeout: float = 120.0, should_cancel: Callable[[], bool] = lambda: False
    ) -> ConnectionInfo:
        """Wait until the worker can be used.

        Raises:
            ConnectionLost: it ended, or took longer than ``timeout`` seconds.
            Cancelled: ``should_cancel`` said so.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            info = self.poll_ready()
            if info is not None:
                return info
            if should_cancel():
                raise Cancelled("Waiting for the worker was cancelled")
            time.sleep(_POLL_SECONDS)
        raise ConnectionLost(
            f"The worker was not ready within {timeout:.0f} seconds", self.log_tail()
        )

    def stop(self, patience: float = 5.0) -> None:
        """End the worker: ask, then insist if it has not gone after ``patience`` seconds."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        for insist in (self._process.terminate, self._process.kill):
            try:
                self._process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                insist()
                patience = 2.0
        else:
            self._process.wait()
        self._process = None
        # Only a worker that was ended by force leaves its file behind.
        with contextlib.suppress(OSError):
            self.connection_file.unlink()

    def log_tail(self) -> str:
        """The last lines of the worker's log, as one text."""
        try:
            text = self.log_file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "It wrote no log."
        lines = [line for line in text.splitlines() if line.strip()]
        return "\n".join(lines[-_LOG_LINES:]) or f"Its log {self.log_file} is empty."


def worker_environment() -> dict[str, str]:
    """The environment for the worker's own Python, without what belongs to Blender's."""
    dropped = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP")
    return {name: value for name, value in os.environ.items() if name not in dropped}


def creation_flags() -> int:
    """Keeps Windows from opening a console window; no other system has such flags."""
    return getattr(subprocess, "CREATE_NO_WINDOW", 0)
