# SPDX-License-Identifier: GPL-3.0-or-later
"""How far Render to Sequencer and the analysis of a video are, in the status bar of every window,
with a button to end them."""

from __future__ import annotations

import bpy

from ..mapping import footage
from ..sequence import job as render_jobs

_WIDTH = 16


def draw_in_status_bar(header: bpy.types.Header, _context: bpy.types.Context) -> None:
    for job, cancel in (
        (render_jobs.current, "photorig.cancel_render"),
        (footage.current, "photorig.cancel_import"),
    ):
        if job is not None and not job.is_done:
            row = header.layout.row(align=True)
            bar = row.row()
            bar.ui_units_x = _WIDTH
            bar.progress(factor=job.progress, text=job.summary)
            row.operator(cancel, text="", icon="CANCEL")


def register() -> None:
    bpy.types.STATUSBAR_HT_header.append(draw_in_status_bar)


def unregister() -> None:
    bpy.types.STATUSBAR_HT_header.remove(draw_in_status_bar)
