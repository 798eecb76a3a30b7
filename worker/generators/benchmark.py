"""Times the backends of the generator against one another, in turns in the same run.

Milliseconds of one computer say little about another, and other programs disturb them; the ratio
to a baseline that took turns with the others is steadier.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .arithmetic import products, products_per_second
from .interface import DeviceGenerator, Generator
from .loading import DEFAULT, load_generator, load_network


@dataclass(frozen=True)
class Timing:
    """How long one backend takes for one image of one size.

    Attributes:
        backend: for example ``openvino f32``.
        device: for example ``cpu``.
        size: side of the image in pixels.
        milliseconds: median over the rounds.
        speedup: the baseline's milliseconds divided by these; above 1 is faster.
        batch: how many were asked for at once, batched: milliseconds of one of those.
        limit: milliseconds that its products take at the rate of large matrix products.
    """

    backend: str
    device: str
    size: int
    milliseconds: float
    speedup: float
    batch: int
    batched: float
    limit: float

    @property
    def of_limit(self) -> float:
        """How much of what the device's arithmetic allows is reached, one by one or in batches."""
        return self.limit / min(self.milliseconds, self.batched)


def load_contenders(device: str, name: str = DEFAULT) -> list[Generator]:
    """The baseline, torch in f32 on the processor, and what ``device`` runs in f32 and by choice.

    Raises:
        InputError: the device is not there. ModelError: the weights cannot be had.
    """
    contenders = [load_generator(one, "f32", name) for one in ("torch-cpu", device)]
    chosen = load_generator(device, name=name)
    if chosen.backend != contenders[-1].backend:
        contenders.append(chosen)
    return contenders


def measure(
    contenders: Sequence[Generator], sizes: Sequence[int], rounds: int, batch: int | None = None
) -> list[Timing]:
    """The time of every contender at every size; the first contender is the baseline.

    Args:
        batch: how many images are asked for at once, beside one at a time; None: as many as each
            contender makes in one call.
    """
    timings = []
    rates = [_products_per_millisecond(generator) for generator in contenders]
    for size in sizes:
        needed = products(load_network(contenders[0].name), size)
        times: list[list[float]] = [[] for _ in contenders]
        for count in range(rounds + 1):
            for generator, durations in zip(contenders, times, strict=True):
                duration = _seconds(generator, size, seed=count)
                if count > 0:  # the first round compiles and warms up
                    durations.append(duration)
        medians = [statistics.median(durations) * 1000 for durations in times]
        for generator, median, rate in zip(contenders, medians, rates, strict=True):
            at_once = generator.at_once if isinstance(generator, DeviceGenerator) else 1
            count = batch or at_once
            several = median if count == 1 else _batched(generator, size, rounds, count)
            speedup, limit = medians[0] / median, needed / rate
            backend, device = generator.backend, generator.device
            timings.append(Timing(backend, device, size, median, speedup, count, several, limit))
    return timings


def _products_per_millisecond(generator: Generator) -> float:
    return products_per_second(generator.device, generator.backend.split()[-1]) / 1000


def _batched(generator: Generator, size: int, rounds: int, batch: int) -> float:
    """Milliseconds of an image; the first batch proves that its bytes are the same."""
    times = [_seconds(generator, size, seed, batch) for seed in range(rounds + 1)]
    return statistics.median(times[1:]) * 1000 / batch


def _seconds(generator: Generator, size: int, seed: int, batch: int = 1) -> float:
    random = np.random.default_rng(seed)
    noise = random.standard_normal((batch, generator.w_dim), dtype=np.float32)
    latents = generator.expand(generator.mean_latent + 0.5 * generator.latent_std * noise)
    start = time.perf_counter()
    generator.synthesize(latents, size)
    return time.perf_counter() - start
