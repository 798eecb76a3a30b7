"""``photorig bench frames``: whole frames by size and motion, stage by stage."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from photorig.shared.wire.messages import FrameRequest
    from photorig.worker.evaluation.speed.frames import Serve
    from photorig.worker.evaluation.speed.report import SpeedReport
    from photorig.worker.portraits.portrait import Portrait
    from photorig.worker.reenactment.renderer import FaceRenderer

from .render import size_of

EXIT_SLOWER = 1
_SEED = 3


def run(args: argparse.Namespace) -> int:
    """See `photorig bench`. 1 where a frame became slower than in the run that it is held against.

    Raises:
        InputError: a file is none of this command's, or cannot be written.
    """
    from photorig.shared.files.writing import write_atomically
    from photorig.worker.evaluation.speed.report import compared, lines_of, read_ratios

    before = read_ratios(args.against) if args.against else {}
    report = _measured(args)
    if args.save:
        write_atomically(args.save, report.as_json().encode())
    print(report.as_json() if args.json else "\n".join(lines_of(report)))
    slower = compared(report, before)
    for line in slower:
        print(line)
    return EXIT_SLOWER if slower else 0


def _measured(args: argparse.Namespace) -> SpeedReport:
    from photorig.worker.evaluation.speed.frames import MOTIONS, in_large_photo, measure_costs
    from photorig.worker.evaluation.speed.limits import measure_limits
    from photorig.worker.evaluation.speed.liveportrait import LivePortrait
    from photorig.worker.evaluation.speed.report import SpeedReport
    from photorig.worker.evaluation.speed.sequences import measure_sequences
    from photorig.worker.reenactment import busy_core
    from photorig.worker.reenactment.known_faces import default_folder
    from photorig.worker.reenactment.renderer import load_renderer
    from photorig.worker.threads import thread_count

    sizes = [size_of(text) for text in args.sizes or ("256", "512", "1024", "full")]
    motions = args.motions or list(MOTIONS)
    renderer = load_renderer(args.device, faces_folder=default_folder())
    portrait = in_large_photo(_portrait(args.portrait, renderer))
    precision = renderer.generator.backend.split()[-1]
    limits = measure_limits(precision)
    beside = LivePortrait(precision) if args.liveportrait else None
    costs = []
    with _server(renderer, portrait) as serve:
        for size, motion in itertools.product(sizes, motions):
            costs += measure_costs(renderer, portrait, [size], args.rounds, [motion], serve)
            if beside is not None:
                beside.look()
    sequences = measure_sequences(renderer, portrait, sizes, args.frames, motions)
    busy = busy_core.measure(renderer, portrait, 256, args.rounds) if args.frames else None
    yardstick = None if beside is None else beside.yardstick
    backend = renderer.generator.backend
    return SpeedReport(thread_count(), backend, limits, costs, sequences, busy, yardstick)


@contextlib.contextmanager
def _server(renderer: FaceRenderer, portrait: Portrait) -> Iterator[Serve]:
    """The server's executor of one portrait, waited for."""
    from photorig.shared.wire.picture_format import PictureFormat
    from photorig.worker.media.encoding import encode_picture
    from photorig.worker.server.executors.interface import Chunk, FrameTask
    from photorig.worker.server.executors.local import LocalExecutor

    class One:
        def get(self, portrait_id: str) -> Portrait:
            return portrait

    executor = LocalExecutor(lambda: renderer, One(), encode_picture)
    woken, numbers = threading.Event(), itertools.count(1)
    executor.wake = woken.set
    executor.start()

    def serve(_portrait: Portrait, request: FrameRequest) -> object:
        executor.submit(Chunk((FrameTask(next(numbers), request, PictureFormat("png")),)))
        while not (done := executor.events()):
            woken.wait(1)
            woken.clear()
        outcome = done[0].outcome
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    try:
        yield serve
    finally:
        executor.close()


def _portrait(path: Path | None, renderer: FaceRenderer) -> Portrait:
    """That of a file, or a person who does not exist in a photo of her own."""
    from photorig.worker.evaluation.speed.frames import in_a_photo
    from photorig.worker.faces.net3d import Net3D
    from photorig.worker.fitting.sample import sample_portrait
    from photorig.worker.portraits.portrait import Portrait

    if path is not None:
        portrait = Portrait.load(path)
        renderer.check_portrait(portrait)
        return portrait
    return in_a_photo(sample_portrait(renderer.generator, Net3D(), _SEED))
