"""Owns the device: takes frame requests one by one and hands back encoded frames.

The gateway sees only the Executor interface, so that another executor (several devices, Ray) can
take LocalExecutor's place. LocalExecutor renders in one thread, encodes in a small pool, and never
makes the gateway wait: heartbeats are answered while the device is busy.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from photorig.shared.errors import Cancelled, PhotorigError
from photorig.shared.parameters.schema import ParameterSchema
from photorig.shared.wire.messages import PASSES, FramePass, FrameReply, FrameRequest
from photorig.shared.wire.picture_format import PictureFormat
from photorig.worker.compositing.several_faces import render_faces

from .frame_passes import PassRenderer, with_passes
from .portrait_store import PortraitStore

log = logging.getLogger(__name__)


class Renderer(Protocol):
    """What makes a frame; FaceRenderer is one."""

    @property
    def schema(self) -> ParameterSchema: ...
    @property
    def model_id(self) -> str: ...

    def describe(self) -> dict[str, object]:
        """JSON values by name; ``device``, ``backend`` and ``sizes`` go into WELCOME."""

    def render(self, portrait: Any, request: FrameRequest) -> np.ndarray:
        """(height, width, 3) uint8 RGB; a pure function of its arguments."""


@runtime_checkable
class BusyRenderer(Protocol):
    """A renderer that may have to do something first."""

    @property
    def doing(self) -> str:
        """In a few words for a person, "" where nothing is; may be read from any thread."""


Encoder = Callable[[np.ndarray, str | PictureFormat], bytes]
"""An (h, w, 3) uint8 RGB image, or (h, w, 4) with a matte, and a format to bytes."""


@dataclass(frozen=True)
class RendererFacts:
    """What WELCOME says about the renderer."""

    schema: ParameterSchema
    model_id: str
    device: str
    backend: str
    sizes: tuple[int, ...]
    description: dict[str, object] = field(default_factory=dict)
    passes: tuple[str, ...] = ()

    @staticmethod
    def of(renderer: Renderer) -> RendererFacts:
        description = dict(renderer.describe())
        sizes = description.get("sizes", ())
        return RendererFacts(
            schema=renderer.schema,
            model_id=renderer.model_id,
            device=str(description.get("device", "")),
            backend=str(description.get("backend", "")),
            sizes=tuple(int(size) for size in sizes) if isinstance(sizes, (list, tuple)) else (),
            description=description,
            passes=PASSES if isinstance(renderer, PassRenderer) else (),
        )


@dataclass(frozen=True)
class FrameDone:
    """Task ``task_id`` has ended: with a frame, or with the error that prevented it."""

    task_id: int
    outcome: FrameReply | PhotorigError


@dataclass(frozen=True)
class DeviceStatus:
    """How long the device has been at its present frame (None if idle), its last frame time, what
    keeps it from the frame, for a person ("" where nothing does), which task that frame is, and of
    how many pixels of a whole photo."""

    busy_seconds: float | None
    milliseconds: float | None
    doing: str = ""
    task_id: int | None = None
    photo_pixels: int = 0


class Executor(Protocol):
    """The device as the gateway sees it. No method waits.

    ``wake`` may be set; it is called from any thread when ``events`` or ``has_room`` has changed.
    """

    wake: Callable[[], None]

    @property
    def facts(self) -> RendererFacts: ...

    def has_room(self, ahead: int = 0) -> bool:
        """Whether a frame submitted now starts at once, or after at most so many others."""

    def submit(self, task_id: int, request: FrameRequest, codec: str | PictureFormat) -> None:
        """Start a frame; its FrameDone comes through ``events`` unless it is cancelled."""

    def cancel(self, task_id: int) -> None:
        """Nobody wants this frame any more; FrameDone still comes, as Cancelled or as a frame."""

    def events(self) -> list[FrameDone]:
        """What has ended since the last call."""

    def status(self) -> DeviceStatus: ...

    def close(self) -> None: ...


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
        portraits: PortraitStore,
        encode: Encoder,
        encoding_threads: int = 2,
    ) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._make_renderer = make_renderer
        self._portraits = portraits
        self._encode = encode
        self._inbox: queue.SimpleQueue[tuple[int, FrameRequest, PictureFormat] | None] = (
            queue.SimpleQueue()
        )
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

    def has_room(self, ahead: int = 0) -> bool:
        with self._lock:
            return self._on_device <= ahead

    def submit(self, task_id: int, request: FrameRequest, codec: str | PictureFormat) -> None:
        picture_format = PictureFormat.of(codec)
        with self._lock:
            self._on_device += 1
        self._inbox.put((task_id, request, picture_format))

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
        while (entry := self._inbox.get()) is not None:
            self._render(renderer, *entry)

    def _render(
        self,
        renderer: Renderer,
        task_id: int,
        request: FrameRequest,
        picture_format: PictureFormat,
    ) -> None:
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
            self._pool.submit(self._encode_frame, task_id, request, picture_format, made)
        except Exception as error:
            self._finish(task_id, _explained(error, request))
        finally:
            self._at_work = None
            with self._lock:
                self._on_device -= 1
            self.wake()

    def _encode_frame(
        self,
        task_id: int,
        request: FrameRequest,
        picture_format: PictureFormat,
        made: _Made,
    ) -> None:
        try:
            width, height = picture_format.size_of(made.image.shape[1], made.image.shape[0])
            reply = FrameReply(
                request.frame,
                self._encode(made.image, picture_format),
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
            self._finish(task_id, _explained(error, request))

    def _is_cancelled(self, task_id: int) -> bool:
        with self._lock:
            return task_id in self._cancelled

    def _finish(self, task_id: int, outcome: FrameReply | PhotorigError) -> None:
        with self._lock:
            self._cancelled.discard(task_id)
        self._done.put(FrameDone(task_id, outcome))
        self.wake()


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


def _explained(error: Exception, request: FrameRequest) -> PhotorigError:
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
