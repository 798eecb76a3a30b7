"""Which frame a device begins next, and how many of them at once.

Somebody waits for a preview or a still: it is made on all threads of the processor. A sequence is
sooner done where its frames are made several at once, each on its share of the threads.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from photorig.shared.bounded_cache import BoundedCache

from .interface import Chunk, FrameTask

_KNOWN_KINDS = 32
_MOST_SPARE = 4
_IDLE_SECONDS = 0.3
"""After the last frame before anything is begun that nobody waits for."""


@dataclass(frozen=True, eq=False)
class Turn:
    """A frame that a lane is to make now.

    Attributes:
        at_once: how many frames share the threads; 1 where this one has them all.
        kind: what decides how many may be made at once; None for a frame on all threads.
        is_first: whether it is the first of its kind, which is made alone: what it finds out for
            all others is found once.
        is_spare: whether nobody waits for it: it stays, and only what it takes to make it counts.
    """

    task: FrameTask
    at_once: int = 1
    kind: Hashable = None
    is_first: bool = False
    is_spare: bool = False


class Lanes:
    """The frames that a device has in hand; threads share it.

    A preview begins as soon as any lane is free, and nothing else does until it is done.

    Attributes:
        count: most frames at once; may be set before the first frame is taken.
    """

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._changed = threading.Condition()
        self._previews: deque[FrameTask] = deque()
        self._frames: deque[tuple[FrameTask, bool]] = deque()
        self._spare: deque[FrameTask] = deque(maxlen=_MOST_SPARE)
        self._idle_since = 0.0
        self._at_work: dict[int, Turn] = {}
        self._at_once = BoundedCache[Hashable, int](_KNOWN_KINDS)
        self._is_closed = False

    def put(self, chunk: Chunk) -> None:
        with self._changed:
            if chunk.is_preview:
                self._previews += chunk.frames
            else:
                self._frames += [(frame, chunk.of_sequence) for frame in chunk.frames]
            self._changed.notify_all()

    def put_spare(self, tasks: Iterable[FrameTask]) -> None:
        """Frames to be made when there is nothing else to do; the last few are remembered."""
        with self._changed:
            self._spare += tasks
            self._idle_since = max(self._idle_since, time.monotonic())
            self._changed.notify_all()

    def take(self) -> Turn | None:
        """The next frame, once one may begin; None when the device is closed."""
        with self._changed:
            while not self._is_closed:
                turn = self._next()
                if turn is not None:
                    self._at_work[turn.task.id] = turn
                    return turn
                self._changed.wait(_IDLE_SECONDS if self._spare else None)
        return None

    def ended(self, turn: Turn, at_once: int | None = None) -> None:
        """A frame is made, or has failed.

        Args:
            at_once: how many of its kind may be made at once; None where that was not found out.
        """
        with self._changed:
            del self._at_work[turn.task.id]
            if not turn.is_spare:
                self._idle_since = time.monotonic()
            if at_once is not None and turn.kind is not None:
                self._at_once.put(turn.kind, max(1, min(at_once, self.count)))
            self._changed.notify_all()

    def close(self) -> None:
        """No frame begins any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def takes_preview(self) -> bool:
        """Whether a preview would begin before the frames that wait here, or at once."""
        with self._changed:
            has_lane = len(self._at_work) < self.count or bool(self._frames)
            return has_lane and not self._previews and not self._has_whole()

    def takes_frame(self, ahead: int) -> bool:
        """Whether there is room for a frame of a job.

        Args:
            ahead: frames that may wait here for a lane.
        """
        with self._changed:
            at_work = sum(not turn.is_spare for turn in self._at_work.values())
            in_hand = at_work + len(self._frames) + len(self._previews)
            return in_hand < self.count + ahead

    def _next(self) -> Turn | None:
        if len(self._at_work) >= self.count:
            return None
        if self._previews:
            return Turn(self._previews.popleft())
        alone = self._has_whole() or any(turn.is_first for turn in self._at_work.values())
        if alone:
            return None
        if not self._frames:
            return self._next_spare()
        task, of_sequence = self._frames[0]
        turn = self._of_sequence(task) if of_sequence and self.count > 1 else Turn(task)
        if turn is not None:
            self._frames.popleft()
        return turn

    def _of_sequence(self, task: FrameTask) -> Turn | None:
        request = task.request
        kind = request.portraits, request.size, request.method
        at_once = self._at_once.get(kind)
        if at_once is None:
            return None if self._at_work else Turn(task, self.count, kind, is_first=True)
        return Turn(task, at_once, kind) if len(self._at_work) < at_once else None

    def _next_spare(self) -> Turn | None:
        is_idle = time.monotonic() - self._idle_since >= _IDLE_SECONDS
        if self._at_work or not self._spare or not is_idle:
            return None
        return Turn(self._spare.popleft(), is_spare=True)

    def _has_whole(self) -> bool:
        """Whether a frame on all threads is being made that somebody waits for."""
        return any(turn.at_once == 1 and not turn.is_spare for turn in self._at_work.values())
