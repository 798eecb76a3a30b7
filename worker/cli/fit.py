"""``photorig fit``: a photo of a person to a portrait that can be driven."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from photorig.shared.errors import InputError
from photorig.shared.files.writing import check_writable
from photorig.shared.wire.messages import FitProgress

from .progress import Progress

if TYPE_CHECKING:
    from photorig.worker.fitting.settings import FitSettings
    from photorig.worker.fitting.subject import Subject


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "fit",
        help="turn photos of a person into a portrait",
        description="Find the latent code of a face in a photo: about a minute on two cores.",
    )
    parser.add_argument(
        "photos",
        type=Path,
        nargs="+",
        metavar="PHOTO",
        help="the photo to drive; further ones show the same person otherwise: from other sides, "
        "with teeth, with eyes shut",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="x.portrait")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a likeness in seconds: no edits preserved, the face's answers not measured",
    )
    parser.add_argument(
        "--instant",
        action="store_true",
        help="what the encoder takes the face for, and no search: a relative of the person",
    )
    parser.add_argument(
        "--steps", type=_count, metavar="N", help="steps of the search for the face"
    )
    parser.add_argument(
        "--tune", type=_count, metavar="N", help="steps of tuning the generator to the person"
    )
    parser.add_argument(
        "--refine", type=_count, metavar="STEPS", help="steps of finishing at full resolution"
    )
    parser.add_argument(
        "--face",
        type=int,
        metavar="N",
        help="which face of the first photo, counted from 0, the largest first (default: the "
        "largest); in the others that person is looked for",
    )
    parser.add_argument("--bundle", default="default", help="default, or an imported generator")
    parser.add_argument(
        "--device", default="cpu", help="where the fit computes: cpu, cuda, mps or auto (cpu)"
    )
    parser.add_argument("--name", help="what to call the portrait (default: the photo's name)")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> int:
    check_writable(args.out, "anna.portrait", 1 << 20)
    path: Path = args.photos[0]
    started = time.monotonic()
    # Read before torch is imported, so that a wrong file is told at once.
    from photorig.worker.media.reading import read_picture

    photos = [read_picture(one) for one in args.photos]
    settings = _settings(args)

    from photorig.worker.fitting.pipeline import PortraitMaker

    with Progress("percent", 100) as bar:

        def show(progress: FitProgress) -> None:
            note = ", ".join(filter(None, (progress.stage, progress.note)))
            bar.advance(int(100 * progress.fraction) - bar.done, note)

        maker = PortraitMaker(show, bundle=args.bundle, device=args.device)
        subject, *others = [maker.look(photo) for photo in photos]
        number = args.face or 0
        if len(subject.faces) > 1 and args.face is None:
            print(_faces_found(subject), file=sys.stderr)
        for warning in subject.warnings(number):
            print(f"warning: {warning}", file=sys.stderr)
        name = args.name or path.stem
        further = list(zip((one.name for one in args.photos[1:]), others, strict=True))
        portrait = maker.make(subject, number, name, settings, further)
    portrait.save(args.out)
    seconds = time.monotonic() - started
    if args.json:
        faces = [vars(face) for face in subject.listed()]
        summary = {"out": str(args.out), "id": portrait.id, "face": number, "faces": faces}
        print(json.dumps(summary | {"seconds": round(seconds, 1)}))
    else:
        print(f"Wrote {args.out} after {seconds:.0f} s.")
    return 0


def _faces_found(subject: Subject) -> str:
    """A note with one line a face: its number, its place and whether it can be used."""
    note = f"note: {len(subject.faces)} faces were found; fitting the largest. "
    return "\n  ".join([note + "Choose another with --face N:", *map(str, subject.listed())])


def _settings(args: argparse.Namespace) -> FitSettings:
    """What the options ask for."""
    from photorig.worker.fitting.settings import INSTANT, QUICK, FitSettings

    if args.instant:
        if args.quick or any(n is not None for n in (args.steps, args.tune, args.refine)):
            raise InputError("--instant goes without steps", "Leave the others out.")
        return INSTANT
    if args.quick and (args.tune is not None or args.refine is not None):
        raise InputError(
            "--tune and --refine are not for a quick fit",
            "Leave out --quick, or give --steps only.",
        )
    settings = QUICK if args.quick else FitSettings()
    given = {"steps": args.steps, "tuning_steps": args.tune, "refine_steps": args.refine}
    return replace(settings, **{name: n for name, n in given.items() if n is not None})


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value
