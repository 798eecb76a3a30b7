"""The table of an evaluation: each figure over all faces, and whether it reaches its goal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from photorig.worker.evaluation.bars import Bar

from .frames import BESIDE, SWEEPS
from .pose import MAP, PNP, TRAINING_POSE
from .recordings import SIGNALS
from .yardstick import IRISES, LANDMARKS, MOVES

Entry = dict[str, Any]
"""Of one face: ``name``, ``parts`` ("crop", "whole") with figures of `portrait_figures`."""
_NAN = float("nan")

LIDS_LEFT, APART, OWN, OTHER, STAYS = 0.15, 0.85, 0.8, 0.15, 0.15
POSE = (0.95, 1.05)
IDENTITY = {"expressions": 0.93, "yaw ±12": 0.93, "yaw ±25": 0.82}
NO_MORE = 0.97
SLOPE, LANDMARK_ERROR = 0.8, 0.02
WEAVE, CHROMA = 0.15, 0.0
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
    """What the mean has to reach; ``low`` and ``high`` count as reached."""

    low: float = -math.inf
    high: float = math.inf

    @property
    def text(self) -> str:
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


def row(key: str, what: str, goal: Goal, named: Iterable[tuple[str, float | None]]) -> Row:
    """A row out of (name, value) pairs; None and NaN are left out."""
    known = [(n, float(v)) for n, v in named if v is not None and math.isfinite(v)]
    if not known:
        return Row(key, what, goal.text, _NAN, _NAN, _NAN, "", 0, None)
    values = np.array([value for _, value in known])
    worst = max(known, key=lambda pair: goal.miss(pair[1]))[0] if goal.text else ""
    mean = float(values.mean())
    reached = goal.reached(mean)
    low, high = float(values.min()), float(values.max())
    return Row(key, what, goal.text, mean, low, high, worst, len(known), reached)


def table(entries: Sequence[Entry], recordings: Sequence[Entry], part: str = "crop") -> list[Row]:
    """All rows that faces and recordings tell.

    Args:
        part: "crop" or "whole": which frames of the faces.
    """
    faces = [(e["name"], e["parts"][part]) for e in entries if part in e.get("parts", {})]
    rows = [*_moves(faces), *_eyes_and_smiles(faces), *_beside(faces)]
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


def _moves(faces: Faces) -> list[Row]:
    rows = []
    for move in MOVES:
        name = move.name
        if name == "both lids":
            rows += _lids(faces)
        elif math.isnan(move.full):

            def moved(f: dict[str, Any], n: str = name, judge: str = move.judge) -> float:
                return float(f["moves"][n]["seen"][judge])

            rows.append(row(name, f"{name}: seen", Goal(low=BARELY), _each(faces, moved)))
        else:

            def share(f: dict[str, Any], n: str = name) -> float | None:
                return _if_room(f["moves"][n], "share")

            what = f"{name}: share of ARKit's"
            also = {}
            for judge in list(move.measures)[1:]:

                def other(f: dict[str, Any], n: str = name, j: str = judge) -> float | None:
                    return f["moves"][n]["shares"][j] if f["moves"][n]["room"] else None

                also[judge] = row("", "", Goal(), _each(faces, other)).mean
            found = row(name, what, Goal(low=move.goal), _each(faces, share))
            rows.append(replace(found, also=also))
    return rows


def _lids(faces: Faces) -> list[Row]:
    def left_open(judge: str) -> Callable[[dict[str, Any]], float | None]:
        def value(f: dict[str, Any]) -> float | None:
            lids = f["moves"]["both lids"]
            return 1 - lids["seen"][judge] if lids["room"] else None

        return value

    def by_training(f: dict[str, Any]) -> float | None:
        closed = f["lids_by_training"]
        return None if closed is None or not f["moves"]["both lids"]["room"] else 1 - closed

    goal = Goal(high=LIDS_LEFT)
    return [
        row("lids", "both lids: what stays open", goal, _each(faces, left_open(IRISES))),
        row("lids, dlib", "the same by dlib", Goal(), _each(faces, left_open(LANDMARKS))),
        row(
            "lids, Net3D",
            "the same by Net3D, which training used",
            Goal(),
            _each(faces, by_training),
        ),
    ]


def _eyes_and_smiles(faces: Faces) -> list[Row]:
    rows = []
    for side in ("left", "right"):
        rows.append(
            row(
                f"wink {side}",
                f"wink {side}: (own − other) ÷ own",
                Goal(low=APART),
                _each(faces, lambda f, s=side: _if_room(f["wink"][s], "apart")),  # type: ignore[misc]
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
        found = {
            way: row(
                f"{axis} ±{angle}",
                f"{axis} ±{angle}°: seen ÷ asked",
                Goal(*POSE),
                [pair for label in labels for pair in _each(faces, _turn(label, way))],
            )
            for way in (PNP, MAP, TRAINING_POSE)
        }
        also = {way: other.mean for way, other in found.items() if way != PNP}
        rows.append(replace(found[PNP], also=also))
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
            Goal(low=SLOPE),
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


def bars(rows: Sequence[dict[str, Any]]) -> list[Bar]:
    """The rows that have a goal, as read back from the report."""
    return [Bar(r["what"], r["goal"], told(r), r["passed"]) for r in rows if r["goal"]]


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
