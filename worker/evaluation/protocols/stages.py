"""Carries out measuring tasks, here or in several processes, and keeps every finished result."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from photorig.shared import programs
from photorig.shared.errors import PhotorigError

from .cached_results import CachedResult, Task
from .context import EvaluationContext, Settings, open_context
from .drive import PAIRS, measure_pairs
from .motion import MOTION, STILL, measure_motion, measure_still
from .paste import PASTE, measure_paste
from .sweeps import PERSON, SWEEP, measure_person, measure_sweep
from .tiles import TILES, measure_tiles
from .together import TOGETHER, measure_together

MEASUREMENTS: dict[str, Callable[[EvaluationContext, Task], CachedResult]] = {
    PERSON: measure_person,
    SWEEP: measure_sweep,
    TOGETHER: measure_together,
    PASTE: measure_paste,
    PAIRS: measure_pairs,
    MOTION: measure_motion,
    STILL: measure_still,
    TILES: measure_tiles,
}
"""What measures the tasks of a stage."""

OnProgress = Callable[[str, int, int], None]
"""Called with what is counted (in the plural), how many are done, and how many there will be."""

_SECONDS_BETWEEN_LOOKS = 0.5


def measure_all(
    context: EvaluationContext,
    tasks: Sequence[Task],
    unit: str,
    on_progress: OnProgress,
    processes: int = 1,
) -> list[CachedResult]:
    """The results of all tasks, in their order; only those that are not there yet are measured.

    Args:
        unit: what is counted in the progress, in the plural.
        processes: how many measure at once, each with one thread; 1 measures here.

    Raises:
        PhotorigError: a measuring process ended without having finished its share.
    """
    store = context.store
    missing = [task for task in tasks if not store.has(task)]

    def advance(done: int) -> None:
        on_progress(unit, done, len(missing))

    if processes > 1 and len(missing) > 1:
        _measure_apart(context, missing, processes, advance)
    else:
        for done, task in enumerate(missing, start=1):
            store.write(task, MEASUREMENTS[task.stage](context, task))
            advance(done)
    return [_finished(context, task) for task in tasks]


def _finished(context: EvaluationContext, task: Task) -> CachedResult:
    cached = context.store.read(task)
    if cached is None:  # damaged by somebody else since: measured again
        cached = MEASUREMENTS[task.stage](context, task)
        context.store.write(task, cached)
    return cached


def _measure_apart(
    context: EvaluationContext, tasks: list[Task], processes: int, advance: Callable[[int], None]
) -> None:
    spawning = multiprocessing.get_context("spawn")
    shares = [tasks[i::processes] for i in range(processes)]
    workers: list[BaseProcess] = [
        spawning.Process(
            target=_measure_share, args=(context.settings, context.folder, share), daemon=True
        )
        for share in shares
        if share
    ]
    with programs.safe_children():
        for worker in workers:
            worker.start()
    try:
        while any(worker.is_alive() for worker in workers):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            advance(sum(context.store.has(task) for task in tasks))
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
    if any(worker.exitcode for worker in workers):
        raise PhotorigError(
            "A measuring process ended early",
            "What it finished is kept: start the same command again.",
        )


def _measure_share(settings: Settings, folder: Path, tasks: list[Task]) -> None:
    """The work of one process."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        context = open_context(settings, folder)
        asked_by = multiprocessing.parent_process()
        for task in tasks:
            # A run that was killed cannot stop what it started: nobody waits for this any more.
            if asked_by is not None and not asked_by.is_alive():
                return
            context.store.write(task, MEASUREMENTS[task.stage](context, task))
    except PhotorigError as error:
        print(f"photorig: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from error
