"""Mouth shapes with their times, as lip-sync programs write them, to what a face does.

Rhubarb Lip Sync's shapes are A to H and X; Preston Blair's, which Papagayo writes, have names of
their own (https://github.com/DanielSWolf/rhubarb-lip-sync, "Mouth shapes").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..errors import InputError
from .file import FrameParameters

_TURN_SECONDS = 0.08
"""How long lips take from one shape to the next: half of it before that one starts."""


def _both(name: str, amount: float) -> dict[str, float]:
    return {f"{name}Left": amount, f"{name}Right": amount}


SHAPES: dict[str, dict[str, float]] = {
    "A": {"mouthRollLower": 0.25, "mouthRollUpper": 0.25} | _both("mouthPress", 0.5),
    "B": {"jawOpen": 0.06}
    | _both("mouthStretch", 0.2)
    | _both("mouthUpperUp", 0.15)
    | _both("mouthLowerDown", 0.2),
    "C": {"jawOpen": 0.25} | _both("mouthStretch", 0.15) | _both("mouthLowerDown", 0.2),
    "D": {"jawOpen": 0.5} | _both("mouthLowerDown", 0.25) | _both("mouthUpperUp", 0.1),
    "E": {"jawOpen": 0.25, "mouthFunnel": 0.5},
    "F": {"jawOpen": 0.08, "mouthPucker": 0.7, "mouthFunnel": 0.2},
    "G": {"jawOpen": 0.05, "mouthRollLower": 0.6} | _both("mouthUpperUp", 0.2),
    "H": {"jawOpen": 0.25, "tongueOut": 0.15} | _both("mouthLowerDown", 0.15),
    "X": {},
}
"""ARKit's amounts of each of Rhubarb's shapes."""

PRESTON_BLAIR = {
    "mbp": "A",
    "etc": "B",
    "e": "C",
    "ai": "D",
    "o": "E",
    "u": "F",
    "wq": "F",
    "fv": "G",
    "l": "H",
    "rest": "X",
}
"""Rhubarb's letter of each of Preston Blair's shapes, in small letters."""


@dataclass(frozen=True)
class Cue:
    """A shape of the mouth that begins at a time.

    Attributes:
        start: seconds.
        shape: a key of SHAPES.
    """

    start: float
    shape: str


def shape_of(name: str) -> str:
    """The key of SHAPES of a shape by either name. Raises InputError where it is neither."""
    if name in SHAPES:
        return name
    shape = PRESTON_BLAIR.get(name.lower())
    if shape is None:
        known = ", ".join([*SHAPES, *PRESTON_BLAIR])
        raise InputError(f"There is no mouth shape {name!r}", f"There are {known}.")
    return shape


def frames_of(cues: Sequence[Cue]) -> list[FrameParameters]:
    """Keys that lead a mouth from shape to shape, numbered from 1, with their times.

    Every parameter of any shape is in all of them, so that a mouth comes back to rest.

    Args:
        cues: in the order of their times; the last one says when speech ends.
    """
    names = sorted({name for shape in SHAPES.values() for name in shape})
    keys: list[tuple[float, dict[str, float]]] = []

    def key(time: float, shape: str) -> None:
        if not keys or time > keys[-1][0]:
            keys.append((time, {name: SHAPES[shape].get(name, 0.0) for name in names}))

    lasts = [b.start - a.start for a, b in pairwise(cues)]
    for place, cue in enumerate(cues):
        if place == 0:
            key(max(0.0, cue.start), cue.shape)
            continue
        around = [lasts[place - 1], *lasts[place : place + 1], _TURN_SECONDS]
        half = min(around) / 2
        key(cue.start - half, cues[place - 1].shape)
        key(cue.start + half, cue.shape)
    return [FrameParameters(i, values, time) for i, (time, values) in enumerate(keys, start=1)]
