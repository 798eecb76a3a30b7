# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers on other computers that were paired: their connection files in the extension's folder.

Keys stand there and nowhere else: no .blend file and no preference holds one.
"""

from __future__ import annotations

import getpass
import platform
import re
from functools import lru_cache
from pathlib import Path

import bpy

from ..client.pair import pair
from ..extension import PACKAGE
from ..shared.errors import InputError, PhotorigError
from ..shared.wire.connection import ConnectionInfo, is_loopback
from ..shared.wire.pairing import fingerprint
from .options import REMOTE

_LONGEST_NAME = 40


def pair_with(address: str, code: str) -> str:
    """Pair, keep the keys, and let the preferences name this worker; returns its fingerprint.

    Raises:
        PhotorigError: there is no such worker, Blender may not use the network, or the file cannot
            be written.
    """
    endpoint = f"tcp://{address}" if ":" in address else f"tcp://{address}:0"
    if not is_loopback(endpoint) and not bpy.app.online_access:
        raise InputError(
            "Blender is not allowed to reach other computers",
            "Switch on Preferences > System > Network > Allow Online Access.",
        )
    connection = pair(address, code, _own_name())
    folder = Path(bpy.utils.extension_path_user(PACKAGE, path="paired", create=True))
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", connection.machine)[:_LONGEST_NAME].strip(".-")
    path = folder / f"{name or 'worker'}.json"
    connection.save(path)
    addon = bpy.context.preferences.addons.get(PACKAGE)
    if addon is not None and addon.preferences is not None:
        chosen = addon.preferences
        chosen.place, chosen.connection_file, chosen.host = REMOTE, str(path), ""
    return fingerprint(connection.server_public_key)


def fingerprint_of(path: str) -> str:
    """Of the worker that a connection file leads to, "" where there is none to be shown."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return ""
    return _fingerprint_of(path, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _fingerprint_of(path: str, _changed: int) -> str:
    try:
        connection = ConnectionInfo.load(path)
    except PhotorigError:
        return ""
    return fingerprint(connection.server_public_key) if connection.is_paired else ""


def _own_name() -> str:
    """What the worker's list shows for us."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name
        user = "Blender"
    return f"{user} on {platform.node()}"[:100]
