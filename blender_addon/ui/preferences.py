# SPDX-License-Identifier: GPL-3.0-or-later
"""Preferences: where the worker runs, whether its environment works, and what it is doing."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from ..extension import PACKAGE
from ..link.options import LOCAL, PREVIEW_MEGABYTES, REMOTE, preview_cache_bytes
from ..link.paired import fingerprint_of
from ..preview.live import live
from ..translation import said
from .manual import page_url
from .worker_panel import draw_check, draw_log, draw_setup, draw_worker_state


def _preview_cache_changed(_preferences: PhotorigPreferences, _context: bpy.types.Context) -> None:
    live.cache.limit = preview_cache_bytes()


def _stays_there(name: str) -> Callable[[PhotorigPreferences, bpy.types.Context], None]:
    """Makes a path absolute when it is chosen: beside the next .blend file lies somebody else's."""

    def update(preferences: PhotorigPreferences, _context: bpy.types.Context) -> None:
        chosen = getattr(preferences, name)
        if chosen.startswith("//"):
            setattr(preferences, name, bpy.path.abspath(chosen))

    return update


class PhotorigPreferences(bpy.types.AddonPreferences):
    """Shown in Preferences > Add-ons > Photorig."""

    bl_idname = PACKAGE

    place: bpy.props.EnumProperty(
        name="Worker Runs On",
        description="Where the face is rendered",
        items=(
            (LOCAL, "This Computer", "Blender starts the worker and ends it"),
            (REMOTE, "Another Computer", "Somebody started it there with 'photorig serve'"),
        ),
        default=LOCAL,
    )
    executable: bpy.props.StringProperty(
        name="Worker Program",
        description=(
            "The 'photorig' program that was installed with the worker. Empty to take the one"
            " named by PHOTORIG_WORKER, the one in ~/photorig-worker, or the one on the search path"
        ),
        subtype="FILE_PATH",
        update=_stays_there("executable"),
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
    connection_file: bpy.props.StringProperty(
        name="Connection File",
        description=(
            "The file that 'photorig serve --connection-file' wrote there, copied to this computer."
            " It holds a secret key: only you may be able to read it"
        ),
        subtype="FILE_PATH",
        update=_stays_there("connection_file"),
    )
    host: bpy.props.StringProperty(
        name="Address",
        description=(
            "Name or address of that computer, with :port where a tunnel changes it."
            " Empty for the address in the connection file"
        ),
    )
    shot_picture: bpy.props.EnumProperty(
        name="New Shots",
        description="What a camera renders that is given its first face, without black bars",
        items=(
            (
                "PHOTO",
                "Full Photo",
                "The whole photo. A scene whose resolution nobody has chosen takes the photo's;"
                " any other is filled",
            ),
            (
                "FILL",
                "Fill the Scene",
                "The photo fills the scene's resolution, which stays; what juts out is cut off"
                " around the face",
            ),
        ),
        default="PHOTO",
    )
    auto_start: bpy.props.BoolProperty(
        name="Start Automatically",
        description="Start the worker, or connect to it, when a render needs it",
        default=True,
    )
    show_setup: bpy.props.BoolProperty(
        name="How to Install the Worker",
        description="Show the lines to type in a terminal",
        default=False,
    )

    preview_megabytes: bpy.props.IntProperty(
        name="Preview Cache (MB)",
        description="Memory for pictures of the face, so that a loop that was seen plays freely",
        default=PREVIEW_MEGABYTES,
        min=0,
        max=65536,
        update=_preview_cache_changed,
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "place", expand=True)
        draw_worker_state(layout)
        if self.place == REMOTE:
            layout.prop(self, "connection_file")
            layout.prop(self, "host")
            if known := fingerprint_of(self.connection_file):
                layout.label(text=said("Paired with worker {fingerprint}", fingerprint=known))
            layout.operator("photorig.pair_worker", text="Pair with Worker…")
        else:
            layout.prop(self, "executable")
            draw_setup(layout, self)
            layout.prop(self, "device")
        layout.prop(self, "auto_start")
        layout.prop(self, "preview_megabytes")
        layout.prop(self, "shot_picture", expand=True)
        layout.operator("wm.url_open", text="Documentation", icon="HELP").url = page_url()
        draw_log(layout)
        if self.place == LOCAL:
            draw_check(layout)


def register() -> None:
    bpy.utils.register_class(PhotorigPreferences)


def unregister() -> None:
    bpy.utils.unregister_class(PhotorigPreferences)
