# SPDX-License-Identifier: GPL-3.0-or-later
"""Preferences: which worker program, and its state with start, stop and connect."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

_LOG_LINES = 8


@dataclass(frozen=True)
class WorkerOptions:
    """How to start the worker.

    Attributes:
        executable: path or name of the worker program; "" to look for it.
        device: "auto", "cpu", "cuda" or "mps".
        auto_start: whether a render may start the worker by itself.
    """

    executable: str = ""
    device: str = "auto"
    auto_start: bool = True


class PhotorigPreferences(bpy.types.AddonPreferences):
    """Shown in Preferences > Add-ons > Photorig."""

    bl_idname = __package__

    executable: bpy.props.StringProperty(
        name="Worker Program",
        description=(
            "The 'photorig' program that was installed with the worker. Empty to take the one"
            " named by PHOTORIG_WORKER, or the one on the search path"
        ),
        subtype="FILE_PATH",
    )
    device: bpy.props.EnumProperty(
        name="Device",
        description="What the worker renders on",
        items=(
            ("auto", "Automatic", "The fastest there is"),
            ("cpu", "CPU", "The processor"),
            ("cuda", "CUDA", "An NVIDIA graphics card"),
            ("mps", "Metal", "An Apple graphics processor"),
        ),
        default="auto",
    )
    auto_start: bpy.props.BoolProperty(
        name="Start Automatically",
        description="Start the worker when a render needs it",
        default=True,
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "executable")
        layout.prop(self, "device")
        layout.prop(self, "auto_start")
        draw_worker_state(layout, with_log=True)


def draw_worker_state(layout: bpy.types.UILayout, with_log: bool = False) -> None:
    """The worker's state in a sentence, and what can be done about it."""
    from .draw import draw_sentence
    from .worker_link import link

    column = layout.column()
    icon = {"ready": "CHECKMARK", "starting": "TIME", "failed": "ERROR"}.get(link.state, "BLANK1")
    draw_sentence(column, link.message, icon)
    row = column.row(align=True)
    if link.is_ready or link.is_starting:
        row.operator("photorig.stop_worker")
    else:
        row.operator("photorig.start_worker")
        row.operator("photorig.connect_worker", text="Connect...")
    tail = link.log_tail() if with_log else ""
    if tail:
        box = column.box().column(align=True)
        for line in tail.splitlines()[-_LOG_LINES:]:
            box.label(text=line)


def worker_options() -> WorkerOptions:
    """The preferences as plain data; the defaults where the extension runs without any."""
    addon = bpy.context.preferences.addons.get(__package__)
    if addon is None or addon.preferences is None:
        return WorkerOptions()
    chosen = addon.preferences
    return WorkerOptions(chosen.executable, chosen.device, chosen.auto_start)


def register() -> None:
    bpy.utils.register_class(PhotorigPreferences)


def unregister() -> None:
    bpy.utils.unregister_class(PhotorigPreferences)
