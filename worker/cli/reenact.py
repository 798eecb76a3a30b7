"""``photorig reenact``: somebody does what somebody else's footage shows."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from photorig.shared.errors import InputError
from photorig.shared.files.writing import check_folder_writable, check_writable
from photorig.shared.parameters.timeline import Timeline, timeline
from photorig.shared.wire.messages import FitProgress
from photorig.shared.wire.method_offers import DEFAULT_METHOD

from .progress import Progress
from .render import is_movie, size_of, tell_gaps
from .wording import ranges

if TYPE_CHECKING:
    import numpy as np

    from photorig.shared.wire.messages import FrameRequest
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


@dataclass(frozen=True)
class _Reenactment:
    """Everything that frames are made of.

    Attributes:
        strength: of what pictures put on; None for a method that is driven by parameters.
    """

    renderer: FaceRenderer
    portrait: Portrait
    footage: DrivingFootage
    film: Timeline
    requests: list[FrameRequest]
    strength: float | None


def run(args: argparse.Namespace) -> int:
    if not 0 <= args.strength <= _GREATEST_STRENGTH:
        raise InputError(
            f"A strength of {args.strength:g} is not possible", f"Give 0 to {_GREATEST_STRENGTH:g}."
        )
    as_movie = is_movie(args.out)
    if as_movie:
        check_writable(args.out, "film.mp4", 1 << 20)
    else:
        check_folder_writable(args.out, 1 << 20)
    work = _prepare(args)
    folder = args.out.with_name(f"{args.out.name}.frames") if as_movie else args.out
    made = _write_frames(folder, work)
    if as_movie:
        from photorig.worker.media.movie import write_movie

        sound = args.driver if args.driver.is_file() else None
        write_movie(args.out, _read_frames(folder, work), work.film.rate, work.film.times, sound)
        shutil.rmtree(folder, ignore_errors=True)
    kept = len(work.requests) - made
    note = f" ({kept} were there already)" if kept else ""
    print(f"Wrote {len(work.requests)} frames to {args.out}{note}.")
    return 0


def _prepare(args: argparse.Namespace) -> _Reenactment:
    from photorig.shared.wire.messages import FrameRequest
    from photorig.worker.faces.net3d import Net3D
    from photorig.worker.fitting.driving_footage import DrivingFootage, open_driver
    from photorig.worker.reenactment.bundle import bundle_for
    from photorig.worker.reenactment.known_faces import default_folder
    from photorig.worker.reenactment.methods import method_entry
    from photorig.worker.reenactment.renderer import load_renderer

    size, entry = size_of(args.size), method_entry(args.method)
    total = open_driver(args.driver).total  # a wrong file is told before anything takes time
    portrait = _source(args)
    renderer = load_renderer(args.device, bundle_for(portrait.model_id), default_folder())
    with Progress("frames", total) as bar:
        footage = DrivingFootage.measured(args.driver, Net3D(), args.face, bar.advance)
    if footage.missing:
        print(
            f"note: the face is not seen in {len(footage.missing)} of {len(footage.faces)} frames, "
            f"which are filled: {ranges(footage.missing)}.",
            file=sys.stderr,
        )
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
    strength = args.strength if entry.needs_picture else None
    return _Reenactment(renderer, portrait, footage, film, requests, strength)


def _source(args: argparse.Namespace) -> Portrait:
    """The portrait in a file, or one made of the photo in it."""
    from photorig.worker.portraits.portrait import Portrait

    if args.source.suffix.lower() == ".portrait":
        return Portrait.load(args.source)
    from photorig.worker.fitting.pipeline import PortraitMaker
    from photorig.worker.fitting.settings import QUICK, FitSettings
    from photorig.worker.media.reading import read_picture

    photo = read_picture(args.source)
    with Progress("percent", 100) as bar:

        def show(progress: FitProgress) -> None:
            bar.advance(int(100 * progress.fraction) - bar.done, progress.stage)

        maker = PortraitMaker(show)
        settings = QUICK if args.quick else FitSettings()
        return maker.make(maker.look(photo), 0, args.source.stem, settings)


def _film(footage: DrivingFootage, mode: str, strength: float, portrait: Portrait) -> Timeline:
    """What each frame asks for: changes since the first, or what is seen; as strongly as wanted."""
    from photorig.shared.parameters.file import differences
    from photorig.shared.parameters.schema import ARKIT_52

    frames = differences(footage.frames) if mode == RELATIVE else footage.frames
    origin = {} if mode == RELATIVE else ARKIT_52.named(portrait.shown)
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


def _write_frames(folder: Path, work: _Reenactment) -> int:
    """Into a folder, but for those that are there already; returns how many."""
    from photorig.shared.files.frame_index import FrameIndex, picture_key
    from photorig.worker.media.encode import encode

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {folder}: {error.strerror}") from error
    index, made, pictures, driving = FrameIndex(folder), 0, _pictures(work), None
    model_id = work.renderer.model_id
    driven_by = "" if work.strength is None else f"{work.footage.id}{work.strength}"
    with Progress("frames", len(work.requests)) as bar:
        for request in work.requests:
            key = picture_key(request, hashlib.sha256((model_id + driven_by).encode()).hexdigest())
            driving = next(pictures, driving)
            if not index.is_finished(request.frame, key):
                image = work.renderer.render(work.portrait, request, driving)
                index.store(request.frame, key, encode(image, "png", model_id))
                made += 1
            bar.advance()
    return made


def _pictures(work: _Reenactment) -> Iterator[DrivingPictures | None]:
    """What drives each frame, where the method is driven by pictures."""
    from photorig.worker.fitting.encoder import load_encoder_of
    from photorig.worker.reenactment.target import DrivingPictures, FacePicture

    if work.strength is None:
        while True:
            yield None
    first: FacePicture | None = None
    for picture in work.footage.pictures(load_encoder_of(work.renderer.generator)):
        first = first or picture
        rest = first if work.requests[0].mode == RELATIVE else None
        yield DrivingPictures(picture, rest, work.strength)


def _read_frames(folder: Path, work: _Reenactment) -> Iterator[np.ndarray]:
    from photorig.shared.files.frame_index import file_name
    from photorig.worker.media.reading import read_picture

    for request in work.requests:
        yield read_picture(folder / file_name(request.frame))
