"""Figures of one portrait, out of what was seen of its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from photorig.shared.parameters.schema import ARKIT_NAMES, ParameterSchema

from ..metrics import statistics
from ..metrics.statistics import mean_known
from ..protocols.cached_results import CachedResult
from .frames import BESIDE, POSES, REST, STEPS, SWEEPS, Frame, places, smile_beside, step_label
from .known_warps import WARPS, known_share, places_of_warps
from .look import SIDE
from .pose import MAP, PNP, TRAINING_POSE, head_angles
from .shape import FaceFrame
from .yardstick import BY_NAME, CLOSING, MOVES, STILL, Look, Move

ROOM = 0.35
"""A face that shows more of a control at rest has no room to make its full motion."""
WIDEST_YAW = 40.0
"""Degrees: a photo that is turned already is not asked to turn farther than this."""
DEAD = 0.05
"""Levels by which a face has to change in the mean to count as moved."""
TRAINING = "net3d.apertures"
TRAINING_PARAMETERS = "net3d.parameters"
SMALL = 0.1
"""Share of the full motion below which nothing is divided by it."""
_NAN = float("nan")
_YAW, _PITCH, _ROLL = range(3)

_EXPRESSIONS = (
    *("jawOpen", "blink", "eyeBlinkLeft", "eyeBlinkRight", "smile", "mouthSmileLeft"),
    *("mouthSmileRight", "browInnerUp", "brows up", "brows down", "mouthPucker", "mouthFunnel"),
    *("frown", "upper lip", "look left", "look right", "look up", "look down"),
)
"""Whose identity counts as that at expressions."""


class Seen:
    """What was seen of a portrait's frames, found by their labels."""

    def __init__(self, cached: CachedResult, frames: Sequence[Frame], judge: str) -> None:
        self.cached, self._places, self._judge = cached, places(frames), judge
        self.face = FaceFrame(self._of("landmarks", REST).astype(np.float64))

    def has(self, label: str) -> bool:
        return label in self._places

    def value(self, name: str, label: str) -> np.ndarray:
        return np.asarray(self.cached[name][self._places[label]])

    def _of(self, field: str, label: str) -> np.ndarray:
        return self.value(f"{self._judge}.{field}", label)

    def look(self, label: str) -> Look:
        """The look at a frame; NaN where no face was seen."""
        points = self._of("landmarks", label).astype(np.float64)
        flow = self.value("flow", label)
        lids, gaze = self._of("apertures", label)[1:], self._of("gaze", label)
        # Heights come in distances between the eyes of that frame, which blinks disturb a little.
        scale = _six_point_distance(points) / _six_point_distance(self.face.rest)
        return Look(self.face.aligned(points), lids * scale, gaze, flow)

    def identity(self, label: str) -> float:
        """Cosine to the face at rest."""
        return float(statistics.cosine(self._of("identity", label), self._of("identity", REST)))

    def turns(self, label: str) -> dict[str, np.ndarray]:
        """(3,) degrees since rest, by way of reading them."""
        size = (SIDE, SIDE)
        ways = {
            PNP: lambda at: head_angles(self._of("landmarks", at), size),
            MAP: lambda at: self._of("parameters", at)[:3],
        }
        if TRAINING_PARAMETERS in self.cached:
            ways[TRAINING_POSE] = lambda at: self.value(TRAINING_PARAMETERS, at)[:3]
        return {way: np.asarray(read(label) - read(REST)) for way, read in ways.items()}


def _six_point_distance(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[42:48].mean(0) - points[36:42].mean(0)))


def portrait_figures(seen: Seen, schema: ParameterSchema, parameters: np.ndarray) -> dict[str, Any]:
    """All that frames of one size tell, JSON-able but for NaN.

    Args:
        parameters: (n,) what the photo shows, for the room that it leaves.
    """
    shown = schema.named(np.asarray(parameters, np.float32))
    return {
        "moves": {
            move.name: move_figures(seen, move, shown) for move in MOVES if seen.has(move.frame)
        },
        "lids_by_training": _lids_by_training(seen),
        "wink": {side: _wink(seen, side, shown) for side in ("left", "right")},
        "smile_sides": {side: _smile_side(seen, side, shown) for side in ("left", "right")},
        "beside": {what: _beside(seen, what) for what in BESIDE if seen.has(smile_beside(what))},
        "poses": _poses(seen, shown),
        "identity": _identity(seen, shown),
        "sweeps": {
            name: sweep_figures(seen, name, shown)
            for name in SWEEPS
            if seen.has(step_label(name, 1))
        },
        "leak": _leak(seen),
        "pixels": _pixels(seen),
        "dead": _dead(seen),
    }


def _has_room(shown: Mapping[str, float], controls: Sequence[str]) -> bool:
    return all(shown.get(name, 0.0) <= ROOM for name in controls)


def move_figures(seen: Seen, move: Move, shown: Mapping[str, float]) -> dict[str, Any]:
    """Share of the full motion and what was seen, by each judge."""
    start, driven = seen.look(move.against), seen.look(move.frame)
    return {
        "share": move.share(start, driven),
        "shares": {judge: move.share(start, driven, judge) for judge in move.measures},
        "seen": {judge: move.seen(start, driven, judge) for judge in move.measures},
        "room": _has_room(shown, move.controls),
    }


def _wink(seen: Seen, side: str, shown: Mapping[str, float]) -> dict[str, Any]:
    """How much farther the asked eye closes than the other, of its own closing."""
    control = f"eyeBlink{side.capitalize()}"
    rest, driven = seen.look(REST), seen.look(control)
    eye = ("left", "right").index(side)
    closes = {
        judge: (of(eye)(rest, driven), of(1 - eye)(rest, driven)) for judge, of in CLOSING.items()
    }
    return {
        "closes": closes,
        # Where the eye hardly closes, noise would be divided by noise.
        "apart": {
            judge: (own - other) / own if own > SMALL else 0.0
            for judge, (own, other) in closes.items()
        },
        "room": _has_room(shown, ("eyeBlinkLeft", "eyeBlinkRight")),
    }


def _lids_by_training(seen: Seen) -> float:
    """How much both eyes close as Net3D sees it, which fitting and calibration look through."""
    if not seen.has("blink") or TRAINING not in seen.cached:
        return _NAN
    rest, driven = seen.value(TRAINING, REST)[1:], seen.value(TRAINING, "blink")[1:]
    return float((1 - driven / rest).mean())


def _smile_side(seen: Seen, side: str, shown: Mapping[str, float]) -> dict[str, Any]:
    """Shares of the full motion of the asked corner and of the other."""
    other = {"left": "right", "right": "left"}[side]
    rest, driven = seen.look(REST), seen.look(f"mouthSmile{side.capitalize()}")
    return {
        "own": BY_NAME[f"smile {side}"].share(rest, driven),
        "other": BY_NAME[f"smile {other}"].share(rest, driven),
        "room": _has_room(shown, ("mouthSmileLeft", "mouthSmileRight")),
    }


def _beside(seen: Seen, what: str) -> dict[str, float]:
    """Share of a full smile that is seen beside something, alone, and without the smile."""
    smile, rest = BY_NAME["smile"], seen.look(REST)
    context = {"gaze": "look left", "brows": "brows up"}.get(what, what)
    return {
        "alone": smile.share(rest, seen.look(smile_beside(""))),
        "beside": smile.share(rest, seen.look(smile_beside(what))),
        "without": smile.share(rest, seen.look(context)),
    }


def _poses(seen: Seen, shown: Mapping[str, float]) -> dict[str, Any]:
    result = {}
    for label, values in POSES.items():
        if not seen.has(label):
            continue
        ((name, asked),) = values.items()
        axis = {"headYaw": _YAW, "headPitch": _PITCH, "headRoll": _ROLL}[name]
        result[label] = {
            "shares": {way: float(turn[axis]) / asked for way, turn in seen.turns(label).items()},
            "identity": seen.identity(label),
            "room": abs(shown[name] + asked) <= WIDEST_YAW,
        }
    return result


def _identity(seen: Seen, shown: Mapping[str, float]) -> dict[str, Any]:
    """Cosines to the face at rest, in the mean over expressions and over either yaw."""
    expressions = {label: seen.identity(label) for label in _EXPRESSIONS if seen.has(label)}
    turned = {
        f"yaw ±{angle}": [
            seen.identity(label)
            for label in (f"yaw -{angle}", f"yaw +{angle}")
            if abs(shown["headYaw"] + POSES[label]["headYaw"]) <= WIDEST_YAW
        ]
        for angle in (12, 25)
    }
    return {
        "expressions": float(mean_known(np.array(list(expressions.values())))),
        **{label: float(mean_known(np.array(cosines))) for label, cosines in turned.items()},
        "each": expressions,
    }


def sweep_figures(seen: Seen, name: str, shown: Mapping[str, float]) -> dict[str, Any]:
    """How a control answers in equal steps: shares of the full motion and what comes of them."""
    move = BY_NAME[
        {"jawOpen": "jaw open", "mouthPucker": "pucker", "blink": "both lids"}.get(name, name)
    ]
    rest = seen.look(REST)
    shares = [move.share(rest, seen.look(step_label(name, s))) for s in range(1, STEPS + 1)]
    return {
        "shares": shares,
        "no_more": no_more(shares),
        "bend": bend(shares),
        "room": _has_room(shown, move.controls),
    }


def no_more(shares: Sequence[float]) -> float:
    """The value from which on more is no more: where a line from rest through 95 % of the largest
    answer reaches it, between the steps by interpolation. 1 for an even answer; NaN for none."""
    answers = np.array([0.0, *shares])
    values = np.arange(len(answers)) / (len(answers) - 1)
    top = float(np.nanmax(answers))
    if not np.isfinite(answers).all() or top < SMALL:
        return _NAN
    goal = 0.95 * top
    after = int(np.argmax(answers >= goal))
    before = after - 1
    part = (goal - answers[before]) / (answers[after] - answers[before])
    return min(float(values[before] + part * (values[after] - values[before])) / 0.95, 1.0)


def bend(shares: Sequence[float]) -> float:
    """Largest distance of the answers from the line to the last one, in parts of the last one;
    NaN where that is hardly an answer."""
    answers = np.array(shares, float)
    if not np.isfinite(answers).all() or answers[-1] < SMALL:
        return _NAN
    values = np.arange(1, len(answers) + 1) / len(answers)
    return float(np.abs(answers / answers[-1] - values).max())


def _leak(seen: Seen) -> dict[str, float]:
    """Mean move of landmarks that should stay, in eye distances."""
    result = {}
    rest = seen.look(REST).points
    for group, still in STILL.items():
        points = list(still.points)
        moves = [
            np.linalg.norm(seen.look(label).points[points] - rest[points], axis=-1).mean()
            for label in still.controls
            if seen.has(label)
        ]
        result[group] = float(mean_known(np.array(moves)))
    return result


def _pixels(seen: Seen) -> dict[str, Any]:
    """Weave, colour and change where nothing is asked for, over the expressions."""
    labels = [label for label in _EXPRESSIONS if seen.has(label)]
    own = float(seen.value("weave", REST))
    over = [float(seen.value("weave", label)) - own for label in labels]
    colours = [seen.value("chroma", label) for label in (*labels, *_posed(seen))]
    around = [float(seen.value("surroundings", label)) for label in labels]
    return {
        "weave_at_rest": own,
        "weave_over_rest": {"mean": float(np.mean(over)), "highest": float(np.max(over))},
        "chroma_at_rest": float(seen.value("chroma", REST)[0]),
        "chroma_driven": float(np.max([c[0] for c in colours])),
        "chroma_driven_but_a_thousandth": float(np.max([c[1] for c in colours])),
        "outside_face": float(mean_known(np.array([seen.value("outside", x) for x in labels]))),
        "background": float(mean_known(np.array(around))),
    }


def _posed(seen: Seen) -> list[str]:
    return [label for label in POSES if seen.has(label)]


def _dead(seen: Seen) -> list[str]:
    """Controls whose full motion changes the face by less than `DEAD`."""
    return [
        name
        for name in ARKIT_NAMES
        if seen.has(name) and float(seen.value("face_change", name)) < DEAD
    ]


def judge_ceilings(cached: CachedResult, judge: str) -> dict[str, dict[str, float]]:
    """By move: which share of a known motion each judge reads."""
    frames = [Frame(REST, {}), *(Frame(warp.move, {}) for warp in WARPS)]
    seen = Seen(cached, frames, judge)
    rest = seen.look(REST)
    by_move = {warp.move: warp for warp in WARPS}
    result = {}
    for name in places_of_warps():
        move, warp = BY_NAME[name], by_move[name]
        result[name] = {
            reader: move.share(rest, seen.look(name), reader) / known_share(warp, rest, reader)
            for reader in move.measures
        }
    return result
