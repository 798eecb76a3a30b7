# SPDX-License-Identifier: GPL-3.0-or-later
"""F1 and *Online Manual* over Photorig's buttons: the guide that came with the extension."""

from __future__ import annotations

import bpy

from ..extension import FOLDER

GUIDE = FOLDER / "guide"
_PAGES = (
    ("bpy.ops.photorig.*worker*", "install.html"),
    ("bpy.ops.photorig.copy_setup*", "install.html"),
    ("bpy.ops.photorig.copy_report*", "troubleshooting.html"),
    ("bpy.ops.photorig.*render*", "rendering.html"),
    ("bpy.ops.photorig.use_*", "rendering.html"),
    ("bpy.ops.photorig.*board*", "face-controls.html"),
    ("bpy.ops.photorig.*pose_library*", "face-controls.html"),
    ("bpy.ops.photorig.*other_face*", "rendering.html"),
    ("bpy.ops.photorig.*mapp*", "mapping.html"),
    ("bpy.ops.photorig.*rig", "mapping.html"),
    ("bpy.ops.photorig.*performance*", "mapping.html"),
    ("bpy.ops.photorig.*", "first-shot.html"),
    ("bpy.types.photorigscenesettings.*", "rendering.html"),
    ("bpy.types.photorigpasssettings.*", "rendering.html"),
    ("bpy.types.photorigpreferences.*", "install.html"),
    ("bpy.types.photorigmappingrow.*", "mapping.html"),
    ("bpy.types.photorig*", "first-shot.html"),
)
"""Pages by what Blender calls a button, all small letters; the first that fits counts."""


def page_url(name: str = "index.html") -> str:
    """Where a page of the guide is on this computer."""
    return (GUIDE / name).as_uri()


def manual_map() -> tuple[str, tuple[tuple[str, str], ...]]:
    """As Blender wants it: what addresses begin with, and how they go on."""
    return f"{GUIDE.as_uri()}/", _PAGES


def register() -> None:
    bpy.utils.register_manual_map(manual_map)


def unregister() -> None:
    bpy.utils.unregister_manual_map(manual_map)
