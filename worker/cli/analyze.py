"""``photorig analyze``: head pose and expression in a picture or video, as params.jsonl."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from photorig.shared import parameters_file
from photorig.shared.errors import InputError
from photorig.shared.parameters_file import FrameParameters
from photorig.shared.schema import ARKIT_52
from photorig.worker.cli.progress import Progress

if TYPE_CHECKING:
    import numpy as np

    from photorig.worker.faces.net3d import FaceMeasurement


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "analyze", help="measure head pose and expression in pictures or a video"
    )
    parser.add_argument("file", type=Path, metavar="IMAGE|VIDEO")
    parser.add_argument("--out", type=Path, required=True, metavar="params.jsonl")
    parser.add_argument(
        "--face",
        type=int,
        metavar="N",
        help="which face, counted from 0, the largest first (default: the largest)",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> int:
    _check_output(args.out)
    # Read before the models are loaded, so that a wrong file is told at once.
    from photorig.worker.faces.pictures import read_frames

    total, frames = read_frames(args.file)

    from photorig.worker.faces.net3d import Net3D
    from photorig.worker.faces.search import find_faces
    from photorig.worker.faces.tracking import measure_frames

    chosen: int = args.face or 0
    net3d = Net3D()

    def analyze(image: np.ndarray) -> list[FaceMeasurement]:
        # The search for small faces takes long, and in frames without one it is in vain.
        return find_faces(image, net3d) if total == 1 else net3d.analyze(image)

    found: list[FrameParameters] = []
    missing: list[int] = []
    most_faces = 0
    try:
        with Progress("frames", total) as progress:
            for measured in measure_frames(frames, analyze, chosen):
                most_faces = max(most_faces, measured.n_faces)
                if measured.face is None:
                    missing.append(measured.frame)
                else:
                    values = ARKIT_52.named(measured.face.parameters)
                    found.append(FrameParameters(measured.frame, values))
                progress.advance()
    except BaseException:
        if found:  # what is measured is kept, whatever stopped us
            parameters_file.write(args.out, found)
        raise
    if not found:
        raise _nothing_found(args.file, chosen, most_faces)
    parameters_file.write(args.out, found)
    _report(args, found, missing, most_faces)
    return 0


def _check_output(path: Path) -> None:
    """Fail before the work, not after it."""
    if path.is_dir():
        raise InputError(f"{path} is a folder", "Give a file name, for example params.jsonl.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"There is no folder {path.parent}", "Make it first.")


def _nothing_found(path: Path, face: int, most_faces: int) -> InputError:
    if most_faces:
        return InputError(
            f"{path} never shows a face number {face}, at most {most_faces} at once",
            "Faces are counted from 0, the largest first.",
        )
    return InputError(
        f"No face was found in {path}",
        "In a video the face has to fill an eighth of the width, and be seen from the front.",
    )


def _report(
    args: argparse.Namespace, found: list[FrameParameters], missing: list[int], most_faces: int
) -> None:
    if missing:
        count = "One frame" if len(missing) == 1 else f"{len(missing)} frames"
        shown = _ranges(missing)
        print(f"warning: {count} without the face skipped: {shown}.", file=sys.stderr)
    if most_faces > 1 and args.face is None:
        print(
            f"note: up to {most_faces} faces at once; measured the largest. "
            "Choose another with --face N.",
            file=sys.stderr,
        )
    if args.json:
        summary = {
            "out": str(args.out),
            "frames": len(found),
            "skipped": missing,
            "most_faces": most_faces,
        }
        print(json.dumps(summary))
    else:
        frames = "one frame" if len(found) == 1 else f"{len(found)} frames"
        print(f"Wrote the parameters of {frames} to {args.out}.")


def _ranges(numbers: list[int], most: int = 8) -> str:
    """``1-3, 7``: consecutive numbers joined, cut short where there are many groups."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and groups[-1][-1] == number - 1:
            groups[-1][1:] = [number]
        else:
            groups.append([number])
    texts = ["-".join(map(str, group)) for group in groups[:most]]
    return ", ".join(texts) + (", …" if len(groups) > most else "")
