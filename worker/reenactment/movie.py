"""Frames to an H.264 movie."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.provenance import DIGITAL_SOURCE_TYPE


def write_movie(path: Path, frames: Iterable[np.ndarray], frames_per_second: float) -> int:
    """Write (height, width, 3) uint8 frames of one size as an mp4; returns how many.

    The file appears under its name only when it is complete. Odd sides are padded by repeating the
    last row or column, because the codec stores colour for two by two pixels.

    Raises:
        InputError: there are no frames, or the file cannot be written.
    """
    partial = path.with_name(f".{path.stem}.part.mp4")
    rate = Fraction(frames_per_second).limit_denominator(1001)
    count = 0
    try:
        with av.open(str(partial), "w", options={"movflags": "use_metadata_tags"}) as container:
            container.metadata["DigitalSourceType"] = DIGITAL_SOURCE_TYPE
            container.metadata["comment"] = (
                f"Made with AI. IPTC DigitalSourceType: {DIGITAL_SOURCE_TYPE}"
            )
            stream = container.add_stream("libx264", rate=rate, options={"crf": "16"})
            stream.pix_fmt = "yuv420p"
            for frame in frames:
                even = np.pad(
                    frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), "edge"
                )
                if count == 0:
                    stream.height, stream.width = even.shape[:2]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(even, "rgb24")))
                count += 1
            if count:
                container.mux(stream.encode())
        if not count:
            raise InputError("There are no frames to write", "Give at least one frame.")
        partial.replace(path)
    except (OSError, av.FFmpegError) as error:
        raise InputError(
            f"Cannot write {path}: {error}", "Check the folder, its permissions and the free space."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return count
