# SPDX-License-Identifier: GPL-3.0-or-later
"""The face beside the bones: a draw handler of the 3D viewport. It waits for nothing."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

import bpy
import gpu

from . import live, shapes, textures
from .badge import BAD, GOOD, WAITING, Badge
from .follower import Follower
from .frame_cache import Picture
from .onion import camera_frame, head_frame
from .placement import MARGIN, Rectangle, fit_inside, handle_corner, placed, side_by_side
from .settings import CAMERA, PICTURE, SIDE, is_rendered, overlay_area

_BACKDROP = (0.09, 0.09, 0.09, 1.0)
_FRAME = (0.0, 0.0, 0.0, 0.6)
_HOVER = (1.0, 1.0, 1.0, 0.8)
_BADGE = (0.05, 0.05, 0.05, 0.75)
_TEXT = (0.93, 0.93, 0.93, 1.0)
_REASON = (0.93, 0.93, 0.93, 0.75)
_MOODS = {GOOD: (0.35, 0.8, 0.4, 1.0), WAITING: (1.0, 0.72, 0.2, 1.0), BAD: (1.0, 0.32, 0.28, 1.0)}
_POINTS = 11.0
_BADGE_WIDTH = 360.0
_REGIONS = {
    "HEADER": "show_region_header",
    "TOOL_HEADER": "show_region_tool_header",
    "TOOLS": "show_region_toolbar",
    "UI": "show_region_ui",
    "ASSET_SHELF": "show_region_asset_shelf",
    "ASSET_SHELF_HEADER": "show_region_asset_shelf",
}
_NOWHERE = Rectangle(0, 0, 0, 0)

is_hovered = False
"""Whether the mouse is over the picture; the gizmo says so."""
_handle: Any = None
_drawn: dict[int, Picture] = {}
"""The picture that was drawn last for each scene, while the next one is being prepared."""


@dataclass(frozen=True)
class Spot:
    """Where the overlay of a viewport is.

    Attributes:
        picture: the rectangle of the picture.
        free: the part of the viewport that nothing covers.
        backdrop: what is covered behind the picture, None for nothing.
        opacity: from 0 to 1.
        problem: why it can be nowhere, "" where it can.
    """

    picture: Rectangle
    free: Rectangle
    backdrop: Rectangle | None = None
    opacity: float = 1.0
    problem: str = ""

    @property
    def handle(self) -> Rectangle:
        return handle_corner(self.picture, self.free)


def has_overlay(context: bpy.types.Context) -> bool:
    """Whether the overlay belongs into this viewport and this of its regions."""
    area, space, region = context.area, context.space_data, context.region
    chosen = context.workspace.photorig
    if not chosen.show_overlay or area is None or region is None or area.type != "VIEW_3D":
        return False
    if not space.overlay.show_overlays or is_rendered(area, context.scene):
        return False
    if region != _main_region(area):
        return False
    return bool(chosen.every_viewport or area == overlay_area(context.window))


def _main_region(area: bpy.types.Area) -> bpy.types.Region | None:
    """The viewport's region; in a quad view the one of the four at the upper right."""
    regions = [region for region in area.regions if region.type == "WINDOW"]
    return max(regions, key=lambda region: (region.x + region.y, region.width), default=None)


def free_rectangle(area: bpy.types.Area, region: bpy.types.Region) -> Rectangle:
    """The part of a viewport that toolbar, sidebar and headers leave free, in its pixels."""
    space = area.spaces.active
    left, bottom = region.x, region.y
    right, top = region.x + region.width, region.y + region.height
    for other in area.regions:
        # A hidden region keeps its size.
        if not getattr(space, _REGIONS.get(other.type, ""), False):
            continue
        if other.alignment == "LEFT":
            left = max(left, min(other.x + other.width, right))
        elif other.alignment == "RIGHT":
            right = min(right, max(other.x, left))
        elif other.alignment == "TOP":
            top = min(top, max(other.y, bottom))
        elif other.alignment == "BOTTOM":
            bottom = max(bottom, min(other.y + other.height, top))
    return Rectangle(left - region.x, bottom - region.y, right - left, top - bottom)


def spot_of(context: bpy.types.Context, aspect: float) -> Spot:
    """Where a picture of this aspect goes in the viewport of the context."""
    chosen = context.workspace.photorig
    free = free_rectangle(context.area, context.region)
    if chosen.layout == PICTURE:
        return Spot(placed(aspect, free, chosen.place), free)
    if chosen.layout == SIDE:
        half, picture = side_by_side(aspect, free)
        return Spot(picture, free, backdrop=half)
    if chosen.layout == CAMERA:
        frame = camera_frame(context)
        problem = "" if frame else "Look through the camera: the picture lies over what it sees"
        picture = fit_inside(aspect, frame) if frame else _NOWHERE
        return Spot(picture, free, opacity=chosen.opacity, problem=problem)
    frame = head_frame(context, chosen.head_scale, aspect)
    problem = "" if frame else "No bone turns the head: map one to the head's angles"
    return Spot(frame or _NOWHERE, free, opacity=chosen.opacity, problem=problem)


def picture_aspect(follower: Follower) -> float:
    """Of what is shown, or of what will be."""
    if follower.whole is not None:
        return follower.whole.aspect
    return follower.shown.aspect if follower.shown is not None else 1.0


def draw_face(
    scene: bpy.types.Scene,
    follower: Follower,
    place: Rectangle,
    opacity: float = 1.0,
    to_linear: bool = False,
    in_photo: bool = False,
) -> bool:
    """The picture of a scene; a face crop at its place in the whole photo, if there is one.

    Args:
        in_photo: whether ``place`` is the photo's, though the whole photo has not come yet.

    Returns:
        Whether there was something to draw.
    """
    shown, texture = _ready(scene, follower)
    if shown is None or texture is None:
        return False
    is_crop = shown is not follower.whole and shown.size != "full"
    whole = textures.texture_of(follower.whole) if is_crop and follower.whole is not None else None
    corners = live.live.face_corners(scene) if whole is not None or (is_crop and in_photo) else None
    if corners is not None:
        if whole is not None:
            shapes.draw_picture(whole, place, opacity, to_linear)
        inside = [(place.x + x * place.width, place.y + y * place.height) for x, y in corners]
        shapes.draw_picture(texture, inside, opacity, to_linear)
        return True
    inner = fit_inside(shown.aspect, place)
    shapes.draw_picture(texture, inner, opacity, to_linear)
    return True


def _ready(
    scene: bpy.types.Scene, follower: Follower
) -> tuple[Picture | None, gpu.types.GPUTexture | None]:
    """What is shown with its texture, or what was drawn before it."""
    uid = scene.session_uid
    if follower.shown is None:
        _drawn.pop(uid, None)
        return None, None
    texture = textures.texture_of(follower.shown)
    if texture is not None:
        _drawn[uid] = follower.shown
        return follower.shown, texture
    live.wake()
    before = _drawn.get(uid)
    if before is None or before.portrait != follower.shown.portrait:
        return None, None
    return before, textures.texture_of(before)


def _draw() -> None:
    try:
        context = bpy.context
        if has_overlay(context):
            _draw_overlay(context)
        elif context.area is not None and is_rendered(context.area, context.scene):
            _draw_rendered_badge(context)
    except Exception as error:  # Blender would print it at each redraw
        live.fail(error)


def _draw_overlay(context: bpy.types.Context) -> None:
    follower = live.live.follower_of(context.scene)
    badge = live.live.badge(follower)
    spot = spot_of(context, picture_aspect(follower))
    if spot.problem:
        draw_badge(context, Badge(BAD, "Not shown", spot.problem), _corner(spot.free))
        return
    if spot.backdrop is not None:
        shapes.draw_box(spot.backdrop, _BACKDROP)
    is_solid = spot.opacity >= 1
    has_picture = draw_face(context.scene, follower, spot.picture, spot.opacity)
    if not has_picture and is_solid:
        shapes.draw_box(spot.picture, _BACKDROP)
    if context.workspace.photorig.layout == PICTURE:
        _draw_edge(spot)
    if context.workspace.photorig.show_badge or badge.mood == BAD:
        within = spot.picture if is_solid else _corner(spot.free)
        draw_badge(context, badge, within)


def _draw_rendered_badge(context: bpy.types.Context) -> None:
    """The state over a viewport in Rendered shading, whose own colours are the render's."""
    if context.region != _main_region(context.area) or not context.space_data.overlay.show_overlays:
        return
    badge = live.live.badge(live.live.follower_of(context.scene))
    if context.workspace.photorig.show_badge or badge.mood == BAD:
        draw_badge(context, badge, _corner(free_rectangle(context.area, context.region)))


def _corner(free: Rectangle) -> Rectangle:
    """Where a badge goes that belongs to no rectangle of its own."""
    inner = free.inner(MARGIN)
    return Rectangle(inner.x, inner.y, min(inner.width, _BADGE_WIDTH), inner.height)


def _draw_edge(spot: Spot) -> None:
    """The frame, and the corner to scale by while the mouse is over the picture."""
    shapes.draw_frame(spot.picture, _HOVER if is_hovered else _FRAME)
    if is_hovered:
        corner = spot.handle
        right, top = corner.x + corner.width, corner.y + corner.height
        x = corner.x if corner.x == spot.picture.x else right
        y = corner.y if corner.y == spot.picture.y else top
        other_x, other_y = (
            (right if x == corner.x else corner.x),
            (top if y == corner.y else corner.y),
        )
        shapes.draw_triangle([(x, y), (other_x, y), (x, other_y)], _HOVER)


def draw_badge(context: bpy.types.Context, badge: Badge, within: Rectangle) -> None:
    """The state at the lower edge of a rectangle, in as many lines as it needs."""
    scale = context.preferences.system.ui_scale or 1.0
    points, pad = _POINTS * scale, 5.0 * scale
    letter, height = shapes.text_size("Photorig worker", points)[0] / 15, 0.0
    height = shapes.text_size("X", points)[1] + 3 * scale
    room = max(12, int((within.width - 4 * pad) / max(1.0, letter)))
    lines = textwrap.wrap(badge.title, room) or [""]
    if badge.mood == GOOD and len(lines) > 1:
        lines = [""]  # a small picture is not covered with good news: the dot says it
    count = len(lines)
    lines += textwrap.wrap(badge.reason, room)
    box = Rectangle(within.x, within.y, within.width, len(lines) * height + 2 * pad)
    if any(lines):
        shapes.draw_box(box, _BADGE)
    dot = 0.55 * height
    x, y = box.x + pad, box.y + box.height - pad - height + 3 * scale
    shapes.draw_box(Rectangle(x, y + 0.1 * height, dot, dot), _MOODS[badge.mood])
    for number, line in enumerate(lines):
        colour = _TEXT if number < count else _REASON
        shapes.draw_text(line, x + dot + pad, y - number * height, points, colour)


def register() -> None:
    global _handle
    if not bpy.app.background:
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    global _handle
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = None
    _drawn.clear()
    shapes.forget()
