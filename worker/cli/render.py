"""``photorig render``: a portrait and a parameter file to frames, without a server or Blender."""

from __future__ import annotations

import argparse
import bisect
import contextlib
import functools
import itertools
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from photorig.shared.errors import InputError
from photorig.shared.farm.frames import parse_frames
from photorig.shared.farm.progress import FORMS, PLAIN, FarmProgress
from photorig.shared.files.reading import read_file
from photorig.shared.files.writing import check_folder_writable, check_writable
from photorig.shared.parameters.timeline import Timeline, timeline
from photorig.shared.wire.method_offers import DEFAULT_METHOD

from .progress import Progress
from .wording import ranges, rate_of

if TYPE_CHECKING:
    import numpy as np

    from photorig.shared.parameters.file import FrameParameters
    from photorig.shared.wire.messages import FrameRequest
    from photorig.worker.portraits.portrait import Portrait
    from photorig.worker.reenactment.renderer import FaceRenderer
    from photorig.worker.reenactment.sequences import AskedFrame

MOVIES = (".mp4", ".mov", ".mkv", ".webm", ".gif")
_MOVIE_NAMES = "x.mp4, x.mov, x.mkv, x.webm or x.gif"
_OTHER_MOVIES = set(
    ".3gp .apng .asf .avi .divx .f4v .flv .m2ts .m4v .mjpeg .mpeg .mpg .mts .mxf .ogg .ogv .qt .ts"
    " .vob .wmv .y4m".split()
)
_PICTURES = set(
    ".avif .bmp .dpx .exr .hdr .heic .jpeg .jpg .jxl .png .psd .svg .tga .tif .tiff .webp".split()
)
RELATIVE_TO_FIRST = "relative-to-first"
MODES = ("relative", RELATIVE_TO_FIRST, "absolute")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "render",
        help="render a portrait with the parameters of a file",
        description="Render one frame for each line of a parameter file. Frames that are already "
        "in the folder and answer the same request are not rendered again.",
    )
    parser.add_argument("portrait", type=Path, metavar="x.portrait")
    parser.add_argument("parameters", type=Path, metavar="params.jsonl")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="a folder, or a film: x.mp4, x.mov, x.mkv, x.webm or x.gif",
    )
    parser.add_argument("--size", default="full", help="256, 512, 1024 or full (full)")
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="relative",
        help="relative: the numbers are changes of the photo; relative-to-first: what a recording "
        "changes since its first frame is; absolute: they are what is seen (relative)",
    )
    parser.add_argument(
        "--neutral-frame",
        type=int,
        metavar="N",
        help="the recording's frame that stands for the photo, instead of its first",
    )
    parser.add_argument(
        "--neutral",
        type=float,
        default=0.0,
        metavar="A",
        help="how much of the photo's own expression to take away, 0 to 1 (0)",
    )
    parser.add_argument(
        "--method", default=DEFAULT_METHOD, help="'photorig methods' lists them (%(default)s)"
    )
    parser.add_argument(
        "--fps",
        type=rate_of,
        metavar="N",
        help="of a film: 24, 23.976 or 30000/1001 (as the recording was, else 24)",
    )
    parser.add_argument(
        "--passes",
        action="store_true",
        help="also write the face before it is put back and the person's matte",
    )
    parser.add_argument(
        "--with",
        dest="others",
        nargs=2,
        action="append",
        type=Path,
        default=[],
        metavar=("y.portrait", "params.jsonl"),
        help="drive another face of the same photo in the same frames; may be given again",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument(
        "--frames",
        metavar="N-M",
        help="only these frames of the file, as 1-24 or 1,5,10-20, into a folder that others fill",
    )
    parser.add_argument(
        "--expect",
        type=Path,
        metavar="expected.json",
        help="render nothing on a computer that differs from what a farm's job was submitted with",
    )
    parser.add_argument("--messages", choices=FORMS, default=PLAIN, help=argparse.SUPPRESS)


@dataclass(frozen=True)
class _Job:
    """Attributes:
    portraits: with what their faces do, so that they may be others than the files'; frames are
        named by the files'.
    timeline: of a film; None for a folder of frames.
    many_write: whether other computers write into the same folder.
    progress: for the farm that runs this; None outside of one.
    """

    renderer: FaceRenderer
    portraits: list[Portrait]
    requests: list[FrameRequest]
    timeline: Timeline | None
    many_write: bool = False
    progress: FarmProgress | None = None


def run(args: argparse.Namespace) -> int:
    as_movie = is_movie(args.out)
    if args.passes and as_movie:
        raise InputError("Passes are written as pictures", "Give a folder instead of a movie.")
    if args.neutral_frame is not None and args.mode != RELATIVE_TO_FIRST:
        raise InputError(
            "A neutral frame is that of a recording", f"Add --mode {RELATIVE_TO_FIRST}."
        )
    if args.neutral and args.mode == "absolute":
        raise InputError("In mode absolute nothing is left of the photo", "Leave --neutral out.")
    if as_movie and args.frames:
        raise InputError(
            "Single frames are written as pictures", "Give a folder instead of a film."
        )
    if as_movie:
        check_writable(args.out, "film.mp4", 1 << 20)
    else:
        check_folder_writable(args.out, 1 << 20)
    job = _prepare(args, as_movie)
    _warn_beyond_range(job)
    started = time.perf_counter()
    if job.timeline is not None:
        from photorig.worker.media.movie import write_movie

        tell_gaps(job.timeline)
        rendered = write_movie(args.out, _frames(job), job.timeline.rate, job.timeline.times)
    else:
        rendered = _write_folder(args.out, job, with_passes=args.passes)
    seconds = time.perf_counter() - started
    speed = f", {1000 * seconds / rendered:.0f} ms a frame" if rendered else ""
    finished = len(job.requests) - rendered
    kept = f" ({finished} were there already)" if finished else ""
    print(f"Rendered {rendered} frames to {args.out}{kept}{speed}")
    return 0


def is_movie(out: Path) -> bool:
    """Whether the name is that of a film; else it is that of a folder.

    Raises:
        InputError: the name is that of a film or a picture that cannot be made.
    """
    suffix = out.suffix.lower()
    if suffix in MOVIES:
        return True
    with contextlib.suppress(OSError):  # too long, which is told where it is tried
        if out.is_dir():
            return False
    if suffix in _OTHER_MOVIES:
        raise InputError(f"Films of the kind {suffix} cannot be made", f"Give {_MOVIE_NAMES}.")
    if suffix in _PICTURES:
        raise InputError(
            f"{out} is the name of one picture", f"Give a folder, or a film: {_MOVIE_NAMES}."
        )
    return False


def tell_gaps(film: Timeline) -> None:
    for numbers, what in (
        (film.bridged, "bridged from the pose before to the pose after"),
        (film.held, "held at the nearest pose"),
    ):
        if numbers:
            count = "one frame" if len(numbers) == 1 else f"{len(numbers)} frames"
            print(
                f"note: {count} that the file leaves out, {what}: {ranges(numbers)}.",
                file=sys.stderr,
            )


def _prepare(args: argparse.Namespace, is_movie: bool) -> _Job:
    from photorig.shared.parameters.file import differences, read_recording
    from photorig.shared.wire.messages import FrameRequest
    from photorig.worker.portraits.portrait import Portrait
    from photorig.worker.reenactment.bundle import bundle_for
    from photorig.worker.reenactment.renderer import load_renderer

    size = size_of(args.size)
    wanted = set(parse_frames(args.frames)) if args.frames else None
    pairs = [(args.portrait, args.parameters), *args.others]
    portraits = [Portrait.load(path) for path, _ in pairs]
    renderer = load_renderer(args.device, bundle_for(portraits[0].model_id))
    if args.expect is not None:
        from photorig.worker.farm.node import check_node

        check_node(args.expect, renderer, portraits)
    recordings = [read_recording(path, renderer.schema) for _, path in pairs]
    for (_, path), (lines, _) in zip(pairs, recordings, strict=True):
        if not lines:
            raise InputError(f"{path} holds no frames", "Write one JSON object a line.")
    if args.mode == RELATIVE_TO_FIRST:
        recordings = [(differences(lines, args.neutral_frame), r) for lines, r in recordings]
    film = timeline(*recordings[0], args.fps) if is_movie else None
    lines = recordings[0][0] if film is None else film.frames

    def asked(portrait: Portrait, line: FrameParameters) -> FrameRequest:
        mode = "absolute" if args.mode == "absolute" else "relative"
        missing = renderer.schema.rest if mode == "relative" else portrait.shown
        return FrameRequest(
            portrait=portrait.id,
            parameters=renderer.schema.vector(line.values, missing),
            size=size,
            mode=mode,
            method=args.method,
            frame=line.frame,
            neutral=args.neutral,
        )

    beside = [(portraits[n], recordings[n][0]) for n in range(1, len(pairs))]
    requests = [
        replace(
            asked(portraits[0], line),
            others=tuple(asked(each, _at(its, line.frame)) for each, its in beside),
        )
        for line in lines
        if wanted is None or line.frame in wanted
    ]
    if wanted is not None and len(requests) < len(wanted):
        missing = sorted(wanted - {request.frame for request in requests})
        raise InputError(f"{args.parameters} has no frame {missing[0]}", "Give frames that it has.")
    known = [
        measured(path, args.method, each, renderer)
        for (path, _), each in zip(pairs, portraits, strict=True)
    ]
    progress = FarmProgress(args.messages) if args.frames else None
    return _Job(renderer, known, requests, film, wanted is not None, progress)


def _at(lines: list[FrameParameters], frame: int) -> FrameParameters:
    """What a further face does at a frame: the line of that number, or the last one before it."""
    ordered = sorted(lines, key=lambda line: line.frame)
    place = bisect.bisect_right(ordered, frame, key=lambda line: line.frame)
    return ordered[max(0, place - 1)]


def measured(path: Path, method: str, portrait: Portrait, renderer: FaceRenderer) -> Portrait:
    """The portrait of a file with what its face does; one that lacks it, a quick one or an older
    one, is measured now and kept beside the old file."""
    from photorig.worker.reenactment.known_faces import KnownFaces, default_folder, measure_on
    from photorig.worker.reenactment.measure_geometry import LOOKS
    from photorig.worker.reenactment.methods import method_entry

    faces = KnownFaces(
        renderer.bundle, measure_on(renderer.bundle, renderer.generator), default_folder()
    )
    if not method_entry(method).needs_geometry or not faces.needs_measuring(portrait):
        return portrait
    renderer.check_portrait(portrait)
    with contextlib.ExitStack() as cleanup:

        @functools.cache  # at the first look: what was kept from before needs none
        def progress() -> Progress:
            kind = "a quick portrait, or one of an earlier version"
            print(f"{path} is {kind}: measuring its face, once.", file=sys.stderr)
            return cleanup.enter_context(Progress("pictures", LOOKS))

        result = faces.known(portrait, lambda: progress().advance())
    if faces.needs_measuring(result):
        print(
            "Warning: no face is found in what the generator makes of it: it is driven by the "
            "method calibrated, and less far.",
            file=sys.stderr,
        )
        return portrait
    _keep_beside(path, result)
    return result


def _keep_beside(path: Path, portrait: Portrait) -> None:
    """Write the updated portrait beside the old one, which stays; no file is ever replaced."""
    base = re.sub(r"\.updated(-\d+)?$", "", path.stem)
    content = portrait.to_bytes()
    for number in itertools.count(1):
        ending = "updated" if number == 1 else f"updated-{number}"
        updated = path.with_name(f"{base}.{ending}.portrait")
        if not os.path.lexists(updated):
            break
        with contextlib.suppress(OSError):
            if read_file(updated, len(content)) == content:
                return
    try:
        portrait.save(updated)
    except InputError as error:
        print(f"Note: the updated portrait is not kept: {error.message}.", file=sys.stderr)
    else:
        print(f"Wrote the updated portrait to {updated}; the old file stays.", file=sys.stderr)


def size_of(text: str) -> int | Literal["full"]:
    if text == "full":
        return "full"
    try:
        return int(text)
    except ValueError:
        raise InputError(f"There is no size {text!r}", "Use 256, 512, 1024 or full.") from None


def _warn_beyond_range(job: _Job) -> None:
    """One warning a parameter, however many frames ask too much of it."""
    from photorig.worker.reenactment.reach import sentences_beyond

    told: dict[str, str] = {}
    for request in job.requests:
        for portrait, each in zip(job.portraits, (request, *request.others), strict=True):
            asked = job.renderer.asked_shift(portrait, each)
            for name, why in sentences_beyond(job.renderer.bundle, portrait, asked).items():
                told.setdefault(name, f"{why} (first in frame {request.frame})")
    for name, why in told.items():
        print(f"Warning: {name} {why}.", file=sys.stderr)


def _frames(job: _Job) -> Iterator[np.ndarray]:
    from tqdm import tqdm

    from photorig.worker.reenactment.sequences import AskedFrame, finished_frames

    # A picture that is held is made once.
    held = [list(same) for _, same in itertools.groupby(job.requests, lambda each: each.picture)]
    asked = (AskedFrame(same[0]) for same in held)
    made = finished_frames(job.renderer, job.portraits, asked, lambda _, frame: frame)
    with tqdm(total=len(job.requests), unit="frame", disable=not sys.stderr.isatty()) as bar:
        for same, frame in zip(held, made, strict=True):
            for _ in same:
                yield frame
                bar.update()


def _write_folder(folder: Path, job: _Job, *, with_passes: bool) -> int:
    from tqdm import tqdm

    from photorig.shared.files.frame_index import FrameIndex, picture_key
    from photorig.worker.reenactment.sequences import AskedFrame

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {folder}: {error.strerror}") from error
    index = FrameIndex(folder, many_write=job.many_write)
    layers = ("", "face", "matte") if with_passes else ("",)
    keyed = [(request, picture_key(request, job.renderer.model_id)) for request in job.requests]
    missing = [
        AskedFrame(request, key)
        for request, key in keyed
        if not all(index.is_finished(request.frame, key, layer) for layer in layers)
    ]
    made = tqdm(
        _encoded(job, missing, with_passes=with_passes),
        total=len(missing),
        unit="frame",
        disable=not sys.stderr.isatty(),
    )
    for number, (asked, contents) in enumerate(zip(missing, made, strict=True), 1):
        for layer, content in contents.items():
            index.store(asked.request.frame, asked.key, content, layer)
        if job.progress is not None:
            n_finished = len(keyed) - len(missing) + number
            job.progress.frame(asked.request.frame, n_finished, len(keyed))
    return len(missing)


def _encoded(
    job: _Job, missing: Sequence[AskedFrame], *, with_passes: bool
) -> Iterator[dict[str, bytes]]:
    """PNG files of each frame by the layer in their names; the frame itself has none."""
    from photorig.worker.compositing.several_faces import faces_passes
    from photorig.worker.media.encode import encode
    from photorig.worker.reenactment.sequences import finished_frames
    from photorig.worker.threads import in_lanes

    def png(picture: np.ndarray) -> bytes:
        return encode(picture, "png", job.renderer.model_id)

    def layers(asked: AskedFrame) -> dict[str, bytes]:
        made = faces_passes(job.renderer, job.portraits, asked.request)
        return {"face": png(made.face), "matte": png(made.matte), "": png(made.combined)}

    if with_passes and missing:
        lanes = job.renderer.frames_at_once(job.portraits[0], missing[0].request.size)
        return in_lanes(layers, missing, lanes)
    return finished_frames(job.renderer, job.portraits, missing, lambda _, frame: {"": png(frame)})
