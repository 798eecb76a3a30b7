# SPDX-License-Identifier: GPL-3.0-or-later
"""What all panels draw alike."""

from __future__ import annotations

import textwrap

import bpy

from ..link.jobs import Job

_ICON_PIXELS, _LETTER_PIXELS = 60, 7
_USUAL_WIDTH = 400
_WIDE_LETTERS = 0x2E80
"""From here on letters are as wide as two: Chinese, Japanese, Korean."""


def region_width() -> float:
    """Of the region that is drawn, in pixels of an unscaled interface."""
    region = bpy.context.region
    width = region.width if region is not None else _USUAL_WIDTH
    return float(width / (bpy.context.preferences.system.ui_scale or 1))  # 0 without a window


def draw_progress(layout: bpy.types.UILayout, job: Job, cancel: str, width: float = 0) -> None:
    """How far a job is, and the button that ends it: an operator's name.

    Args:
        width: of the bar, in Blender's units; 0 for all there is.
    """
    row = layout.row(align=True)
    bar = row.row()
    bar.ui_units_x = width
    bar.progress(factor=job.progress, text=job.summary)
    row.operator(cancel, text="", icon="X")


def draw_sentence(layout: bpy.types.UILayout, text: str, icon: str) -> None:
    """A sentence in as many lines as the region needs; Blender cuts long labels short.

    It is said in the person's language where that is known.
    """
    text = bpy.app.translations.pgettext_iface(text)
    letters = int((region_width() - _ICON_PIXELS) / _LETTER_PIXELS)
    n_wide = sum(ord(letter) >= _WIDE_LETTERS for letter in text)
    letters = letters * len(text) // max(1, len(text) + n_wide)
    lines = textwrap.wrap(text, max(10 if n_wide else 16, letters))
    column = layout.column(align=True)
    below = "BLANK1" if icon != "NONE" else icon
    for number, line in enumerate(lines):
        column.label(text=line, icon=below if number else icon, translate=False)
