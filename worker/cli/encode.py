"""``photorig encode``: a film of a person to one face and 35 numbers a frame."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from photorig.shared.files.writing import check_writable
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.parameters.timeline import DEFAULT_RATE

from .progress import Progress
from .reenact import fitted_portrait, measured_footage, source_portrait

if TYPE_CHECKING:
    from photorig.worker.fitting.driving_footage import DrivingFootage
    from photorig.worker.fitting.take_learning import LearnedFace
    from photorig.worker.portraits.portrait import Portrait

ROLL = FACE_SCHEMA.index["headRoll"]
N_NUMBERS = 35


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "encode",
        help="keep a performance as one face and 35 numbers a frame",
        description="First the face is learned from some frames at once, in a minute or two of "
        "one core. Then yaw, pitch, roll and 32 amounts of what was learned are found for each "
        "frame by optimisation: some seconds a frame.",
    )
    parser.add_argument("video", type=Path, help="a film, or a folder of pictures")
    parser.add_argument("--out", type=Path, required=True, metavar="take.face")
    parser.add_argument(
        "--portrait", type=Path, help="of the person, or a photo (made of the most frontal frame)"
    )
    parser.add_argument("--quick", action="store_true", help="learn the face in half a minute")
    parser.add_argument("--face", type=int, default=0, metavar="N", help="which face (0)")
    parser.add_argument(
        "--steps", type=_count, metavar="N", help="of the search in each frame (10)"
    )


def run(args: argparse.Namespace) -> int:
    check_writable(args.out, "take.face", 1 << 20)
    from photorig.worker.fitting.driving_footage import open_driver
    from photorig.worker.portraits.face_take import FaceTake
    from photorig.worker.reenactment.stylespace import channels_id

    footage = measured_footage(args.video, args.face, open_driver(args.video).total)
    learned = _learned(footage, _portrait(args, footage), args.quick)
    numbers, held = _numbers(footage, learned, args.steps)
    rate = footage.recording.rate or DEFAULT_RATE
    portrait, directions = learned.portrait, learned.directions.offsets
    take = FaceTake(numbers, held, rate, channels_id(), portrait, directions)
    take.save(args.out)
    size = (len(portrait.to_bytes()) + directions.nbytes) >> 10
    print(
        f"Wrote {len(numbers)} frames to {args.out}: {take.bits_per_second / 1000:.1f} kbit/s at "
        f"{float(rate):g} frames a second, and the face once ({size} KiB)."
    )
    return 0


def _portrait(args: argparse.Namespace, footage: DrivingFootage) -> Portrait:
    """A start: the given one, or a quick one of the frame that looks most straight ahead."""
    if args.portrait is not None:
        return source_portrait(args.portrait, quick=True)
    from photorig.worker.fitting.driving_footage import open_driver

    frontal = most_frontal(footage)
    picture = next(itertools.islice(open_driver(args.video).pictures, frontal, None)).picture
    return fitted_portrait(picture, args.video.stem, quick=True)


def most_frontal(footage: DrivingFootage) -> int:
    """Position of the frame that looks most straight ahead, of those that show the face large
    enough to be fitted, where there are any."""
    from photorig.worker.fitting.fit import SMALLEST_FACE
    from photorig.worker.portraits.alignment import Alignment

    def badness(row: int) -> tuple[bool, float]:
        face = footage.faces[row]
        if face is None:
            return True, np.inf
        small = Alignment.of_face(face.landmarks).side < SMALLEST_FACE
        return small, float(np.abs(face.parameters[:2]).sum())

    return min(range(len(footage.faces)), key=badness)


def _learned(footage: DrivingFootage, portrait: Portrait, quick: bool) -> LearnedFace:
    from photorig.worker.faces.landmarker import load_landmarker
    from photorig.worker.faces.recognition import load_recognition
    from photorig.worker.fitting.take_learning import (
        QUICK_LEARNING,
        LearningSettings,
        chosen_frames,
        learn_face,
    )
    from photorig.worker.reenactment.bundle import bundle_for, load_bundle

    settings = QUICK_LEARNING if quick else LearningSettings()
    chosen = chosen_frames(footage.landmarks, settings.frames)
    faces = [face for row, face in enumerate(footage.crops(set(chosen))) if face is not None]
    looking = load_recognition(), load_landmarker()
    bundle = load_bundle(bundle_for(portrait.model_id))
    with Progress("steps", settings.steps) as bar:
        return learn_face(portrait, faces, bundle, *looking, settings, bar.advance)


def _numbers(
    footage: DrivingFootage, learned: LearnedFace, steps: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """(n, 35) float16, and (n,) whether a frame repeats the one before."""
    from photorig.worker.faces.recognition import load_recognition
    from photorig.worker.fitting.face_numbers import FaceEncoder, NumberSettings
    from photorig.worker.reenactment.bundle import bundle_for, load_bundle

    settings = NumberSettings() if steps is None else NumberSettings(steps=steps)
    encoder = FaceEncoder(
        learned.portrait,
        learned.directions,
        learned.examples,
        load_bundle(bundle_for(learned.portrait.model_id)),
        load_recognition(),
        settings,
    )
    numbers = np.zeros((len(footage.faces), N_NUMBERS), np.float16)
    held = np.array([face is None for face in footage.faces])
    with Progress("frames", len(numbers)) as bar:
        for row, face in enumerate(footage.crops()):
            measured = footage.faces[row]
            if face is None or measured is None:
                numbers[row] = numbers[row - 1] if row else 0
            else:
                found = encoder.encode(face)
                numbers[row] = [*found.turn, measured.parameters[ROLL], *found.amounts]
            bar.advance()
    first = int(np.argmin(held))
    numbers[:first] = numbers[first]
    return numbers, held


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError("must be 1 to 1000")
    return value
