"""Devices that behave badly, each in its own way, for the pool that has to cope with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

from card_server import CardRenderer, CardWorkshop

from photorig.shared.wire.messages import FrameReply
from photorig.worker.server.executors.interface import (
    DeviceStatus,
    FrameDone,
    FrameTask,
    RendererFacts,
)
from photorig.worker.server.executors.local import explained
from photorig.worker.server.executors.pool import DeviceLost

POISON = 88.0
"""A jawOpen at which every fake device ends."""


class FakeDevice:
    """A good one.

    Attributes:
        chunks: numbers of the frames of each chunk it was given.
    """

    def __init__(self, workshop: CardWorkshop, number: int = 0) -> None:
        self._workshop = workshop
        self._portraits = workshop.portraits()
        self._renderer = workshop.renderer()
        self._skipped: set[int] = set()
        self.number = number
        self.chunks: list[list[int]] = []

    async def start(self) -> RendererFacts:
        return RendererFacts.of(CardRenderer())

    async def status(self) -> DeviceStatus:
        return DeviceStatus(0.1, 1.0)

    def skip(self, task_ids: Collection[int]) -> None:
        self._skipped.update(task_ids)

    def end(self) -> None: ...

    async def render(self, frames: Sequence[FrameTask]) -> AsyncIterator[FrameDone]:
        self.chunks.append([frame.request.frame for frame in frames])
        for frame in frames:
            await asyncio.sleep(0.002)
            if frame.id not in self._skipped:
                yield self.made(frame)

    def made(self, frame: FrameTask) -> FrameDone:
        if POISON in frame.request.parameters:
            raise DeviceLost("poison")
        try:
            portrait = self._portraits.get(frame.request.portrait)
            image = self._renderer.render(portrait, frame.request)
            content = self._workshop.encode(image, frame.picture_format, self._renderer.model_id)
        except Exception as error:
            return FrameDone(frame.id, explained(error, frame.request))
        height, width = image.shape[:2]
        codec = frame.picture_format.codec
        return FrameDone(
            frame.id, FrameReply(frame.request.frame, content, width, height, codec, 1.0)
        )


class Dies(FakeDevice):
    """After one frame, every time."""

    async def render(self, frames: Sequence[FrameTask]) -> AsyncIterator[FrameDone]:
        self.chunks.append([frame.request.frame for frame in frames])
        yield self.made(frames[0])
        raise DeviceLost("it died")


class Stalls(FakeDevice):
    """At the second frame of a chunk, and then says nothing more."""

    def __init__(self, workshop: CardWorkshop, number: int = 0) -> None:
        super().__init__(workshop, number)
        self._is_stalled = False

    async def status(self) -> DeviceStatus:
        while self._is_stalled:
            await asyncio.sleep(3600)
        return DeviceStatus(0.1, 1.0)

    async def render(self, frames: Sequence[FrameTask]) -> AsyncIterator[FrameDone]:
        yield self.made(frames[0])
        self._is_stalled = len(frames) > 1
        while self._is_stalled:
            await asyncio.sleep(3600)


class Hangs(Stalls):
    """At the second frame, while it says that all is well."""

    async def status(self) -> DeviceStatus:
        return DeviceStatus(0.1, 1.0)


class Repeats(FakeDevice):
    """Says everything twice, and again whatever it has ever said."""

    def __init__(self, workshop: CardWorkshop, number: int = 0) -> None:
        super().__init__(workshop, number)
        self._said: list[FrameDone] = []

    async def render(self, frames: Sequence[FrameTask]) -> AsyncIterator[FrameDone]:
        async for done in super().render(frames):
            self._said.append(done)
            for again in (done, *self._said):
                yield again


class Lingers(FakeDevice):
    """Has more to do after the last frame of a chunk."""

    async def render(self, frames: Sequence[FrameTask]) -> AsyncIterator[FrameDone]:
        async for done in super().render(frames):
            yield done
        await asyncio.sleep(0.05)


class Disordered(FakeDevice):
    """From the last frame to the first."""

    async def render(self, frames: Sequence[FrameTask]) -> AsyncIterator[FrameDone]:
        async for done in super().render(frames[::-1]):
            yield done


class Forgets(FakeDevice):
    """Every other frame."""

    async def render(self, frames: Sequence[FrameTask]) -> AsyncIterator[FrameDone]:
        async for done in super().render(frames[::2]):
            yield done


class Lazy(FakeDevice):
    """Gives everything back, unless it is the second device or a later one."""

    async def render(self, frames: Sequence[FrameTask]) -> AsyncIterator[FrameDone]:
        if self.number:
            async for done in super().render(frames):
                yield done
        else:
            await asyncio.sleep(0.01)


class Reluctant(FakeDevice):
    """Starts at the third attempt."""

    attempts = 0

    async def start(self) -> RendererFacts:
        type(self).attempts += 1
        if self.attempts % 3:
            raise DeviceLost("not yet")
        return await super().start()


class Broken(FakeDevice):
    """Fails in a way nobody foresaw, unless it is the second device or a later one."""

    async def render(self, frames: Sequence[FrameTask]) -> AsyncIterator[FrameDone]:
        if not self.number:
            raise ZeroDivisionError("a defect")
        async for done in super().render(frames):
            yield done


BAD = (Dies, Stalls, Hangs, Repeats, Lingers, Disordered, Forgets, Lazy, Reluctant, Broken)
