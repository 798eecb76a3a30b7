"""The books of a pool: which frames are out, which wait, and that each of them ends exactly once.

Pure logic: no clock, no threads. Frames are pure, so a frame may be made again anywhere; the answer
that comes first counts, and any other is dropped here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from photorig.shared.errors import Cancelled, PhotorigError

from .interface import Chunk, FrameDone, FrameTask

MOST_LOSSES = 4
"""Devices that may be lost at one frame before it is the frame's fault."""


@dataclass
class _Entry:
    frame: FrameTask
    is_preview: bool
    is_cancelled: bool = False
    lost_at: list[int] = field(default_factory=list)


class Ledger:
    """Frames between ``submit`` and their one ``FrameDone``."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._open_previews: set[int] = set()
        self._previews: deque[FrameTask] = deque()
        self._chunks: deque[list[FrameTask]] = deque()

    @property
    def is_empty(self) -> bool:
        return not self._entries

    @property
    def waiting_chunks(self) -> int:
        """Chunks of jobs that no device has."""
        return len(self._chunks)

    @property
    def has_preview(self) -> bool:
        """Whether a preview has not ended."""
        return bool(self._open_previews)

    @property
    def waiting_preview(self) -> bool:
        return bool(self._previews)

    def add(self, chunk: Chunk) -> None:
        """Take what was submitted; it waits behind all others of its kind."""
        for frame in chunk.frames:
            self._entries[frame.id] = _Entry(frame, chunk.is_preview)
        if chunk.is_preview:
            self._open_previews.update(frame.id for frame in chunk.frames)
            self._previews += chunk.frames
        elif chunk.frames:
            self._chunks.append(list(chunk.frames))

    def take_preview(self) -> list[FrameTask]:
        """The preview to make next; empty where none waits."""
        return [self._previews.popleft()] if self._previews else []

    def take_chunk(self, place: int, places: Collection[int]) -> list[FrameTask]:
        """The frames that one device is to make next; empty where none wait.

        Args:
            place: of that device.
            places: of all devices that are there. A frame at which one was lost goes elsewhere.
        """
        for number, chunk in enumerate(self._chunks):
            lost_at = self._entries[chunk[0].id].lost_at
            if place not in lost_at or set(places) <= set(lost_at):
                del self._chunks[number]
                return chunk
        return []

    def is_open(self, frame: FrameTask) -> bool:
        """Whether this frame has not ended yet."""
        return frame.id in self._entries

    def is_preview(self, frame: FrameTask) -> bool:
        return frame.id in self._open_previews

    def end(self, done: FrameDone) -> bool:
        """Whether this is the first answer for its frame, which is to be passed on."""
        self._open_previews.discard(done.task_id)
        return self._entries.pop(done.task_id, None) is not None

    def cancel(self, task_id: int) -> FrameDone | None:
        """Nobody wants a frame any more; its end, where no device has it."""
        entry = self._entries.get(task_id)
        if entry is None:
            return None
        entry.is_cancelled = True
        for waiting in (self._previews, *self._chunks):
            if entry.frame in waiting:
                waiting.remove(entry.frame)
                self._chunks = deque(chunk for chunk in self._chunks if chunk)
                return self._close(entry, _cancelled())
        return None

    def give_back(self, frames: Sequence[FrameTask], lost_at: int | None = None) -> list[FrameDone]:
        """A device does not make these; what is still open waits again, before all others.

        Args:
            frames: in the order in which the device had them.
            lost_at: the device's place, where it ended on the way. The first open frame is then
                suspected: it waits alone, so that no other goes down with it, and not for ever.

        Returns:
            Those that end here: cancelled meanwhile, or suspected too often.
        """
        entries = [self._entries[frame.id] for frame in frames if self.is_open(frame)]
        ended = [self._close(entry, _cancelled()) for entry in entries if entry.is_cancelled]
        entries = [entry for entry in entries if not entry.is_cancelled]
        groups = [entries]
        if lost_at is not None and entries:
            suspect = entries[0]
            suspect.lost_at.append(lost_at)
            if len(suspect.lost_at) >= MOST_LOSSES:
                ended.append(self._close(suspect, _fatal(suspect.frame)))
                groups = [entries[1:]]
            else:
                groups = [entries[1:], [suspect]]
        for group in groups:
            self._put_first(group)
        return ended

    def _put_first(self, group: list[_Entry]) -> None:
        self._previews.extendleft(entry.frame for entry in group if entry.is_preview)
        chunk = [entry.frame for entry in group if not entry.is_preview]
        if chunk:
            self._chunks.appendleft(chunk)

    def _close(self, entry: _Entry, error: PhotorigError) -> FrameDone:
        done = FrameDone(entry.frame.id, error)
        self.end(done)
        return done


def _cancelled() -> Cancelled:
    return Cancelled("The frame was cancelled")


def _fatal(frame: FrameTask) -> PhotorigError:
    return PhotorigError(
        f"{MOST_LOSSES} devices were lost at frame {frame.request.frame}, one after the other",
        "Render it smaller, or see the log of a device's worker.",
    )
