"""A worker that lives as long as a farm's session on a node: started before its first chunk of
frames, so that models are loaded once, and ended after the last."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

import psutil

from photorig.shared import programs
from photorig.shared.errors import ConnectionLost, InputError, PhotorigError
from photorig.shared.farm.path_mapping import read_rules
from photorig.shared.files.reading import read_file
from photorig.shared.files.writing import write_atomically
from photorig.shared.wire.connection import ConnectionInfo

CONNECTION_VARIABLE = "PHOTORIG_CONNECTION"
"""Names the connection file of a session's worker, for the Blenders of that session."""
PROGRAM_VARIABLE = "PHOTORIG_WORKER"
CONNECTION_NAME = "worker.json"
_LOG_NAME = "worker.log"
_RULES_NAME = "path_mapping.json"
_IDLE_MINUTES = "60"
"""After so long without a chunk nobody comes back: a session that was cut off ends nothing."""
_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 10.0


def keep_rules(rules: Path, folder: Path) -> Path:
    """A copy of path mapping rules in the session's folder: a farm may remove its own with the
    action that it was written for. Raises InputError."""
    read_rules(rules)
    kept = folder.absolute() / _RULES_NAME
    write_atomically(kept, read_file(rules, 1 << 20))
    return kept


def start_worker(folder: Path, device: str = "auto", seconds: float = 600.0) -> Path:
    """Start a worker that stays when this process ends, and wait until it can be used.

    Args:
        folder: the session's own, where its connection file and log go.

    Returns:
        The connection file.

    Raises:
        InputError: it cannot be started.
        ConnectionLost: it ended, or is not ready in time.
    """
    folder = folder.absolute()
    connection, log = folder / CONNECTION_NAME, folder / _LOG_NAME
    command = [*_program(), "serve", "--connection-file", str(connection)]
    command += ["--device", device] if device != "auto" else []
    command += ["--idle-minutes", _IDLE_MINUTES]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection.unlink(missing_ok=True)
        with log.open("wb") as stream:
            process = programs.start(
                command,
                folder,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                outlives_us=True,
            )
    except OSError as error:
        raise InputError(f"Cannot start the worker in {folder}: {error.strerror}") from error
    deadline = time.monotonic() + seconds
    while not connection.exists():
        if process.poll() is not None:
            raise ConnectionLost("The worker ended before it was ready", _said(log))
        if time.monotonic() > deadline:
            process.kill()
            raise ConnectionLost(
                f"The worker was not ready within {seconds:.0f} seconds", _said(log)
            )
        time.sleep(_POLL_SECONDS)
    return connection


def stop_worker(folder: Path) -> bool:
    """End the session's worker; returns whether there was one. Never fails."""
    path = folder.absolute() / CONNECTION_NAME
    try:
        info = ConnectionInfo.load(path)
        process = psutil.Process(info.pid)
        # A number may belong to somebody else by now: a worker's command names its file.
        if info.is_stale or str(path) not in process.cmdline():
            return False
        process.terminate()
        try:
            process.wait(_PATIENCE_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
    except (PhotorigError, psutil.Error):
        return False
    with contextlib.suppress(OSError):  # a worker that was ended by force leaves it behind
        path.unlink(missing_ok=True)
    return True


def _program() -> list[str]:
    """The worker that Blender would start on this computer, else this very program."""
    named = os.environ.get(PROGRAM_VARIABLE, "")
    if not named:
        return programs.python_module("photorig.worker.cli.main")
    found = programs.find(str(Path(named).expanduser()))
    if found is None:
        raise InputError(
            f"The worker program {named} is not there or cannot be run",
            f"Let {PROGRAM_VARIABLE} name the whole path of the photorig command.",
        )
    return [str(found)]


def _said(log: Path) -> str:
    """The log's last line that says something."""
    with contextlib.suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""
