"""``photorig bench``: milliseconds an image by backend and size, against a baseline; and what a
busy core costs a frame."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from photorig.shared.errors import InputError

if TYPE_CHECKING:
    from photorig.worker.reenactment.busy_core import BusyCore

SIZES = (256, 512, 1024)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "bench",
        help="measure speed in detail",
        description="Measure milliseconds an image by backend and size. The backends take turns, "
        "so that their ratios hold even on a computer that is busy with other things. Beside them "
        "stands the limit of arithmetic: what the device's largest matrix products would allow. "
        "Then whole frames of the smallest size, alone and beside a core that is kept busy. "
        "'frames' measures whole frames of every size, with and without head motion: processor "
        "time by stage on one thread, beside the machine's own limits, and sequences.",
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("generators", "frames"),
        default="generators",
        help="the generators' backends, or whole frames stage by stage (default: generators)",
    )
    parser.add_argument("--device", default="auto", help="compare this device (default: the best)")
    parser.add_argument("--generator", default="default", help="default, or an imported one")
    parser.add_argument(
        "--batch",
        type=int,
        metavar="N",
        help="images at once, beside one (as many as the device makes in one call)",
    )
    parser.add_argument(
        "--sizes", nargs="+", metavar="N", help="256, 512, 1024; of frames 'full', too (all)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="images to time (default: 7)")
    frames = parser.add_argument_group("frames")
    frames.add_argument("--portrait", type=Path, metavar="FILE", help="whose face is driven")
    frames.add_argument("--motions", nargs="+", metavar="NAME", help="expression, turned, moved")
    frames.add_argument(
        "--frames", type=int, default=24, metavar="N", help="of each sequence; 0: none (24)"
    )
    frames.add_argument(
        "--liveportrait",
        action="store_true",
        help="measure LivePortrait's networks too, with random weights (takes a minute)",
    )
    frames.add_argument("--save", type=Path, metavar="FILE", help="keep what was measured")
    frames.add_argument(
        "--against", type=Path, metavar="FILE", help="tell what is slower than in a kept run"
    )
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def run(args: argparse.Namespace) -> int:
    from photorig.worker.generators.benchmark import load_contenders, measure
    from photorig.worker.reenactment.busy_core import BAR
    from photorig.worker.threads import thread_count

    for name in ("rounds", "batch"):
        if (getattr(args, name) or 1) < 1 or getattr(args, name) == 0:
            raise InputError(f"--{name} is {getattr(args, name)}, not a number above zero")
    if args.what == "frames":
        from .bench_frames import run as run_frames

        return run_frames(args)
    sizes = [int(size) for size in args.sizes or SIZES]
    contenders = load_contenders(args.device, args.generator)
    timings = measure(contenders, sizes, args.rounds, args.batch)
    busy = _beside_a_busy_core(args) if args.generator == "default" else None
    if args.json:
        values = [dataclasses.asdict(timing) for timing in timings]
        report = {"threads": thread_count(), "timings": values}
        print(json.dumps({**report, "busy_core": busy and dataclasses.asdict(busy)}, indent=2))
        return 0
    print(f"{thread_count()} threads on the processor; medians of {args.rounds} images")
    print(
        f"{'backend':<18}{'device':<8}{'size':>6}{'ms an image':>14}{'speed-up':>10}"
        f"{'images a s':>12}{'batched':>9}{'by':>4}{'limit':>9}{'reached':>9}"
    )
    for timing in timings:
        print(
            f"{timing.backend:<18}{timing.device:<8}{timing.size:>6}"
            f"{timing.milliseconds:>14.1f}{timing.speedup:>9.2f}x"
            f"{1000 / timing.milliseconds:>12.1f}{1000 / timing.batched:>9.1f}{timing.batch:>4}"
            f"{1000 / timing.limit:>9.1f}{timing.of_limit:>9.0%}"
        )
    if busy is None:
        return 0
    print(
        f"a frame of {busy.size}²: {busy.milliseconds:.0f} ms alone,"
        f" {busy.busy_milliseconds:.0f} ms beside one busy core:"
        f" {busy.ratio:.2f} times as long (at most {BAR} is good)"
    )
    return 0


def _beside_a_busy_core(args: argparse.Namespace) -> BusyCore:
    from photorig.worker.faces.net3d import Net3D
    from photorig.worker.fitting.sample import sample_portrait
    from photorig.worker.reenactment import busy_core
    from photorig.worker.reenactment.renderer import load_renderer

    renderer = load_renderer(args.device)
    portrait = sample_portrait(renderer.generator, Net3D(), seed=3)
    return busy_core.measure(renderer, portrait, min(map(int, args.sizes or SIZES)), args.rounds)
