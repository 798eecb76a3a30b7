"""One device in this process: renders in one thread, encodes in a small pool.

It never makes the gateway wait: heartbeats are answered while the device is busy.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from photorig.shared.errors import Cancelled, InputError, PhotorigError
from photorig.shared.wire.messages import FramePass, FrameReply, FrameRequest
from photorig.shared.wire.picture_format import PictureFormat
from photorig.worker.compositing.several_faces import render_faces

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
    Renderer,
    RendererFacts,
    Room,
)
from .workshop import Workshop

log = logging.getLogger(__name__)


class LocalExecutor:
    """One device in this process.

    Args:
        make_renderer: called in the device thread, which alone uses what it returns.
        portraits: where the portraits are.
        encode: called in the encoding threads.
    """

    def __init__(
        self,
        make_renderer: Callable[[], Renderer],
        portraits: PortraitSource,
        encode: Encoder,
        encoding_threads: int = 2,
    ) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._make_renderer = make_renderer
        self._portraits = portraits
        self._encode = encode
        self._inbox: queue.SimpleQueue[FrameTask | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[FrameDone] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(encoding_threads, "photorig-encode")
        self._thread = threading.Thread(target=self._device_loop, name="photorig-device")
        # A frame that is being computed cannot be interrupted; it must not keep the process alive.
        self._thread.daemon = True
        self._started = threading.Event()
        self._facts: RendererFacts | None = None
        self._failure: Exception | None = None
        self._lock = threading.Lock()
        self._on_device = 0
        self._cancelled: set[int] = set()
        self._at_work: tuple[int, float] | None = None  # task, and since when
        self._photo_pixels = 0
        self._milliseconds: float | None = None
        self._doing: Callable[[], str] = lambda: ""

    def start(self) -> None:
        """Make the renderer and wait until it is ready. Raises what ``make_renderer`` raised."""
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def facts(self) -> RendererFacts:
        if self._facts is None:
            raise RuntimeError("start() has not been called")
        return self._facts

    def room(self, previews_come: bool) -> Room:
        # With a frame in hand the device need not wait for the server's loop. Where previews come
        # it may not have one: they would wait for it.
        with self._lock:
            has_room = self._on_device <= (0 if previews_come else 1)
        return Room(has_room, int(has_room))

    def submit(self, chunk: Chunk) -> None:
        with self._lock:
            self._on_device += len(chunk.frames)
        for frame in chunk.frames:
            self._inbox.put(frame)

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
        at_work = self._at_work
        if at_work is None:
            return DeviceStatus(None, self._milliseconds)
        task_id, since = at_work
        busy = time.monotonic() - since
        return DeviceStatus(busy, self._milliseconds, self._doing(), task_id, self._photo_pixels)

    def close(self) -> None:
        """Stop after the present frame, but do not wait for it longer than a moment."""
        self._inbox.put(None)
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _device_loop(self) -> None:
        try:
            renderer = self._make_renderer()
            self._facts = RendererFacts.of(renderer)
            if isinstance(renderer, BusyRenderer):
                self._doing = lambda: renderer.doing
        except Exception as error:
            self._failure = error
            return
        finally:
            self._started.set()
        while (task := self._inbox.get()) is not None:
            self._render(renderer, task)

    def _render(self, renderer: Renderer, task: FrameTask) -> None:
        task_id, request, picture_format = task.id, task.request, task.picture_format
        try:
            if self._is_cancelled(task_id):
                self._finish(task_id, Cancelled("The frame was cancelled"))
                return
            # From here on: a file that cannot be read in time holds the device as a frame does.
            self._at_work = task_id, time.monotonic()
            self._photo_pixels = 0
            portraits = [self._portraits.get(each) for each in request.portraits]
            if request.size == "full" or request.others:
                height, width = portraits[0].photo.shape[:2]
                self._photo_pixels = height * width * len(portraits)
            started = time.monotonic()
            image, passes = _made(renderer, portraits, request, picture_format)
            milliseconds = (time.monotonic() - started) * 1000
            channels = 4 if picture_format.transparent else 3
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != channels:
                raise TypeError(f"the renderer gave {image.dtype} {image.shape}")
            self._milliseconds = milliseconds
            made = _Made(image, passes, milliseconds)
            self._pool.submit(self._encode_frame, task, made)
        except Exception as error:
            self._finish(task_id, explained(error, request))
        finally:
            self._at_work = None
            with self._lock:
                self._on_device -= 1
            self.wake()

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


def _start(workshop: Workshop, portraits: PortraitStore, options: ExecutorOptions) -> LocalExecutor:
    if options.address or options.actors:
        raise InputError(
            "--address and --actors are for several devices", "Add --executor ray, or leave them."
        )
    executor = LocalExecutor(workshop.renderer, portraits, workshop.encode)
    executor.start()
    return executor


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
