"""Carries out measuring tasks, here or in several processes, and keeps every finished piece."""

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

from .drive import PAIRS, measure_pairs
from .motion import MOTION, STILL, measure_motion, measure_still
from .paste import PASTE, measure_paste
from .pieces import Piece, Task
from .studio import Settings, Studio, open_studio
from .sweeps import PERSON, SWEEP, measure_person, measure_sweep
from .tiles import TILES, measure_tiles
from .together import TOGETHER, measure_together

MEASUREMENTS: dict[str, Callable[[Studio, Task], Piece]] = {
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
    studio: Studio,
    tasks: Sequence[Task],
    unit: str,
    on_progress: OnProgress,
    processes: int = 1,
) -> list[Piece]:
    """The pieces of all tasks, in their order; only those that are not there yet are measured.

    Args:
        unit: what is counted in the progress, in the plural.
        processes: how many measure at once, each with one thread; 1 measures here.

    Raises:
        PhotorigError: a measuring process ended without having finished its share.
    """
    store = studio.store
    missing = [task for task in tasks if not store.has(task)]

    def advance(done: int) -> None:
        on_progress(unit, done, len(missing))

    if processes > 1 and len(missing) > 1:
        _measure_apart(studio, missing, processes, advance)
    else:
        for done, task in enumerate(missing, start=1):
            store.write(task, MEASUREMENTS[task.stage](studio, task))
            advance(done)
    return [_finished(studio, task) for task in tasks]


def _finished(studio: Studio, task: Task) -> Piece:
    piece = studio.store.read(task)
    if piece is None:  # damaged by somebody else since: measured again
        piece = MEASUREMENTS[task.stage](studio, task)
        studio.store.write(task, piece)
    return piece


def _measure_apart(
    studio: Studio, tasks: list[Task], processes: int, advance: Callable[[int], None]
) -> None:
    context = multiprocessing.get_context("spawn")
    shares = [tasks[i::processes] for i in range(processes)]
    workers: list[BaseProcess] = [
        context.Process(
            target=_measure_share, args=(studio.settings, studio.folder, share), daemon=True
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
            advance(sum(studio.store.has(task) for task in tasks))
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
        studio = open_studio(settings, folder)
        asked_by = multiprocessing.parent_process()
        for task in tasks:
            # A run that was killed cannot stop what it started: nobody waits for this any more.
            if asked_by is not None and not asked_by.is_alive():
                return
            studio.store.write(task, MEASUREMENTS[task.stage](studio, task))
    except PhotorigError as error:
        print(f"photorig: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from error
