"""Programs that are started, and how: what lies in the current folder must never become code.

That folder may hold anything: a scene that somebody sent, and beside it a ``json.py`` or a
``photorig.exe``. Python takes modules from there (``-m``, ``-c``), Windows takes programs. So
whatever we start stands in a folder of ours, its Python knows installed modules only, and programs
are found in absolute folders only. Nothing is started elsewhere;
tests/unit/shared/test_programs.py looks.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

WINDOWS = os.name == "nt"
PYTHON_VARIABLE = "PYTHONSAFEPATH"
"""As ``-P`` does, for a Python that another program starts."""

_SAFE = {PYTHON_VARIABLE: "1", "NoDefaultCurrentDirectoryInExePath": "1"}
"""The second is for Windows: its shell, too, then looks for programs on the search path only."""

_DETACHED = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(
    subprocess, "CREATE_NEW_PROCESS_GROUP", 0
)
"""For Windows; elsewhere a session of its own does it."""

Stream = int | IO[bytes] | None


def find(name: str, folders: str | None = None) -> Path | None:
    """A program by its name or absolute path; None where there is none that can be run.

    Unlike ``shutil.which`` it never finds one by a path that depends on the current folder.

    Args:
        name: "npm", or "/usr/bin/npm".
        folders: where to look for a name, written as PATH is; PATH itself if None.
    """
    named = Path(name)
    if named.is_absolute():
        places = [named.parent]
    elif named.name != name:
        return None
    else:
        searched = os.environ.get("PATH", os.defpath) if folders is None else folders
        places = [Path(folder) for folder in searched.split(os.pathsep)]
    for place in places:
        for file_name in _file_names(named.name) if place.is_absolute() else ():
            path = place / file_name
            if path.is_file() and os.access(path, os.X_OK):
                return path
    return None


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this Python as a program."""
    return [sys.executable, "-P", "-m", module, *arguments]


def start(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
    flags: int = 0,
    outlives_us: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a program and return at once.

    Args:
        command: an absolute path, and arguments.
        folder: an absolute path, where it stands: one that we made, or that only the system and
            its owner fill.
        environment: its variables; our own if None.
        flags: for Windows, how it is started.
        outlives_us: whether what ends us, and all that we started, leaves it alone.

    Raises:
        OSError: it cannot be run.
    """
    _check(command, folder)
    return subprocess.Popen(
        [*map(str, command)],
        cwd=folder,
        env=_safe(environment),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        creationflags=flags | (_DETACHED if outlives_us else 0),
        start_new_session=outlives_us,
    )


def run(
    command: Sequence[str | Path], folder: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and keep what it says; arguments and errors as of ``start``.

    Raises:
        subprocess.TimeoutExpired: it took longer than ``timeout`` seconds, and was ended.
    """
    _check(command, folder)
    return subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=_safe(None),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextlib.contextmanager
def safe_children() -> Iterator[None]:
    """While it lasts, what the standard library starts by itself is a safe Python, too.

    For multiprocessing: it says ``-c``, which looks for modules in the current folder.
    """
    before = os.environ.get(PYTHON_VARIABLE)
    os.environ[PYTHON_VARIABLE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[PYTHON_VARIABLE]
        else:
            os.environ[PYTHON_VARIABLE] = before


def _check(command: Sequence[str | Path], folder: Path) -> None:
    if not (Path(command[0]).is_absolute() and folder.is_absolute()):
        raise ValueError(f"{command[0]} in {folder}: what is started needs absolute paths")


def _safe(environment: Mapping[str, str] | None) -> dict[str, str]:
    return {**(os.environ if environment is None else environment), **_SAFE}


def _file_names(name: str) -> list[str]:
    """What the file of a program may be called."""
    if not WINDOWS:
        return [name]
    endings = os.environ.get("PATHEXT", ".COM;.EXE;.BAT;.CMD").split(";")
    if any(ending and name.lower().endswith(ending.lower()) for ending in endings):
        return [name]
    return [name + ending for ending in endings if ending]
