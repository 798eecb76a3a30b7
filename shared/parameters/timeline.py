"""When the frames of a recording are seen: its rate and time stamps, and its gaps.

`photorig analyze` leaves out frames that do not show the face. A film has to show something there,
or all that follows comes too early: short gaps are bridged from the pose before to the pose after,
in long ones, and at both ends, the nearest pose is held.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from .file import FrameParameters, Recording

DEFAULT_RATE = Fraction(24)
GREATEST_RATE = 1000
BRIDGE_SECONDS = 1.0
"""Longer gaps are held, but for half of this before the face is back."""

_LEAST_RATE = Fraction(1, 1000)
_GREATEST_GAP_SECONDS = 600
_CLOCK_SECONDS = 0.0015
"""By how much time stamps may be rounded (Matroska: milliseconds) in a film of constant rate."""


@dataclass(frozen=True)
class Timeline:
    """The frames of a film.

    Attributes:
        frames: one for each number, in order, gaps filled.
        rate: frames a second.
        times: seconds from the film's start by frame, where they are not one ``rate``-th each;
            None where they are.
        bridged, held: numbers of the frames that were filled.
    """

    frames: list[FrameParameters]
    rate: Fraction
    times: list[float] | None
    bridged: list[int]
    held: list[int]


def parse_rate(text: str) -> Fraction:
    """``24``, ``23.976`` or ``30000/1001`` to frames a second; NTSC's rates are made exact.

    Raises:
        ValueError: it is no positive number, or none that films have.
    """
    above, slash, below = text.partition("/")
    if "/" in below:
        raise ValueError("a fraction has two parts")
    try:
        rate = Fraction(above.strip()) / Fraction(below.strip() if slash else 1)
    except ZeroDivisionError as error:
        raise ValueError("nothing can be divided by 0") from error
    if not _LEAST_RATE <= rate <= GREATEST_RATE:
        raise ValueError(f"a rate is between 1/1000 and {GREATEST_RATE}")
    whole = math.ceil(rate)
    ntsc = Fraction(whole * 1000, 1001)
    if whole in (24, 30, 48, 60, 120) and abs(rate - ntsc) < Fraction(1, 150):
        return ntsc
    return rate.limit_denominator(1001 if rate >= 1 else 10**6)


def constant_rate(times: Sequence[float], claimed: Fraction | None) -> Fraction | None:
    """The rate of frames with these times: the claimed one if they keep it, else their own average.

    Returns:
        None where there is no telling.
    """
    if claimed is not None and (len(times) < 2 or _keeps(times, claimed)):
        return claimed
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    average = Fraction(len(times) - 1) / Fraction(times[-1] - times[0])
    for rate in (average.limit_denominator(1), average.limit_denominator(1001)):
        if rate > 0 and _keeps(times, rate):
            return rate
    return average.limit_denominator(1001) or None


def timeline(
    frames: Sequence[FrameParameters], recording: Recording, rate: Fraction | None = None
) -> Timeline:
    """What a film of these frames shows, and when.

    Args:
        frames: at least one, in any order.
        rate: shows each frame for as long; None for the recording's own times.
    """
    ordered = sorted(frames, key=lambda each: each.frame)
    shown_rate = rate or recording.rate or DEFAULT_RATE
    filled, bridged, held = _filled(ordered, recording, recording.rate or shown_rate)
    times = None if rate else _times(filled, shown_rate)
    return Timeline(filled, shown_rate, times, bridged, held)


def _filled(
    ordered: list[FrameParameters], recording: Recording, rate: Fraction
) -> tuple[list[FrameParameters], list[int], list[int]]:
    step = _step(ordered, recording)
    bridged: list[int] = []
    held: list[int] = []
    result: list[FrameParameters] = []
    for before, after in zip([None, *ordered], [*ordered, None], strict=True):
        missing = _missing(before, after, step, recording, rate)
        moving = _moving(len(missing), float(rate) / step) if missing and before and after else 0
        for place, number in enumerate(missing, start=1):
            late = place - (len(missing) - moving)
            share = max(late, 0) / (moving + 1)
            (bridged if late > 0 else held).append(number)
            result.append(_between(number, before, after, share))
        if after is not None:
            result.append(after)
    return result, bridged, held


def _step(ordered: list[FrameParameters], recording: Recording) -> int:
    """From one frame's number to the next, where there is no gap; 0 for poses, not a recording."""
    if recording.n_frames:
        return 1
    steps = Counter(b.frame - a.frame for a, b in pairwise(ordered))
    if not steps:
        return 0
    step, count = steps.most_common(1)[0]
    return step if count * 2 > steps.total() else 0


def _missing(
    before: FrameParameters | None,
    after: FrameParameters | None,
    step: int,
    recording: Recording,
    rate: Fraction,
) -> list[int]:
    if step == 0:
        return []
    if before is None or after is None:
        if not recording.n_frames:
            return []
        start = before.frame + 1 if before else 1
        end = after.frame if after else recording.n_frames + 1
    else:
        start, end = before.frame + step, after.frame
        if (end - before.frame) % step:
            return []
    if (end - start) / step > _GREATEST_GAP_SECONDS * rate:
        return []  # two recordings in one file, not a gap in one
    return list(range(start, end, step))


def _moving(n_missing: int, rate: float) -> int:
    """How many of the missing frames move towards the pose after them: the last ones."""
    if n_missing <= BRIDGE_SECONDS * rate:
        return n_missing
    return int(BRIDGE_SECONDS * rate / 2)


def _between(
    number: int, before: FrameParameters | None, after: FrameParameters | None, share: float
) -> FrameParameters:
    if before is None or after is None:
        known = before or after
        assert known is not None
        return FrameParameters(number, known.values)
    values = dict(before.values)
    if share > 0:
        for name, value in after.values.items():
            start = before.values.get(name, value)
            values[name] = start + share * (value - start)
    return FrameParameters(number, values)


def _times(frames: list[FrameParameters], rate: Fraction) -> list[float] | None:
    """Seconds by frame, None where the rate alone says them or the file does not."""
    known = [(place, frame.time) for place, frame in enumerate(frames) if frame.time is not None]
    if not known:
        return None
    first, (last, ends) = known[0][0], known[-1]
    # Frames before the first known one begin with the film, those after the last keep the rate.
    known = ([(0, 0.0)] if first else []) + known
    known += [(len(frames) - 1, ends + float((len(frames) - 1 - last) / rate))]
    places, seconds = zip(*known, strict=True)
    times = np.interp(np.arange(len(frames)), places, seconds).tolist()
    if any(later <= earlier for earlier, later in pairwise(times)):
        return None  # a clock that runs backwards says nothing
    if times[0] <= 0.5 / rate and _keeps(times, rate):
        return None
    times[0] = 0.0  # a film that begins late shows its first frame meanwhile
    return times


def _keeps(times: Sequence[float], rate: Fraction) -> bool:
    return all(
        abs(time - times[0] - place / float(rate)) <= _CLOCK_SECONDS
        for place, time in enumerate(times)
    )
