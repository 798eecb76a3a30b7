# SPDX-License-Identifier: GPL-3.0-or-later
"""How far Render to Sequencer and the analysis of a video are, in the status bar of every window,
with a button to end them."""

from __future__ import annotations

import bpy

from ..mapping import footage
from ..sequence import job as render_jobs
from .draw import draw_progress, draw_sentence

_WIDTH = 16


def draw_in_status_bar(header: bpy.types.Header, _context: bpy.types.Context) -> None:
    jobs = (render_jobs.slot.current, footage.slot.current)
    for job, cancel in zip(jobs, ("photorig.cancel_render", "photorig.cancel_import"), strict=True):
        if job is not None and not job.is_done:
            draw_progress(header.layout, job, cancel, _WIDTH)


def draw_import(layout: bpy.types.UILayout) -> None:
    """What became of the last recording, in a panel, until it is dismissed."""
    job = footage.slot.current
    if job is None or not job.is_done:
        return
    box = layout.box()
    row = box.row()
    draw_sentence(row.column(), job.summary, "ERROR" if job.error else "CHECKMARK")
    row.operator("photorig.dismiss_import", text="", icon="X", emboss=False)
    for note in job.notes:
        draw_sentence(box, note, "INFO")


def register() -> None:
    bpy.types.STATUSBAR_HT_header.append(draw_in_status_bar)


def unregister() -> None:
    bpy.types.STATUSBAR_HT_header.remove(draw_in_status_bar)
