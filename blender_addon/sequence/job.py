# SPDX-License-Identifier: GPL-3.0-or-later
"""Render to Sequencer: a frame range streams from the worker into files and an image strip.

A turn of the timer takes a few milliseconds. Only the main thread is involved.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from .. import compat
from ..camera.portrait_file import PortraitFile
from ..client.render_job import RenderJob
from ..link.jobs import Job, JobSlot, data_block, with_time_left
from ..link.link import FAILED, TRYING_SECONDS, link, redraw_panels
from ..link.options import worker_options
from ..link.redraw import redraw_status_bars
from ..mapping.frame_request import for_each_frame, frame_request, portraits_of
from ..render.settings import file_canvas
from ..shared.errors import ConnectionLost, InputError, PhotorigError
from ..shared.files.frame_index import FrameIndex, picture_key
from ..shared.wire.messages import FrameReply, FrameRequest
from ..shared.wire.picture_format import PictureFormat
from .files import SequenceFiles, sequence_files
from .strip import find_strip, refresh_strip

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.02
_STORE_SECONDS = 0.005
"""How long frames are written before Blender gets its turn."""
_REFRESH_SECONDS = 1.0
_WINDOW, _WINDOW_OF_PHOTOS = 16, 8
"""Frames that the worker may be ahead of the disk: what a fast one makes while Blender draws. Whole
photos are larger and take longer."""


@dataclass(frozen=True)
class SequencePlan:
    """Everything a job needs, taken from the scene at one moment; later edits do not change it.

    Attributes:
        scene: name.
        edit_scene: session number of the scene whose sequencer gets the strip; see jobs.data_block.
        is_own_scene: whether that is the rendered scene.
        files: where the frames go and how they are written.
        frame_start: scene frame of the strip's first image.
        requests: one for each frame to render, in order.
        forms: how each of them is written, by frame: as large as the scene's render.
        portraits: the files behind the requests, by id.
        names: file name for each scene frame from ``frame_start`` on; a frame that the scene's
            step leaves out shows the one before it.
    """

    scene: str
    edit_scene: int
    is_own_scene: bool
    files: SequenceFiles
    frame_start: int
    requests: tuple[FrameRequest, ...]
    forms: dict[int, PictureFormat]
    portraits: dict[str, PortraitFile]
    names: tuple[str, ...]


def plan_sequence(
    context: bpy.types.Context, edit_scene: bpy.types.Scene, folder: Path | None = None
) -> SequencePlan:
    """Read the parameters of each frame of the scene's range, and come back to the present frame.

    Args:
        folder: where the frames go; None for the scene's output path and its file names.

    Raises:
        InputError: no camera, no portrait, a portrait file that cannot be used, or a file format
            that cannot be written.
    """
    scene = context.scene
    frames = range(scene.frame_start, scene.frame_end + 1, scene.frame_step)
    files = sequence_files(scene, frames, folder)
    requests: list[FrameRequest] = []
    portraits: dict[str, PortraitFile] = {}
    forms: dict[int, PictureFormat] = {}

    def take(frame: int, camera: bpy.types.Camera) -> None:
        request = frame_request(camera, frame)
        requests.append(request)
        if not set(request.portraits) <= portraits.keys():
            portraits.update(portraits_of(camera))
        forms[frame] = replace(files.picture_format, canvas=file_canvas(scene, camera))

    for_each_frame(context, scene, frames, take)
    names = [
        files.names[frames[(frame - scene.frame_start) // scene.frame_step]]
        for frame in range(scene.frame_start, scene.frame_end + 1)
    ]
    return SequencePlan(
        scene.name,
        edit_scene.session_uid,
        edit_scene == scene,
        files,
        scene.frame_start,
        tuple(requests),
        forms,
        portraits,
        tuple(names),
    )


class SequenceJob(Job):
    """Renders what is missing of a plan.

    A worker that is lost is started again, as the preferences allow, unless it is lost a second
    time without having made a frame.

    Attributes:
        plan: what to render.
        total, reused, finished: numbers of frames: all; found finished at the start; finished now.
        restarts: how often a lost worker was started again.
    """

    def __init__(self, plan: SequencePlan) -> None:
        super().__init__()
        self.plan = plan
        self.total = len(plan.requests)
        self.reused = 0
        self.finished = 0
        self.restarts = 0
        self._index: FrameIndex | None = None
        self._frames_of: dict[str, list[int]] = {}
        self._key_of: dict[int, str] = {}
        self._job: RenderJob | None = None
        self._to_store: deque[tuple[int, str, bytes]] = deque()
        self._finished_at_restart = -1
        self._trying_until = 0.0
        self._refreshed = 0.0
        self._began = time.monotonic()
        self._device_seconds = 0.0
        self._first = self._last = 0.0
        self._made = 0
        self._size: tuple[int, int] | None = None

    @property
    def progress(self) -> float:
        return self.finished / max(1, self.total)

    @property
    def busy_share(self) -> float:
        """How much of the time between the first and the last frame the worker's device has been at
        work."""
        return min(1.0, self._device_seconds / max(1e-6, self._last - self._first))

    @property
    def summary(self) -> str:
        """One sentence for the person who waits."""
        if self.error:
            return self.error
        if self._index is None:
            return "Waiting for the worker"
        found = f", {self.reused} of them found finished" if self.reused else ""
        told = f"{self.finished} of {self.total} frames{found}"
        left = self.total - self.finished
        if self.is_done or not left or self._made < 3:
            return told
        progress = self._made / (self._made + left)
        return with_time_left(told, progress, time.monotonic() - self._began)

    @property
    def pause(self) -> float:
        """None while there are frames to write."""
        return 0.0 if self._to_store else _TICK_SECONDS

    @property
    def _has_begun(self) -> bool:
        return self._index is not None

    def _begin(self) -> None:
        """Find out what is missing and ask the worker for it, each picture once."""
        client, model_id = link.in_use()
        form = self.plan.files.picture_format
        _check_worker(form.codec, form.transparent)
        index = FrameIndex(self.plan.files.folder)
        missing: list[FrameRequest] = []
        self._frames_of, self._key_of = {}, {}
        for request in self.plan.requests:
            key = _key(request, model_id, self.plan.forms[request.frame])
            if index.has(self.plan.files.names[request.frame], key):
                continue
            # A pose that is held gives the same picture in all its frames.
            frames = self._frames_of.setdefault(key, [])
            if not frames:
                missing.append(request)
                self._key_of[request.frame] = key
            frames.append(request.frame)
        self._index = index
        self.finished = self.total - sum(map(len, self._frames_of.values()))
        if not self.restarts:
            self.reused = self.finished
        if not missing:
            self._finish()
            return
        client.offer_portraits({name: file.content for name, file in self.plan.portraits.items()})
        self._began, self._device_seconds, self._first, self._made = time.monotonic(), 0.0, 0.0, 0
        is_large = any(request.size == "full" for request in missing)
        window = _WINDOW_OF_PHOTOS if is_large else _WINDOW
        self._job = client.start_job(missing, lambda each: self.plan.forms[each.frame], window)

    def _go_on(self) -> None:
        """Store what has come; after an error, too, so that nothing finished is lost."""
        assert self._job is not None
        # Asking for more says that all of the last ones are stored.
        if not self._to_store:
            for reply in self._job.poll():
                self._take(reply)
        has_stored = bool(self._to_store)
        self._store()
        if self._to_store:
            return
        if self._job.error is not None:
            raise self._job.error
        if self._job.done:
            if not has_stored:  # what ends a job takes milliseconds, too, and a tick of its own
                self._finish()
        elif self._made and time.monotonic() - self._refreshed > _REFRESH_SECONDS:
            self._refresh_strip()

    def _take(self, reply: FrameReply) -> None:
        key, form = self._key_of[reply.frame], self.plan.forms[reply.frame]
        self._size = reply.width, reply.height
        if self._size != form.size_of(*self._size):
            # A worker that lays nothing on a canvas: a newer one makes this frame again.
            key = f"{key} as it is"
        self._last = time.monotonic()
        if self._first:
            self._device_seconds += reply.milliseconds / 1000
        else:
            self._first = self._last
        frames = self._frames_of[self._key_of[reply.frame]]
        self._to_store += [(frame, key, reply.image) for frame in frames]

    def _store(self) -> None:
        """Write frames as long as nobody notices."""
        assert self._index is not None
        until = time.monotonic() + _STORE_SECONDS
        while self._to_store:
            frame, key, content = self._to_store[0]
            self._index.keep(self.plan.files.names[frame], key, content)
            self._to_store.popleft()
            self.finished += 1
            self._made += 1
            if time.monotonic() > until:
                return

    def _lose_worker(self, error: ConnectionLost) -> None:
        """Go on with a new worker, if the old one was lost and may be started again."""
        link.poll()
        made_some = self.finished > self._finished_at_restart
        if worker_options().is_remote and self._may_look_for_it(made_some):
            self._look_for_it(made_some)
            return
        if link.state != FAILED or self._index is None or not made_some:
            self._fail(str(error) if link.is_ready else link.message)
            return
        reason, self._finished_at_restart = link.message, self.finished
        try:
            link.start_if_wanted()
        except PhotorigError:
            self._fail(reason)
            return
        _log.warning("the worker was lost and is started again: %s", reason)
        self.restarts += 1
        self._index = self._job = None

    def _may_look_for_it(self, made_some: bool) -> bool:
        has_begun = self._index is not None or self.restarts > 0
        in_time = made_some or time.monotonic() < self._trying_until
        return link.state == FAILED and has_begun and in_time

    def _look_for_it(self, made_some: bool) -> None:
        """A worker elsewhere comes back when the network does; it has so long after each frame."""
        if made_some:
            self._finished_at_restart = self.finished
            self._trying_until = time.monotonic() + TRYING_SECONDS
        _log.warning("the connection to the worker broke: %s", link.message)
        link.keep_trying(self._trying_until)
        self.restarts += 1
        self._index = self._job = None

    def _finish(self) -> None:
        self._refresh_strip()
        self.is_done = True
        if not bpy.app.background:
            bpy.ops.ed.undo_push(message="Render to Sequencer")

    def _stop(self) -> None:
        if self._job is not None and not self._job.done:
            self._job.cancel()
        if self.finished:
            self._refresh_strip()

    def _refresh_strip(self) -> None:
        self._refreshed = time.monotonic()
        scene = data_block(bpy.data.scenes, self.plan.edit_scene)
        if scene is None:
            return
        is_new = find_strip(scene, self.plan.files) is None
        name = f"Photorig {self.plan.scene}"
        refresh_strip(
            scene, name, self.plan.files, self.plan.names, self.plan.frame_start, self._size
        )
        if is_new:
            compat.show_in_empty_sequencers(scene)
        if is_new and self.plan.is_own_scene:
            # Else F12 in this scene would show the strip instead of rendering the face again.
            scene.render.use_sequencer = False


def _key(request: FrameRequest, model_id: str, form: PictureFormat) -> str:
    """Of all that a file depends on."""
    return f"{picture_key(request, model_id)} {form.tag}".strip()


def _check_worker(codec: str, is_transparent: bool) -> None:
    """Raises InputError where the worker is too old for these files."""
    codecs = link.welcome.codecs if link.welcome is not None else ()
    if codec not in codecs:
        raise InputError(
            f"This worker cannot write {codec.upper()} files",
            "Update the worker, or choose PNG with 8 bits as file format.",
        )
    if is_transparent and not link.gives_passes:
        raise InputError(
            "This worker cannot cut the person out",
            "Update the worker, or switch Transparent Background off.",
        )


def _redraw() -> None:
    redraw_panels()
    redraw_status_bars()


slot = JobSlot[SequenceJob](
    busy=("A sequence is being rendered", "Wait for it, or cancel it first."),
    idle="No sequence is being rendered",
    stopped="Cancelled. Finished frames are kept",
    other_file="Another file was opened. Finished frames are kept",
    redraw=_redraw,
)


def start(plan: SequencePlan) -> SequenceJob:
    """Begin a job; a timer moves it on where there is a user interface.

    Raises:
        InputError: another job runs, or the folder cannot be made.
    """
    try:
        plan.files.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Cannot make the folder {str(plan.files.folder)!r}: {error.strerror}",
            "Choose another output folder.",
        ) from error
    return slot.start(lambda: SequenceJob(plan))
