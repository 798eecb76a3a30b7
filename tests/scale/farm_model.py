"""A farm of devices behind gateways as discrete events: what of a job's ideal time is lost.

The next idle device takes the next chunk of frames. It has loaded its model before, and its node
has got the portrait; it hands the frames to its gateway, which passes them on one by one. While
they wait there it makes the next chunk, but not a third (credits). The chunk of a device that fails
is queued again, before all others, when the failure has been noticed. Each gateway has devices of
its own; chunks are common: frames are pure, so a job can be given out anywhere.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import simpy

Process = Iterator[simpy.Event]


@dataclass(frozen=True)
class Farm:
    """What a run is fed with; times in seconds.

    Attributes:
        devices: how many there are.
        frames: of the job.
        frame_seconds: a frame takes on a device.
        chunk_seconds: of work that a device is given at once.
        load_seconds: a device's model takes to load, 0 where it is warm.
        portrait_bytes, link_bytes_a_second: what goes over a gateway's link to each node.
        devices_a_node: that share a node, and so one upload.
        gateway_seconds: a frame keeps a gateway busy.
        gateways: how many there are.
        straggling, straggler_factor: share of chunks that take so many times as long.
        failing: share of devices that fail once, at a random time of the ideal duration.
        notice_seconds: until a failure is noticed and its chunk is queued again.
        restart_seconds: until a device that failed is back; None for never.
    """

    devices: int
    frames: int
    frame_seconds: float
    chunk_seconds: float = 1.5
    load_seconds: float = 0.0
    portrait_bytes: float = 0.0
    link_bytes_a_second: float = math.inf
    devices_a_node: int = 8
    gateway_seconds: float = 0.0
    gateways: int = 1
    straggling: float = 0.0
    straggler_factor: float = 1.0
    failing: float = 0.0
    notice_seconds: float = 10.0
    restart_seconds: float | None = None

    @property
    def chunk_frames(self) -> int:
        return max(1, round(self.chunk_seconds / self.frame_seconds))

    @property
    def ideal_seconds(self) -> float:
        """What one warm device would take, ÷ devices: all at work from the first moment to the
        last. A straggler is at work, too."""
        mean = self.frame_seconds * (1 + self.straggling * (self.straggler_factor - 1))
        return self.frames * mean / self.devices


@dataclass(frozen=True)
class Run:
    """What came of it.

    Attributes:
        seconds: from submission to the last frame.
        first_frame_seconds: to the first one.
        efficiency: how many times as fast as one device, ÷ devices.
        delivered: frames, each once.
        made_again: frames that were lost with a device and made by another.
        gateway_busy: share of the time that the busiest gateway was at work.
    """

    seconds: float
    first_frame_seconds: float
    efficiency: float
    delivered: int
    made_again: int
    gateway_busy: float


@dataclass
class _Gateway:
    """A server of frames, first come, first served: free again at a moment that is known."""

    frame_seconds: float
    free_at: float = 0.0
    busy: float = 0.0

    def deliver(self, now: float, n_frames: int) -> float:
        """When the last of these frames has been passed on."""
        seconds = n_frames * self.frame_seconds
        self.free_at = max(now, self.free_at) + seconds
        self.busy += seconds
        return self.free_at


@dataclass
class _Job:
    """Chunks that wait (frame counts), and what has become of the others."""

    env: simpy.Environment
    farm: Farm
    chunks: deque[int]
    left: int
    done: simpy.Event
    changed: simpy.Event
    last: float = 0.0
    first: float = math.inf
    made_again: int = 0

    def ended(self, n_frames: int, delivered_at: float) -> None:
        self.left -= n_frames
        self.last = max(self.last, delivered_at)
        if self.left == 0:
            self.done.succeed()

    def lose(self, n_frames: int) -> Process:
        """A chunk of a device that failed is queued again when that is noticed."""
        self.made_again += n_frames
        yield self.env.timeout(self.farm.notice_seconds)
        self.chunks.appendleft(n_frames)
        changed, self.changed = self.changed, self.env.event()
        changed.succeed()


def simulate(farm: Farm, seed: int = 0) -> Run:
    """One run; the same seed gives the same."""
    random = np.random.default_rng(seed)
    env = simpy.Environment()
    job = _Job(env, farm, _chunks(farm), farm.frames, env.event(), env.event())
    gateways = [_Gateway(farm.gateway_seconds) for _ in range(farm.gateways)]
    upload = farm.portrait_bytes / farm.link_bytes_a_second
    for number, moment in enumerate(_failures(farm, random)):
        place, gateway = number // farm.gateways, gateways[number % farm.gateways]
        # A gateway's link serves its nodes one after the other, while models load.
        ready = max(farm.load_seconds, (place // farm.devices_a_node + 1) * upload)
        process = env.process(_device(job, gateway, ready, random))
        if math.isfinite(moment):
            env.process(_fail(env, process, moment))
    env.run(until=job.done)
    seconds = max(env.now, job.last)
    return Run(
        seconds=seconds,
        first_frame_seconds=job.first,
        efficiency=farm.ideal_seconds / seconds,
        delivered=farm.frames - job.left,
        made_again=job.made_again,
        gateway_busy=max(gateway.busy for gateway in gateways) / seconds,
    )


def _chunks(farm: Farm) -> deque[int]:
    whole, rest = divmod(farm.frames, farm.chunk_frames)
    return deque([farm.chunk_frames] * whole + [rest] * (rest > 0))


def _failures(farm: Farm, random: np.random.Generator) -> list[float]:
    """When each device fails; infinity for never."""
    n_failing = round(farm.failing * farm.devices)
    moments = np.full(farm.devices, math.inf)
    moments[:n_failing] = random.uniform(0, farm.ideal_seconds, n_failing)
    random.shuffle(moments)
    return moments.tolist()


def _fail(env: simpy.Environment, device: simpy.Process, moment: float) -> Process:
    yield env.timeout(moment)
    if device.is_alive:
        device.interrupt()


def _device(
    job: _Job, gateway: _Gateway, ready_seconds: float, random: np.random.Generator
) -> Process:
    """From its start to its end, its failure among it."""
    farm, env = job.farm, job.env
    while True:
        n_frames = 0
        try:
            yield env.timeout(ready_seconds)
            credit_at = before = 0.0
            while True:
                while not job.chunks:
                    yield job.changed
                n_frames = job.chunks.popleft()
                slow = random.random() < farm.straggling
                seconds = n_frames * farm.frame_seconds * (farm.straggler_factor if slow else 1.0)
                if job.first > env.now:
                    frame = seconds / n_frames + farm.gateway_seconds
                    job.first = min(job.first, env.now + frame)
                yield env.timeout(seconds)
                made, n_frames = n_frames, 0
                credit_at, before = before, gateway.deliver(env.now, made)
                job.ended(made, before)
                if credit_at > env.now:  # the chunk before is not passed on yet: no third one
                    yield env.timeout(credit_at - env.now)
        except simpy.Interrupt:
            if n_frames:
                env.process(job.lose(n_frames))
            if farm.restart_seconds is None:
                return
            yield env.timeout(farm.restart_seconds)
            ready_seconds = farm.load_seconds
