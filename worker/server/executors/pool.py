"""Many devices as one executor: gives them chunks, and goes on whatever becomes of them.

Devices come and go, die, hang, forget, repeat themselves and answer out of order. One thread with
an event loop looks after all of them; the gateway's calls only touch the books.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from photorig.shared.errors import ModelError, PhotorigError
from photorig.shared.wire.messages import FrameReply

from ..watchdog import PATIENCE_SECONDS, PREPARING_SECONDS, SECONDS_A_MEGAPIXEL
from .interface import Chunk, DeviceStatus, FrameDone, FrameTask, RendererFacts, Room
from .ledger import Ledger

log = logging.getLogger(__name__)

CHUNK_SECONDS = 1.5
"""What a chunk is meant to take: long beside the way there, short beside what a loss costs."""
_MOST_FRAMES = 64
_RESERVED_SECONDS = 20.0
"""Since the last preview, in which one device of several makes no renders."""
_LOOK_SECONDS = 1.0
_FOLLOW_SECONDS = 2.0
_ANSWER_SECONDS = 15.0
_MOST_FAILED_STARTS = 8
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0


class DeviceLost(Exception):
    """A device has ended, hangs, or cannot be reached."""


class Device(Protocol):
    """One device, wherever it is. All calls come from one event loop."""

    async def start(self) -> RendererFacts:
        """Be ready to make frames. Raises DeviceLost; PhotorigError where it never can be."""

    def render(self, frames: Sequence[FrameTask]) -> AsyncIterator[FrameDone]:
        """Frames as they are done. What is left out is given back. Raises DeviceLost."""

    async def status(self) -> DeviceStatus:
        """How it is, answered at once while it works. Raises DeviceLost."""

    def skip(self, task_ids: Collection[int]) -> None:
        """Do not begin these frames any more."""

    def end(self) -> None:
        """It is not needed any more, or has been lost."""


@dataclass(eq=False)
class _Slot:
    """A place for a device, which may be taken by one after the other.

    Attributes:
        device: None while it is away.
        frames: what it has in hand, in order; answers take them out. None once it has none and has
            said that it is done with its chunk.
        work: set when it has been given frames.
        made: frames since the present device came.
        heard: when it last gave a frame or was given some, on the monotonic clock.
        interrupted: whether it was asked to give back the rest of its chunk.
        skips: whether it was asked to leave frames out.
        retires: whether it ends after its present chunk.
    """

    number: int
    work: asyncio.Event
    device: Device | None = None
    frames: list[FrameTask] | None = None
    status: DeviceStatus = field(default_factory=lambda: DeviceStatus(None, None))
    made: int = 0
    heard: float = 0.0
    interrupted: bool = False
    skips: bool = False
    retires: bool = False
    life: asyncio.Task[None] | None = None

    @property
    def is_free(self) -> bool:
        return self.device is not None and self.frames is None and not self.retires


@dataclass(frozen=True)
class Patience:
    """How long to wait for a device, in seconds.

    Attributes:
        frame: for one frame, without a sign of life; more where it says what keeps it.
        answer: for an answer to how it is.
        look: between two such questions.
    """

    frame: float = PATIENCE_SECONDS
    answer: float = _ANSWER_SECONDS
    look: float = _LOOK_SECONDS


class Pool:
    """An Executor of many devices.

    Args:
        make_device: a device for the place of that number; not started.
        wanted: how many devices there should be now; asked again and again.
        patience: with them.
    """

    def __init__(
        self,
        make_device: Callable[[int], Device],
        wanted: Callable[[], Awaitable[int]],
        patience: Patience | None = None,
    ) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._make_device = make_device
        self._wanted = wanted
        self._patience = patience or Patience()
        self._lock = threading.RLock()
        self._ledger = Ledger()
        self._slots: list[_Slot] = []
        self._done: list[FrameDone] = []
        self._facts: RendererFacts | None = None
        self._failure: PhotorigError | None = None
        self._failed_starts = 0
        self._settled = threading.Event()
        self._milliseconds: float | None = None
        self._last_preview = float("-inf")
        self._follow_seconds = _FOLLOW_SECONDS
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="photorig-pool", daemon=True)

    def start(self) -> None:
        """Wait for the first device. Raises PhotorigError where none can be made ready."""
        self._thread.start()
        self._settled.wait()
        if self._failure is not None and self._facts is None:
            self.close()
            raise self._failure

    # --- what the gateway calls

    @property
    def facts(self) -> RendererFacts:
        if self._facts is None:
            raise RuntimeError("start() has not been called")
        return self._facts

    def room(self, previews_come: bool) -> Room:
        with self._lock:
            free = sum(slot.is_free for slot in self._render_slots())
            has_room = free > self._ledger.waiting_chunks
            preview = any(slot.device for slot in self._slots) and not self._ledger.has_preview
            return Room(preview, self._frames_of_a_chunk() if has_room else 0)

    def submit(self, chunk: Chunk) -> None:
        with self._lock:
            self._ledger.add(chunk)
            if chunk.is_preview:
                self._last_preview = time.monotonic()
        self._loop.call_soon_threadsafe(self._hand_out)

    def prepare(self, portrait_id: str) -> None:
        """Nothing: which device will have the portrait's frames is not known yet."""

    def cancel(self, task_id: int) -> None:
        with self._lock:
            ended = self._ledger.cancel(task_id)
            if ended is not None:
                self._done.append(ended)
        self._loop.call_soon_threadsafe(self._skip, task_id)
        self.wake()

    def events(self) -> list[FrameDone]:
        with self._lock:
            done, self._done = self._done, []
            return done

    def status(self) -> DeviceStatus:
        """Of the device that is longest at its frame; the pool itself sees that frames end."""
        with self._lock:
            busy = [slot.status for slot in self._slots if slot.frames and slot.device]
            is_away = not self._ledger.is_empty and not any(slot.device for slot in self._slots)
        doing = "Waiting for a device" if is_away else ""
        longest = max(busy, key=lambda one: one.busy_seconds or 0.0, default=None)
        if longest is None:
            return DeviceStatus(None, self._milliseconds, doing, heals_itself=True)
        return replace(longest, milliseconds=self._milliseconds, heals_itself=True)

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop)
            self._thread.join(timeout=5)

    # --- the loop's thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        following = self._loop.create_task(self._follow())
        self._loop.run_forever()
        tasks = [following, *(slot.life for slot in self._slots if slot.life)]
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _stop(self) -> None:
        self._loop.stop()

    async def _follow(self) -> None:
        """Have as many places as devices are wanted."""
        while True:
            try:
                self._resize(await self._wanted())
            except Exception as error:  # of the engine below: what there is goes on
                log.warning("cannot tell how many devices there are: %s", error)
            await asyncio.sleep(self._follow_seconds)

    def _resize(self, wanted: int) -> None:
        with self._lock:
            for slot in [one for one in self._slots if one.number >= wanted]:
                slot.retires = True
                slot.work.set()
                if slot.device is None and slot.life is not None:
                    slot.life.cancel()  # it may wait for ever for a device that does not come
            taken = {slot.number for slot in self._slots if not slot.retires}
            for number in [one for one in range(wanted) if one not in taken]:
                slot = _Slot(number, asyncio.Event())
                self._slots.append(slot)
                slot.life = self._loop.create_task(self._live(slot))

    async def _live(self, slot: _Slot) -> None:
        """One device after the other, until the place is not needed any more."""
        try:
            await self._lives(slot)
        finally:
            with self._lock:
                self._slots.remove(slot)

    async def _lives(self, slot: _Slot) -> None:
        pause = _FIRST_PAUSE / 2
        while not slot.retires:
            device = self._make_device(slot.number)
            try:
                self._accept(await device.start())
                with self._lock:
                    slot.device = device
                await self._work(slot, device)
            except DeviceLost as error:
                log.warning("device %d is lost: %s", slot.number, error)
                self._note_failed_start(error)
            except PhotorigError as error:
                log.error("device %d cannot be used: %s", slot.number, error)
                self._failure = error
                self._settled.set()
            except Exception as error:  # an edge: one device less must not end the others
                log.error("device %d failed", slot.number, exc_info=error)
            finally:
                self._leave(slot)
                device.end()
            if not slot.retires:
                pause = _FIRST_PAUSE if slot.made else min(pause * 2, _LONGEST_PAUSE)
                slot.made = 0
                await asyncio.sleep(pause)

    def _note_failed_start(self, error: DeviceLost) -> None:
        """Where no device ever starts, waiting for the next one would be for ever."""
        self._failed_starts += 1
        if self._facts is None and self._failed_starts >= _MOST_FAILED_STARTS:
            self._failure = PhotorigError(f"No device could be started: {error}", "See the log.")
            self._settled.set()

    def _accept(self, facts: RendererFacts) -> None:
        """Raises ModelError where a device would make other pixels than the first one."""
        with self._lock:
            first = self._facts = self._facts or facts
        if _makes(facts) != _makes(first):
            raise ModelError(
                f"A device has {', '.join(map(str, _makes(facts)))} where the first one has "
                f"{', '.join(map(str, _makes(first)))}",
                "Give all computers the same models and devices; it is left out.",
            )
        self._settled.set()

    async def _work(self, slot: _Slot, device: Device) -> None:
        """Chunks, one after the other. Raises DeviceLost."""
        while not slot.retires:
            self._hand_out()
            await slot.work.wait()
            slot.work.clear()
            if slot.frames:
                await self._make(slot, device, list(slot.frames))

    async def _make(self, slot: _Slot, device: Device, frames: list[FrameTask]) -> None:
        receiving = asyncio.ensure_future(self._receive(slot, device, frames))
        try:
            while not receiving.done():
                await asyncio.wait({receiving}, timeout=self._patience.look)
                if not receiving.done():
                    await self._look(slot, device)
            receiving.result()
        finally:
            receiving.cancel()
        if len(slot.frames or ()) == len(frames) and not slot.skips:
            raise DeviceLost("it gave everything back")  # and would for ever
        self._give_back(slot)

    async def _receive(self, slot: _Slot, device: Device, frames: list[FrameTask]) -> None:
        async for done in device.render(frames):
            with self._lock:
                slot.heard = time.monotonic()
                slot.made += 1
                slot.frames = [one for one in slot.frames or () if one.id != done.task_id]
                if isinstance(done.outcome, FrameReply):
                    self._note_time(done.outcome.milliseconds)
                if self._ledger.end(done):
                    self._done.append(done)
            self.wake()

    async def _look(self, slot: _Slot, device: Device) -> None:
        """See whether a device at work is still there and gets on. Raises DeviceLost."""
        try:
            status = await asyncio.wait_for(device.status(), self._patience.answer)
        except TimeoutError:
            raise DeviceLost("it does not answer") from None
        slot.status = status
        allowed = self._patience.frame + status.photo_pixels / 1e6 * SECONDS_A_MEGAPIXEL
        allowed += PREPARING_SECONDS if status.doing else 0.0
        quiet = time.monotonic() - slot.heard
        if quiet > allowed:
            raise DeviceLost(f"no frame has come from it for {quiet:.0f} s")

    def _leave(self, slot: _Slot) -> None:
        """A device is not there any more."""
        with self._lock:
            slot.device = None
            slot.status = DeviceStatus(None, None)
        self._give_back(slot, lost_at=slot.number)

    def _give_back(self, slot: _Slot, lost_at: int | None = None) -> None:
        with self._lock:
            frames, slot.frames = slot.frames or [], None
            slot.interrupted = slot.skips = False
            self._done += self._ledger.give_back(frames, lost_at)
        self._hand_out()
        self.wake()

    def _hand_out(self) -> None:
        """Give devices what waits: previews to the first one, renders to whoever is free."""
        with self._lock:
            first = next((slot for slot in self._slots if slot.device and not slot.retires), None)
            if first is not None and self._ledger.waiting_preview:
                if first.is_free:
                    self._give(first, self._ledger.take_preview())
                else:
                    self._interrupt(first)
            places = {slot.number for slot in self._slots if slot.device}
            for slot in self._render_slots():
                if slot.is_free and (chunk := self._ledger.take_chunk(slot.number, places)):
                    self._give(slot, chunk)

    def _give(self, slot: _Slot, frames: list[FrameTask]) -> None:
        slot.frames, slot.heard = frames, time.monotonic()
        slot.work.set()

    def _interrupt(self, slot: _Slot) -> None:
        """A preview waits: have the rest of a render given back."""
        frames = slot.frames or []
        is_render = not any(self._ledger.is_preview(frame) for frame in frames)
        if slot.device is not None and is_render and not slot.interrupted:
            slot.interrupted = slot.skips = True
            slot.device.skip([frame.id for frame in frames])

    def _skip(self, task_id: int) -> None:
        for slot in self._slots:
            if slot.device is not None and any(one.id == task_id for one in slot.frames or ()):
                slot.skips = True
                slot.device.skip([task_id])

    def _render_slots(self) -> list[_Slot]:
        """Places that may make renders now: all, but for one of several while previews come."""
        ready = [slot for slot in self._slots if slot.device and not slot.retires]
        is_reserved = time.monotonic() - self._last_preview < _RESERVED_SECONDS
        return ready[1:] if is_reserved and len(ready) > 1 else ready

    def _frames_of_a_chunk(self) -> int:
        if not self._milliseconds:
            return 1
        return max(1, min(_MOST_FRAMES, round(CHUNK_SECONDS * 1000 / self._milliseconds)))

    def _note_time(self, milliseconds: float) -> None:
        before = self._milliseconds
        self._milliseconds = milliseconds if before is None else 0.8 * before + 0.2 * milliseconds


def _makes(facts: RendererFacts) -> tuple[str, ...]:
    """What decides about the pixels of a device."""
    return (facts.model_id[:12], facts.schema.hash[:12], facts.backend, facts.device)
