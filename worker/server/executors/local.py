"""One device in this process: renders in one thread or a few, encodes in a small pool.

It never makes the gateway wait: heartbeats are answered while the device is busy. What was made
last is kept as it was written down, so that a pose that is held is not made again.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from photorig.shared.bounded_cache import BoundedCache
from photorig.shared.errors import Cancelled, InputError, PhotorigError
from photorig.shared.wire.messages import FramePass, FrameReply, FrameRequest
from photorig.shared.wire.picture_format import PictureFormat
from photorig.worker.compositing.several_faces import render_faces
from photorig.worker.threads import in_lane

from ..frame_passes import with_passes
from ..portrait_store import PortraitSource, PortraitStore
from .entry import ExecutorEntry, ExecutorOptions
from .interface import (
    BusyRenderer,
    Chunk,
    DeviceStatus,
    Encoder,
    FrameDone,
    FrameTask,
    PreparingRenderer,
    Renderer,
    RendererFacts,
    Room,
    SeveralFrames,
)
from .lanes import Lanes, Turn
from .workshop import Workshop

log = logging.getLogger(__name__)

KEPT_BYTES = 128 << 20
"""Of finished frames; one of 1024² has 1.5 MB as PNG."""
_PREPARED = {"headYaw": 2.0, "headRoll": 2.0, "jawOpen": 0.1}
"""A frame that needs all that any frame of a portrait needs."""
_USUAL_SIZES = (256, 512)
"""Of previews, until some are asked for."""
_AHEAD = 1
"""Frames that wait here, so that the device need not wait for the server's loop."""


class LocalExecutor:
    """One device in this process.

    Args:
        make_renderer: called in the device thread, which alone uses what it returns; with it as
            many threads as it says, see `SeveralFrames`.
        portraits: where the portraits are.
        encode: called in the encoding threads.
        kept_bytes: of finished frames, so that what was made lately is not made again.
    """

    def __init__(
        self,
        make_renderer: Callable[[], Renderer],
        portraits: PortraitSource,
        encode: Encoder,
        encoding_threads: int = 2,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._make_renderer = make_renderer
        self._portraits = portraits
        self._encode = encode
        self._lanes = Lanes()
        self._done: queue.SimpleQueue[FrameDone] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(encoding_threads, "photorig-encode")
        self._threads = [_daemon(self._device_loop)]
        self._started = threading.Event()
        self._facts: RendererFacts | None = None
        self._failure: Exception | None = None
        self._lock = threading.Lock()
        self._cancelled: set[int] = set()
        self._at_work: dict[int, _AtWork] = {}  # by task, the one that began first at first
        self._kept = BoundedCache[_Picture, FrameReply](kept_bytes, lambda reply: reply.n_bytes)
        self._milliseconds: float | None = None
        self._preview_sizes = deque[int](_USUAL_SIZES, maxlen=len(_USUAL_SIZES))
        self._spare_ids = itertools.count(-1, -1)
        self._prepares = False
        self._doing: Callable[[], str] = lambda: ""

    def start(self) -> None:
        """Make the renderer and wait until it is ready. Raises what ``make_renderer`` raised."""
        self._threads[0].start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def facts(self) -> RendererFacts:
        if self._facts is None:
            raise RuntimeError("start() has not been called")
        return self._facts

    def room(self, previews_come: bool) -> Room:
        # Where previews come no frame waits here: of a preview only the newest request counts.
        takes_frame = self._lanes.takes_frame(0 if previews_come else _AHEAD)
        return Room(self._lanes.takes_preview, int(takes_frame))

    def submit(self, chunk: Chunk) -> None:
        if chunk.is_preview:
            self._note_size(chunk.frames[0].request)
        kept = {frame.id for frame in chunk.frames if self._answered(frame)}
        missing = tuple(frame for frame in chunk.frames if frame.id not in kept)
        if missing:
            self._lanes.put(replace(chunk, frames=missing))

    def prepare(self, portrait_id: str) -> None:
        if not self._prepares:
            return
        schema = self.facts.schema
        named = {name: value for name, value in _PREPARED.items() if name in schema.index}
        parameters, form = schema.vector(named), PictureFormat("raw")
        with self._lock:
            sizes = tuple(self._preview_sizes)
        self._lanes.put_spare(
            FrameTask(next(self._spare_ids), FrameRequest(portrait_id, parameters, size), form)
            for size in sizes
            if size in self.facts.sizes
        )

    def _note_size(self, request: FrameRequest) -> None:
        size = request.size
        with self._lock:
            if size != "full" and size not in self._preview_sizes:
                self._preview_sizes.append(size)

    def cancel(self, task_id: int) -> None:
        with self._lock:
            self._cancelled.add(task_id)

    def events(self) -> list[FrameDone]:
        done = []
        while True:
            try:
                done.append(self._done.get_nowait())
            except queue.Empty:
                return done

    def status(self) -> DeviceStatus:
        with self._lock:
            at_work = next(iter(self._at_work.values()), None)
        if at_work is None:
            return DeviceStatus(None, self._milliseconds)
        busy = time.monotonic() - at_work.since
        task_id, pixels = at_work.task_id, at_work.photo_pixels
        return DeviceStatus(busy, self._milliseconds, self._doing(), task_id, pixels)

    def close(self) -> None:
        """Stop after the present frames, but do not wait for them longer than a moment."""
        self._lanes.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        end = time.monotonic() + 2
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(end - time.monotonic(), 0))

    def _device_loop(self) -> None:
        try:
            renderer = self._make_renderer()
            self._facts = RendererFacts.of(renderer)
            if isinstance(renderer, BusyRenderer):
                self._doing = lambda: renderer.doing
            if isinstance(renderer, SeveralFrames):
                self._lanes.count = renderer.most_frames_at_once
            self._prepares = isinstance(renderer, PreparingRenderer)
        except Exception as error:
            self._failure = error
            return
        finally:
            self._started.set()
        for _ in range(1, self._lanes.count):
            thread = _daemon(lambda: self._lane(renderer))
            self._threads.append(thread)
            thread.start()
        self._lane(renderer)

    def _lane(self, renderer: Renderer) -> None:
        while (turn := self._lanes.take()) is not None:
            at_once = None
            try:
                if turn.is_spare:
                    self._make_ready(renderer, turn.task)
                else:
                    at_once = self._render(renderer, turn)
            finally:
                self._lanes.ended(turn, at_once)
                self.wake()

    def _render(self, renderer: Renderer, turn: Turn) -> int | None:
        """Make a frame; how many of its kind may be made at once, where that was asked for."""
        task = turn.task
        task_id, request, picture_format = task.id, task.request, task.picture_format
        try:
            if self._is_cancelled(task_id):
                self._finish(task_id, Cancelled("The frame was cancelled"))
                return None
            # From here on: a file that cannot be read in time holds the device as a frame does.
            at_work = _AtWork(task_id, time.monotonic())
            with self._lock:
                self._at_work[task_id] = at_work
            if self._answered(task):
                return None
            portraits = [self._portraits.get(each) for each in request.portraits]
            if request.size == "full" or request.others:
                height, width = portraits[0].photo.shape[:2]
                at_work.photo_pixels = height * width * len(portraits)
            started = time.monotonic()
            with in_lane(turn.at_once):
                image, passes = _made(renderer, portraits, request, picture_format)
            milliseconds = (time.monotonic() - started) * 1000
            channels = 4 if picture_format.transparent else 3
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != channels:
                raise TypeError(f"the renderer gave {image.dtype} {image.shape}")
            self._milliseconds = milliseconds / turn.at_once
            at_once = None
            if turn.is_first and isinstance(renderer, SeveralFrames):
                at_once = renderer.frames_at_once(portraits[0], request.size)
            self._pool.submit(self._encode_frame, task, _Made(image, passes, milliseconds))
            return at_once
        except Exception as error:
            self._finish(task_id, explained(error, request))
        finally:
            with self._lock:
                self._at_work.pop(task_id, None)
        return None

    def _make_ready(self, renderer: Renderer, task: FrameTask) -> None:
        """Have found out what all frames of a portrait at a size need."""
        request = task.request
        with self._lock:
            self._at_work[task.id] = _AtWork(task.id, time.monotonic())
        try:
            portrait = self._portraits.get(request.portrait)
            if isinstance(renderer, PreparingRenderer) and renderer.is_soon_ready(portrait):
                renderer.render(portrait, request)
        except Exception as error:  # whoever asks for a frame of it is told
            log.info("the portrait %s cannot be prepared: %s", request.portrait[:12], error)
        finally:
            with self._lock:
                del self._at_work[task.id]

    def _answered(self, task: FrameTask) -> bool:
        """Whether the frame was made before, and has now been given."""
        with self._lock:
            reply = self._kept.get(_picture(task))
        if reply is None:
            return False
        self._finish(task.id, replace(reply, frame=task.request.frame, milliseconds=0.0))
        return True

    def _encode_frame(self, task: FrameTask, made: _Made) -> None:
        task_id, request, picture_format = task.id, task.request, task.picture_format
        try:
            width, height = picture_format.size_of(made.image.shape[1], made.image.shape[0])
            reply = FrameReply(
                request.frame,
                self._encode(made.image, picture_format, self.facts.model_id),
                width,
                height,
                picture_format.codec,
                made.milliseconds,
                picture_format.channels,
                picture_format.dtype,
                made.passes,
            )
            with self._lock:
                self._kept.put(_picture(task), reply)
            self._finish(task_id, reply)
        except Exception as error:
            self._finish(task_id, explained(error, request))

    def _is_cancelled(self, task_id: int) -> bool:
        with self._lock:
            return task_id in self._cancelled

    def _finish(self, task_id: int, outcome: FrameReply | PhotorigError) -> None:
        with self._lock:
            self._cancelled.discard(task_id)
        self._done.put(FrameDone(task_id, outcome))
        self.wake()


_Picture = tuple[Hashable, ...]


def _picture(task: FrameTask) -> _Picture:
    """All that the bytes of a frame depend on beside the renderer."""
    return (*task.request.picture, task.request.passes, task.picture_format)


def _daemon(work: Callable[[], None]) -> threading.Thread:
    # A frame that is being computed cannot be interrupted; it must not keep the process alive.
    return threading.Thread(target=work, name="photorig-device", daemon=True)


def _start(workshop: Workshop, portraits: PortraitStore, options: ExecutorOptions) -> LocalExecutor:
    if options.address or options.actors:
        raise InputError(
            "--address and --actors are for several devices", "Add --executor ray, or leave them."
        )
    executor = LocalExecutor(workshop.renderer, portraits, workshop.encode)
    executor.start()
    return executor


@dataclass(eq=False)
class _AtWork:
    """A frame that is being made, and since when on the monotonic clock."""

    task_id: int
    since: float
    photo_pixels: int = 0


@dataclass(frozen=True, eq=False)
class _Made:
    """A frame that is still to be written down."""

    image: np.ndarray
    passes: tuple[FramePass, ...]
    milliseconds: float


def _made(
    renderer: Renderer,
    portraits: Sequence[Any],
    request: FrameRequest,
    picture_format: PictureFormat,
) -> tuple[np.ndarray, tuple[FramePass, ...]]:
    if request.passes or picture_format.transparent:
        return with_passes(renderer, portraits, request, picture_format)
    return render_faces(renderer, portraits, request), ()


def explained(error: Exception, request: FrameRequest) -> PhotorigError:
    """An edge: the server goes on whatever a frame does, and the client hears a sentence."""
    if isinstance(error, PhotorigError):
        return error
    log.error("frame %d failed", request.frame, exc_info=error)
    if isinstance(error, MemoryError) or "insufficient memory" in str(error).lower():
        return PhotorigError(
            f"There is too little memory for frame {request.frame}",
            "Render it smaller, or close other programs.",
        )
    kind = type(error).__name__
    return PhotorigError(
        f"The worker failed at frame {request.frame} ({kind})", "See the worker's log."
    )


EXECUTOR = ExecutorEntry("local", "the device of this computer, in this process", _start, window=16)
