# SPDX-License-Identifier: GPL-3.0-or-later
"""Photorig for Blender: keyframes on a rigged head drive a photographic face.

Blender calls ``register`` and ``unregister``; nothing else happens when this package is imported.
"""

from __future__ import annotations

from . import (
    engine,
    fit_jobs,
    head_jobs,
    mapping_health,
    mapping_panel,
    mapping_rows,
    operators,
    overlay_panel,
    panels,
    passes,
    portrait_choice,
    preferences,
    properties,
    render_jobs,
    render_status,
    thumbnails,
    worker_check,
    worker_link,
    written_files,
)
from .preview import live, overlay, overlay_gizmo, settings

_ROOMS = (
    preferences,
    mapping_rows,
    properties,
    mapping_health,
    portrait_choice,
    worker_link,
    worker_check,
    fit_jobs,
    head_jobs,
    operators,
    passes,
    engine,
    written_files,
    render_jobs,
    render_status,
    thumbnails,
    settings,
    live,
    overlay,
    overlay_gizmo,
    panels,
    mapping_panel,
    overlay_panel,
)
"""In the order of their needs: preferences first, because the worker link reads them."""


def register() -> None:
    for room in _ROOMS:
        room.register()


def unregister() -> None:
    for room in reversed(_ROOMS):
        room.unregister()
