# SPDX-License-Identifier: GPL-3.0-or-later
"""The preferences as plain data, for everything below the panels."""

from __future__ import annotations

import os
from dataclasses import dataclass

import bpy

from ..extension import PACKAGE
from ..shared.errors import PhotorigError
from ..shared.wire.connection import ConnectionInfo

PREVIEW_MEGABYTES = 512
SESSION_VARIABLE = "PHOTORIG_CONNECTION"
"""Names the connection file of a worker that a farm's session has started on this node."""
LOCAL, REMOTE = "LOCAL", "REMOTE"


@dataclass(frozen=True)
class WorkerOptions:
    """How to start or reach the worker.

    Attributes:
        executable: path or name of the worker program; "" to look for it.
        device: "auto", "cpu", "cuda" or "mps".
        auto_start: whether a render may start the worker, or connect to it, by itself.
        is_remote: whether it runs elsewhere and is only connected to.
        connection_file: what it wrote there, copied to this computer.
        host: of its computer, "" for the one in the file.
    """

    executable: str = ""
    device: str = "auto"
    auto_start: bool = True
    is_remote: bool = False
    connection_file: str = ""
    host: str = ""


def worker_options() -> WorkerOptions:
    """The preferences as plain data; the defaults where the extension runs without any.

    On a farm's node the worker of the session goes before them, as long as it lives.
    """
    session = os.environ.get(SESSION_VARIABLE, "")
    if session and _is_alive(session):
        return WorkerOptions(is_remote=True, connection_file=session)
    addon = bpy.context.preferences.addons.get(PACKAGE)
    if addon is None or addon.preferences is None:
        return WorkerOptions()
    chosen = addon.preferences
    return WorkerOptions(
        chosen.executable,
        chosen.device,
        chosen.auto_start,
        chosen.place == REMOTE,
        chosen.connection_file,
        chosen.host,
    )


def _is_alive(connection_file: str) -> bool:
    try:
        return not ConnectionInfo.load(connection_file).is_stale
    except PhotorigError:
        return False


def preview_cache_bytes() -> int:
    """How much memory pictures of the face may take."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    if addon is None or addon.preferences is None:
        return PREVIEW_MEGABYTES << 20
    return int(addon.preferences.preview_megabytes) << 20


def shot_picture() -> str:
    """What a camera renders that is given its first face; see render.settings.begin_shot."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    if addon is None or addon.preferences is None:
        return "PHOTO"
    return str(addon.preferences.shot_picture)
