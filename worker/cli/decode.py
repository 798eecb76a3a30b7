"""``photorig decode``: an encoded performance as a film, of its own face or of somebody else's."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from photorig.shared.errors import InputError

from .reenact import source_portrait
from .render import size_of
from .written_frames import FrameJob, check_out, write_out

if TYPE_CHECKING:
    from photorig.worker.portraits.face_take import FaceTake
    from photorig.worker.reenactment.target import DrivingPictures

METHOD = "stylespace"


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
    write_out(args.out, _job(args, take))
    return 0


def _job(args: argparse.Namespace, take: FaceTake) -> FrameJob:
    from photorig.shared.wire.messages import FrameRequest
    from photorig.worker.reenactment.bundle import bundle_for
    from photorig.worker.reenactment.renderer import load_renderer
    from photorig.worker.reenactment.stylespace import channels_id

    if take.channels != channels_id():
        raise InputError(
            f"{args.take} was encoded with other channels than this version has",
            "Encode the film again with 'photorig encode'.",
        )
    size, numbers, portrait = size_of(args.size), take.numbers.astype(np.float32), take.portrait
    renderer = load_renderer(args.device, bundle_for(portrait.model_id))
    roll = renderer.schema.index["headRoll"]
    if args.portrait is not None:
        portrait = source_portrait(args.portrait, quick=True)
        numbers = numbers - numbers[0]
    else:
        numbers[:, 2] -= portrait.shown[roll]
    requests = [
        FrameRequest(
            portrait=portrait.id,
            parameters=renderer.schema.vector({"headRoll": float(row[2])}),
            size=size,
            method=METHOD,
            frame=number,
        )
        for number, row in enumerate(numbers, start=1)
    ]
    by = hashlib.sha256(numbers.tobytes()).hexdigest()
    pictures = _pictures(numbers)
    return FrameJob(renderer, portrait, requests, pictures, by, take.rate, None, args.sound)


def _pictures(numbers: np.ndarray) -> Iterator[DrivingPictures]:
    from photorig.worker.reenactment.stylespace import EncodedFace, FaceNumbers
    from photorig.worker.reenactment.target import DrivingPictures

    for row in numbers:
        yield DrivingPictures(EncodedFace(FaceNumbers(row[:2], row[3:])))
