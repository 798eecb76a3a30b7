"""Drives a portrait's face once through every control and keeps what it was seen to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from photorig.shared.errors import InputError
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.generators import Generator
from photorig.worker.generators.regions import RegionalStyles
from photorig.worker.generators.tuned_generators import TunedGenerators
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.response import (
    KNOTS,
    MIDDLE,
    MIDDLE_TURN,
    PITCH,
    TURNS,
    YAW,
    PortraitResponse,
    believable,
    believable_turns,
)

from .bundle import ModelBundle

LEAST_MOTION = 0.15
"""A face that has less room than this is taken to move as the average face does."""

SPARE_TURN = 1.2
"""Faces that turn less than the average are turned further, so that they reach the range too."""

QUESTIONS_UP = 4
"""Renderings that a coefficient may take on its way up."""

WORTH_ASKING_DOWN = (0.08, 0.2)
"""Where a photo shows more than this of a coefficient, going down is worth one more rendering."""

GOOD_GUESS = 0.1
"""Part of the way to the end by which half of a gap may be missed; where it is missed by more, the
curve bends in a way that these points do not tell, and another is measured."""

SIZE = 256


class Analyzer(Protocol):
    """Net3D, or what stands in for it."""

    def analyze_one(self, image: np.ndarray) -> FaceMeasurement: ...


def with_response(
    portrait: Portrait, bundle: ModelBundle, generator: Generator, net3d: Analyzer
) -> Portrait:
    """The portrait with the answer of its face to this bundle; about 150 small renderings."""
    return replace(portrait, response=measure_response(portrait, bundle, generator, net3d))


def measure_response(
    portrait: Portrait, bundle: ModelBundle, generator: Generator, net3d: Analyzer
) -> PortraitResponse:
    """What the face does when each parameter moves alone, and when yaw and pitch move together,
    for the method ``calibrated``."""
    face = DrivenFace(portrait, bundle, TunedGenerators(generator).of(portrait.tuning), net3d)
    n = len(bundle.schema)
    moved = np.tile(np.linspace(-1, 1, KNOTS), (n, 1))
    seen = moved.copy()
    rest = face.values(np.zeros(n))
    for position in np.flatnonzero(bundle.moves_latents & bundle.is_coefficient):
        if rest is not None:
            answer = _coefficient(face, int(position), rest)
            moved[position], seen[position] = answer
    turned, turns_seen = _turns(face, rest)
    lowest, highest = _reach(portrait, bundle, seen, turns_seen)
    arrays = (moved, seen, turned, turns_seen, lowest, highest)
    return PortraitResponse(bundle.id, *(array.astype(np.float32) for array in arrays))


@dataclass(frozen=True)
class DrivenFace:
    """A portrait's face, moved and looked at."""

    portrait: Portrait
    bundle: ModelBundle
    generator: Generator
    net3d: Analyzer

    def look(
        self, motion: np.ndarray, styles: RegionalStyles | None = None
    ) -> FaceMeasurement | None:
        """What is seen of the face moved by (n,); None where no face is."""
        latents = self.bundle.shifted(self.portrait.latents, motion.astype(np.float32))
        image = self.generator.synthesize(latents[None], SIZE, styles)[0]
        try:
            return self.net3d.analyze_one(image)
        except InputError:
            return None

    def values(self, motion: np.ndarray) -> np.ndarray | None:
        """Parameters (n,) that are seen on the face moved by (n,); None where no face is."""
        seen = self.look(motion)
        return None if seen is None else seen.parameters.astype(np.float64)

    def only(self, position: int, amount: float) -> np.ndarray | None:
        """The same, with one parameter moved."""
        motion = np.zeros(len(self.bundle.schema))
        motion[position] = amount
        return self.values(motion)

    def room_above(self, position: int) -> float:
        """Motion up that the average face would have left within the trained range."""
        bundle, source = self.bundle, self.portrait.parameters
        return float(
            (bundle.curve(np.maximum(bundle.highest, source)) - bundle.curve(source))[position]
        )

    def room_below(self, position: int) -> float:
        """The same down."""
        bundle, source = self.bundle, self.portrait.parameters
        return float(
            (bundle.curve(source) - bundle.curve(np.minimum(bundle.lowest, source)))[position]
        )


def _coefficient(
    face: DrivenFace, position: int, rest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(9,) motion given and (9,) motion seen of one coefficient."""
    curve = _Curve(face, position)
    value = float(rest[position])
    up, seen_up = _one_way(curve, value, float(face.bundle.longest_motion[position]), QUESTIONS_UP)
    questions = sum(value > least for least in WORTH_ASKING_DOWN)
    down = max(min(face.room_below(position), float(face.bundle.longest_motion[position])), 0.0)
    lower, seen_down = _one_way(curve, value, -max(down, LEAST_MOTION), questions)
    moved = np.concatenate([lower[::-1], [0.0], up])
    return moved, believable(moved, np.concatenate([seen_down[::-1], [0.0], seen_up]))


def _one_way(
    curve: _Curve, rest: float, furthest: float, questions: int
) -> tuple[np.ndarray, np.ndarray]:
    """(4,) motion given, up to ``furthest``, and (4,) motion seen, after so many renderings.

    They are spent where they tell most: at the end, then half way between the two values that are
    furthest apart, until half way turns out to be where it was expected.
    """
    even = furthest * np.arange(1, MIDDLE + 1) / MIDDLE
    end = curve.value(furthest) if questions else float("nan")
    if not np.isfinite(end):
        return even, even
    points = [(0.0, rest), (furthest, end)]
    while len(points) <= questions:
        gap = int(np.argmax(np.abs(np.diff([value for _, value in points]))))
        amount, value = curve.half_way(points[gap], points[gap + 1])
        missed = abs(value - (points[gap][1] + points[gap + 1][1]) / 2)
        points.insert(gap + 1, (amount, value))
        if missed < GOOD_GUESS * abs(end - rest):
            break
    amounts, values = np.array(points).T
    seen = curve.motion(values) - curve.motion(values[:1])
    while len(amounts) <= MIDDLE:
        gap = int(np.argmax(np.abs(np.diff(amounts))))
        amounts = np.insert(amounts, gap + 1, amounts[gap : gap + 2].mean())
        seen = np.insert(seen, gap + 1, seen[gap : gap + 2].mean())
    return amounts[1:], seen[1:]


@dataclass(frozen=True)
class _Curve:
    """What one coefficient of a face does, one rendering a question."""

    face: DrivenFace
    position: int

    def value(self, amount: float) -> float:
        values = self.face.only(self.position, amount)
        return float("nan") if values is None else float(values[self.position])

    def motion(self, values: np.ndarray) -> np.ndarray:
        """Values (q,) of the coefficient as motion (q,), by the bundle's curve."""
        parameters = np.tile(self.face.portrait.parameters.astype(np.float64), (len(values), 1))
        parameters[:, self.position] = values
        curve = self.face.bundle.curve
        return np.array([curve(one)[self.position] for one in parameters])

    def half_way(self, one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
        """The amount between two (amount, value) that should bring the value half way between
        theirs, and what it does bring; that value where no face is found."""
        middle = (one[1] + other[1]) / 2
        low, at, high = self.motion(np.array([one[1], middle, other[1]]))
        part = (at - low) / (high - low) if abs(high - low) > 1e-9 else 0.5
        amount = one[0] + float(np.clip(part, 0.15, 0.85)) * (other[0] - one[0])
        value = self.value(amount)
        return amount, value if np.isfinite(value) else middle


def _turns(face: DrivenFace, rest: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """(2, 5) motion of yaw and pitch given, (5, 5, 3) what was seen at all combinations."""
    turned = turns_to_measure(face)
    seen = np.full((TURNS, TURNS, 3), np.nan)
    for i, j in np.ndindex(TURNS, TURNS):
        if rest is None or not face.bundle.moves_latents[list(face.bundle.head_angles)].any():
            break
        values = rest
        if (i, j) != (MIDDLE_TURN, MIDDLE_TURN):
            looked = face.values(turn_motion(face.bundle, turned, i, j))
            if looked is None:
                continue
            values = looked
        seen[i, j] = turn_seen(face.bundle, values, rest)
    return turned, believable_turns(turned, seen)


def turns_to_measure(face: DrivenFace) -> np.ndarray:
    """(2, 5) motion of headYaw and headPitch, rising, 0 in the middle."""
    bundle = face.bundle
    turned = np.zeros((2, TURNS))
    for axis, angle in enumerate(bundle.head_angles):
        longest = max(float(bundle.longest_motion[angle]), LEAST_MOTION)
        up, down = (
            float(np.clip(SPARE_TURN * room(angle), LEAST_MOTION, longest))
            for room in (face.room_above, face.room_below)
        )
        turned[axis] = [-down, -down / 2, 0, up / 2, up]
    return turned


def turn_motion(bundle: ModelBundle, turned: np.ndarray, i: int, j: int) -> np.ndarray:
    """(n,) motion of one combination of amounts (2, 5) of yaw and pitch."""
    motion = np.zeros(len(bundle.schema))
    motion[list(bundle.head_angles)] = turned[YAW, i], turned[PITCH, j]
    return motion


def turn_seen(bundle: ModelBundle, values: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """(3,) motion of yaw and of pitch and degrees of roll between two faces' parameters (n,)."""
    roll = bundle.schema.index["headRoll"]
    moved = bundle.curve(values) - bundle.curve(rest)
    return np.array([*moved[list(bundle.head_angles)], values[roll] - rest[roll]])


def _reach(
    portrait: Portrait, bundle: ModelBundle, seen: np.ndarray, turns_seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n,), (n,): lowest and highest value of each parameter that this face can show."""
    source = portrait.parameters.astype(np.float64)
    here = bundle.curve(source)
    low, high = bundle.values(here + seen[:, 0]), bundle.values(here + seen[:, -1])
    lowest, highest = turns_reached(portrait, bundle, turns_seen)
    lowest = np.where(bundle.is_coefficient, np.maximum(low, bundle.lowest), lowest)
    highest = np.where(bundle.is_coefficient, high, highest)
    still = ~bundle.moves_latents & bundle.is_coefficient
    lowest[still], highest[still] = source[still], source[still]
    return np.minimum(lowest, source), np.maximum(highest, source)


def turns_reached(
    portrait: Portrait, bundle: ModelBundle, turns_seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n,), (n,): lowest and highest value of each parameter, of the head's angles as they were
    seen, of everything else as the bundle has them."""
    here = bundle.curve(portrait.parameters.astype(np.float64))
    lowest, highest = (bound.astype(np.float64) for bound in (bundle.lowest, bundle.highest))
    for axis, angle in enumerate(bundle.head_angles):
        ends = (
            (turns_seen[0, MIDDLE_TURN], turns_seen[MIDDLE_TURN, 0])[axis][axis],
            (
                turns_seen[-1, MIDDLE_TURN],
                turns_seen[MIDDLE_TURN, -1],
            )[axis][axis],
        )
        motion = here.copy()
        for end, bound in zip(ends, (lowest, highest), strict=True):
            motion[angle] = here[angle] + end
            reached = bundle.values(motion)[angle]
            bound[angle] = np.clip(reached, bundle.lowest[angle], bundle.highest[angle])
    return lowest, highest
