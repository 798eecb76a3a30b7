"""The user's folders for what the worker keeps; there is always one.

A container or a farm may run us under a number that no name belongs to, without a home, or with one
where nothing can be written. What only saves time then lies in a private folder of the system's
temporary one.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

import platformdirs

from photorig.shared.errors import InputError

_NAME = "photorig"


def cache_folder() -> Path:
    """For what can be made again: models, portraits that were uploaded, what was measured.

    ``PHOTORIG_CACHE`` moves all of it.

    Raises:
        InputError: there is no home, and no temporary folder for us alone.
    """
    chosen = os.environ.get("PHOTORIG_CACHE")
    if not chosen:
        return _of("user_cache_path")
    with contextlib.suppress(RuntimeError):  # no home to put in the place of ~
        return Path(chosen).expanduser()
    return Path(chosen)


def data_folder() -> Path:
    """For what only the user can bring again: imported models, and what was trained on them.

    ``PHOTORIG_DATA`` moves it. Raises as cache_folder.
    """
    chosen = os.environ.get("PHOTORIG_DATA")
    if not chosen:
        return _of("user_data_path")
    with contextlib.suppress(RuntimeError):
        return Path(chosen).expanduser()
    return Path(chosen)


def state_folder() -> Path:
    """For what belongs to this computer: the connection file. Raises as cache_folder."""
    return _of("user_state_path")


def log_folder() -> Path:
    """For the log of the command line. Raises as cache_folder."""
    return _of("user_log_dir")


def _of(kind: str) -> Path:
    try:
        folder = Path(getattr(platformdirs, kind)(_NAME, appauthor=False))
    except (RuntimeError, KeyError, OSError):  # no HOME, and no entry for this user either
        return _private_folder()
    # Earlier versions leave the ~ that they cannot replace, as if it were a folder here.
    return folder if folder.is_absolute() else _private_folder()


def _private_folder() -> Path:
    """In the temporary folder, where others might have put one of the same name before us."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    hint = "Set HOME to a folder of your own."
    try:
        folder = Path(tempfile.gettempdir()) / f"{_NAME}-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise InputError(
            f"This user has no home, and no temporary folder: {error}", hint
        ) from error
    if os.name == "posix" and (
        not stat.S_ISDIR(status.st_mode)
        or status.st_uid != user
        or stat.S_IMODE(status.st_mode) & 0o077
    ):
        raise InputError(f"This user has no home, and {folder} is not theirs alone", hint)
    return folder
