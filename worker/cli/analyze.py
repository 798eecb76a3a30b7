"""``photorig analyze``: head pose and expression in a picture or video, as params.jsonl."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from photorig.shared.errors import InputError
from photorig.shared.files.writing import check_writable
from photorig.shared.parameters import file as parameters_file
from photorig.shared.parameters.file import FrameParameters, Recording
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.parameters.timeline import DEFAULT_RATE, constant_rate

from .progress import Progress
from .wording import ranges, rate_of

if TYPE_CHECKING:
    import numpy as np

    from photorig.worker.faces.net3d import FaceMeasurement
    from photorig.worker.media.footage import Footage


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "analyze", help="measure head pose and expression in pictures or a video"
    )
    parser.add_argument("file", type=Path, metavar="IMAGE|VIDEO|FOLDER|shot_####.png")
    parser.add_argument("--out", type=Path, required=True, metavar="params.jsonl")
    parser.add_argument(
        "--face",
        type=int,
        metavar="N",
        help="which face, counted from 0, the largest first (default: the largest)",
    )
    parser.add_argument(
        "--fps",
        type=rate_of,
        default=DEFAULT_RATE,
        metavar="N",
        help="of a sequence of pictures (24); a video has its own",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> int:
    check_writable(args.out, "params.jsonl")
    # Read before the models are loaded, so that a wrong file is told at once.
    from photorig.worker.media.sequences import open_footage

    footage = open_footage(args.file, args.fps)

    from photorig.worker.faces.net3d import Net3D
    from photorig.worker.faces.search import find_faces
    from photorig.worker.faces.tracking import measure_frames

    chosen: int = args.face or 0
    net3d = Net3D()

    def analyze(image: np.ndarray) -> list[FaceMeasurement]:
        # The search for small faces takes long, and in frames without one it is in vain.
        return find_faces(image, net3d) if footage.total == 1 else net3d.analyze(image)

    times: list[float | None] = []

    def pictures() -> Iterator[np.ndarray]:
        for timed in footage.pictures:
            times.append(timed.time)
            yield timed.picture

    found: list[FrameParameters] = []
    faces: list[FaceMeasurement] = []
    missing: list[int] = []
    most_faces = 0
    try:
        with Progress("frames", footage.total) as progress:
            for measured in measure_frames(pictures(), analyze, chosen):
                most_faces = max(most_faces, measured.n_faces)
                if measured.face is None:
                    missing.append(measured.frame)
                else:
                    values = FACE_SCHEMA.named(measured.face.parameters)
                    found.append(FrameParameters(measured.frame, values, times[-1]))
                    faces.append(measured.face)
                progress.advance()
    except BaseException:
        if found:  # what is measured is kept, whatever stopped us
            parameters_file.write(args.out, _with_amounts(found, faces), _recording(footage, times))
        raise
    if not found:
        raise _nothing_found(args.file, chosen, most_faces)
    recording = _recording(footage, times)
    parameters_file.write(args.out, _with_amounts(found, faces), recording)
    if footage.unreadable:
        names = ", ".join(footage.unreadable[:4])
        more = f" and {len(footage.unreadable) - 4} more" if len(footage.unreadable) > 4 else ""
        print(f"warning: {names}{more} could not be read; passed over.", file=sys.stderr)
    _report(args, found, missing, most_faces, recording)
    return 0


def _recording(footage: Footage, times: list[float | None]) -> Recording | None:
    """What the file tells of its time; a picture has none."""
    known = [time for time in times if time is not None]
    if not known:
        return None
    return Recording(constant_rate(known, footage.rate), len(times))


def _with_amounts(
    found: Sequence[FrameParameters], faces: Sequence[FaceMeasurement]
) -> list[FrameParameters]:
    """The frames with ARKit's amounts, which only the recording as a whole tells."""
    from photorig.worker.reenactment.recorded_amounts import recorded_parameters

    vectors = recorded_parameters(faces)
    return [
        replace(frame, values=FACE_SCHEMA.named(vector))
        for frame, vector in zip(found, vectors, strict=False)  # stopped between the two lists
        if vector is not None
    ]


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
    args: argparse.Namespace,
    found: list[FrameParameters],
    missing: list[int],
    most_faces: int,
    recording: Recording | None,
) -> None:
    if missing:
        count = "One frame" if len(missing) == 1 else f"{len(missing)} frames"
        shown = ranges(missing)
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
            "fps": None if recording is None or not recording.rate else float(recording.rate),
        }
        print(json.dumps(summary))
    else:
        frames = "one frame" if len(found) == 1 else f"{len(found)} frames"
        print(f"Wrote the parameters of {frames} to {args.out}.")
