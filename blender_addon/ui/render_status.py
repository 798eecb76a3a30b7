# SPDX-License-Identifier: GPL-3.0-or-later
"""How far Render to Sequencer is, in the status bar of every window, with a button to end it."""

from __future__ import annotations

import bpy

from ..sequence import job as render_jobs

_WIDTH = 16


def draw_in_status_bar(header: bpy.types.Header, _context: bpy.types.Context) -> None:
    job = render_jobs.current
    if job is None or job.is_done:
        return
    row = header.layout.row(align=True)
    bar = row.row()
    bar.ui_units_x = _WIDTH
    bar.progress(factor=job.progress, text=job.summary)
    row.operator("photorig.cancel_render", text="", icon="CANCEL")


def register() -> None:
    bpy.types.STATUSBAR_HT_header.append(draw_in_status_bar)


def unregister() -> None:
    bpy.types.STATUSBAR_HT_header.remove(draw_in_status_bar)
