"""``photorig bench``: milliseconds an image by backend and size, against a baseline."""

from __future__ import annotations

import argparse
import dataclasses
import json

from photorig.shared.errors import InputError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "bench",
        help="measure speed in detail",
        description="Measure milliseconds an image by backend and size. The backends take turns, "
        "so that their ratios hold even on a computer that is busy with other things.",
    )
    parser.add_argument("--device", default="auto", help="compare this device (default: the best)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024], metavar="N")
    parser.add_argument("--rounds", type=int, default=7, help="images to time (default: 7)")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def run(args: argparse.Namespace) -> int:
    from photorig.worker.generators.benchmark import load_contenders, measure
    from photorig.worker.generators.threads import thread_count

    if args.rounds < 1:
        raise InputError(f"--rounds is {args.rounds}, not a number above zero")
    timings = measure(load_contenders(args.device), args.sizes, args.rounds)
    if args.json:
        values = [dataclasses.asdict(timing) for timing in timings]
        print(json.dumps({"threads": thread_count(), "timings": values}, indent=2))
        return 0
    print(f"{thread_count()} threads on the processor; medians of {args.rounds} images")
    print(f"{'backend':<18}{'device':<8}{'size':>6}{'ms an image':>14}{'speed-up':>10}")
    for timing in timings:
        print(
            f"{timing.backend:<18}{timing.device:<8}{timing.size:>6}"
            f"{timing.milliseconds:>14.1f}{timing.speedup:>9.2f}x"
        )
    return 0
