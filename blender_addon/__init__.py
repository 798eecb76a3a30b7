# SPDX-License-Identifier: GPL-3.0-or-later
"""Photorig for Blender: keyframes on a rigged head drive a photographic face.

Blender calls ``register`` and ``unregister``; nothing else happens when this package is imported.
"""

from __future__ import annotations

from . import engine, operators, translation
from .camera import mapping_rows, other_faces, passes, properties
from .head import job as head_jobs
from .link import check as worker_check
from .link import link as worker_link
from .mapping import drivers, footage
from .mapping import health as mapping_health
from .portrait import choice as portrait_choice
from .portrait import fit as fit_jobs
from .portrait import thumbnails
from .preview import live, overlay, overlay_gizmo, settings
from .render import scene, written_files
from .sequence import job as render_jobs
from .ui import manual, mapping_panel, overlay_panel, panels, preferences, render_status

_ROOMS = (
    translation,
    preferences,
    mapping_rows,
    other_faces,
    drivers,
    properties,
    mapping_health,
    footage.slot,
    portrait_choice,
    worker_link,
    worker_check,
    fit_jobs.slot,
    head_jobs.slot,
    operators,
    passes,
    scene,
    engine,
    written_files,
    render_jobs.slot,
    render_status,
    thumbnails,
    settings,
    live,
    overlay,
    overlay_gizmo,
    panels,
    mapping_panel,
    overlay_panel,
    manual,
)
"""In the order of their needs: preferences first, because the worker link reads them."""


def register() -> None:
    for room in _ROOMS:
        room.register()


def unregister() -> None:
    for room in reversed(_ROOMS):
        room.unregister()
