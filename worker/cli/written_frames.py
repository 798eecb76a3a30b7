"""Frames of a portrait into a folder or a film, so that a run that was stopped goes on."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from photorig.shared.errors import InputError
from photorig.shared.files.writing import check_folder_writable, check_writable

from .progress import Progress
from .render import is_movie

if TYPE_CHECKING:
    import numpy as np

    from photorig.shared.wire.messages import FrameRequest
    from photorig.worker.portraits.portrait import Portrait
    from photorig.worker.reenactment.renderer import FaceRenderer
    from photorig.worker.reenactment.target import DrivingPictures


@dataclass(frozen=True, eq=False)
class FrameJob:
    """What is to be rendered.

    Attributes:
        pictures: what drives each frame.
        driven_by: names the pictures; "" where there are none.
        rate, times, sound: of a film, see `write_movie`.
    """

    renderer: FaceRenderer
    portrait: Portrait
    requests: list[FrameRequest]
    pictures: Iterator[DrivingPictures | None]
    driven_by: str
    rate: Fraction
    times: Sequence[float] | None = None
    sound: Path | None = None


def check_out(out: Path) -> None:
    """Raises InputError where a film or folder of that name cannot be written."""
    if is_movie(out):
        check_writable(out, "film.mp4", 1 << 20)
    else:
        check_folder_writable(out, 1 << 20)


def write_out(out: Path, job: FrameJob) -> None:
    """Frames that are there already, in the folder or in that beside the unfinished film, are not
    made again."""
    as_movie = is_movie(out)
    folder = out.with_name(f"{out.name}.frames") if as_movie else out
    made = _write_frames(folder, job)
    if as_movie:
        from photorig.worker.media.movie import write_movie

        write_movie(out, _read_frames(folder, job), job.rate, job.times, job.sound)
        shutil.rmtree(folder, ignore_errors=True)
    kept = len(job.requests) - made
    note = f" ({kept} were there already)" if kept else ""
    print(f"Wrote {len(job.requests)} frames to {out}{note}.")


def _write_frames(folder: Path, job: FrameJob) -> int:
    from photorig.shared.files.frame_index import FrameIndex, picture_key
    from photorig.worker.media.encode import encode
    from photorig.worker.reenactment.sequences import AskedFrame, finished_frames

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {folder}: {error.strerror}") from error
    index, made, model_id = FrameIndex(folder), 0, job.renderer.model_id
    by = hashlib.sha256((model_id + job.driven_by).encode()).hexdigest()

    def missing() -> Iterator[AskedFrame]:
        driving: DrivingPictures | None = None
        for request in job.requests:
            key, driving = picture_key(request, by), next(job.pictures, driving)
            if not index.is_finished(request.frame, key):
                yield AskedFrame(request, key, driving)

    def written(asked: AskedFrame, image: np.ndarray) -> tuple[int, str, bytes]:
        return asked.request.frame, asked.key, encode(image, "png", model_id)

    frames = finished_frames(job.renderer, [job.portrait], missing(), written)
    with Progress("frames", len(job.requests)) as bar:
        for frame, key, content in frames:
            index.store(frame, key, content)
            made += 1
            bar.advance()
        bar.advance(len(job.requests) - made)
    return made


def _read_frames(folder: Path, job: FrameJob) -> Iterator[np.ndarray]:
    from photorig.shared.files.frame_index import file_name
    from photorig.worker.media.reading import read_picture

    for request in job.requests:
        yield read_picture(folder / file_name(request.frame))
