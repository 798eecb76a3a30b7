"""What `photorig bench frames` measured, as text, and beside a run that was kept.

Times of two computers, or of two hours on one, say little about one another. What is compared are
ratios within a run: processor time over the time that the machine's own limits would take.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from photorig.shared.errors import InputError
from photorig.shared.files.reading import read_file
from photorig.shared.files.writing import explained
from photorig.worker.reenactment.busy_core import BAR, BusyCore

from .frames import STAGES, FrameCost
from .limits import Limits
from .liveportrait import Yardstick
from .sequences import SequenceSpeed

NOTICED = 1.1
"""From which ratio to an earlier run on a frame is told to have become slower."""
_PRODUCTS = 1e9
_COPIED = 1e8
"""Work by which processor time is compared: so many products and bytes copied, about what a frame
of 512² takes of each."""


@dataclass(frozen=True)
class SpeedReport:
    """One run. Milliseconds are processor time but where they are told to be by the clock."""

    threads: int
    backend: str
    limits: Limits
    costs: list[FrameCost]
    sequences: list[SequenceSpeed]
    busy: BusyCore | None
    yardstick: Yardstick | None = None

    @property
    def unit(self) -> float:
        """Milliseconds that this machine takes for a fixed cached of work of the usual kinds."""
        return _PRODUCTS / self.limits.products + _COPIED / self.limits.copied

    def ratios(self) -> dict[str, float]:
        """Cost in units by what was measured: comparable between runs."""
        frames = {f"{c.size} {c.motion}": c.processor / self.unit for c in self.costs}
        png = {f"{c.size} {c.motion}, PNG": c.png / self.unit for c in self.costs}
        sequences = {
            f"sequence of {s.size} {s.motion}": s.processor / self.unit for s in self.sequences
        }
        busy = {} if self.busy is None else {"beside a busy core": self.busy.ratio}
        return frames | png | sequences | busy

    def as_json(self) -> str:
        return json.dumps({**asdict(self), "ratios": self.ratios()}, indent=1)


def read_ratios(path: Path) -> dict[str, float]:
    """The ratios of a run that was kept. Raises InputError where the file is none."""
    try:
        with explained(path):
            content = read_file(path, 1 << 20)
        ratios = json.loads(content)["ratios"]
        return {str(name): float(value) for name, value in ratios.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} holds no measured frames", "Give a file of 'photorig bench frames --save'."
        ) from error


def lines_of(report: SpeedReport) -> Iterator[str]:
    """The run as text."""
    limits = report.limits
    yield (
        f"{report.backend}, {report.threads} threads; one core at most"
        f" {limits.products / 1e6:.0f} GMAC/s in its matrix products and copies"
        f" {limits.copied / 1e6:.1f} GB/s; load {limits.load:.1f}"
    )
    yield "processor ms a frame on one thread, and by the clock on all of them"
    yield (
        f"{'size':<6}{'motion':<12}{'frame':>7}"
        + "".join(f"{name:>10}" for name in STAGES)
        + f"{'rest':>7}{'PNG':>7}{'clock':>8}{'held':>7}"
    )
    for cost in report.costs:
        rest = cost.processor - sum(cost.stages.values())
        stages = "".join(f"{cost.stages.get(name, 0.0):>10.1f}" for name in STAGES)
        yield (
            f"{cost.size:<6}{cost.motion:<12}{cost.processor:>7.0f}{stages}"
            f"{rest:>7.1f}{cost.png:>7.1f}{cost.clock:>8.0f}{cost.held:>7.1f}"
        )
    if report.sequences:
        yield (
            "sequences with their PNG: frames a second, processor ms a frame, MB grown, a frame of"
            " the second half beside one of the first"
        )
    for each in report.sequences:
        yield (
            f"{each.size:<6}{each.motion:<12}{each.rate:>7.1f}{each.processor:>10.0f}"
            f"{each.grown:>8.0f}{each.slowed:>8.2f}"
        )
    if report.yardstick is not None:
        yield from _beside(report.yardstick, report.costs)
    if report.busy is not None:
        busy = report.busy
        yield (
            f"a frame of {busy.size}²: {busy.milliseconds:.0f} ms alone,"
            f" {busy.busy_milliseconds:.0f} ms beside one busy core:"
            f" {busy.ratio:.2f} times as long (at most {BAR} is good)"
        )


def _beside(yardstick: Yardstick, costs: list[FrameCost]) -> Iterator[str]:
    yield (
        f"LivePortrait's networks ({yardstick.products / 1e9:.0f} GMAC a frame of 512², random"
        f" weights, the same engine): {yardstick.milliseconds:.0f} ms of processor time"
    )
    for cost in costs:
        times = yardstick.milliseconds / cost.processor
        yield f"  a whole frame, {cost.size} {cost.motion}, is {times:.0f} times cheaper"


def compared(report: SpeedReport, before: dict[str, float]) -> list[str]:
    """What became slower than in an earlier run, by more than `NOTICED`."""
    slower = []
    for name, ratio in report.ratios().items():
        earlier: Any = before.get(name)
        if earlier and ratio / earlier > NOTICED:
            slower.append(f"slower than before: {name}, {ratio / earlier:.2f} times")
    return slower
