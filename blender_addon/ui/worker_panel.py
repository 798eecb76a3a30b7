# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker as panels and preferences show it: state, installation, log, check."""

from __future__ import annotations

import bpy

from ..link.check import DONE, OFFLINE_HINT, RUNNING, SETUP_LINES, check, worker_program
from ..link.link import link
from ..shared.errors import PhotorigError
from .draw import draw_sentence

_LOG_LINES = 12
_REPORT_LINES = 40
_ICONS = {"ready": "CHECKMARK", "starting": "TIME", "failed": "ERROR"}


def draw_worker_state(layout: bpy.types.UILayout) -> None:
    """The worker's state in a sentence, and what can be done about it: little, while it runs."""
    column = layout.column()
    row = column.row()
    draw_sentence(row, link.message, _ICONS.get(link.state, "BLANK1"))
    if link.is_ready or link.is_starting:
        buttons = row.row(align=True)
        buttons.operator("photorig.restart_worker", text="", icon="FILE_REFRESH")
        buttons.operator("photorig.stop_worker", text="", icon="X")
    else:
        row = column.row(align=True)
        row.operator("photorig.start_worker", icon="PLAY")
        row.operator("photorig.connect_worker", text="Connect...")
    if link.doing:
        draw_sentence(column, link.doing, "TIME")


def draw_setup(layout: bpy.types.UILayout, preferences: bpy.types.AddonPreferences) -> None:
    """Whether there is a worker program, and how to get one."""
    try:
        found = worker_program()
        draw_sentence(layout, f"{found.path} ({found.how})", "CHECKMARK")
        is_there = True
    except PhotorigError as error:
        draw_sentence(layout, str(error), "ERROR")
        is_there = False
    if is_there:
        layout.prop(preferences, "show_setup")
    if is_there and not preferences.show_setup:
        return
    box = layout.box()
    draw_sentence(
        box,
        "The worker has a Python environment of its own; nothing is put into Blender's."
        " Type in a terminal (Python 3.11 or newer), once:",
        "INFO",
    )
    column = box.column(align=True)
    for line in SETUP_LINES:
        column.label(text=line, icon="CONSOLE")
    box.operator("photorig.copy_setup", icon="COPYDOWN")
    draw_sentence(box, OFFLINE_HINT, "INTERNET_OFFLINE")


def draw_log(layout: bpy.types.UILayout) -> None:
    """The end of the log of a worker that was started from here."""
    tail = link.log_tail()
    if not tail:
        return
    box = layout.box()
    row = box.row()
    row.label(text="Worker Log", icon="TEXT")
    row.operator("photorig.open_worker_log", text="Open", icon="FILE_FOLDER")
    column = box.column(align=True)
    for line in tail.splitlines()[-_LOG_LINES:]:
        column.label(text=line)


def draw_check(layout: bpy.types.UILayout) -> None:
    """What the doctor says, and all of it for the clipboard."""
    box = layout.box()
    icon = {RUNNING: "TIME", DONE: "CHECKMARK" if check.is_good else "ERROR"}
    draw_sentence(box, check.summary, icon.get(check.state, "BLANK1"))
    row = box.row(align=True)
    row.operator("photorig.check_worker", icon="VIEWZOOM")
    row.operator("photorig.copy_report", icon="COPYDOWN")
    column = box.column(align=True)
    for line in check.report.splitlines()[:_REPORT_LINES]:
        column.label(text=line)
