"""An executor as the gateway sees it: submit a chunk, hear what ended, cancel. No call waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from photorig.shared.errors import PhotorigError
from photorig.shared.parameters.schema import ParameterSchema
from photorig.shared.wire.messages import PASSES, FrameReply, FrameRequest
from photorig.shared.wire.picture_format import PictureFormat

from ..frame_passes import PassRenderer


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


@runtime_checkable
class SeveralFrames(Protocol):
    """A renderer that several threads may ask for frames at once; pixels do not depend on it."""

    @property
    def most_frames_at_once(self) -> int:
        """Of whatever portraits; at least 1."""

    def frames_at_once(self, portrait: Any, size: Any) -> int:
        """Of this portrait at this size; at least 1."""


@runtime_checkable
class PreparingRenderer(Protocol):
    """A renderer whose first frame of a portrait takes longer than the next ones."""

    def is_soon_ready(self, portrait: Any) -> bool:
        """Whether that frame takes no longer than a few seconds."""


Encoder = Callable[[np.ndarray, PictureFormat, str], bytes]
"""An (h, w, 3) uint8 RGB image, or (h, w, 4) with a matte, a format and a model's id to bytes."""


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
    """How a device is.

    Attributes:
        busy_seconds: for how long it has been at its present frame; None if it is idle.
        milliseconds: of its last frame; of one that was made beside others its share.
        doing: what keeps it from the frame, for a person; "" where nothing does.
        task_id: of that frame.
        photo_pixels: of a whole photo in it.
        heals_itself: whether the executor itself ends what hangs, so that nobody else has to.
    """

    busy_seconds: float | None
    milliseconds: float | None
    doing: str = ""
    task_id: int | None = None
    photo_pixels: int = 0
    heals_itself: bool = False


@dataclass(frozen=True, eq=False)
class FrameTask:
    """One frame to make.

    Attributes:
        id: of the gateway's choice, never used twice.
    """

    id: int
    request: FrameRequest
    picture_format: PictureFormat


@dataclass(frozen=True)
class Chunk:
    """Frames that one device makes in their order, all of one client's job.

    Attributes:
        is_preview: somebody waits for it with the mouse in the hand; it has one frame.
        of_sequence: its frames have neighbours, so that how soon all are done counts, and not how
            soon each of them is.
    """

    frames: tuple[FrameTask, ...]
    is_preview: bool = False
    of_sequence: bool = False


@dataclass(frozen=True)
class Room:
    """What an executor would take now.

    Attributes:
        preview: whether a preview would be begun at once, or nearly.
        frames: most frames of the next chunk of a job; 0 where all devices have enough to do.
    """

    preview: bool
    frames: int


class Executor(Protocol):
    """Devices as the gateway sees them. No method waits.

    A frame that was submitted ends exactly once, whatever happens to devices: an executor of
    several gives it to another one and keeps the books.

    ``wake`` may be set; it is called from any thread when ``events`` or ``room`` has changed.
    """

    wake: Callable[[], None]

    @property
    def facts(self) -> RendererFacts:
        """Of the renderer; the same for all devices."""

    def room(self, previews_come: bool) -> Room:
        """What may be submitted now.

        Args:
            previews_come: somebody works in a viewport, so that no device should have more in hand
                than it works at.
        """

    def submit(self, chunk: Chunk) -> None:
        """Start a chunk; a FrameDone for each of its frames comes through ``events``."""

    def prepare(self, portrait_id: str) -> None:
        """A client has this portrait before it: what all its frames need may be found out while
        there is nothing else to do. May be called from any thread, and does nothing else."""

    def events(self) -> list[FrameDone]:
        """What has ended since the last call, in any order."""

    def cancel(self, task_id: int) -> None:
        """Nobody wants this frame any more; FrameDone still comes, as Cancelled or as a frame."""

    def status(self) -> DeviceStatus: ...

    def close(self) -> None: ...
