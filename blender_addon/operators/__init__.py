# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person can do, one file a subject."""

from __future__ import annotations

import bpy

from . import fit, mapping, mapping_presets, overlay, portrait, render, rig, worker

CLASSES = (
    worker.CLASSES
    + fit.CLASSES
    + portrait.CLASSES
    + rig.CLASSES
    + mapping_presets.CLASSES
    + mapping.CLASSES
    + render.CLASSES
    + overlay.CLASSES
)


def register() -> None:
    for operator in CLASSES:
        bpy.utils.register_class(operator)


def unregister() -> None:
    for operator in reversed(CLASSES):
        bpy.utils.unregister_class(operator)
