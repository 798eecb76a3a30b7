"""``photorig train all``: everything that an imported generator needs, one piece after the other.

A piece that is there already is left; a piece that was stopped goes on where it was. Small pictures
need no training: an imported generator averages its large ones. Nor do regional masks, which follow
the mesh, nor the latents' statistics, which its import measured.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from photorig.shared.errors import InputError
from photorig.worker.registry import card
from photorig.worker.registry.imported import imported_folder, is_imported


@dataclass(frozen=True)
class _Piece:
    """Something that is trained.

    Attributes:
        file_name: what comes of it, in the generator's folder.
        module: of this package, with ``add_arguments`` and ``run``.
        words: its arguments beside those that all have, for an effort of 1.
        least: what each of the numbers among them is at least.
        cache: of what a stopped run had done, where several pieces share it.
    """

    name: str
    file_name: str
    module: str
    words: dict[str, int]
    least: dict[str, int]
    cache: str = ""


PIECES = (
    _Piece(
        "direction matrix and curves",
        "directions.safetensors",
        "directions.command",
        {"people": 32, "steps": 900, "pool": 400, "calibrated-on": 20, "reported-on": 16},
        {"people": 2, "steps": 2, "pool": 8, "calibrated-on": 1, "reported-on": 1},
    ),
    _Piece(
        "encoder of photos",
        "encoder.safetensors",
        "encoder.command",
        {"faces": 3000, "measured": 24, "rank": 192},
        {"faces": 1, "measured": 2, "rank": 8},
    ),
    _Piece(
        "tables of the judge",
        "judge-landmarks.safetensors",
        "judge.command",
        {"count": 1800},
        {"count": 200},
    ),
    _Piece(
        "method stylemask",
        "stylemask.safetensors",
        "stylemask.command",
        {"people": 250, "matrix-steps": 2000, "picture-steps": 900, "measured": 12},
        {"people": 2, "matrix-steps": 1, "picture-steps": 1, "measured": 2},
        cache="performances",
    ),
    _Piece(
        "method transfer",
        "transfer.safetensors",
        "transfer.command",
        {"people": 250, "matrix-steps": 3000, "picture-steps": 250, "measured": 12},
        {"people": 2, "matrix-steps": 1, "picture-steps": 1, "measured": 2},
        cache="performances",
    ),
    _Piece(
        "method stylespace",
        "stylespace.safetensors",
        "stylespace.command",
        {"people": 2},
        {"people": 1},
        cache="performances",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train all that an imported generator needs to be driven: its direction matrix and curves, "
        "its encoder, the tables of its judge, what its methods for pictures need. A stopped run "
        "continues where it was."
    )
    parser.add_argument("--generator", required=True, metavar="NAME", help="as it was imported")
    parser.add_argument("--device", default="cpu", help="where pictures are made: cpu, cuda or mps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--effort",
        type=float,
        default=1.0,
        metavar="F",
        help="share of the usual people and steps, above 0: less to try it out (1)",
    )
    parser.add_argument("--again", action="store_true", help="what is there already, too")
    parser.add_argument("--threads", type=int, default=1)


def run(args: argparse.Namespace) -> int:
    """Train what is missing, and say what is left."""
    if not 0 < args.effort <= 100:
        raise InputError(f"--effort is {args.effort}, not a number above 0")
    if not is_imported(args.generator) or card(args.generator).kind != "generator":
        raise InputError(
            f"There is no imported generator {args.generator!r}",
            "Bring one with 'photorig models import FILE'.",
        )
    folder = imported_folder(args.generator)
    waiting = [p for p in PIECES if args.again or not (folder / p.file_name).is_file()]
    for number, piece in enumerate(waiting):
        left = ", ".join(other.name for other in waiting[number:])
        print(f"left to train for {args.generator}: {left}", flush=True)
        _train(piece, args, folder)
    print(
        f"{args.generator} has everything: photorig fit PHOTO --bundle {args.generator}"
        f" --out x.portrait",
        flush=True,
    )
    return 0


def _train(piece: _Piece, args: argparse.Namespace, folder: Path) -> None:
    """Into a file of another name first: what is there is there whole."""
    module = importlib.import_module(f"photorig.worker.training.{piece.module}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    partial = folder / f"{piece.file_name}.part"
    cache = folder / "training" / (piece.cache or Path(piece.module).stem)
    words: dict[str, object] = {
        "generator": args.generator,
        "device": args.device,
        "seed": args.seed,
        "threads": args.threads,
        "cache": cache,
        "out": partial,
    }
    for name, usual in piece.words.items():
        words[name] = max(piece.least[name], round(usual * args.effort))
    run: Callable[[argparse.Namespace], object] = module.run
    run(parser.parse_args([part for k, v in words.items() for part in (f"--{k}", str(v))]))
    partial.replace(folder / piece.file_name)
