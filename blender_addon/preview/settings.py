# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person chose to see: on the workspace, which is saved, is not undone, and which a
maximised area shares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import bpy

from ..extension import ENGINE
from .placement import MAXIMUM_SCALE, MINIMUM_SCALE, Place

PICTURE, SIDE, CAMERA, HEAD = "PICTURE", "SIDE", "CAMERA", "HEAD"

_LAYOUTS = (
    (PICTURE, "Picture in Picture", "A picture that can be dragged and scaled", "WINDOW", 0),
    (SIDE, "Side by Side", "Half of the viewport", "SPLIT_HORIZONTAL", 1),
    (CAMERA, "Over the Camera", "Onion skin over what the camera sees", "OUTLINER_OB_CAMERA", 2),
    (HEAD, "Over the Head", "Onion skin over the head of the rig", "USER", 3),
)
_REST_SIZES = (
    ("RENDER", "As Rendered", "The size that the camera is rendered in"),
    ("256", "256", "Face crop of 256 pixels"),
    ("512", "512", "Face crop of 512 pixels"),
    ("1024", "1024", "Face crop of 1024 pixels"),
)
_AUTOMATIC = "AUTO"
_QUICK_SIZES = (
    (_AUTOMATIC, "Automatic", "512 where the worker makes 15 pictures a second of it, else 256", 2),
    ("256", "256", "Face crop of 256 pixels", 0),
    ("512", "512", "Face crop of 512 pixels", 1),
)
"""The numbers are what files keep."""


_listeners: list[Callable[[], object]] = []


def when_changed(callback: Callable[[], object]) -> None:
    """Have this called whenever somebody chooses otherwise."""
    _listeners.append(callback)


def _changed(_settings: PhotorigViewSettings, context: bpy.types.Context) -> None:
    """Take the new choice into account at once."""
    for callback in _listeners:
        callback()


class PhotorigViewSettings(bpy.types.PropertyGroup):
    """``workspace.photorig``."""

    show_overlay: bpy.props.BoolProperty(
        name="Face Overlay",
        description="Show the face in the 3D viewport while posing",
        update=_changed,
    )
    layout: bpy.props.EnumProperty(
        name="Layout",
        description="Where the face is shown",
        items=_LAYOUTS,
        default=PICTURE,
        update=_changed,
    )
    x: bpy.props.FloatProperty(
        name="Horizontal",
        description="From the left edge to the right",
        min=0.0,
        max=1.0,
        default=Place.x,
        subtype="FACTOR",
        update=_changed,
    )
    y: bpy.props.FloatProperty(
        name="Vertical",
        description="From the lower edge to the upper",
        min=0.0,
        max=1.0,
        default=Place.y,
        subtype="FACTOR",
        update=_changed,
    )
    scale: bpy.props.FloatProperty(
        name="Scale",
        description="Height as a part of the viewport's",
        min=MINIMUM_SCALE,
        max=MAXIMUM_SCALE,
        default=Place.scale,
        subtype="FACTOR",
        update=_changed,
    )
    opacity: bpy.props.FloatProperty(
        name="Opacity",
        description="Of the onion skin",
        min=0.05,
        max=1.0,
        default=0.5,
        subtype="FACTOR",
        update=_changed,
    )
    head_scale: bpy.props.FloatProperty(
        name="Size",
        description="Of the picture over the head, beside the bone's length",
        min=0.2,
        max=20.0,
        soft_max=6.0,
        default=2.5,
        update=_changed,
    )
    every_viewport: bpy.props.BoolProperty(
        name="In Every Viewport",
        description="Off, only the largest viewport of a window shows the face",
        update=_changed,
    )
    show_badge: bpy.props.BoolProperty(
        name="State",
        description="Say under the picture whether it is right, what made it and how fast",
        default=True,
        update=_changed,
    )
    rest_size: bpy.props.EnumProperty(
        name="Size at Rest",
        description="What is shown when nothing moves",
        items=_REST_SIZES,
        default="512",
        update=_changed,
    )
    quick_size: bpy.props.EnumProperty(
        name="Size in Motion",
        description="What is shown while the face moves",
        items=_QUICK_SIZES,
        default=_AUTOMATIC,
        update=_changed,
    )
    use_image: bpy.props.BoolProperty(
        name="Preview Image",
        description=(
            "Keep the face at rest in the image 'Photorig Preview', for image editors and"
            " reference. It is not written while anything moves"
        ),
        update=_changed,
    )

    @property
    def place(self) -> Place:
        return Place(self.x, self.y, self.scale)

    def move_to(self, place: Place) -> None:
        self.x, self.y, self.scale = place.x, place.y, place.scale


@dataclass(frozen=True)
class Demand:
    """What the open windows want of one scene.

    Attributes:
        rest_size: "RENDER" or pixels; where windows differ, what is rendered or the largest.
        quick_size: pixels; 0 for what the worker keeps up with. A number goes before that.
        use_image: whether the image datablock is to be written.
    """

    rest_size: str
    quick_size: int
    use_image: bool

    def joined(self, other: Demand) -> Demand:
        sizes = (self.rest_size, other.rest_size)
        rest = "RENDER" if "RENDER" in sizes else max(sizes, key=int)
        quick = max(self.quick_size, other.quick_size)
        return Demand(rest, quick, self.use_image or other.use_image)


def viewports(window: bpy.types.Window) -> Iterator[bpy.types.Area]:
    for area in window.screen.areas:
        if area.type == "VIEW_3D":
            yield area


def is_rendered(area: bpy.types.Area, scene: bpy.types.Scene) -> bool:
    """Whether a viewport shows what Photorig renders."""
    shading = area.spaces.active.shading
    return bool(shading.type == "RENDERED" and scene.render.engine == ENGINE)


def overlay_area(window: bpy.types.Window) -> bpy.types.Area | None:
    """The largest viewport of a window that shows overlays and not the face itself."""
    able = [
        area
        for area in viewports(window)
        if area.spaces.active.overlay.show_overlays and not is_rendered(area, window.scene)
    ]
    return max(able, key=lambda area: area.width * area.height, default=None)


def areas_with_faces(window: bpy.types.Window) -> Iterator[bpy.types.Area]:
    """The viewports of a window that show a face, or would if there were one."""
    chosen = window.workspace.photorig
    largest = overlay_area(window) if chosen.show_overlay else None
    for area in viewports(window):
        is_overlaid = chosen.show_overlay and (chosen.every_viewport or area == largest)
        if is_overlaid or is_rendered(area, window.scene):
            yield area


def demands() -> dict[bpy.types.Scene, Demand]:
    """What is wanted of each scene that is open in a window."""
    wanted: dict[bpy.types.Scene, Demand] = {}
    for window in bpy.context.window_manager.windows:
        demand = _demand_of(window)
        if demand is not None:
            before = wanted.get(window.scene)
            wanted[window.scene] = demand if before is None else before.joined(demand)
    return wanted


def _demand_of(window: bpy.types.Window) -> Demand | None:
    chosen = window.workspace.photorig
    areas = list(areas_with_faces(window))
    if not areas and not chosen.use_image:
        return None
    rendered = any(is_rendered(area, window.scene) for area in areas)
    rest = "RENDER" if rendered else chosen.rest_size
    quick = 0 if chosen.quick_size == _AUTOMATIC else int(chosen.quick_size)
    return Demand(rest, quick, chosen.use_image)


def register() -> None:
    bpy.utils.register_class(PhotorigViewSettings)
    bpy.types.WorkSpace.photorig = bpy.props.PointerProperty(
        type=PhotorigViewSettings, name="Photorig"
    )


def unregister() -> None:
    _listeners.clear()
    del bpy.types.WorkSpace.photorig
    bpy.utils.unregister_class(PhotorigViewSettings)
