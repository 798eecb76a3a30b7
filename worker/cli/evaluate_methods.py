"""``photorig evaluate methods``: the same faces driven by the same frames through every method."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from photorig.shared.errors import InputError
from photorig.shared.files.writing import check_folder_writable

if TYPE_CHECKING:
    from photorig.worker.evaluation.methods.trials import Cast, Trial

WHAT = "methods"


def add_kind(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(WHAT, help="all methods side by side, on the same frames")
    parser.add_argument("--out", type=Path, required=True, help="folder for the page")
    parser.add_argument("--people", type=int, default=8, help="generated ones (8)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--methods", nargs="+", metavar="M", help="only these (all)")
    parser.add_argument(
        "--real",
        type=Path,
        nargs=2,
        action="append",
        default=[],
        metavar=("PORTRAIT", "VIDEO"),
        help="also a real portrait driven by a recording; may be given more than once",
    )
    parser.add_argument("--frames", type=int, default=8, help="of each recording (8)")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or mps (cpu)")


def run(args: argparse.Namespace, show: Callable[[str, int, int], None]) -> int:
    for name in ("people", "frames"):
        if getattr(args, name) < 1:
            raise InputError(f"--{name} is {getattr(args, name)}, not a number above zero")
    check_folder_writable(args.out, 1 << 20)
    from photorig.worker.evaluation.estimators.judge import Judge
    from photorig.worker.evaluation.methods.page import write_page
    from photorig.worker.evaluation.methods.run import compare
    from photorig.worker.evaluation.methods.trials import FRAMES, Cast
    from photorig.worker.faces.net3d import Net3D
    from photorig.worker.fitting.encoder import load_encoder_of
    from photorig.worker.reenactment.known_faces import KnownFaces, default_folder, measure_on
    from photorig.worker.reenactment.methods import method_entry, methods
    from photorig.worker.reenactment.renderer import load_renderer

    names = args.methods or list(methods())
    for name in names:
        method_entry(name)
    renderer = load_renderer(args.device)
    measure = measure_on(renderer.bundle, renderer.generator)
    faces = KnownFaces(renderer.bundle, measure, default_folder())
    cast = Cast(renderer, faces, Net3D(), load_encoder_of(renderer.generator))
    total = 2 * FRAMES * args.people + args.frames * len(args.real)
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        show("frames", done, total)

    judge = Judge(("eyes", "identity"))
    outcome = compare(renderer, judge, names, _trials(args, cast), tell)
    print(f"Wrote {write_page(args.out, outcome)}")
    return 0


def _trials(args: argparse.Namespace, cast: Cast) -> Iterator[Trial]:
    yield from cast.generated(args.people, args.seed)
    for portrait, video in args.real:
        yield from cast.real(portrait, video, args.frames)
