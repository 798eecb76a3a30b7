"""``evaluate drive``: figures of the pairs, of moving pictures and of the still test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from photorig.shared.parameters.schema import ARKIT_NAMES, HEAD_ANGLES, ParameterSchema

from ..protocols.cached_results import CachedResult
from ..protocols.drive import IMAGE, ROLL, TURN
from ..protocols.sweeps import REST
from . import statistics
from .identity import YAW_EDGES, SamePerson
from .statistics import mean_known

_EYES = slice(1, 3)


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs as one family reads them; f pairs, n parameters.

    Attributes:
        kind: (f,). beyond: (f,) parameters asked for beyond their trained range.
        shift: (f,) σ of w.
        seen, source, wanted: (f, n) measured on the driven frame and on the person at rest; what
            the driven frame should measure.
        apertures, source_apertures, wanted_apertures: (f, 3) in eye distances.
        identity: (f,) cosine to the person at rest.
    """

    kind: np.ndarray
    beyond: np.ndarray
    shift: np.ndarray
    seen: np.ndarray
    source: np.ndarray
    wanted: np.ndarray
    apertures: np.ndarray
    source_apertures: np.ndarray
    wanted_apertures: np.ndarray
    identity: np.ndarray

    def of(self, rows: np.ndarray) -> Pairs:
        return Pairs(**{name: values[rows] for name, values in vars(self).items()})


def join_pairs(
    people: Sequence[CachedResult], cached_results: Sequence[CachedResult], family: str
) -> Pairs:
    """What the tasks measured, with what was to be reached.

    For a target that is a picture, that is what the family reads off the target's own un-driven
    frame; for a drawn pose, what it reads off the person at rest, plus the change asked for.
    """
    columns: dict[str, list[np.ndarray]] = {name: [] for name in Pairs.__annotations__}
    for cached in cached_results:
        if not len(cached["kind"]):
            continue
        source = people[int(cached["person"].item())]
        targets = [people[i] for i in cached["target"]]
        from_picture = (cached["kind"] == IMAGE)[:, None]
        for name in ("kind", "beyond", "shift"):
            columns[name].append(cached[name])
        for name, field in (("", "parameters"), ("_apertures", "apertures")):
            key = f"{family}.{field}"
            rest = np.broadcast_to(source[key][REST], cached[key].shape)
            change = cached["asked"] - source["parameters"] if not name else 0.0
            shown = np.stack([target[key][REST] for target in targets])
            columns[f"source{name}"].append(rest)
            columns[f"wanted{name}"].append(np.where(from_picture, shown, rest + change))
            columns[field if name else "seen"].append(cached[key])
        key = f"{family}.identity"
        columns["identity"].append(statistics.cosine(cached[key], source[key][REST]))
    return Pairs(**{name: np.concatenate(parts) for name, parts in columns.items()})


def pair_figures(
    schema: ParameterSchema,
    people: Sequence[CachedResult],
    cached_results: Sequence[CachedResult],
    family: str,
) -> dict[str, Any]:
    """Everything that `drive` says of the pairs by one family, JSON-able but for NaN."""
    pairs = join_pairs(people, cached_results, family)
    pictures = pairs.of(pairs.kind == IMAGE)
    upright = pairs.of(pairs.kind != ROLL)
    groups = {
        "all_upright": upright,
        "pictures": pictures,
        "drawn": pairs.of(pairs.kind == TURN),
        "drawn_with_roll": pairs.of(pairs.kind == ROLL),
    }
    return {
        "pose": {name: pose_figures(schema, group) for name, group in groups.items()},
        "untouched_pose": pose_figures(schema, undriven(pictures)),
        "expression": expression_figures(schema, pictures),
        "untouched_expression": expression_figures(schema, undriven(pictures)),
        "identity": identity_by_yaw(schema, people, pairs, family),
        "shift": float(mean_known(pairs.shift)),
        "pairs_beyond_range": int((pairs.beyond > 0).sum()),
        "pairs": len(pairs.kind),
    }


def undriven(pairs: Pairs) -> Pairs:
    """The same pairs, had nothing been driven: what doing nothing would score."""
    known = np.isfinite(pairs.seen).any(1, keepdims=True)
    values = vars(pairs) | {
        "seen": np.where(known, pairs.source, np.nan),
        "apertures": np.where(known, pairs.source_apertures, np.nan),
    }
    return Pairs(**values)


def pose_figures(schema: ParameterSchema, pairs: Pairs) -> dict[str, Any]:
    """Mean absolute error and 95th percentile of each axis, and the angle between the poses."""
    angles = [schema.index[name] for name in HEAD_ANGLES]
    seen, wanted = pairs.seen[:, angles], pairs.wanted[:, angles]
    errors = statistics.wrap_degrees(seen - wanted)
    axes = {
        name: {
            **asdict(statistics.absolute_errors(errors[:, i])),
            "bias": float(mean_known(errors[:, i])),
        }
        for i, name in enumerate(HEAD_ANGLES)
    }
    between = statistics.geodesic_degrees(seen, wanted)
    mean = float(mean_known(np.abs(errors)))
    return {**axes, "mean_of_axes": mean, "geodesic": asdict(statistics.absolute_errors(between))}


def expression_figures(schema: ParameterSchema, pairs: Pairs) -> dict[str, Any]:
    """Error of the coefficients (0 to 1) and of mouth and eyes (eye distances)."""
    coefficients = [schema.index[name] for name in ARKIT_NAMES if name in schema.index]
    error = np.abs(pairs.seen - pairs.wanted)[:, coefficients]
    by_parameter = mean_known(error, 0)
    apertures = np.abs(pairs.apertures - pairs.wanted_apertures)
    return {
        "coefficients_seen": int(np.isfinite(by_parameter).sum()),
        "error": float(mean_known(error)),
        "error_by_parameter": {
            schema.ids[position]: float(value)
            for position, value in zip(coefficients, by_parameter, strict=True)
        },
        "mouth_aperture": asdict(statistics.absolute_errors(apertures[:, 0])),
        "eye_opening": asdict(statistics.absolute_errors(apertures[:, _EYES])),
        "pairs": len(pairs.kind),
    }


def identity_by_yaw(
    schema: ParameterSchema, people: Sequence[CachedResult], pairs: Pairs, family: str
) -> dict[str, Any]:
    """Cosine to the person at rest by how far the head has turned, and that ÷ the ceiling."""
    same_person = SamePerson.of(people, family)
    yaw = schema.index["headYaw"]
    gap = np.abs(pairs.seen[:, yaw] - pairs.source[:, yaw])
    groups = {
        "all": np.full(len(gap), True),
        "pose_only": pairs.kind != IMAGE,
        "pose_and_expression": pairs.kind == IMAGE,
    }
    return {
        name: [
            {
                **asdict(step),
                "retention": same_person.retention(
                    np.where(_within(gap[rows], step), pairs.identity[rows], np.nan), gap[rows]
                ),
            }
            for step in statistics.binned(gap[rows], pairs.identity[rows], YAW_EDGES)
        ]
        for name, rows in groups.items()
    }


def _within(gap: np.ndarray, step: statistics.Bin) -> np.ndarray:
    below = gap <= step.high if step.high == YAW_EDGES[-1] else gap < step.high
    return (gap >= step.low) & below
