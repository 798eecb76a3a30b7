"""Runs inside a Blender with windows: does what the test asks for, between Blender's own events.

The test puts Python into numbered files of a folder; a timer runs one after the other and writes
what became of it beside it, as JSON. A command leaves its result in ``answer``; one that has to
wait for Blender defines a generator ``steps``, which yields seconds and returns the result.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import runpy
import traceback
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import bpy
from bpy_extras.view3d_utils import location_3d_to_region_2d

FOLDER = Path(os.environ["PHOTORIG_WINDOW_COMMANDS"])
SCREEN_HEIGHT = int(os.environ["PHOTORIG_WINDOW_HEIGHT"])
PACKAGE = "bl_ext.user_default.photorig"
_TICK = 0.05
_HOVER = 0.04
_ROW = 12
_PASSES = ((0.3, 0.75), (0.13, 0.5, 0.83), (0.93, 0.9))
"""Parts of a region's width where the mouse looks for a button, the likeliest first."""

_number = 0
_running: Generator[float, None, Any] | None = None


def module(name: str) -> Any:
    """A module of the extension, as it is loaded."""
    return importlib.import_module(f"{PACKAGE}.{name}")


def window() -> bpy.types.Window:
    return bpy.context.window_manager.windows[0]


def areas(kind: str) -> list[bpy.types.Area]:
    """Areas of a type in all windows, the largest first."""
    windows = bpy.context.window_manager.windows
    found = [area for each in windows for area in each.screen.areas if area.type == kind]
    return sorted(found, key=lambda area: -area.width * area.height)


def window_of(area: bpy.types.Area) -> bpy.types.Window:
    windows = bpy.context.window_manager.windows
    return next(each for each in windows if area in list(each.screen.areas))


def region_of(area: bpy.types.Area, kind: str = "WINDOW") -> bpy.types.Region:
    return next(region for region in area.regions if region.type == kind)


def in_region(area: bpy.types.Area, kind: str = "WINDOW") -> Any:
    """The context of a region, for operators and for what lies under the mouse."""
    owner = window_of(area)
    return bpy.context.temp_override(window=owner, area=area, region=region_of(area, kind))


def on_screen(x: float, y: float, within: bpy.types.Window | None = None) -> list[int]:
    """Blender counts from below, an X server from above; a border may be around the window."""
    owner = within or window()
    return [round(owner.x + x), round(SCREEN_HEIGHT - owner.y - y)]


def place_of(area: bpy.types.Area, kind: str = "WINDOW") -> list[int]:
    """x, y, width, height of a region on the screen."""
    region = region_of(area, kind)
    corner = on_screen(region.x, region.y + region.height, window_of(area))
    return [*corner, region.width, region.height]


def bone_on_screen(name: str) -> list[int]:
    """Where the middle of a bone of the active armature is seen in the viewport."""
    rig, area = bpy.context.view_layer.objects.active, areas("VIEW_3D")[0]
    region, bone = region_of(area), rig.pose.bones[name]
    place = rig.matrix_world @ ((bone.head + bone.tail) / 2)
    spot = location_3d_to_region_2d(region, area.spaces.active.region_3d, place)
    return on_screen(region.x + spot.x, region.y + spot.y)


def rig_curves() -> list[bpy.types.FCurve]:
    """The animation curves of the armature in the scene, wherever this Blender keeps them."""
    rig = next(item for item in bpy.context.scene.objects if item.type == "ARMATURE")
    action = rig.animation_data.action if rig.animation_data else None
    if action is None:
        return []
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    bags = (bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags)
    return [curve for bag in bags for curve in bag.fcurves]


def button_under_mouse(area: bpy.types.Area, kind: str) -> str:
    """The operator or the property of the button that the mouse is over, "" for none.

    Blender tells it to nobody but its own "Copy Python Command" and "Copy Data Path", so it goes
    through the clipboard.
    """
    with in_region(area, kind):
        if bpy.ops.ui.copy_python_command_button.poll():
            bpy.ops.ui.copy_python_command_button()
            command = bpy.context.window_manager.clipboard
            return command.removeprefix("bpy.ops.").partition("(")[0]
        if bpy.ops.ui.copy_data_path_button.poll():
            bpy.ops.ui.copy_data_path_button()
            return bpy.context.window_manager.clipboard.rpartition(".")[2]
    return ""


def find_button(area: bpy.types.Area, kind: str, wanted: str) -> Generator[float, None, list[int]]:
    """Move the mouse over a region until it is over a button; where that is on the screen.

    Args:
        wanted: id of its operator, or name of its property.

    Raises:
        LookupError: there is no such button; the text names those there are.
    """
    region, owner, seen = region_of(area, kind), window_of(area), {}
    rows = range(region.y + region.height - 4, region.y + 2, -_ROW)
    for parts, y in itertools.product(_PASSES, rows):
        for part in parts:
            x = region.x + round(part * region.width)
            owner.cursor_warp(x, y)
            yield _HOVER
            button = button_under_mouse(area, kind)
            seen[button] = (x, y)
            if button != wanted:
                continue
            # The answer may still be about where the mouse was before.
            yield 5 * _HOVER
            if button_under_mouse(area, kind) == wanted:
                return on_screen(x, y, owner)
    raise LookupError(f"no button {wanted} in {area.type}/{kind}; there are {list(seen)}")


def _run(command: Path) -> Any:
    """The answer of a command, or its generator."""
    names = runpy.run_path(str(command), {**globals(), "answer": None})
    return names["steps"]() if "steps" in names else names["answer"]


def _write(answer: Any, error: str) -> None:
    global _number
    text = json.dumps({"answer": answer, "error": error})
    unfinished = FOLDER / "answer.part"
    unfinished.write_text(text, encoding="utf-8")
    unfinished.rename(FOLDER / f"{_number}.json")
    _number += 1


def _advance() -> float:
    """One command, or one step of a long one; returns the seconds until the next."""
    global _running
    if _running is None:
        command = FOLDER / f"{_number}.py"
        if not command.exists():
            return _TICK
        result = _run(command)
        if not isinstance(result, Iterator):
            _write(result, "")
            return _TICK
        _running = result  # type: ignore[assignment]
    try:
        return next(_running)  # type: ignore[arg-type]
    except StopIteration as end:
        _running = None
        _write(end.value, "")
        return _TICK


def _tick() -> float:
    global _running
    try:
        return _advance()
    except Exception:  # told to the test, which decides
        _running = None
        _write(None, traceback.format_exc())
        return _TICK


bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.filebrowser_display_type = "SCREEN"
bpy.app.timers.register(_tick, persistent=True)
