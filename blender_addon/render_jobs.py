# SPDX-License-Identifier: GPL-3.0-or-later
"""Render to Sequencer: a frame range streams from the worker into files and an image strip.

The job lives here and not in the operator, so that undo and panels cannot lose it. A timer moves it
on; without a user interface the operator does. Only the main thread is involved.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from .client import RenderJob
from .frame_request import frame_request, portrait_of, scene_camera, tag_sources
from .portrait_file import PortraitFile
from .sequencer import find_strip, refresh_strip
from .shared.errors import InputError, PhotorigError
from .shared.frame_index import FrameIndex, file_name, picture_key
from .shared.messages import FrameRequest
from .worker_link import link, redraw_panels

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.05
_REFRESH_SECONDS = 1.0


@dataclass(frozen=True)
class SequencePlan:
    """Everything a job needs, taken from the scene at one moment; later edits do not change it.

    Attributes:
        scene, edit_scene: names; a reference would not survive undo.
        folder: absolute, where the frames go.
        requests: one for each frame to render, in order.
        portraits: the files behind the requests, by id.
        names: file name for each scene frame from ``frame_start`` on; a frame that the scene's
            step leaves out shows the one before it.
    """

    scene: str
    edit_scene: str
    folder: Path
    frame_start: int
    requests: tuple[FrameRequest, ...]
    portraits: dict[str, PortraitFile]
    names: tuple[str, ...]


def plan_sequence(
    context: bpy.types.Context, edit_scene: bpy.types.Scene, folder: Path
) -> SequencePlan:
    """Read the parameters of each frame of the scene's range, and come back to the present frame.

    Raises:
        InputError: no camera, no portrait, or a portrait file that cannot be used.
    """
    scene = context.scene
    frames = range(scene.frame_start, scene.frame_end + 1, scene.frame_step)
    present, subframe = scene.frame_current, scene.frame_subframe
    requests, portraits = [], {}
    for camera in {scene_camera(scene), *(marker.camera for marker in scene.timeline_markers)}:
        if camera is not None and camera.type == "CAMERA":
            tag_sources(camera)
    try:
        for frame in frames:
            scene.frame_set(frame)
            depsgraph = context.evaluated_depsgraph_get()
            camera = scene_camera(scene).evaluated_get(depsgraph)
            request = frame_request(camera.data, frame)
            if request.portrait not in portraits:
                portraits[request.portrait] = portrait_of(camera.data)
            requests.append(request)
    finally:
        scene.frame_set(present, subframe=subframe)
    names = [
        file_name(frames[(frame - scene.frame_start) // scene.frame_step])
        for frame in range(scene.frame_start, scene.frame_end + 1)
    ]
    return SequencePlan(
        scene.name,
        edit_scene.name,
        folder,
        scene.frame_start,
        tuple(requests),
        portraits,
        tuple(names),
    )


class SequenceJob:
    """Renders what is missing of a plan.

    Attributes:
        plan: what to render.
        total, reused, finished: numbers of frames: all; found finished at the start; finished now.
        error: one sentence once it failed.
        is_done: whether it ended, well or not.
    """

    def __init__(self, plan: SequencePlan) -> None:
        self.plan = plan
        self.total = len(plan.requests)
        self.reused = 0
        self.finished = 0
        self.error = ""
        self.is_done = False
        self._index: FrameIndex | None = None
        self._key_of: dict[int, str] = {}
        self._frames_of: dict[str, list[int]] = {}
        self._job: RenderJob | None = None
        self._refreshed = 0.0

    @property
    def progress(self) -> float:
        return self.finished / max(1, self.total)

    @property
    def summary(self) -> str:
        """One sentence for the person who waits."""
        if self.error:
            return self.error
        if self._index is None:
            return "Waiting for the worker"
        found = f", {self.reused} of them found finished" if self.reused else ""
        return f"{self.finished} of {self.total} frames{found}"

    def tick(self) -> None:
        """Do what can be done without waiting. Never raises; see ``error``."""
        if self.is_done:
            return
        try:
            if self._index is None:
                link.poll()
                if link.is_ready:
                    self._begin()
                else:
                    link.raise_if_failed()
            else:
                self._collect()
        except PhotorigError as error:
            # A lost worker shows here as a closed connection; the link knows what happened.
            self._fail(str(error) if link.is_ready else link.message)
        except Exception as error:
            _log.exception("render to sequencer failed")
            self._fail(f"Photorig failed unexpectedly ({error}). See the console.")

    def cancel(self, reason: str) -> None:
        """End with a sentence that says why; finished frames stay."""
        if not self.is_done:
            self._fail(reason)

    def _begin(self) -> None:
        """Find out what is missing and ask the worker for it, each picture once."""
        client, model_id = link.in_use()
        index = FrameIndex(self.plan.folder)
        missing: list[FrameRequest] = []
        for request in self.plan.requests:
            key = picture_key(request, model_id)
            if index.is_finished(request.frame, key):
                continue
            # A pose that is held gives the same picture in all its frames.
            frames = self._frames_of.setdefault(key, [])
            if not frames:
                missing.append(request)
                self._key_of[request.frame] = key
            frames.append(request.frame)
        self._index = index
        self.reused = self.finished = self.total - sum(map(len, self._frames_of.values()))
        if not missing:
            self._finish()
            return
        for portrait in sorted({request.portrait for request in missing}):
            client.upload_portrait(self.plan.portraits[portrait].content)
        self._job = client.start_job(missing, codec="png")

    def _collect(self) -> None:
        """Store what has come; after an error, too, so that nothing finished is lost."""
        assert self._job is not None and self._index is not None
        replies = self._job.poll()
        try:
            for reply in replies:
                key = self._key_of[reply.frame]
                for frame in self._frames_of[key]:
                    self._index.store(frame, key, reply.image)
                    self.finished += 1
        finally:
            if replies:
                self._index.save()
        if self._job.error is not None:
            raise self._job.error
        if self._job.done:
            self._finish()
        elif replies and time.monotonic() - self._refreshed > _REFRESH_SECONDS:
            self._refresh_strip()

    def _finish(self) -> None:
        self._refresh_strip()
        self.is_done = True
        if not bpy.app.background:
            bpy.ops.ed.undo_push(message="Render to Sequencer")

    def _fail(self, reason: str) -> None:
        self.error, self.is_done = reason, True
        if self._job is not None and not self._job.done:
            self._job.cancel()
        if self.finished:
            self._refresh_strip()

    def _refresh_strip(self) -> None:
        self._refreshed = time.monotonic()
        scene = bpy.data.scenes.get(self.plan.edit_scene)
        if scene is None:
            return
        is_new = find_strip(scene, self.plan.folder) is None
        name = f"Photorig {self.plan.scene}"
        refresh_strip(scene, name, self.plan.folder, list(self.plan.names), self.plan.frame_start)
        if is_new and scene.name == self.plan.scene:
            # Else F12 in this scene would show the strip instead of rendering the face again.
            scene.render.use_sequencer = False


current: SequenceJob | None = None
"""The job that runs, or the last one."""


def is_running() -> bool:
    return current is not None and not current.is_done


def cancel(reason: str = "Cancelled. Finished frames are kept") -> None:
    """End the job that runs, if one does."""
    if current is not None:
        current.cancel(reason)


def start(plan: SequencePlan) -> SequenceJob:
    """Begin a job; a timer moves it on where there is a user interface.

    Raises:
        InputError: another job runs, or the folder cannot be made.
    """
    global current
    if is_running():
        raise InputError("A sequence is being rendered", "Wait for it, or cancel it first.")
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Cannot make the folder {str(plan.folder)!r}: {error.strerror}",
            "Choose another output folder.",
        ) from error
    link.start_if_wanted()
    current = SequenceJob(plan)
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, persistent=True)
    return current


def run_to_end(job: SequenceJob, report: Callable[[str], None]) -> None:
    """Without a user interface: wait for the job, and say how far it is every few seconds.

    Raises:
        PhotorigError: it failed.
    """
    said = time.monotonic()
    while not job.is_done:
        job.tick()
        time.sleep(0.005)
        if time.monotonic() - said > 5:
            said = time.monotonic()
            report(job.summary)
    if job.error:
        raise PhotorigError(job.error.rstrip("."))


def _tick() -> float | None:
    if current is None or current.is_done:
        return None
    current.tick()
    redraw_panels()
    return None if current.is_done else _TICK_SECONDS


@persistent
def _cancel_before_load(*_arguments: object) -> None:
    cancel("Another file was opened. Finished frames are kept")


def register() -> None:
    bpy.app.handlers.load_pre.append(_cancel_before_load)


def unregister() -> None:
    global current
    bpy.app.handlers.load_pre.remove(_cancel_before_load)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    cancel()
    current = None
