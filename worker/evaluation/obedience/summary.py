"""The table of an evaluation: each figure over all faces, and whether it reaches its goal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..metrics.goals import GoalResult
from .frames import BESIDE, SWEEPS
from .pose import MAP, PNP, TRAINING_POSE
from .recordings import SIGNALS
from .yardstick import FLOW, IRISES, LANDMARKS, MOVES, Move

Entry = dict[str, Any]
"""Of one face: ``name``, ``parts`` ("crop", "whole") with figures of `portrait_figures`."""
_NAN = float("nan")

LIDS_LEFT, APART, OWN, OTHER, STAYS = 0.15, 0.85, 0.8, 0.15, 0.15
POSE = (0.95, 1.05)
IDENTITY = {"expressions": 0.93, "yaw ±12": 0.93, "yaw ±25": 0.82}
NO_MORE = 0.97
SLOPE, LANDMARK_ERROR = (0.8, 1.25), 0.02
WEAVE, CHROMA = 0.15, 0.0
SHUT = 0.25
"""Of their opening: who leaves less has blinked, by any way to see it."""
BARELY = 0.03
"""Eye distances, or share of a lip's height: less is not seen to move."""


@dataclass(frozen=True)
class Row:
    """One figure over all faces that have room for it.

    Attributes:
        key: by which another report's row is found. what: for people.
        goal: for people.
        mean, lowest, highest: over the faces; NaN where none is known.
        worst: the face or recording farthest from the goal.
        known: how many faces it rests on.
        passed: None where nothing is known, or no goal is set.
        also: the mean by other ways of reading the same, by their names.
    """

    key: str
    what: str
    goal: str
    mean: float
    lowest: float
    highest: float
    worst: str
    known: int
    passed: bool | None
    also: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Goal:
    """What the mean has to reach, or the worst if ``each`` has to; ends count as reached."""

    low: float = -math.inf
    high: float = math.inf
    each: bool = False

    @property
    def text(self) -> str:
        return self._bounds + (" each" if self.each else "")

    @property
    def _bounds(self) -> str:
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{self.low:g}–{self.high:g}"
        if math.isfinite(self.low):
            return f"≥ {self.low:g}"
        return f"≤ {self.high:g}" if math.isfinite(self.high) else ""

    def reached(self, value: float) -> bool | None:
        if not self.text or not math.isfinite(value):
            return None
        return self.low <= value <= self.high

    def miss(self, value: float) -> float:
        return max(self.low - value, value - self.high)


Named = Sequence[tuple[str, float | None]]
"""Who has which figure; None and NaN are left out."""


def row(key: str, what: str, goal: Goal, named: Named, also: Mapping[str, Named] = {}) -> Row:
    """A row of the table.

    Args:
        also: the same by other ways of reading it.
    """
    means = {way: _mean(_known(pairs)) for way, pairs in also.items()}
    known = _known(named)
    if not known:
        return Row(key, what, goal.text, _NAN, _NAN, _NAN, "", 0, None, means)
    values = [value for _, value in known]
    worst = max(known, key=lambda pair: goal.miss(pair[1]))[0] if goal.text else ""
    mean, low, high = _mean(known), min(values), max(values)
    reached = goal.reached(max(values, key=goal.miss) if goal.each else mean)
    return Row(key, what, goal.text, mean, low, high, worst, len(known), reached, means)


def _known(named: Named) -> list[tuple[str, float]]:
    return [(n, float(v)) for n, v in named if v is not None and math.isfinite(v)]


def _mean(known: Sequence[tuple[str, float]]) -> float:
    return float(np.mean([value for _, value in known])) if known else _NAN


def table(entries: Sequence[Entry], recordings: Sequence[Entry], part: str = "crop") -> list[Row]:
    """All rows that faces and recordings tell.

    Args:
        part: "crop" or "whole": which frames of the faces.
    """
    faces = [(e["name"], e["parts"][part]) for e in entries if part in e.get("parts", {})]
    floor = lid_floor(recordings)
    rows = [*_moves(faces, floor), *_eyes_and_smiles(faces), *_beside(faces)]
    rows += [*_ways(faces), *_poses(faces), *_identity(faces), *_pixels(faces, entries, part)]
    if part == "crop":
        rows += _last_changes(entries) + _recordings(recordings)
    return [r for r in rows if r.known or r.goal]


Faces = Sequence[tuple[str, dict[str, Any]]]


def _each(
    faces: Faces, value: Callable[[dict[str, Any]], float | None]
) -> list[tuple[str, float | None]]:
    """The value of every face that has it."""
    result = []
    for name, figures in faces:
        try:
            result.append((name, value(figures)))
        except KeyError:  # not among the frames of this part
            continue
    return result


def _if_room(figures: dict[str, Any], field: str) -> float | None:
    return figures[field] if figures["room"] else None


def lid_floor(recordings: Sequence[Entry]) -> float:
    """What the iris network leaves of eyes that really shut: mean over the recordings in which
    they do; NaN without one."""
    blinks = [r["real_blinks"] for r in recordings if "real_blinks" in r]
    shut = [b[IRISES] for b in blinks if min(b.values()) < SHUT]
    return float(np.mean(shut)) if shut else _NAN


def _moves(faces: Faces, floor: float) -> list[Row]:
    rows = []
    for move in MOVES:
        first, *others = move.measures
        if move.name == "both lids":
            rows.append(_lids(faces, move, floor))
        elif math.isnan(move.full):
            goal = Goal(low=BARELY)
            rows.append(row(move.name, f"{move.name}: seen", goal, _each(faces, _seen(move))))
        else:
            also = {judge: _each(faces, _share(move, judge)) for judge in others}
            what, goal = f"{move.name}: share of ARKit's", Goal(low=move.goal)
            rows.append(row(move.name, what, goal, _each(faces, _share(move, first)), also))
    return rows


def _share(move: Move, judge: str) -> Callable[[dict[str, Any]], float | None]:
    def value(f: dict[str, Any]) -> float | None:
        seen = f["moves"][move.name]
        return seen["shares"][judge] if seen["room"] else None

    return value


def _seen(move: Move) -> Callable[[dict[str, Any]], float | None]:
    return lambda f: float(f["moves"][move.name]["seen"][move.judge])


def _lids(faces: Faces, move: Move, floor: float) -> Row:
    def left_open(judge: str) -> Callable[[dict[str, Any]], float | None]:
        def value(f: dict[str, Any]) -> float | None:
            lids = f["moves"][move.name]
            return 1 - lids["seen"][judge] if lids["room"] else None

        return value

    def by_training(f: dict[str, Any]) -> float | None:
        closed = f["lids_by_training"]
        return None if closed is None or not f["moves"][move.name]["room"] else 1 - closed

    first, *others = move.measures
    also = {judge: _each(faces, left_open(judge)) for judge in others}
    also["Net3D, which training used"] = _each(faces, by_training)
    named = _each(faces, left_open(first))
    above = [(n, None if v is None else max(v - floor, 0) / (1 - floor)) for n, v in named]
    also[f"{first} above what real blinks leave"] = above
    return row("lids", "both lids: what stays open", Goal(high=LIDS_LEFT), named, also)


def _eyes_and_smiles(faces: Faces) -> list[Row]:
    rows = []
    for side in ("left", "right"):
        rows.append(
            row(
                f"wink {side}",
                f"wink {side}: (own − other) ÷ own",
                Goal(low=APART),
                _each(faces, _apart(side, IRISES)),
                {judge: _each(faces, _apart(side, judge)) for judge in (LANDMARKS, FLOW)},
            )
        )
        for which, goal in (("own", Goal(low=OWN)), ("other", Goal(high=OTHER))):
            rows.append(
                row(
                    f"smile {side}, {which}",
                    f"smile on the {side}: {which} corner, share of ARKit's",
                    goal,
                    _each(
                        faces,
                        lambda f, s=side, w=which: _if_room(f["smile_sides"][s], w),  # type: ignore[misc]
                    ),
                )
            )
    return rows


def _apart(side: str, judge: str) -> Callable[[dict[str, Any]], float | None]:
    def value(f: dict[str, Any]) -> float | None:
        wink = f["wink"][side]
        return wink["apart"][judge] if wink["room"] else None

    return value


def _beside(faces: Faces) -> list[Row]:
    """Of a smile: what stays of it, and what it adds to what it stands beside."""
    goal = Goal(1 - STAYS, 1 + STAYS)

    def ratio(what: str, added: bool) -> Callable[[dict[str, Any]], float | None]:
        def value(f: dict[str, Any]) -> float | None:
            pair = f["beside"][what]
            if not f["smile_sides"]["left"]["room"] or pair["alone"] < 0.1:
                return None
            seen = pair["beside"] - (pair["without"] if added else 0.0)
            return float(seen / pair["alone"])

        return value

    def alone(f: dict[str, Any]) -> float | None:
        return f["beside"]["gaze"]["alone"] if f["smile_sides"]["left"]["room"] else None

    first = row(
        "smile .8", "smile .8 alone: share of ARKit's full smile", Goal(), _each(faces, alone)
    )
    return [first] + [
        row(
            f"smile beside {what}{', added' if added else ''}",
            f"smile .8 beside {what}: {'adds' if added else 'share that stays'}, of alone",
            goal,
            _each(faces, ratio(what, added)),
        )
        for what in BESIDE
        for added in (False, True)
    ]


def _ways(faces: Faces) -> list[Row]:
    rows = []
    for name in SWEEPS:
        rows += [
            row(
                f"no more {name}",
                f"{name}: value at which more is no more, as seen",
                Goal(),
                _each(faces, lambda f, n=name: _if_room(f["sweeps"][n], "no_more")),  # type: ignore[misc]
            ),
            row(
                f"bend {name}",
                f"{name}: farthest from an even answer",
                Goal(high=0.15),
                _each(faces, lambda f, n=name: _if_room(f["sweeps"][n], "bend")),  # type: ignore[misc]
            ),
        ]
    return rows


def _last_changes(entries: Sequence[Entry]) -> list[Row]:
    return [
        row(
            f"last change {name}",
            f"{name}: value from which frames are the same to the byte",
            Goal(low=NO_MORE),
            [(entry["name"], entry.get("last_changes", {}).get(name)) for entry in entries],
        )
        for name in SWEEPS
    ]


def _poses(faces: Faces) -> list[Row]:
    rows = []
    for axis, angle in (("yaw", 12), ("yaw", 25), ("pitch", 12)):
        labels = (f"{axis} -{angle}", f"{axis} +{angle}")
        ways = {
            way: [pair for label in labels for pair in _each(faces, _turn(label, way))]
            for way in (PNP, MAP, TRAINING_POSE)
        }
        what = f"{axis} ±{angle}°: seen ÷ asked"
        rows.append(row(f"{axis} ±{angle}", what, Goal(*POSE), ways.pop(PNP), ways))
    return rows


def _turn(label: str, way: str) -> Callable[[dict[str, Any]], float | None]:
    def value(f: dict[str, Any]) -> float | None:
        pose = f["poses"][label]
        return pose["shares"].get(way) if pose["room"] else None

    return value


def _identity(faces: Faces) -> list[Row]:
    return [
        row(
            f"identity {name}",
            f"identity at {name}{'°' if 'yaw' in name else ''}",
            Goal(low=goal),
            _each(faces, lambda f, n=name: f["identity"][n]),  # type: ignore[misc]
        )
        for name, goal in IDENTITY.items()
    ]


def _pixels(faces: Faces, entries: Sequence[Entry], part: str) -> list[Row]:
    grey = [
        (e["name"], e["parts"][part])
        for e in entries
        if part in e.get("parts", {}) and e["parts"][part]["pixels"]["chroma_at_rest"] == 0
    ]
    rows = [
        row(
            "weave",
            "weave over the photo's own, levels (the worst frame of each face)",
            Goal(high=WEAVE),
            _each(faces, lambda f: f["pixels"]["weave_over_rest"]["highest"]),
        ),
        row(
            "colour on grey",
            "strongest colour of a driven grey photo, levels",
            Goal(high=CHROMA),
            _each(grey, lambda f: f["pixels"]["chroma_driven"]),
        ),
        row(
            "outside",
            "change outside the face in expressions, levels",
            Goal(),
            _each(faces, lambda f: f["pixels"]["outside_face"]),
        ),
        row(
            "background",
            "change of the background in expressions, levels",
            Goal(),
            _each(faces, lambda f: f["pixels"]["background"]),
        ),
    ]
    for group in ("mouth and jaw", "eyes and brows"):
        rows.append(
            row(
                f"leak {group}",
                f"what should stay still moves at {group}, eye distances",
                Goal(),
                _each(faces, lambda f, g=group: f["leak"][g]),  # type: ignore[misc]
            )
        )
    if part == "crop":
        dead = _each(faces, lambda f: float(len(f["dead"])))
        rows.append(row("dead", "controls of 52 that do nothing", Goal(high=0), dead))
    return rows


def _recordings(recordings: Sequence[Entry]) -> list[Row]:
    found = [(r["file"], r["figures"]) for r in recordings if "figures" in r]
    rows = [
        row(
            f"slope {name}",
            f"self-reenactment: slope of the {name}",
            Goal(*SLOPE, each=True),
            [(file, f["signals"].get(name, {}).get("slope")) for file, f in found],
        )
        for name in SIGNALS
    ]
    errors = [(file, f["landmark_error"]) for file, f in found]
    what = "self-reenactment: landmark error, aligned, of the eye distance"
    rows.append(row("landmark error", what, Goal(high=LANDMARK_ERROR), errors))
    return rows


def ceilings(entries: Sequence[Entry]) -> dict[str, dict[str, dict[str, float]]]:
    """By move and judge: mean and lowest share of a known motion that is read, over the faces."""
    found: dict[str, dict[str, list[float]]] = {}
    for entry in entries:
        for move, judges in entry.get("known_warps", {}).items():
            for judge, share in judges.items():
                if share is not None and math.isfinite(share):
                    found.setdefault(move, {}).setdefault(judge, []).append(share)
    return {
        move: {
            judge: {
                "mean": float(np.mean(s)),
                "lowest": float(np.min(s)),
                "highest": float(np.max(s)),
            }
            for judge, s in judges.items()
        }
        for move, judges in found.items()
    }


def goals_of(rows: Sequence[dict[str, Any]]) -> list[GoalResult]:
    """The rows that have a goal, as read back from the report."""
    return [GoalResult(r["what"], r["goal"], told(r), r["passed"]) for r in rows if r["goal"]]


def told(r: dict[str, Any]) -> str:
    """A row's figures for people."""
    if r["mean"] is None:
        return "–"
    text = f"{r['mean']:.3f}"
    if r["known"] > 1:
        text += f" ({r['lowest']:.3f} to {r['highest']:.3f}, {r['known']} measured)"
    if r["worst"] and r["known"] > 1:
        text += f"; worst {r['worst']}"
    for way, mean in r["also"].items():
        text += f"; by {way} –" if mean is None else f"; by {way} {mean:.3f}"
    return text


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [asdict(r) for r in rows]
