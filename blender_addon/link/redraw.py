# SPDX-License-Identifier: GPL-3.0-or-later
"""Has Blender draw again what a job in the background changes."""

from __future__ import annotations

import bpy


def redraw_status_bars() -> None:
    """The status bar belongs to no screen, so no area can be tagged: Blender draws it again when a
    text for it is set, and "no text" is what is there anyway."""
    for window in bpy.context.window_manager.windows:
        with bpy.context.temp_override(window=window):
            window.workspace.status_text_set(None)
