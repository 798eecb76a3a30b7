"""``evaluate control``: what each parameter does, and what it does besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from photorig.shared.parameters.schema import ParameterSchema
from photorig.worker.reenactment.bundle import ModelBundle

from ..protocols.cached_results import CachedResult
from ..protocols.sweeps import AGAIN, REST, SWEEP_COLUMNS, fractions, swept_parameters
from . import statistics
from .agreement import Agreement, agreements
from .identity import SamePerson, identity_figures
from .placement import TRANSLATION, parameter_change
from .statistics import mean_known

GAIN_BAR, LINEARITY_BAR = (0.8, 1.25), 0.9
APERTURES = ("mouth", "eyeLeft", "eyeRight")


@dataclass(frozen=True, eq=False)
class SweptFrames:
    """All frames of all sweeps as one family reads them; f frames, n parameters.

    Attributes:
        person, parameter: (f,) index and position.
        fraction: (f,) of the way to the end of the range; asked: (f,) change asked for.
        background, shift: (f,) see `sweeps.measure_sweep`.
        change: (f, n) measured change from rest.
        apertures: (f, 3) change of mouth, left eye, right eye in eye distances.
        gaze: (f, 2, 2) change.
        identity: (f,) cosine to the person at rest.
        age: (f,) years of change; gender: (f,) change; race: (f,) half of Σ|change|.
    """

    person: np.ndarray
    parameter: np.ndarray
    fraction: np.ndarray
    asked: np.ndarray
    background: np.ndarray
    shift: np.ndarray
    change: np.ndarray
    apertures: np.ndarray
    gaze: np.ndarray
    identity: np.ndarray
    age: np.ndarray
    gender: np.ndarray
    race: np.ndarray

    def of(self, rows: np.ndarray) -> SweptFrames:
        return SweptFrames(**{name: values[rows] for name, values in vars(self).items()})


def swept_frames(
    schema: ParameterSchema,
    people: Sequence[CachedResult],
    sweeps: Sequence[CachedResult],
    family: str,
) -> SweptFrames:
    """Join what the tasks measured.

    Args:
        people: the cached result of every person, by index.
        sweeps: cached results of sweeps; each carries ``person``, its person's index.
        family: name of the family.
    """
    columns: dict[str, list[np.ndarray]] = {name: [] for name in SweptFrames.__annotations__}
    for cached in sweeps:
        count = len(cached["parameter"])
        if not count:
            continue
        rest = {
            name.removeprefix(f"{family}."): values[REST]
            for name, values in people[int(cached["person"].item())].items()
            if name.startswith(f"{family}.")
        }
        seen = {name: cached[f"{family}.{name}"] for name in rest}
        columns["person"].append(np.full(count, int(cached["person"].item())))
        for name in SWEEP_COLUMNS:
            columns[name].append(cached[name])
        columns["change"].append(parameter_change(schema, seen, rest))
        for name in ("apertures", "gaze"):
            columns[name].append(seen[name] - rest[name])
        columns["identity"].append(statistics.cosine(seen["identity"], rest["identity"]))
        columns["age"].append(seen["age"] - rest["age"])
        columns["gender"].append(seen["gender"] - rest["gender"])
        columns["race"].append(_variation(seen["race"], rest["race"]))
    return SweptFrames(**{name: np.concatenate(parts) for name, parts in columns.items()})


def _variation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(f,) half of Σ|p − q|: how much probability has moved; NaN where there are no classes."""
    if first.shape[-1] == 0:
        return np.full(len(first), np.nan)
    return np.abs(first - second).sum(-1) / 2


def control_figures(
    bundle: ModelBundle, people: Sequence[CachedResult], sweeps: Sequence[CachedResult], family: str
) -> dict[str, Any]:
    """Everything that `control` says of one family, JSON-able but for NaN."""
    frames = swept_frames(bundle.schema, people, sweeps, family)
    same_person = SamePerson.of(people, family)
    units = agreements(bundle.schema, people, family)
    full = bundle.schema.full_moves
    matrix = np.full((len(bundle.schema),) * 2, np.nan)
    parameters = {}
    for position in swept_parameters(bundle):
        name = bundle.schema.ids[position]
        own = frames.of(frames.parameter == position)
        ends = own.of(np.abs(own.fraction) == 1)
        matrix[position] = statistics.crosstalk_row(ends.change, full)
        parameters[name] = {
            **_response(own, bundle, position, units[name]),
            **_side_effects(ends, same_person, name),
        }
    rows = swept_parameters(bundle)
    return {
        "parameters": parameters,
        "controllable": [name for name, values in parameters.items() if values["controllable"]],
        "crosstalk": crosstalk_figures(bundle, matrix, rows, full),
        "noise": noise_figures(people, family, full),
        "identity": identity_figures(people, family, same_person),
    }


def _response(
    frames: SweptFrames, bundle: ModelBundle, position: int, units: Agreement
) -> dict[str, Any]:
    """Range, gain and linearity of one parameter."""
    parts = np.array(fractions(bundle, position))
    asked, measured = by_person(frames, parts, frames.change[:, position])
    line = statistics.fit_line(asked, measured)
    gains = statistics.gains_of_people(asked, measured)
    known = gains[np.isfinite(gains)]
    in_own_units = line.gain / units.slope if units.is_sure else line.gain
    response = bundle.responses[position]
    both_ways = parts[0] < 0
    return {
        "unit": bundle.schema.parameters[position].unit,
        "realised_by": response.realised_by,
        "trained_range": [response.minimum, response.maximum],
        "asked_range": _mean_ends(asked, both_ways),
        "reached_range": _mean_ends(measured, both_ways),
        **asdict(line),
        "linearity_of_each": statistics.linearity_of_each(asked, measured),
        "people": int(np.isfinite(measured).any(1).sum()),
        "gain_spread": float(known.std()) if len(known) else float("nan"),
        "gain_10_90": np.percentile(known, [10, 90]).tolist() if len(known) else [],
        "no_face": int(np.isnan(frames.identity).sum()),
        "own_slope": units.slope,
        "own_slope_linearity": units.linearity,
        "gain_in_own_units": in_own_units,
        "controllable": _is_controllable(line.gain, line.linearity),
        "controllable_in_own_units": _is_controllable(in_own_units, line.linearity),
    }


def _is_controllable(gain: float, linearity: float) -> bool:
    low, high = GAIN_BAR
    return bool(low <= gain <= high and linearity >= LINEARITY_BAR)


def _mean_ends(values: np.ndarray, both_ways: bool) -> list[float]:
    """Means of (people, levels) at the first level (0 for what goes one way) and the last."""
    lowest = float(mean_known(values[:, 0])) if both_ways else 0.0
    return [lowest, float(mean_known(values[:, -1]))]


def by_person(
    frames: SweptFrames, parts: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Frames (f,) of one parameter as (people, levels), NaN where a level was left out.

    Args:
        parts: (levels,) fractions of the range.
        values: (f,) measured change.
    """
    people = np.unique(frames.person)
    row = np.searchsorted(people, frames.person)
    column = np.abs(frames.fraction[:, None] - parts).argmin(1)
    asked = np.full((len(people), len(parts)), np.nan)
    measured = asked.copy()
    asked[row, column] = frames.asked
    measured[row, column] = values
    return asked, measured


def _side_effects(ends: SweptFrames, same_person: SamePerson, name: str) -> dict[str, Any]:
    """What else has changed when one parameter is at the ends of its range."""
    gap = np.abs(ends.change[:, 0]) if name == "headYaw" else np.zeros(len(ends.identity))
    return {
        "identity": float(mean_known(ends.identity)),
        "identity_retention": float(same_person.retention(ends.identity, gap)),
        "age_change": float(mean_known(np.abs(ends.age))),
        "age_drift": float(mean_known(ends.age)),
        "gender_change": float(mean_known(np.abs(ends.gender))),
        "race_change": float(mean_known(ends.race)),
        "background_change": float(mean_known(ends.background)),
        "shift": float(mean_known(ends.shift)),
        "apertures": dict(zip(APERTURES, mean_known(ends.apertures, 0).tolist(), strict=True)),
        "gaze": mean_known(ends.gaze, 0).tolist(),
    }


def crosstalk_figures(
    bundle: ModelBundle, matrix: np.ndarray, rows: list[int], full: np.ndarray
) -> dict[str, Any]:
    """The matrix at the ends of the ranges, and the same per full measured move of the row."""
    ids = bundle.schema.ids
    # A head that rolls about its neck also goes sideways: translation leaks by anatomy.
    matrix = matrix.copy()
    matrix[:, [i for i in range(len(ids)) if ids[i] in TRANSLATION]] = np.nan
    seen = [i for i in range(len(ids)) if np.isfinite(matrix[rows, i]).any()]
    own = np.diag(matrix).copy()
    with np.errstate(invalid="ignore", divide="ignore"):
        # Where a parameter hardly moves, the ratio says nothing.
        per_move = matrix / np.where(own > 0.05, own, np.nan)[:, None]
    return {
        "rows": [ids[i] for i in rows],
        "columns": [ids[i] for i in seen],
        "full_moves": {ids[i]: float(full[i]) for i in seen},
        "matrix": matrix[np.ix_(rows, seen)].tolist(),
        "at_the_ends": _named(statistics.off_diagonal(matrix, rows), ids),
        "per_full_move": _named(statistics.off_diagonal(per_move, rows), ids),
        "worst_pairs": worst_pairs(matrix, rows, ids),
    }


def _named(summary: statistics.OffDiagonal, ids: tuple[str, ...]) -> dict[str, Any]:
    found = summary.worst_row >= 0
    pair = [ids[summary.worst_row], ids[summary.worst_column]] if found else []
    return {"mean": summary.mean, "worst": summary.worst, "worst_pair": pair}


def worst_pairs(
    matrix: np.ndarray, rows: list[int], ids: tuple[str, ...], count: int = 20
) -> list[dict[str, Any]]:
    """The largest leaks, largest first."""
    others = np.array(matrix, float)
    np.fill_diagonal(others, np.nan)
    leaks = [(others[i, j], i, j) for i in rows for j in range(len(ids)) if others[i, j] > 0]
    leaks.sort(reverse=True)
    return [
        {"moved": ids[i], "changed": ids[j], "full_moves": float(leak)}
        for leak, i, j in leaks[:count]
    ]


def noise_figures(people: Sequence[CachedResult], family: str, full: np.ndarray) -> dict[str, Any]:
    """What the family reports between two pictures of a person between which nothing was asked."""
    known = [cached for cached in people if f"{family}.parameters" in cached]
    seen = np.stack([cached[f"{family}.parameters"] for cached in known])
    race = np.stack([cached[f"{family}.race"] for cached in known])
    age = np.stack([cached[f"{family}.age"] for cached in known])
    gender = np.stack([cached[f"{family}.gender"] for cached in known])
    change = np.abs(seen[:, AGAIN] - seen[:, REST]) / full
    return {
        "crosstalk_floor": float(mean_known(change)),
        "crosstalk_floor_worst": float(np.nanmax(mean_known(change, 0))),
        "age_change": float(mean_known(np.abs(age[:, AGAIN] - age[:, REST]))),
        "gender_change": float(mean_known(np.abs(gender[:, AGAIN] - gender[:, REST]))),
        "race_change": float(mean_known(_variation(race[:, AGAIN], race[:, REST]))),
    }
