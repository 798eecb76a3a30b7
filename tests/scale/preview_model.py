"""Previews of many animators on few reserved devices, as discrete events.

Each view asks as fast as its animator scrubs; of each only the newest request waits (latest wins),
and devices take the views in turn. Without latest wins it is a plain queue, which is what is
checked against queueing theory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import simpy

Process = Iterator[simpy.Event]


@dataclass(frozen=True)
class Preview:
    """Times in seconds.

    Attributes:
        views: animators who scrub at the same time.
        devices: reserved for previews.
        requests_a_second: of each view.
        service_seconds: a picture takes.
        seconds: how long they scrub.
        latest_wins: whether a new request takes the place of one that waits.
        is_random: whether times between requests and of service are exponential (M/M/c), as theory
            has it, and not fixed.
    """

    views: int
    devices: int = 1
    requests_a_second: float = 24.0
    service_seconds: float = 0.02
    seconds: float = 60.0
    latest_wins: bool = True
    is_random: bool = False


@dataclass(frozen=True)
class Seen:
    """What animators see.

    Attributes:
        median_seconds, p95_seconds, mean_seconds: from a request to its picture, of those answered.
        pictures_a_second: of each view.
        busy: share of the time that devices were at work.
    """

    median_seconds: float
    p95_seconds: float
    mean_seconds: float
    pictures_a_second: float
    busy: float


def simulate_preview(preview: Preview, seed: int = 0) -> Seen:
    """One run; the same seed gives the same."""
    random = np.random.default_rng(seed)
    env = simpy.Environment()
    waiting: deque[tuple[int, float]] = deque()
    bell, latencies, worked = simpy.Store(env), [], [0.0]

    def duration(mean: float) -> float:
        return float(random.exponential(mean)) if preview.is_random else mean

    def view(number: int) -> Process:
        yield env.timeout(float(random.uniform(0, 1 / preview.requests_a_second)))
        while True:
            place = next((i for i, (who, _) in enumerate(waiting) if who == number), None)
            if preview.latest_wins and place is not None:
                waiting[place] = number, env.now
            else:
                waiting.append((number, env.now))
                yield bell.put(None)
            yield env.timeout(duration(1 / preview.requests_a_second))

    def device() -> Process:
        while True:
            yield bell.get()
            _, asked = waiting.popleft()
            seconds = duration(preview.service_seconds)
            yield env.timeout(seconds)
            worked[0] += seconds
            latencies.append(env.now - asked)

    for number in range(preview.views):
        env.process(view(number))
    for _ in range(preview.devices):
        env.process(device())
    env.run(until=preview.seconds)
    found = np.array(latencies)
    return Seen(
        median_seconds=float(np.median(found)),
        p95_seconds=float(np.percentile(found, 95)),
        mean_seconds=float(found.mean()),
        pictures_a_second=len(found) / preview.views / preview.seconds,
        busy=worked[0] / preview.devices / preview.seconds,
    )
