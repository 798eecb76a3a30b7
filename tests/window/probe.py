"""Runs inside Blender: how long the extension holds it up, and how soon a new face is seen.

``Watch`` times everything that Blender calls in the extension on its main thread: handlers, timers,
panels, polls, draw handlers, operators. Python tells of each call (PEP 669); what the extension
calls itself belongs to the call that Blender made.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Callable, Generator
from types import CodeType
from typing import Any

import bpy

PACKAGE = "bl_ext.user_default.photorig"
_TOOL = 3
_EVENTS = sys.monitoring.events


class Watch:
    """Times what Blender calls in the extension between ``start`` and ``stop``.

    Attributes:
        calls: name of the function that Blender called, wall and processor milliseconds.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, float, float]] = []
        self._folder = str(importlib.import_module(PACKAGE).__path__[0])
        self._thread = threading.get_ident()
        self._depth = 0
        self._name = ""
        self._began = self._began_work = 0.0
        self._callbacks: dict[int, Callable[..., object]] = {
            _EVENTS.PY_START: self._enter,
            _EVENTS.PY_RESUME: self._enter,
            _EVENTS.PY_THROW: self._enter_always,
            _EVENTS.PY_RETURN: self._leave,
            _EVENTS.PY_YIELD: self._leave,
            _EVENTS.PY_UNWIND: self._leave_always,
        }

    def start(self) -> None:
        """Begin to listen, with all that was heard before forgotten."""
        self.calls.clear()
        self._depth = 0
        sys.monitoring.use_tool_id(_TOOL, "photorig window test")
        for event, callback in self._callbacks.items():
            sys.monitoring.register_callback(_TOOL, event, callback)
        sys.monitoring.restart_events()
        sys.monitoring.set_events(_TOOL, sum(self._callbacks))

    def stop(self) -> None:
        """Listen no longer; costs nothing from here on."""
        sys.monitoring.set_events(_TOOL, 0)
        for event in self._callbacks:
            sys.monitoring.register_callback(_TOOL, event, None)
        sys.monitoring.free_tool_id(_TOOL)

    def summary(self) -> dict[str, dict[str, float]]:
        """For each function: how often it was called, and the longest in milliseconds."""
        found: dict[str, dict[str, float]] = {}
        for name, wall, work in self.calls:
            entry = found.setdefault(name, {"calls": 0, "wall": 0.0, "work": 0.0})
            entry["calls"] += 1
            entry["wall"], entry["work"] = max(entry["wall"], wall), max(entry["work"], work)
        return found

    def _is_ours(self, code: CodeType) -> bool:
        return code.co_filename.startswith(self._folder)

    def _enter(self, code: CodeType, _offset: int) -> object:
        if not self._is_ours(code):
            return sys.monitoring.DISABLE  # not to be told of this function again
        self._enter_always(code)
        return None

    def _enter_always(self, code: CodeType, *_details: object) -> None:
        if not self._is_ours(code) or threading.get_ident() != self._thread:
            return
        self._depth += 1
        if self._depth == 1:
            module = code.co_filename[len(self._folder) + 1 : -3].replace("/", ".")
            self._name = f"{module}.{code.co_qualname}"
            self._began, self._began_work = time.perf_counter(), time.thread_time()

    def _leave(self, code: CodeType, _offset: int, _value: object) -> object:
        if not self._is_ours(code):
            return sys.monitoring.DISABLE
        self._leave_always(code)
        return None

    def _leave_always(self, code: CodeType, *_details: object) -> None:
        if not self._is_ours(code) or threading.get_ident() != self._thread or not self._depth:
            return
        self._depth -= 1
        if self._depth == 0:
            wall = 1000 * (time.perf_counter() - self._began)
            work = 1000 * (time.thread_time() - self._began_work)
            self.calls.append((self._name, wall, work))


class FaceFeatures:
    """When the viewport was drawn, and whether it showed the face as it is asked for now."""

    def __init__(self) -> None:
        self._live = importlib.import_module(f"{PACKAGE}.preview.live").live
        self._overlay = importlib.import_module(f"{PACKAGE}.preview.overlay")
        self._handle: Any = None
        self.is_drawn = False
        self.is_right = False

    def __enter__(self) -> FaceFeatures:
        add = bpy.types.SpaceView3D.draw_handler_add
        self._handle = add(self._see, (), "WINDOW", "POST_PIXEL")  # after the extension's own
        return self

    def __exit__(self, *_error: object) -> None:
        bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")

    def look(self) -> None:
        """From now on: has anything been drawn, is it right?"""
        self.is_drawn = self.is_right = False

    def _see(self) -> None:
        uid = bpy.context.scene.session_uid
        follower, picture = self._live.followers.get(uid), self._overlay._drawn.get(uid)
        self.is_drawn = True
        self.is_right = bool(follower and follower.is_current and follower.shown is picture)

    @property
    def worker_milliseconds(self) -> float:
        """Of the last frame in the worker, from its parameters to its picture."""
        return float(self._live.followers[bpy.context.scene.session_uid].milliseconds)

    def forget_pictures(self) -> None:
        """So that the worker is asked for every frame."""
        self._live.cache.clear()


def until(is_so: Callable[[], bool], began: float, seconds: float) -> Generator[float, None, float]:
    """Wait between Blender's events; milliseconds since ``began`` when it is so, inf if never."""
    while not is_so():
        if time.perf_counter() - began > seconds:
            return float("inf")
        yield 0.0
    return 1000 * (time.perf_counter() - began)


def latencies(area: bpy.types.Area, frames: list[int]) -> Generator[float, None, list[dict]]:
    """Change frames as scrubbing does, and see when each face is on the screen.

    Returns:
        for each frame, in milliseconds: ``total`` from the frame change to the new picture on the
        screen, ``worker`` the frame in the worker, ``change`` Blender's evaluation of the frame,
        ``draw`` one drawing of a viewport in which nothing has changed.
    """
    scene, results = bpy.context.scene, []
    view = next(region for region in area.regions if region.type == "WINDOW")
    with FaceFeatures() as sight:
        sight.forget_pictures()
        for frame in frames:
            yield 0.4
            sight.look()
            view.tag_redraw()
            draw = yield from until(lambda: sight.is_drawn, time.perf_counter(), 10.0)
            yield 0.1
            sight.look()
            began = time.perf_counter()
            scene.frame_set(frame)
            change = 1000 * (time.perf_counter() - began)
            total = yield from until(lambda: sight.is_right, began, 30.0)
            times = {"total": total, "worker": sight.worker_milliseconds, "change": change}
            results.append(times | {"draw": draw})
    return results


def rendered_sequence() -> Generator[float, None, float]:
    """Render the scene's frames to the sequencer.

    Returns:
        the share of the time between its first and last frame in which the worker was at work.

    Raises:
        RuntimeError: the sequence failed; the text is what the panel says.
    """
    jobs = importlib.import_module(f"{PACKAGE}.sequence.job")
    bpy.ops.photorig.render_to_sequencer()
    while not jobs.slot.current.is_done:
        yield 0.1
    if jobs.slot.current.error:
        raise RuntimeError(jobs.slot.current.error)
    return float(jobs.slot.current.busy_share)
