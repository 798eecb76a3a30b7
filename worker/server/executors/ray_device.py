"""A device of a Ray cluster: an actor that holds a renderer, and the pool's end of the line to it.

The actor is the executor of one device (local.py) in another process, so that a frame is made by
the same lines wherever it is. Nothing here imports Ray: ray_cluster.py hands it in.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

from photorig.shared.bounded_cache import BoundedCache
from photorig.shared.errors import Cancelled, PhotorigError
from photorig.worker.threads import THREADS_VARIABLE

from ..portrait_store import PortraitStore
from .interface import Chunk, DeviceStatus, FrameDone, FrameTask, RendererFacts
from .local import LocalExecutor
from .pool import CHUNK_SECONDS, DeviceLost
from .workshop import Workshop

log = logging.getLogger(__name__)

_LONGEST_CHUNK_SECONDS = 2 * CHUNK_SECONDS
"""After which an actor gives the rest of its chunk back: frames took longer than was thought."""
_SHELF_BYTES = 1 << 30


class RenderActor:
    """One device, in a process of its own. Threads of Ray call it, several at a time.

    Args:
        workshop: what it makes frames with.
        threads: of the processor; 0 for its own choice.
    """

    def __init__(self, workshop: Workshop, threads: int) -> None:
        if threads:
            os.environ[THREADS_VARIABLE] = os.environ["OMP_NUM_THREADS"] = str(threads)
        else:  # Ray sets it to the cores that an actor asks for
            os.environ.pop("OMP_NUM_THREADS", None)
        self._workshop = workshop
        self._portraits = workshop.portraits()
        self._executor: LocalExecutor | None = None
        self._skipped: set[int] = set()
        self._woken = threading.Event()

    def start(self) -> RendererFacts:
        """Load the model. Raises ModelError, InputError."""
        if self._executor is None:
            executor = LocalExecutor(
                self._workshop.renderer, self._portraits, self._workshop.encode
            )
            executor.wake = self._woken.set
            executor.start()
            self._executor = executor
        return self._executor.facts

    def lacks(self, portrait_ids: Sequence[str]) -> list[str]:
        """Those of the portraits that this computer does not have."""
        return [one for one in portrait_ids if one not in self._portraits]

    def take_portrait(self, portrait_id: str, content: Any) -> None:
        """Keep a portrait's file (n,) uint8, which Ray has brought here. Raises InputError."""
        self._portraits.add(portrait_id, memoryview(content), lambda _: None)

    def status(self) -> DeviceStatus:
        return DeviceStatus(None, None) if self._executor is None else self._executor.status()

    def skip(self, task_ids: Collection[int]) -> None:
        """Leave these out, as far as they have not begun."""
        self._skipped.update(task_ids)
        if self._executor is not None:
            for task_id in task_ids:
                self._executor.cancel(task_id)

    def render(self, frames: Sequence[FrameTask]) -> Iterator[FrameDone]:
        """Frames as they are done; those of which nothing comes are given back."""
        executor = self._executor
        assert executor is not None, "start() has not been called"
        waiting, under_way = deque(frames), 0
        end = time.monotonic() + _LONGEST_CHUNK_SECONDS
        while waiting or under_way:
            while waiting and executor.room(previews_come=False).frames:
                frame = waiting.popleft()
                if frame.id not in self._skipped:
                    executor.submit(Chunk((frame,), of_sequence=len(frames) > 1))
                    under_way += 1
            if under_way:
                self._woken.wait(1.0)
                self._woken.clear()
            for done in executor.events():
                under_way -= 1
                if not isinstance(done.outcome, Cancelled):
                    yield done
            if time.monotonic() > end:
                waiting.clear()
        self._skipped.difference_update(frame.id for frame in frames)


class RemoteActor(Protocol):
    """Methods of a RenderActor, called from afar: each has ``remote``, which gives what can be
    awaited."""

    start: Any
    lacks: Any
    take_portrait: Any
    status: Any
    skip: Any
    render: Any


class PortraitShelf:
    """Files of portraits in Ray's object store, from which each computer has them once.

    Args:
        put: a value to a reference.
        portraits: where the gateway has them.
    """

    def __init__(self, put: Any, portraits: PortraitStore) -> None:
        self._put = put
        self._portraits = portraits
        self._kept = BoundedCache[str, tuple[Any, int]](_SHELF_BYTES, lambda kept: kept[1], True)

    def reference(self, portrait_id: str) -> Any:
        """Where the file is. Raises UnknownPortrait, InputError."""
        import numpy as np

        kept = self._kept.get(portrait_id)
        if kept is None:
            content = self._portraits.content(portrait_id)
            kept = self._put(np.frombuffer(content, np.uint8)), len(content)
            self._kept.put(portrait_id, kept)
        return kept[0]


class RayDevice:
    """The pool's Device.

    Args:
        new_actor: a RenderActor somewhere in the cluster.
        end_actor: ends one.
        shelf: for portraits.
        errors: what Ray raises where an actor or its computer is gone.
        cause: the error of ours in one of Ray's; None where there is none.
    """

    def __init__(
        self,
        new_actor: Any,
        end_actor: Any,
        shelf: PortraitShelf,
        errors: tuple[type[Exception], ...],
    ) -> None:
        self._actor: RemoteActor = new_actor()
        self._end_actor = end_actor
        self._shelf = shelf
        self._errors = errors
        self._has: set[str] = set()

    async def start(self) -> RendererFacts:
        return await self._asked(self._actor.start.remote())

    async def render(self, frames: Sequence[FrameTask]) -> AsyncIterator[FrameDone]:
        failed = await self._bring_portraits(frames)
        possible = []
        for frame in frames:
            error = next((failed[one] for one in frame.request.portraits if one in failed), None)
            if error is None:
                possible.append(frame)
            else:
                yield FrameDone(frame.id, error)
        if not possible:
            return
        try:
            answers = self._actor.render.options(num_returns="streaming").remote(possible)
            async for answer in answers:
                yield await answer
        except self._errors as error:
            raise DeviceLost(_told(error)) from error

    async def status(self) -> DeviceStatus:
        return await self._asked(self._actor.status.remote())

    def skip(self, task_ids: Collection[int]) -> None:
        self._actor.skip.remote(list(task_ids))

    def end(self) -> None:
        self._end_actor(self._actor)

    async def _bring_portraits(self, frames: Sequence[FrameTask]) -> Mapping[str, PhotorigError]:
        """See that the actor has all portraits; those that cannot be had, with the reason."""
        wanted = {one for frame in frames for one in frame.request.portraits} - self._has
        failed: dict[str, PhotorigError] = {}
        if not wanted:
            return failed
        for portrait_id in await self._asked(self._actor.lacks.remote(sorted(wanted))):
            try:
                reference = self._shelf.reference(portrait_id)
                await self._asked(self._actor.take_portrait.remote(portrait_id, reference))
            except PhotorigError as error:
                failed[portrait_id] = error
        self._has |= wanted - set(failed)
        return failed

    async def _asked(self, answer: Any) -> Any:
        """An answer. Raises DeviceLost, or the PhotorigError that the actor raised."""
        try:
            return await answer
        except self._errors as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, PhotorigError):
                raise cause from error
            raise DeviceLost(_told(error)) from error


def _told(error: Exception) -> str:
    """What is worth knowing of an error of Ray's, which brings a trace along: its last line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
