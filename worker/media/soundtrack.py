"""The sound of one film put under another."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

_RATES = {"libopus": 48_000}
"""Samples a second, where a codec does not take any."""


@dataclass(frozen=True)
class Soundtrack:
    """Sound on its way from a film to the one that is being written.

    Attributes:
        source: the film's file.
        container: of the film that is written.
        stream: of the sound in it.
    """

    source: Path
    container: Any
    stream: Any

    @staticmethod
    def of(source: Path, container: Any, codec: str) -> Soundtrack | None:
        """Before the first frame is written. None where the film has no sound that can be read."""
        with contextlib.suppress(av.FFmpegError, OSError, ValueError), av.open(str(source)) as film:
            heard = film.streams.best("audio")
            if heard is None:
                return None
            stream = container.add_stream(codec, rate=_RATES.get(codec, heard.rate))
            stream.layout = "mono" if heard.channels == 1 else "stereo"
            return Soundtrack(source, container, stream)
        return None

    def copy(self, seconds: float) -> None:
        """After the last frame: what is heard in the film's first seconds. Sound that is damaged
        ends where the damage begins."""
        stream = self.stream
        resampler = av.AudioResampler(stream.format, stream.layout, stream.rate)
        with contextlib.suppress(av.FFmpegError), av.open(str(self.source)) as film:
            heard = film.streams.best("audio")
            start = min((film.start_time or 0) / av.time_base, 0.0)
            for frame in film.decode(heard):
                if frame.time is not None and frame.time - start >= seconds:
                    break
                self._write(resampler.resample(frame))
            self._write(resampler.resample(None))
        self.container.mux(stream.encode(None))

    def _write(self, frames: list[Any]) -> None:
        for frame in frames:
            self.container.mux(self.stream.encode(frame))
