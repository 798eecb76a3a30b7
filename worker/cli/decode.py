"""``photorig decode``: an encoded performance as a film, of its own face or of somebody else's."""

from __future__ import annotations

import argparse
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.parameters.timeline import timeline
from photorig.shared.wire.method_offers import DEFAULT_METHOD

from .progress import Progress
from .reenact import source_portrait
from .render import size_of
from .written_frames import FrameJob, check_out, write_out

if TYPE_CHECKING:
    from photorig.shared.wire.messages import FrameRequest
    from photorig.worker.compositing.canvas import Size
    from photorig.worker.faces.net3d import FaceMeasurement
    from photorig.worker.portraits.face_take import FaceTake
    from photorig.worker.portraits.portrait import Portrait
    from photorig.worker.reenactment.renderer import FaceRenderer
    from photorig.worker.reenactment.target import DrivingPictures

METHOD = "stylespace"
_LOOKED_AT = 256
"""Side of the pictures of the take's own face that somebody else is driven by."""
_ROLL = FACE_SCHEMA.index["headRoll"]
_HINT = "Encode the film again with 'photorig encode'."


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("decode", help="make a film of an encoded performance")
    parser.add_argument("take", type=Path, metavar="take.face")
    parser.add_argument("--out", type=Path, required=True, help="a film (x.mp4 …) or a folder")
    parser.add_argument(
        "--portrait",
        type=Path,
        help="who performs it instead: a portrait or a photo, at rest in the first frame",
    )
    parser.add_argument("--size", default="full", help="256, 512, 1024, or the whole photo (full)")
    parser.add_argument("--sound", type=Path, metavar="FILE", help="a film whose sound goes along")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")


def run(args: argparse.Namespace) -> int:
    check_out(args.out)
    from photorig.worker.portraits.face_take import FaceTake

    take = FaceTake.load(args.take)
    size_of(args.size)
    write_out(args.out, _job(args, take) if args.portrait is None else _somebody_else(args, take))
    return 0


def _job(args: argparse.Namespace, take: FaceTake) -> FrameJob:
    """The film of the take's own face."""
    renderer, numbers, portrait = _renderer(args, take), _numbers(take), take.portrait
    requests = _requests(renderer, portrait, numbers, size_of(args.size))
    pictures = _pictures(numbers, take.directions)
    return FrameJob(renderer, portrait, requests, pictures, _id(take), take.rate, None, args.sound)


def _somebody_else(args: argparse.Namespace, take: FaceTake) -> FrameJob:
    """The film of another face: what the take's own face shows is seen again, and driven."""
    from photorig.shared.parameters.file import differences
    from photorig.shared.wire.messages import FrameRequest
    from photorig.worker.fitting.driving_footage import DrivingFootage
    from photorig.worker.reenactment.bundle import bundle_for
    from photorig.worker.reenactment.known_faces import default_folder
    from photorig.worker.reenactment.renderer import load_renderer

    faces = _seen_again(args, take)
    times: list[float | None] = [float(number / take.rate) for number in range(len(faces))]
    footage = DrivingFootage(args.take, times, take.rate, faces)
    film = timeline(differences(footage.frames), footage.recording)
    portrait = source_portrait(args.portrait, quick=True)
    renderer = load_renderer(args.device, bundle_for(portrait.model_id), default_folder())
    requests = [
        FrameRequest(
            portrait=portrait.id,
            parameters=renderer.schema.vector(frame.values),
            size=size_of(args.size),
            method=DEFAULT_METHOD,
            frame=frame.frame,
        )
        for frame in film.frames
    ]
    nothing = itertools.repeat(None)
    return FrameJob(renderer, portrait, requests, nothing, "", take.rate, None, args.sound)


def _seen_again(args: argparse.Namespace, take: FaceTake) -> list[FaceMeasurement | None]:
    """What Net3D sees in the pictures of the take's own face, with the roll of its numbers.

    Raises:
        InputError: no face in any of them.
    """
    from photorig.worker.faces.net3d import Net3D

    net3d, renderer, numbers = Net3D(), _renderer(args, take), _numbers(take)
    upright = numbers.copy()
    upright[:, 2] = 0
    requests = _requests(renderer, take.portrait, upright, _LOOKED_AT)
    faces: list[FaceMeasurement | None] = []
    with Progress("frames seen", len(requests)) as bar:
        for request, picture, row in zip(
            requests, _pictures(numbers, take.directions), numbers, strict=True
        ):
            found = net3d.analyze(renderer.render(take.portrait, request, picture))
            faces.append(_rolled(found[0], float(row[2])) if found else None)
            bar.advance()
    if not any(faces):
        raise InputError(f"No face is seen in the pictures of {args.take}", _HINT)
    return faces


def _rolled(face: FaceMeasurement, roll: float) -> FaceMeasurement:
    parameters = face.parameters.copy()
    parameters[_ROLL] += roll
    return replace(face, parameters=parameters)


def _renderer(args: argparse.Namespace, take: FaceTake) -> FaceRenderer:
    """Raises InputError where the take's numbers mean something else to this version."""
    from photorig.worker.reenactment.bundle import bundle_for
    from photorig.worker.reenactment.renderer import load_renderer
    from photorig.worker.reenactment.stylespace import channels_id

    if take.directions is None and take.channels != channels_id():
        raise InputError(
            f"{args.take} was encoded with other channels than this version has", _HINT
        )
    renderer = load_renderer(args.device, bundle_for(take.portrait.model_id))
    if take.directions is not None:
        factors = renderer.generator.style_rows[-1].stop
        if take.directions.shape[1] != factors:
            raise InputError(f"{args.take} was encoded with another generator", _HINT)
    return renderer


def _numbers(take: FaceTake) -> np.ndarray:
    """(n, 35) float32, roll since the portrait's photo."""
    numbers = take.numbers.astype(np.float32)
    numbers[:, 2] -= take.portrait.shown[_ROLL]
    return numbers


def _requests(
    renderer: FaceRenderer, portrait: Portrait, numbers: np.ndarray, size: Size
) -> list[FrameRequest]:
    from photorig.shared.wire.messages import FrameRequest

    return [
        FrameRequest(
            portrait=portrait.id,
            parameters=renderer.schema.vector({"headRoll": float(row[2])}),
            size=size,
            method=METHOD,
            frame=number,
        )
        for number, row in enumerate(numbers, start=1)
    ]


def _id(take: FaceTake) -> str:
    along = b"" if take.directions is None else take.directions.tobytes()
    return hashlib.sha256(take.numbers.tobytes() + along).hexdigest()


def _pictures(numbers: np.ndarray, along: np.ndarray | None) -> Iterator[DrivingPictures]:
    from photorig.worker.reenactment.stylespace import (
        EncodedFace,
        FaceNumbers,
        LearnedDirections,
    )
    from photorig.worker.reenactment.target import DrivingPictures

    directions = None if along is None else LearnedDirections(along)
    for row in numbers:
        yield DrivingPictures(EncodedFace(FaceNumbers(row[:2], row[3:]), directions))
