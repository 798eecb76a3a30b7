"""``photorig fit``: a photo of a person to a portrait that can be driven."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from photorig.shared.errors import InputError
from photorig.worker.cli.progress import Progress

DEFAULT_REFINE_STEPS = 10


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "fit",
        help="turn photos of a person into a portrait",
        description="Find the latent code of a face in a photo: about a minute on two cores.",
    )
    parser.add_argument("photos", type=Path, nargs="+", metavar="PHOTO")
    parser.add_argument("--out", type=Path, required=True, metavar="x.portrait")
    parser.add_argument("--steps", type=_count, default=160, help="steps at 256 pixels (160)")
    parser.add_argument(
        "--refine",
        type=_count,
        default=DEFAULT_REFINE_STEPS,
        metavar="STEPS",
        help=f"steps at full resolution ({DEFAULT_REFINE_STEPS})",
    )
    parser.add_argument(
        "--face",
        type=int,
        metavar="N",
        help="which face, counted from 0, the largest first (default: the largest)",
    )
    parser.add_argument("--name", help="what to call the portrait (default: the photo's name)")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> int:
    if len(args.photos) > 1:
        raise InputError(
            "Fitting several photos of one person is not supported yet", "Give the best one."
        )
    _check_output(args.out)
    # Checked before torch is imported, so that a wrong file name is told at once.
    from photorig.worker.faces.pictures import read_picture

    path: Path = args.photos[0]
    photo = read_picture(path)

    from photorig.worker.portraits.fit import FitSettings
    from photorig.worker.portraits.make_portrait import MakingProgress, PortraitMaker

    started = time.monotonic()
    with Progress("%", 100) as bar:

        def show(progress: MakingProgress) -> None:
            note = f"{progress.stage.lower()} {progress.note}".strip()
            bar.advance(max(0, int(progress.fraction * 100) - bar.done), note)

        maker = PortraitMaker(show)
        subject = maker.look(photo)
        if len(subject.faces) > 1 and args.face is None:
            print(
                f"note: {len(subject.faces)} faces were found; fitting the largest. "
                "Choose another with --face N.",
                file=sys.stderr,
            )
        settings = FitSettings(steps=args.steps, refine_steps=args.refine)
        portrait = maker.make(subject, args.face or 0, args.name or path.stem, settings)
    portrait.save(args.out)
    seconds = time.monotonic() - started
    if args.json:
        summary = {"out": str(args.out), "id": portrait.id, "faces": len(subject.faces)}
        print(json.dumps(summary | {"seconds": round(seconds, 1)}))
    else:
        print(f"Wrote {args.out} after {seconds:.0f} s.")
    return 0


def _check_output(path: Path) -> None:
    """Fail before the work, not after it."""
    if path.is_dir():
        raise InputError(f"{path} is a folder", "Give a file name, for example anna.portrait.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"There is no folder {path.parent}", "Make it first.")


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value
