"""Video files as people see them: the film and not its cover, upright, in sRGB, each frame in time.

A container may hold several streams, of which some are pictures for a shelf; it may say how to
turn, mirror and stretch what it holds, which part of it is shown, and that its numbers mean light
brighter than white. All of it is honoured here, so that nobody behind has to know.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.reformatter import Interpolation

from photorig.shared.errors import InputError

from .footage import Footage, TimedPicture
from .refusals import check_size, no_video, short
from .tone import WIDE_PRIMARIES, to_srgb, transfer_of

_STILLS = {"bmp", "gif", "jpegxl", "mjpeg", "png", "tiff", "webp"}
"""Codecs of pictures, which a film may have as well."""

_SHELF = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_PACKETS_LOOKED_AT = 400
_GREATEST_ASPECT = Fraction(4)
"""Of a pixel; what claims more is taken for damage."""

_LUMA = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Weights of red and blue by the number of the matrix (H.273, table 4)."""


def open_video(path: Path) -> Footage:
    """The film in a file.

    Raises:
        InputError: at once where there is none; while iterating where it is damaged.
    """
    try:
        container = av.open(str(path))
    except (av.FFmpegError, ValueError) as error:
        raise no_video(path) from error
    try:
        stream = container.streams[_film_stream(path, container)]
        width, height = _shown_size(stream.width, stream.height, _aspect(stream))
        check_size(path, width, height)
    except BaseException:
        container.close()
        raise
    stream.thread_type = "AUTO"
    frames = _frames(path, container, stream)
    return Footage(stream.frames or None, _rate(stream), frames)


# --- which stream


def _film_stream(path: Path, container: Any) -> int:
    """The index of the film: not a cover, which may come first, and may not say what it is."""
    readable = [each for each in container.streams.video if each.codec_context is not None]
    if container.streams.video and not readable:
        raise InputError(f"{path} is coded in a way that is not known here", "Save it as H.264.")
    streams = [each for each in readable if not each.disposition & _SHELF]
    has_sound = bool(container.streams.audio)
    if not streams:
        what = "holds sound only" if has_sound else "has no pictures in it"
        raise InputError(f"{path} {what}", "Give a picture or video file.")
    doubtful = [each for each in streams if each.codec_context.name in _STILLS]
    if not doubtful or (len(streams) == 1 and not has_sound):
        return _best(container, streams)
    moving = _moving(path, [each.index for each in streams])
    films = [each for each in streams if each not in doubtful or each.index in moving]
    if films:
        return _best(container, films)
    if has_sound:
        raise InputError(f"{path} holds sound only, with a cover", "Give a picture or video file.")
    return _best(container, streams)


def _best(container: Any, streams: list[Any]) -> int:
    """What players would choose of these: the default one, then the one with most to see."""
    best = container.streams.best("video")
    chosen = max(
        streams,
        key=lambda each: (
            bool(each.disposition & Disposition.default),
            best is not None and each.index == best.index,
            (each.width or 0) * (each.height or 0),
        ),
    )
    return int(chosen.index)


def _moving(path: Path, indices: list[int]) -> set[int]:
    """Which of these streams have more than one picture, as far as the beginning tells."""
    counts: Counter[int] = Counter()
    with contextlib.suppress(av.FFmpegError), av.open(str(path)) as container:
        streams = [container.streams[index] for index in indices]
        for _, packet in zip(range(_PACKETS_LOOKED_AT), container.demux(streams), strict=False):
            counts[packet.stream.index] += bool(packet.size)
            if all(counts[index] > 1 for index in indices):
                break
    return {index for index in indices if counts[index] > 1}


# --- time


def _rate(stream: Any) -> Fraction | None:
    rate = stream.guessed_rate or stream.average_rate
    return Fraction(rate) if rate and 0 < rate <= 1000 else None


def _start(container: Any) -> float:
    """When the film begins on the clock of its time stamps.

    Where edit lists say it (MP4, MOV), that is 0, and a first frame may come later. Others begin at
    whatever their recorder's clock said.
    """
    start = (container.start_time or 0) / av.time_base
    return min(start, 0.0) if "mp4" in container.format.name else start


# --- frames


def _frames(path: Path, container: Any, stream: Any) -> Iterator[TimedPicture]:
    count, last = 0, -1.0
    start, rate, aspect = _start(container), _rate(stream), _aspect(stream)
    with container:
        try:
            for frame in container.decode(stream):
                count += 1
                time = _time(frame, start, count, rate)
                if time is not None and time <= last:  # a clock that was set back
                    time = last + float(1 / rate) if rate else None
                last = last if time is None else time
                yield TimedPicture(_shown(path, frame, aspect), time)
        except av.FFmpegError as error:
            if count == 0:
                raise no_video(path) from error
            reason = error.strerror or short(error)
            raise InputError(
                f"{path} is damaged after frame {count}: {reason}", "Convert it again."
            ) from error
    if count == 0:
        raise InputError(f"{path} has no frames that can be read", "Convert it again.")


def _time(frame: Any, start: float, count: int, rate: Fraction | None) -> float | None:
    if frame.time is not None:
        return max(float(frame.time) - start, 0.0)
    return float((count - 1) / rate) if rate else None


def _shown(path: Path, frame: Any, aspect: Fraction) -> np.ndarray:
    """(h, w, 3) uint8 sRGB as a player shows it."""
    size = _shown_size(frame.width, frame.height, aspect)
    if size != (frame.width, frame.height):
        check_size(path, *size)
    transfer = transfer_of(frame.color_trc, frame.color_primaries)
    if transfer:
        picture = _without_range(frame, size, transfer)
    elif size != (frame.width, frame.height):
        scaled = frame.reformat(*size, format="rgb24", interpolation=Interpolation.BICUBIC)
        picture = scaled.to_ndarray()
    else:
        picture = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(_turned(picture, frame))


def _aspect(stream: Any) -> Fraction:
    """Width of a pixel by its height; 1 where the file says nothing, or nonsense."""
    aspect = stream.sample_aspect_ratio
    if not aspect or not 1 / _GREATEST_ASPECT <= aspect <= _GREATEST_ASPECT:
        return Fraction(1)
    return Fraction(aspect)


def _shown_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """In square pixels: stretched, so that none is lost."""
    if aspect >= 1:
        return round(width * aspect), height
    return width, round(height / aspect)


def _without_range(frame: Any, size: tuple[int, int], transfer: str) -> np.ndarray:
    bicubic = Interpolation.BICUBIC
    wide = frame.color_primaries == WIDE_PRIMARIES
    if frame.format.is_rgb:
        scaled = frame.reformat(*size, format="rgb48le", interpolation=bicubic)
        return to_srgb(scaled.to_ndarray().astype(np.float32) / 65535, transfer, wide=wide)
    scaled = frame.reformat(*size, format="yuv444p16le", interpolation=bicubic)
    planes = scaled.to_ndarray().astype(np.float32)
    planes = planes.transpose(1, 2, 0) if planes.shape[0] == 3 else planes
    full = frame.color_range == 2
    low, luma, chroma = (0, 65535, 65535) if full else (16 << 8, 219 << 8, 224 << 8)
    red, blue = _LUMA.get(frame.colorspace, _LUMA[9])
    green = 1 - red - blue
    to_rgb = np.array(
        [
            [1, 0, 2 * (1 - red)],
            [1, -2 * blue * (1 - blue) / green, -2 * red * (1 - red) / green],
            [1, 2 * (1 - blue), 0],
        ],
        np.float32,
    )
    offset = np.array([low, 1 << 15, 1 << 15], np.float32)
    scale = np.array([luma, chroma, chroma], np.float32)
    return to_srgb(((planes - offset) / scale) @ to_rgb.T, transfer, wide=wide)


def _turned(picture: np.ndarray, frame: Any) -> np.ndarray:
    """As the display matrix says: telephones store frames lying, front cameras mirrored.

    The matrix takes (x, y), y down, to x' = a x + c y, y' = b x + d y (ISO 14496-12, 8.3.2).
    """
    matrices = [each for each in frame.side_data if each.type == SideDataType.DISPLAYMATRIX]
    numbers = np.frombuffer(bytes(matrices[0]), np.int32) if matrices else np.eye(3)
    if numbers.size != 9:
        return picture
    (a, b), (c, d) = numbers.reshape(3, 3)[:2, :2].astype(float)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return picture[:: _sign(d), :: _sign(a)]
    return picture.transpose(1, 0, 2)[:: _sign(b), :: _sign(c)]


def _sign(number: float) -> int:
    return -1 if number < 0 else 1
