"""Frame numbers as farms write them: "1-240", "1,3,7-20:2", "-3--1"."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import InputError

MOST_FRAMES = 1_000_000
_PART = re.compile(r"\s*(-?\d{1,9})(?:\s*(?:-|\.\.)\s*(-?\d{1,9})(?:\s*:\s*(\d{1,9}))?)?\s*")


def parse_frames(text: str) -> list[int]:
    """Frame numbers in rising order, each once.

    Raises:
        InputError: it says no frames, or too many.
    """
    frames: set[int] = set()
    for part in text.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise InputError(f"{text!r} is no range of frames", "Write 1-240, or 1,5,10-20.")
        first, last, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
        if last < first or step < 1:
            raise InputError(f"{part.strip()!r} says no frames", "Write the first frame first.")
        if (last - first) // step + len(frames) >= MOST_FRAMES:
            raise InputError(f"{text!r} is more than {MOST_FRAMES} frames", "Submit several jobs.")
        frames.update(range(first, last + 1, step))
    return sorted(frames)


def format_frames(frames: Iterable[int]) -> str:
    """The same as text, runs of following frames joined."""
    return ",".join(
        str(first) if first == last else f"{first}-{last}" for first, last in runs(frames)
    )


def runs(frames: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of each run of frames that follow one another."""
    found: list[tuple[int, int]] = []
    for frame in sorted(set(frames)):
        if found and found[-1][1] == frame - 1:
            found[-1] = found[-1][0], frame
        else:
            found.append((frame, frame))
    return found
