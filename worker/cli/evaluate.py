"""``photorig evaluate``: how well a model bundle obeys, measured by judges on held-out people, and
how real photos and videos come out (evaluate_real.py, evaluate_obedience.py)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from photorig.shared.errors import InputError

from . import evaluate_methods, evaluate_obedience, evaluate_real

if TYPE_CHECKING:
    from .progress import Progress

WHAT = {
    "control": "single parameters: range, gain, linearity, crosstalk, identity",
    "drive": "pairs of person and target: pose, expression, identity, jitter",
    "all": "both, one report",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "evaluate",
        help="measure how well a model bundle obeys",
        description="Render people that nothing was chosen on and let judges measure the frames. "
        "What a stopped run has measured is kept in the folder and not measured again.",
    )
    commands = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    for name, summary in WHAT.items():
        _add_arguments(commands.add_parser(name, help=summary))
    evaluate_real.add_kinds(commands)
    evaluate_obedience.add_kind(commands)
    evaluate_methods.add_kind(commands)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    from photorig.worker.evaluation.protocols.context import SEED
    from photorig.worker.evaluation.session import PAIRS, PEOPLE, PEOPLE_EACH

    parser.add_argument("--out", type=Path, required=True, help="folder for report and pieces")
    parser.add_argument("--bundle", default="default", help="name, or file of a direction matrix")
    parser.add_argument("--method", default="calibrated")
    parser.add_argument("--size", type=int, default=256, help="of the judged frames (256)")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or mps (cpu)")
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"identities ({PEOPLE})")
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"identity and target ({PAIRS})")
    parser.add_argument(
        "--each",
        type=int,
        default=PEOPLE_EACH,
        help=f"people on whom each parameter is swept, twice as many for the head's "
        f"({PEOPLE_EACH})",
    )
    parser.add_argument(
        "--seed", type=int, default=SEED, help=f"of the people and of what is drawn ({SEED})"
    )
    parser.add_argument(
        "--against",
        type=Path,
        nargs="+",
        default=[],
        metavar="REPORT",
        help="earlier reports (folders or JSON) to show beside, the closed-form matrix's first",
    )
    parser.add_argument("--processes", type=int, default=1, help="how many measure at once (1)")


def run(args: argparse.Namespace) -> int:
    if args.what in evaluate_real.WHAT:
        with _Bars() as goals_of:
            return evaluate_real.run(args, goals_of.show)
    if args.what in evaluate_obedience.WHAT:
        with _Bars() as goals_of:
            return evaluate_obedience.run(args, goals_of.show)
    if args.what == evaluate_methods.WHAT:
        with _Bars() as goals_of:
            return evaluate_methods.run(args, goals_of.show)
    return _people(args)


def _people(args: argparse.Namespace) -> int:
    from photorig.worker.evaluation.protocols.context import Settings
    from photorig.worker.evaluation.report.page_parts import Other
    from photorig.worker.evaluation.report.report_file import read_report
    from photorig.worker.evaluation.session import Plan, Session

    for name in ("people", "pairs", "each", "processes"):
        if getattr(args, name) < 1:
            raise InputError(f"--{name} is {getattr(args, name)}, not a number above zero")
    # Read first: hours of measuring should not end with a wrong path.
    others = [Other(_label(path), read_report(path)) for path in args.against]
    settings = Settings(args.bundle, args.method, args.size, args.device, args.seed)
    plan = Plan(args.people, args.pairs, args.each)
    with _Bars() as goals_of:
        session = Session(settings, plan, args.out, args.processes, goals_of.show)
        sections = {}
        if args.what in ("control", "all"):
            sections["control"] = session.control()
        if args.what in ("drive", "all"):
            sections["drive"] = session.drive()
        path = session.write(sections, others)
    print(f"Wrote {path}")
    return 0


def _label(path: Path) -> str:
    """What an earlier report is called: its folder, or its file's own name."""
    if path.name == "report.json":
        path = path.parent
    return path.resolve().stem if path.suffix == ".json" else path.resolve().name


class _Bars:
    """One progress bar after another, as the stages come."""

    def __init__(self) -> None:
        self._unit, self._bar = "", None

    _bar: Progress | None

    def show(self, unit: str, done: int, total: int) -> None:
        from .progress import Progress

        if unit != self._unit or self._bar is None:
            self.close()
            self._unit, self._bar = unit, Progress(unit, total)
        if done > self._bar.done:
            self._bar.advance(done - self._bar.done)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
