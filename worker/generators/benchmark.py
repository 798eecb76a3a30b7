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

from .interface import Generator
from .loading import load_generator


@dataclass(frozen=True)
class Timing:
    """How long one backend takes for one image of one size.

    Attributes:
        backend: for example ``openvino f32``.
        device: for example ``cpu``.
        size: side of the image in pixels.
        milliseconds: median over the rounds.
        speedup: the baseline's milliseconds divided by these; above 1 is faster.
    """

    backend: str
    device: str
    size: int
    milliseconds: float
    speedup: float


def load_contenders(device: str) -> list[Generator]:
    """The baseline, torch in f32 on the processor, and what ``device`` runs in f32 and by choice.

    Raises:
        InputError: the device is not there. ModelError: the weights cannot be had.
    """
    contenders = [load_generator("torch-cpu", "f32"), load_generator(device, "f32")]
    chosen = load_generator(device)
    if chosen.backend != contenders[-1].backend:
        contenders.append(chosen)
    return contenders


def measure(contenders: Sequence[Generator], sizes: Sequence[int], rounds: int) -> list[Timing]:
    """The time of every contender at every size; the first contender is the baseline."""
    timings = []
    for size in sizes:
        times: list[list[float]] = [[] for _ in contenders]
        for count in range(rounds + 1):
            for generator, durations in zip(contenders, times, strict=True):
                duration = _seconds(generator, size, seed=count)
                if count > 0:  # the first round compiles and warms up
                    durations.append(duration)
        medians = [statistics.median(durations) * 1000 for durations in times]
        for generator, median in zip(contenders, medians, strict=True):
            speedup = medians[0] / median
            timings.append(Timing(generator.backend, generator.device, size, median, speedup))
    return timings


def _seconds(generator: Generator, size: int, seed: int) -> float:
    random = np.random.default_rng(seed)
    noise = random.standard_normal((1, generator.w_dim), dtype=np.float32)
    latents = generator.expand(generator.mean_latent + 0.5 * generator.latent_std * noise)
    start = time.perf_counter()
    generator.synthesize(latents, size)
    return time.perf_counter() - start
