"""``photorig reenact``: somebody does what somebody else's footage shows."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from photorig.shared.errors import InputError
from photorig.shared.parameters.timeline import Timeline, timeline
from photorig.shared.wire.messages import FitProgress
from photorig.shared.wire.method_offers import DEFAULT_METHOD

from .progress import Progress
from .render import size_of, tell_gaps
from .wording import ranges
from .written_frames import FrameJob, check_out, write_out

if TYPE_CHECKING:
    import numpy as np

    from photorig.worker.fitting.driving_footage import DrivingFootage
    from photorig.worker.portraits.portrait import Portrait
    from photorig.worker.reenactment.renderer import FaceRenderer
    from photorig.worker.reenactment.target import DrivingPictures

RELATIVE, ABSOLUTE = "relative", "absolute"
_GREATEST_STRENGTH = 3.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "reenact",
        help="let footage of one person drive a portrait of another",
        description="Frames that were made before a run was stopped are not made again.",
    )
    parser.add_argument("source", type=Path, help="a portrait, or a photo to make one of")
    parser.add_argument("driver", type=Path, help="a film, a picture or a folder of pictures")
    parser.add_argument("--out", type=Path, required=True, help="a film (x.mp4 …) or a folder")
    parser.add_argument(
        "--method", default=DEFAULT_METHOD, help="'photorig methods' lists them (%(default)s)"
    )
    parser.add_argument(
        "--mode",
        choices=(RELATIVE, ABSOLUTE),
        help="relative: the driver's first frame is the source at rest; absolute: pose and "
        "expression as they are (relative, of a single picture absolute)",
    )
    parser.add_argument(
        "--strength", type=float, default=1.0, metavar="A", help="how much of it is put on (1)"
    )
    parser.add_argument("--size", default="full", help="256, 512, 1024, or the whole photo (full)")
    parser.add_argument("--face", type=int, default=0, metavar="N", help="which face drives (0)")
    parser.add_argument(
        "--quick", action="store_true", help="a photo becomes a portrait in seconds"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")


def run(args: argparse.Namespace) -> int:
    if not 0 <= args.strength <= _GREATEST_STRENGTH:
        raise InputError(
            f"A strength of {args.strength:g} is not possible", f"Give 0 to {_GREATEST_STRENGTH:g}."
        )
    check_out(args.out)
    write_out(args.out, _prepare(args))
    return 0


def _prepare(args: argparse.Namespace) -> FrameJob:
    from photorig.shared.wire.messages import FrameRequest
    from photorig.worker.fitting.driving_footage import open_driver
    from photorig.worker.reenactment.bundle import bundle_for
    from photorig.worker.reenactment.known_faces import default_folder
    from photorig.worker.reenactment.methods import method_entry
    from photorig.worker.reenactment.renderer import load_renderer

    size, needs_picture = size_of(args.size), method_entry(args.method).needs_picture
    total = open_driver(args.driver).total  # a wrong file is told before anything takes time
    portrait = source_portrait(args.source, args.quick)
    renderer = load_renderer(args.device, bundle_for(portrait.model_id), default_folder())
    footage = measured_footage(args.driver, args.face, total)
    mode = args.mode or (ABSOLUTE if footage.is_still else RELATIVE)
    film = _film(footage, mode, args.strength, portrait)
    tell_gaps(film)
    missing = portrait.shown if mode == ABSOLUTE else renderer.schema.rest
    requests = [
        FrameRequest(
            portrait=portrait.id,
            parameters=renderer.schema.vector(frame.values, missing),
            size=size,
            mode=mode,
            method=args.method,
            frame=frame.frame,
        )
        for frame in film.frames
    ]
    return FrameJob(
        renderer,
        portrait,
        requests,
        _pictures(renderer, footage, mode, args.strength)
        if needs_picture
        else itertools.repeat(None),
        f"{footage.id}{args.strength}" if needs_picture else "",
        film.rate,
        film.times,
        args.driver if args.driver.is_file() else None,
    )


def measured_footage(driver: Path, face: int, total: int | None) -> DrivingFootage:
    """What drives, measured; frames that do not show the face are told."""
    from photorig.worker.faces.net3d import Net3D
    from photorig.worker.fitting.driving_footage import DrivingFootage

    with Progress("frames", total) as bar:
        footage = DrivingFootage.measured(driver, Net3D(), face, bar.advance)
    if footage.missing:
        print(
            f"note: the face is not seen in {len(footage.missing)} of {len(footage.faces)} frames, "
            f"which are filled: {ranges(footage.missing)}.",
            file=sys.stderr,
        )
    return footage


def source_portrait(source: Path, quick: bool) -> Portrait:
    """The portrait in a file, or one made of the photo in it."""
    from photorig.worker.portraits.portrait import Portrait

    if source.suffix.lower() == ".portrait":
        return Portrait.load(source)
    from photorig.worker.media.reading import read_picture

    return fitted_portrait(read_picture(source), source.stem, quick)


def fitted_portrait(photo: np.ndarray, name: str, quick: bool) -> Portrait:
    """A portrait of a photo (h, w, 3) uint8."""
    from photorig.worker.fitting.pipeline import PortraitMaker
    from photorig.worker.fitting.settings import QUICK, FitSettings

    with Progress("percent", 100) as bar:

        def show(progress: FitProgress) -> None:
            bar.advance(int(100 * progress.fraction) - bar.done, progress.stage)

        maker = PortraitMaker(show)
        settings = QUICK if quick else FitSettings()
        return maker.make(maker.look(photo), 0, name, settings)


def _film(footage: DrivingFootage, mode: str, strength: float, portrait: Portrait) -> Timeline:
    """What each frame asks for: changes since the first, or what is seen; as strongly as wanted."""
    from photorig.shared.parameters.file import differences
    from photorig.shared.parameters.schema import FACE_SCHEMA

    frames = differences(footage.frames) if mode == RELATIVE else footage.frames
    origin = {} if mode == RELATIVE else FACE_SCHEMA.named(portrait.shown)
    stronger = [
        replace(
            frame,
            values={
                name: origin.get(name, 0.0) + strength * (value - origin.get(name, 0.0))
                for name, value in frame.values.items()
            },
        )
        for frame in frames
    ]
    return timeline(stronger, footage.recording)


def _pictures(
    renderer: FaceRenderer, footage: DrivingFootage, mode: str, strength: float
) -> Iterator[DrivingPictures | None]:
    """What drives each frame."""
    from photorig.worker.fitting.encoder import load_encoder_of
    from photorig.worker.reenactment.target import DrivingPictures, FacePicture

    first: FacePicture | None = None
    for picture in footage.pictures(load_encoder_of(renderer.generator)):
        first = first or picture
        yield DrivingPictures(picture, first if mode == RELATIVE else None, strength)
