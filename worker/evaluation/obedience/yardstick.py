"""ARKit's full motion, and how much of it two looks at a face show.

Lengths are in eye distances: between the middles of the two eyes, each the midpoint of its corners.
The full motions are those of ICT-FaceKit's shapes at 1.0, seen from the front (Li et al., "Learning
formation of physically-based face attributes", CVPR 2020), where no other source is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .flow import REGIONS

LIPS = (62, 66)
LANDMARKS, IRISES, FLOW = "landmarks", "irises", "flow"
"""dlib's 68 landmarks, the iris network, dense optical flow."""

SMILE_UP, SMILE_OUT = 0.167, 0.112
LID_CLOSES = 0.87
"""Of the opening at rest: 13 % stay."""


@dataclass(frozen=True, eq=False)
class Look:
    """What is seen of one frame, laid over the face at rest.

    Attributes:
        points: (68, 2) landmarks in eye distances, x to the subject's left, y up.
        lids: (2,) height of the left and right eye by the iris network, in eye distances.
        gaze: (2, 2) of left and right eye: iris to image right and up, in lengths of that eye.
        flow: (regions, 2) mean move of each of `flow.REGIONS` since rest, in eye distances.
    """

    points: np.ndarray
    lids: np.ndarray
    gaze: np.ndarray
    flow: np.ndarray


Measure = Callable[[Look, Look], float]
"""From the look at rest and that at a driven frame to how far it has gone the asked way."""


@dataclass(frozen=True)
class Move:
    """One motion that is asked for in full, and how it is seen.

    Attributes:
        name: for tables.
        frame: label of the frame that asks for it.
        controls: those that are asked for; a face that shows them already has no room.
        full: what ARKit's full motion comes to, NaN where nobody says.
        measures: by judge; the first is the one that the goal goes by.
        against: the frame it starts from.
        goal: share of the full motion to reach.
    """

    name: str
    frame: str
    controls: tuple[str, ...]
    full: float
    measures: Mapping[str, Measure]
    against: str = "rest"
    goal: float = 0.8

    @property
    def judge(self) -> str:
        return next(iter(self.measures))

    def share(self, rest: Look, driven: Look, judge: str = "") -> float:
        """Seen ÷ full motion, by one of the judges or by the first."""
        return self.seen(rest, driven, judge) / self.full

    def seen(self, rest: Look, driven: Look, judge: str = "") -> float:
        """How far it has gone, in the unit of ``full``."""
        return self.measures[judge or self.judge](rest, driven)


def aperture(look: Look) -> float:
    """Between the middles of the lips' inner edges."""
    return float(np.linalg.norm(look.points[LIPS[0]] - look.points[LIPS[1]]))


def _opens(rest: Look, driven: Look) -> float:
    return aperture(driven) - aperture(rest)


def _narrows(rest: Look, driven: Look) -> float:
    width = [float(np.linalg.norm(look.points[48] - look.points[54])) for look in (rest, driven)]
    return width[0] - width[1]


def _narrows_by_flow(rest: Look, driven: Look) -> float:
    left, right = (list(REGIONS).index(name) for name in ("left corner", "right corner"))
    moves = driven.flow - rest.flow
    return float(moves[right, 0] - moves[left, 0])


def _way(points: Sequence[int], x: float, y: float) -> Measure:
    """Mean move of landmarks along a direction."""
    direction = np.array([x, y]) / math.hypot(x, y)

    def measure(rest: Look, driven: Look) -> float:
        moves = driven.points[list(points)] - rest.points[list(points)]
        return float(moves.mean(0) @ direction)

    return measure


def _drift(regions: Sequence[str], x: float, y: float) -> Measure:
    """Mean move of regions along a direction, by optical flow; x counts away from the face's
    middle where the regions are those of both sides."""
    direction = np.array([x, y]) / math.hypot(x, y)
    places = [list(REGIONS).index(name) for name in regions]
    mirror = len(regions) == 2 and regions[1].startswith("right")

    def measure(rest: Look, driven: Look) -> float:
        moves = driven.flow[places] - rest.flow[places]
        if mirror:
            moves = moves * np.array([[1, 1], [-1, 1]])
        return float(moves.mean(0) @ direction)

    return measure


def _both_ways(left: Sequence[int], right: Sequence[int], x: float, y: float) -> Measure:
    """`_way` of both sides, x away from the face's middle; their mean."""
    one, other = _way(left, x, y), _way(right, -x, y)
    return lambda rest, driven: (one(rest, driven) + other(rest, driven)) / 2


def closing(eye: int) -> Measure:
    """How much of an eye's opening at rest has gone; 0 the left, 1 the right."""
    return lambda rest, driven: float(1 - driven.lids[eye] / rest.lids[eye])


def _closing_by_landmarks(eye: int) -> Measure:
    def height(look: Look) -> float:
        return float(eye_heights(look, LANDMARKS)[eye])

    return lambda rest, driven: 1 - height(driven) / height(rest)


def _closing_by_flow(eye: int) -> Measure:
    place = list(REGIONS).index(("left lid", "right lid")[eye])

    def measure(rest: Look, driven: Look) -> float:
        down = float(rest.flow[place, 1] - driven.flow[place, 1])
        return down / float(eye_heights(rest, LANDMARKS)[eye])

    return measure


def eye_heights(look: Look, judge: str) -> np.ndarray:
    """(2,) of the left and right eye in eye distances."""
    if judge == IRISES:
        return look.lids
    gaps = look.points[list(_UPPER_LIDS)] - look.points[list(_LOWER_LIDS)]
    return np.asarray(np.linalg.norm(gaps, axis=-1).reshape(2, 2).mean(1))


def eye_width(look: Look) -> float:
    """Mean distance of the corners of an eye, in eye distances."""
    corners = look.points[[36, 42]] - look.points[[39, 45]]
    return float(np.linalg.norm(corners, axis=-1).mean())


_UPPER_LIDS, _LOWER_LIDS = (43, 44, 37, 38), (47, 46, 41, 40)
CLOSING: Mapping[str, Callable[[int], Measure]] = {
    IRISES: closing,
    LANDMARKS: _closing_by_landmarks,
    FLOW: _closing_by_flow,
}
"""How far an eye closes, by judge; 0 the left, 1 the right."""


def _mean(measures: Sequence[Measure]) -> Measure:
    return lambda rest, driven: float(np.mean([m(rest, driven) for m in measures]))


def _looks(axis: int, sign: int) -> Measure:
    return lambda rest, driven: float(sign * (driven.gaze - rest.gaze)[:, axis].mean())


def _irises_drift(axis: int, sign: int) -> Measure:
    places = [list(REGIONS).index(name) for name in ("left iris", "right iris")]

    def measure(rest: Look, driven: Look) -> float:
        moves = (driven.flow - rest.flow)[places, axis]
        return float(sign * moves.mean() / eye_width(rest))

    return measure


def _thins(outer: int, inner: int) -> Measure:
    """How much of a lip's height at rest has gone."""

    def height(look: Look) -> float:
        return float(np.linalg.norm(look.points[outer] - look.points[inner]))

    return lambda rest, driven: 1 - height(driven) / height(rest)


def _corner(side: str) -> Move:
    point, x = (54, 1.0) if side == "Left" else (48, -1.0)
    region = f"{side.lower()} corner"
    return Move(
        f"smile {side.lower()}",
        f"mouthSmile{side}",
        (f"mouthSmile{side}",),
        math.hypot(SMILE_OUT, SMILE_UP),
        {
            LANDMARKS: _way((point,), x * SMILE_OUT, SMILE_UP),
            FLOW: _drift((region,), x * SMILE_OUT, SMILE_UP),
        },
    )


_INNER, _LEFT_BROW, _RIGHT_BROW = (21, 22), (24, 25), (18, 19)
_INNER_BROW, _OUTER_BROW = 0.086, 0.117
_ALL_BROWS = (*_INNER, *_LEFT_BROW, *_RIGHT_BROW)
_MOUTH = tuple(range(48, 60))
_CORNERS = ("left corner", "right corner")
_UP_LIP, _LOW_LIP = (50, 51, 52, 61, 62, 63), (56, 57, 58, 65, 66, 67)
_NAN = float("nan")


def _moves() -> list[Move]:
    smile = math.hypot(SMILE_OUT, SMILE_UP)
    result = [
        Move("jaw open", "jawOpen", ("jawOpen",), 0.52, {LANDMARKS: _opens}, goal=0.85),
        Move(
            "both lids",
            "blink",
            ("eyeBlinkLeft", "eyeBlinkRight"),
            LID_CLOSES,
            {judge: _mean([of(0), of(1)]) for judge, of in CLOSING.items()},
            goal=0.977,  # less than 15 % stay open
        ),
        Move(
            "smile",
            "smile",
            ("mouthSmileLeft", "mouthSmileRight"),
            smile,
            {
                LANDMARKS: _both_ways((54,), (48,), SMILE_OUT, SMILE_UP),
                FLOW: _drift(_CORNERS, SMILE_OUT, SMILE_UP),
            },
            goal=0.85,
        ),
        _corner("Left"),
        _corner("Right"),
        Move(
            "inner brow up",
            "browInnerUp",
            ("browInnerUp",),
            _INNER_BROW,
            {FLOW: _drift(("inner brows",), 0, 1), LANDMARKS: _way(_INNER, 0, 1)},
            goal=0.85,
        ),
        Move(
            "brows up",
            "brows up",
            ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
            (_INNER_BROW + 2 * _OUTER_BROW) / 3,
            {
                FLOW: _drift(("inner brows", "left outer brow", "right outer brow"), 0, 1),
                LANDMARKS: _way(_ALL_BROWS, 0, 1),
            },
            goal=0.85,
        ),
    ]
    for side, points in (("Left", _LEFT_BROW), ("Right", _RIGHT_BROW)):
        name = f"browOuterUp{side}"
        measures = {
            FLOW: _drift((f"{side.lower()} outer brow",), 0, 1),
            LANDMARKS: _way(points, 0, 1),
        }
        label = f"outer brow {side.lower()} up"
        result.append(Move(label, name, (name,), _OUTER_BROW, measures, goal=0.85))
    result += [
        Move(
            "brows down",
            "brows down",
            ("browDownLeft", "browDownRight"),
            0.044,
            {FLOW: _drift(("inner brows",), 0, -1), LANDMARKS: _way((20, 21, 22, 23), 0, -1)},
        ),
        Move(
            "pucker",
            "mouthPucker",
            ("mouthPucker",),
            0.147,
            {LANDMARKS: _narrows, FLOW: _narrows_by_flow},
        ),
        Move("funnel", "mouthFunnel", ("mouthFunnel",), 0.218, {LANDMARKS: _opens}),
        Move(
            "frown",
            "frown",
            ("mouthFrownLeft", "mouthFrownRight"),
            0.072,
            {LANDMARKS: _way((48, 54), 0, -1), FLOW: _drift(_CORNERS, 0, -1)},
        ),
        Move(
            "upper lip up",
            "upper lip",
            ("mouthUpperUpLeft", "mouthUpperUpRight"),
            0.126,
            {FLOW: _drift(("upper lip",), 0, 1), LANDMARKS: _way(_UP_LIP, 0, 1)},
        ),
    ]
    looks = (
        ("look left", "eyeLookOutLeft", 0, 1, 0.2, 0.9),
        ("look right", "eyeLookOutRight", 0, -1, 0.2, 0.9),
        ("look up", "eyeLookUpLeft", 1, 1, 0.17, 0.7),
        ("look down", "eyeLookDownLeft", 1, -1, 0.17, 0.7),
    )
    for name, control, axis, sign, full, goal in looks:
        measures = {IRISES: _looks(axis, sign), FLOW: _irises_drift(axis, sign)}
        result.append(Move(name, name, (control,), full, measures, goal=goal))
    for side, sign in (("Left", 1), ("Right", -1)):
        jaw, mouth = f"jaw{side}", f"mouth{side}"
        result += [
            Move(
                f"jaw {side.lower()}",
                jaw,
                (jaw,),
                0.137,
                {FLOW: _drift(("chin",), sign, 0), LANDMARKS: _way((7, 8, 9), sign, 0)},
            ),
            Move(
                f"mouth {side.lower()}",
                mouth,
                (mouth,),
                0.171,
                {FLOW: _drift(("mouth",), sign, 0), LANDMARKS: _way(_MOUTH, sign, 0)},
            ),
        ]
    result += [
        Move(
            "cheeks puffed",
            "cheekPuff",
            ("cheekPuff",),
            0.09,
            {FLOW: _drift(("left cheek", "right cheek"), 1, 0)},
        ),
        Move(
            "nose sneers",
            "sneer",
            ("noseSneerLeft", "noseSneerRight"),
            0.118,
            {
                FLOW: _drift(("left wing", "right wing"), 0, 1),
                LANDMARKS: _both_ways((35,), (31,), 0, 1),
            },
        ),
        Move(
            "jaw forward, seen turned by 25°",
            "jaw forward, turned",
            ("jawForward",),
            0.047,
            {FLOW: _drift(("chin",), 1, 0), LANDMARKS: _way((7, 8, 9), 1, 0)},
            against="yaw +25",
        ),
        Move(
            "lips closed over an open jaw",
            "jaw open, lips closed",
            ("jawOpen", "mouthClose"),
            0.52,
            {LANDMARKS: lambda jaw, closed: aperture(jaw) - aperture(closed)},
            against="jawOpen",
        ),
        Move(
            "lower lip rolls in",
            "mouthRollLower",
            ("mouthRollLower",),
            _NAN,
            {LANDMARKS: _thins(57, 66), FLOW: _drift(("lower lip",), 0, 1)},
        ),
        Move(
            "upper lip rolls in",
            "mouthRollUpper",
            ("mouthRollUpper",),
            _NAN,
            {LANDMARKS: _thins(51, 62), FLOW: _drift(("upper lip",), 0, -1)},
        ),
        Move(
            "lower lip shrugs",
            "mouthShrugLower",
            ("mouthShrugLower",),
            _NAN,
            {FLOW: _drift(("lower lip",), 0, 1), LANDMARKS: _way(_LOW_LIP, 0, 1)},
        ),
        Move(
            "upper lip shrugs",
            "mouthShrugUpper",
            ("mouthShrugUpper",),
            _NAN,
            {FLOW: _drift(("upper lip",), 0, 1), LANDMARKS: _way(_UP_LIP, 0, 1)},
        ),
    ]
    return result


MOVES: tuple[Move, ...] = tuple(_moves())
BY_NAME: Mapping[str, Move] = {move.name: move for move in MOVES}

GAZES = ("look left", "look right", "look up", "look down")

WITHOUT_SOURCE: Mapping[str, str] = {
    "outer brow left up": "the rigged head's",
    "outer brow right up": "the rigged head's",
    "brows up": "a third the inner brow's, two thirds the rigged head's outer brow",
    "cheeks puffed": "the rigged head's, from the front",
    "jaw forward, seen turned by 25°": "0.11 forward, seen from the side by 25°",
    "lips closed over an open jaw": "all that the jaw opens the lips",
}
"""Full motions that ICT-FaceKit's figures do not give, and whence they come."""


@dataclass(frozen=True)
class Still:
    """Landmarks that a group of controls leaves alone."""

    controls: tuple[str, ...]
    points: tuple[int, ...] = field(repr=False)


_UPPER = (*range(17, 31), *range(36, 48))
_LOWER = (*range(3, 14), *range(31, 36), *range(48, 68))
STILL: Mapping[str, Still] = {
    "mouth and jaw": Still(
        (
            *("jawOpen", "smile", "mouthPucker", "mouthFunnel", "frown", "jawLeft", "jawRight"),
            *("mouthLeft", "mouthRight", "upper lip"),
        ),
        _UPPER,
    ),
    "eyes and brows": Still(
        (
            *("blink", "eyeBlinkLeft", "eyeBlinkRight", "look left", "look right", "look up"),
            *("browInnerUp", "brows up", "brows down"),
        ),
        _LOWER,
    ),
}
"""By what is asked for: frames, and which landmarks should stay where they are."""
