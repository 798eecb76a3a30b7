"""What goes wrong, when and to whom: a pure function of a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

PHASES = ("hello", "upload", "fit", "preview", "render", "shutdown")
"""What a person's Blender does with a worker, in order."""

ACTIONS = {
    "kill": ("worker", "fit", "client"),
    "stop": ("worker", "fit", "client"),
    "pause": ("worker", "fit", "client"),
    "cut": ("network",),
    "stall": ("network",),
    "full": ("disk",),
    "memory": ("worker",),
}
"""Whom each can happen to: SIGKILL, SIGTERM, SIGSTOP and SIGCONT; connections that are reset, or
from which nothing comes; a disk without room; a limit on memory."""

_LONG_PAUSE = 11.5
"""Seconds, after which a client gives a worker up."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        phase: of PHASES, in which it happens.
        delay: seconds after the beginning of that phase.
        action, target: of ACTIONS.
        seconds: how long a pause, a cut, a stall or a limit lasts.
    """

    phase: str
    delay: float
    action: str
    target: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.action} {self.target} in {self.phase} after {self.delay:.2f} s"


def _matrix() -> list[tuple[str, str, str]]:
    """Every action with everybody in every phase in which it can happen."""
    cells = []
    for action, targets in ACTIONS.items():
        for target in targets:
            # There is no fit at other times, and a disk is full when frames are written.
            phases = {"fit": ("fit",), "disk": ("render",)}.get(target, PHASES)
            cells += [(action, target, phase) for phase in phases]
    return cells


MATRIX = _matrix()


def schedule(seed: int, *, with_disk: bool = True, with_long_pauses: bool = True) -> list[Fault]:
    """One to three faults. The first is a cell of the matrix, of which seeds in a row have each.

    Args:
        with_disk: whether a small disk can be made here.
        with_long_pauses: also pauses after which the worker counts as lost.
    """
    chance = random.Random(seed)
    cells = [MATRIX[seed % len(MATRIX)]]
    cells += chance.choices(MATRIX, k=chance.choice((0, 0, 1, 2)))
    faults = []
    for action, target, phase in cells:
        is_long = with_long_pauses and chance.random() < 0.05
        seconds = _LONG_PAUSE if is_long else chance.uniform(0.2, 2.5)
        delay = chance.uniform(0, 1.2 if phase in ("fit", "render") else 0.2)
        if with_disk or target != "disk":
            faults.append(Fault(phase, delay, action, target, seconds))
    return sorted(faults, key=lambda fault: PHASES.index(fault.phase))
