"""What an animator does in a window, and what can be seen in it afterwards."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
from session import HEIGHT, WIDTH, WindowSession

SIDEBAR = ("VIEW_3D", "UI")
VIEWPORT = (WIDTH // 5, HEIGHT * 2 // 3)
"""A place of the viewport with nothing in it."""
_DEFAULT_BUTTON = np.array([71, 114, 179])
"""Colour that Blender's theme gives to the button that Return would press."""
_BUTTON_WIDTH = 60
EMPTY_PIXELS = 12.0
"""A place of a screenshot with less contrast than this shows no picture of a face."""


def overlay_place(blender: WindowSession) -> list[int]:
    """x, y, width, height of the overlay on the screen, as the extension itself places it."""
    place: list[int] = blender.ask(
        """
        area = areas("VIEW_3D")[0]
        with in_region(area):
            spot = module("preview.overlay").spot_of(bpy.context, 1.0).picture
        region = region_of(area)
        corner = on_screen(region.x + spot.x, region.y + spot.y + spot.height)
        answer = [*corner, round(spot.width), round(spot.height)]
        """
    )
    return place


def shown_face(blender: WindowSession, name: str) -> np.ndarray:
    """What the overlay shows on a screenshot, (h, w, 3) uint8 RGB."""
    return cut(blender.screenshot(name), overlay_place(blender))


def measured_yaw(picture: np.ndarray) -> float:
    """Which way the face in a picture looks, by the worker's own eyes, in degrees."""
    from photorig.shared.parameters.schema import FACE_SCHEMA
    from photorig.worker.faces.net3d import Net3D

    large = cv2.resize(picture, (512, 512), interpolation=cv2.INTER_CUBIC)
    face = Net3D().analyze_one(large)
    return float(face.parameters[FACE_SCHEMA.index["headYaw"]])


def wait_for_face(blender: WindowSession) -> None:
    """Until the overlay has the picture of what is asked now, drawn."""
    blender.wait_for(
        "[f.is_current for f in module('preview.live').live.followers.values()][:1] == [True]",
        120,
        "the overlay shows what was asked",
    )
    blender.ask("module('preview.live').redraw_all_viewports()")
    blender.ask("answer = 1")


def show_sidebar(blender: WindowSession, tab: str) -> None:
    """Open the viewport's sidebar as the N key does, with one of its tabs in front."""
    blender.ask(
        f"""
        import contextlib

        def steps():
            area = areas("VIEW_3D")[0]
            area.spaces.active.show_region_ui = True
            area.tag_redraw()
            for attempt in range(50):  # tabs come with the region's first drawing
                yield 0.2
                with contextlib.suppress(TypeError):
                    region_of(area, "UI").active_panel_category = {tab!r}
                    break
            area.tag_redraw()
            yield 0.5
        """
    )


def choose_file(blender: WindowSession, path: Path) -> None:
    """Name a file in the browser that an operator has opened, and press its button."""
    blender.wait_for("bool(areas('FILE_BROWSER'))", 30, "a file browser is open")
    blender.ask(
        f"""
        def steps():
            space = areas("FILE_BROWSER")[0].spaces.active
            for attempt in range(50):
                if space.params is not None:
                    break
                yield 0.2
            space.params.directory = {str(path.parent)!r}.encode()
            space.params.filename = {path.name!r}
            yield 1.0
        """
    )
    blender.screenshot(f"browse-{path.suffix[1:]}")
    blender.press("FILE_BROWSER", "EXECUTE", "file.execute")
    blender.wait_for("not areas('FILE_BROWSER')", 60, "the file browser is closed")


def default_button(blender: WindowSession, before: np.ndarray, name: str) -> tuple[int, int]:
    """Middle of the blue button of the dialog that comes up after a first screenshot."""
    for _ in range(30):
        after = blender.screenshot(name)
        is_new = np.abs(before.astype(int) - after).max(2) > 20
        is_blue = np.abs(after.astype(int) - _DEFAULT_BUTTON).max(2) < 12
        mask = (is_new & is_blue).astype(np.uint8)
        _, _, boxes, middles = cv2.connectedComponentsWithStats(mask)
        # A slider elsewhere is blue, too, and may have been drawn anew.
        is_wide = is_button(boxes) & (boxes[:, cv2.CC_STAT_WIDTH] > _BUTTON_WIDTH)
        if is_wide.any():
            # A choice above it is blue, too; what Return presses is the last.
            x, y = middles[is_wide][middles[is_wide, 1].argmax()]
            return round(x), round(y)
        time.sleep(1.0)
    raise AssertionError("no dialog has come up")


def is_button(boxes: np.ndarray) -> np.ndarray:
    """Which connected parts have the height of a button; the first one is the background."""
    heights = boxes[:, cv2.CC_STAT_HEIGHT]
    return (np.arange(len(boxes)) > 0) & (heights > 12) & (heights < 40)


def turn(blender: WindowSession, degrees: float) -> None:
    """R Z and a number, Enter, and I for a keyframe."""
    number = ["minus" if letter == "-" else letter for letter in f"{degrees:.0f}"]
    blender.key("r", "z", *number, "Return")
    keys = "sum(len(c.keyframe_points) for c in rig_curves())"
    before = blender.ask(f"answer = {keys}")
    blender.key("i")
    blender.wait_for(f"{keys} > {before}", 30, "a keyframe")


def square(picture: np.ndarray) -> np.ndarray:
    """The largest square in the middle."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def scrub_to(blender: WindowSession, last: int) -> None:
    """Press the right arrow over the viewport, from the first frame on."""
    blender.point(*VIEWPORT)
    for frame in range(2, last + 1):
        blender.key("Right")
        blender.wait_for(f"bpy.context.scene.frame_current == {frame}", 30, f"frame {frame}")


def cut(picture: np.ndarray, place: list[int]) -> np.ndarray:
    """A part of a screenshot by x, y, width, height; it has to be on the screen."""
    x, y, width, height = place
    assert x >= 0 and y >= 0 and x + width <= WIDTH and y + height <= HEIGHT, place
    return np.ascontiguousarray(picture[y : y + height, x : x + width])
