"""The sound of a file, as a recogniser hears it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from photorig.shared.errors import InputError

RATE = 16_000
_LONGEST_SECONDS = 2 * 3600
_WINDOW_SECONDS = 0.02
_LEAST_QUIET_SECONDS = 0.2
"""The stop of a consonant is shorter."""
_SILENT, _BELOW_LOUD = 33.0, 10 ** (-35 / 20)
_HINT = "Give a sound or video file: .wav, .mp3, .flac, .ogg, .m4a, .mp4 …"


@dataclass(frozen=True, eq=False)
class Sound:
    """Somebody who speaks.

    Attributes:
        samples: (n,) int16, RATE a second, from the start of the file.
        is_damaged: whether there was more, which cannot be read.
    """

    samples: np.ndarray
    is_damaged: bool = False

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


def quiet_stretches(samples: np.ndarray) -> list[tuple[float, float]]:
    """Seconds between which nobody can be heard: 35 dB and more below what is loud, or -60 dB."""
    window = round(_WINDOW_SECONDS * RATE)
    count = len(samples) // window
    if not count:
        return [(0.0, len(samples) / RATE)]
    parts = samples[: count * window].reshape(count, window).astype(np.float64)
    levels = np.sqrt(np.square(parts).mean(axis=1))
    limit = max(_SILENT, np.quantile(levels, 0.95) * _BELOW_LOUD)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], levels < limit, [0]]).astype(int)))
    seconds = np.minimum(edges * _WINDOW_SECONDS, len(samples) / RATE).tolist()
    pairs = zip(seconds[::2], seconds[1::2], strict=True)
    return [(start, end) for start, end in pairs if end - start >= _LEAST_QUIET_SECONDS]


def read_sound(path: Path) -> Sound:
    """The sound of a file, mixed to one channel.

    Raises:
        InputError: there is no such file, it holds no sound, or hours of it.
    """
    if not path.is_file():
        raise InputError(f"There is no file {str(path)!r}", _HINT)
    parts: list[np.ndarray] = []
    is_damaged = False
    try:
        with av.open(str(path)) as container:
            stream = container.streams.best("audio")
            if stream is None:
                raise InputError(f"{path.name} holds no sound", _HINT)
            try:
                _read(container, stream, parts)
            except av.FFmpegError:
                is_damaged = True
    except (av.FFmpegError, ValueError, OSError) as error:
        raise InputError(f"{path.name} is no sound that can be read", _HINT) from error
    samples = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    if not len(samples):
        raise InputError(f"{path.name} holds no sound that can be read", _HINT)
    return Sound(samples, is_damaged)


def _read(container: av.container.InputContainer, stream: object, parts: list[np.ndarray]) -> None:
    """Fill ``parts``; a track that begins after the film is preceded by silence."""
    resampler = av.AudioResampler("s16", "mono", RATE)
    start = min((container.start_time or 0) / av.time_base, 0.0)
    count = 0
    for frame in container.decode(stream):
        if not parts and frame.time is not None and frame.time > start:
            parts.append(np.zeros(round((frame.time - start) * RATE), np.int16))
        for piece in resampler.resample(frame):
            parts.append(piece.to_ndarray().ravel().astype(np.int16))
            count += len(parts[-1])
        if count > _LONGEST_SECONDS * RATE:
            raise InputError("The sound is longer than two hours", "Cut it into scenes.")
    parts += [piece.to_ndarray().ravel().astype(np.int16) for piece in resampler.resample(None)]
