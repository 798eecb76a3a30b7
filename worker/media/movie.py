"""Frames to a film: MP4, MOV, Matroska, WebM or GIF, each as players expect it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
import av.filter
import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.files.provenance import DIGITAL_SOURCE_TYPE
from photorig.shared.files.writing import explained, replacing

from .soundtrack import Soundtrack

NOTE = f"Made with AI. IPTC DigitalSourceType: {DIGITAL_SOURCE_TYPE}"


@dataclass(frozen=True)
class MovieKind:
    """How films with one suffix are made.

    Attributes:
        container: FFmpeg's name.
        codec, pixels: of the stream.
        ticks: parts of a second in which its frames can be placed.
        least: of them that a frame can last.
        options: of the codec.
        settings: of the container.
        sound: codec of a soundtrack; "" where there can be none.
    """

    container: str
    codec: str
    pixels: str
    ticks: int
    least: int = 1
    options: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    sound: str = ""


_H264 = {"crf": "16"}
_TAGS = {"movflags": "use_metadata_tags"}
KINDS = {
    ".mp4": MovieKind("mp4", "libx264", "yuv420p", 90_000, 1, _H264, _TAGS, "aac"),
    ".mov": MovieKind("mov", "libx264", "yuv420p", 90_000, 1, _H264, _TAGS, "aac"),
    ".mkv": MovieKind("matroska", "libx264", "yuv420p", 1000, 1, _H264, sound="aac"),
    ".webm": MovieKind(
        "webm",
        "libvpx-vp9",
        "yuv420p",
        1000,
        1,
        {"crf": "24", "b": "0", "cpu-used": "4"},
        sound="libopus",
    ),
    # Players show what is to last a hundredth for ten.
    ".gif": MovieKind("gif", "gif", "pal8", 100, 2),
}
"""By the suffix of a file's name, in lower case."""

_GIF_TRAILER = b";"


def write_movie(
    path: Path,
    frames: Iterable[np.ndarray],
    frames_per_second: float | Fraction,
    times: Sequence[float] | None = None,
    sound: Path | None = None,
) -> int:
    """Write (height, width, 3) uint8 frames of one size as a film; returns how many.

    The file appears under its name only when it is complete. Odd sides are padded by repeating the
    last row or column, because the codecs store colour for two by two pixels.

    GIF has no more than 50 frames a second; of faster ones some are left out.

    Args:
        path: its suffix, one of KINDS, says what is made.
        times: seconds from the start by frame, growing, where they do not keep the rate.
        sound: a film whose sound goes along, if it has any and this kind can carry it.

    Raises:
        InputError: there are no frames, or the file cannot be written.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"There is no film of the kind {path.suffix}", f"{_known()}.")
    rate = Fraction(frames_per_second).limit_denominator(1001)
    with replacing(path) as file:
        try:
            count = _write(file, kind, frames, rate, times, sound)
        except (OSError, av.FFmpegError) as error:
            with explained(path):
                raise OSError(error.errno, error.strerror or str(error)) from error
        if not count:
            raise InputError("There are no frames to write", "Give at least one frame.")
    return count


def _known() -> str:
    names = [suffix.removeprefix(".").upper() for suffix in KINDS]
    return f"Films are made as {', '.join(names[:-1])} and {names[-1]}"


def _write(
    file: IO[bytes],
    kind: MovieKind,
    frames: Iterable[np.ndarray],
    rate: Fraction,
    times: Sequence[float] | None,
    sound: Path | None,
) -> int:
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        return 0
    # GIF has steps of a hundredth only, so its frames always need times of their own.
    ticks = None if times is None and kind.codec != "gif" else kind.ticks
    count = 0
    with av.open(file, "w", format=kind.container, options=kind.settings) as container:
        container.metadata["DigitalSourceType"] = DIGITAL_SOURCE_TYPE
        container.metadata["comment"] = NOTE
        # MP4 counts its length in the order of decoding, which frames between others upset.
        in_order = {"bf": "0"} if ticks is not None and kind.codec == "libx264" else {}
        stream = container.add_stream(kind.codec, rate=rate, options=kind.options | in_order)
        stream.height, stream.width = _even(first).shape[:2]
        stream.pix_fmt = kind.pixels
        if ticks is not None:
            stream.codec_context.time_base = Fraction(1, ticks)
        track = Soundtrack.of(sound, container, kind.sound) if sound and kind.sound else None
        palette = _Palette(stream) if kind.codec == "gif" else None
        durations: dict[int, int] = {}
        last = -kind.least
        for picture in itertools.chain([first], remaining):
            start, end = (_seconds(count + more, rate, times) for more in (0, 1))
            count += 1
            frame = av.VideoFrame.from_ndarray(_even(picture), "rgb24")
            if ticks is not None:
                if round(start * ticks) < last + kind.least:
                    continue  # too short for this kind: the film keeps its time
                last = round(start * ticks)
                frame.pts, frame.time_base = last, Fraction(1, ticks)
                durations[last] = max(round(end * ticks) - last, kind.least)
            for ready in [frame] if palette is None else palette.of(frame):
                container.mux(_lasting(stream.encode(ready), durations))
        container.mux(_lasting(stream.encode(), durations))
        if track is not None:
            track.copy(float(_seconds(count, rate, times)))
    if kind.codec == "gif":
        _add_comment(file)
    return count


def _lasting(packets: list[Any], durations: dict[int, int]) -> list[Any]:
    """With how long each is shown, which encoders do not pass on: the last one needs it."""
    for packet in packets:
        if packet.pts in durations:
            packet.duration = durations.pop(packet.pts)
    return packets


def _even(frame: np.ndarray) -> np.ndarray:
    return np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), "edge")


def _seconds(number: int, rate: Fraction, times: Sequence[float] | None) -> float:
    """When a frame is shown, counted from 0; of the one after the last, when that ends."""
    if times is None:
        return float(number / rate)
    return times[number] if number < len(times) else times[-1] + float(1 / rate)


class _Palette:
    """The 256 colours of each frame that show it best, dithered."""

    def __init__(self, stream: Any) -> None:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=stream.width,
            height=stream.height,
            format=av.VideoFormat("rgb24"),
            time_base=stream.codec_context.time_base,
        )
        split, make = graph.add("split"), graph.add("palettegen", "stats_mode=single")
        use, sink = graph.add("paletteuse", "new=1:dither=sierra2_4a"), graph.add("buffersink")
        source.link_to(split)
        split.link_to(use, 0, 0)
        split.link_to(make, 1, 0)
        make.link_to(use, 0, 1)
        use.link_to(sink)
        graph.configure()
        self._graph = graph

    def of(self, frame: Any) -> Iterator[Any]:
        """The frame with its palette, when it is ready: one in, one out."""
        self._graph.push(frame)
        while True:
            try:
                ready = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield ready


def _add_comment(file: IO[bytes]) -> None:
    """GIF's container keeps no metadata: the note goes where the format has it (GIF89a, 24)."""
    file.seek(-1, 2)
    if file.read(1) != _GIF_TRAILER:
        return
    file.seek(-1, 2)
    text = NOTE.encode()
    blocks = [text[start : start + 255] for start in range(0, len(text), 255)]
    file.write(b"!\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0")
    file.write(_GIF_TRAILER)
