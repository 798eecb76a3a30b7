# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person can do, one file a subject."""

from __future__ import annotations

import bpy

from . import (
    farm,
    fit,
    mapping,
    mapping_presets,
    other_faces,
    overlay,
    performance,
    portrait,
    render,
    rig,
    worker,
)

CLASSES = (
    worker.CLASSES
    + fit.CLASSES
    + portrait.CLASSES
    + other_faces.CLASSES
    + rig.CLASSES
    + mapping_presets.CLASSES
    + mapping.CLASSES
    + performance.CLASSES
    + render.CLASSES
    + farm.CLASSES
    + overlay.CLASSES
)


def register() -> None:
    for operator in CLASSES:
        bpy.utils.register_class(operator)
    bpy.types.TOPBAR_MT_file_import.append(performance.draw_in_import_menu)
    bpy.types.TOPBAR_MT_file_export.append(performance.draw_in_export_menu)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_export.remove(performance.draw_in_export_menu)
    bpy.types.TOPBAR_MT_file_import.remove(performance.draw_in_import_menu)
    for operator in reversed(CLASSES):
        bpy.utils.unregister_class(operator)
