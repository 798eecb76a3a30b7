"""Controls that an animator moves together, both sides at once: lids, gaze, brows, lips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from photorig.shared.parameters.schema import ParameterSchema
from photorig.worker.reenactment.bundle import ModelBundle

from ..metrics import statistics
from ..metrics.identity import SamePerson
from ..metrics.statistics import mean_known
from .cached_results import CachedResult, Task
from .context import EvaluationContext
from .sweeps import REST, Readings, own_level, stack_families, swept_parameters, take_turns

TOGETHER = "together"

COMBINATIONS: dict[str, tuple[str, ...]] = {
    "both eyes shut": ("eyeBlinkLeft", "eyeBlinkRight"),
    "look left": ("eyeLookOutLeft", "eyeLookInRight"),
    "look right": ("eyeLookInLeft", "eyeLookOutRight"),
    "look up": ("eyeLookUpLeft", "eyeLookUpRight"),
    "look down": ("eyeLookDownLeft", "eyeLookDownRight"),
    "squint": ("eyeSquintLeft", "eyeSquintRight"),
    "wide eyes": ("eyeWideLeft", "eyeWideRight"),
    "brows up": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "brows down": ("browDownLeft", "browDownRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "frown": ("mouthFrownLeft", "mouthFrownRight"),
    "upper lip": ("mouthUpperUpLeft", "mouthUpperUpRight"),
    "lower lip": ("mouthLowerDownLeft", "mouthLowerDownRight"),
    "stretch": ("mouthStretchLeft", "mouthStretchRight"),
    "press": ("mouthPressLeft", "mouthPressRight"),
    "dimples": ("mouthDimpleLeft", "mouthDimpleRight"),
}
"""What people move at once, by the subject's own sides."""


def combinations(bundle: ModelBundle) -> dict[str, tuple[str, ...]]:
    """Those of which the bundle controls every part."""
    swept = {bundle.schema.ids[i] for i in swept_parameters(bundle)}
    return {label: names for label, names in COMBINATIONS.items() if swept.issuperset(names)}


def together_tasks(bundle: ModelBundle, parameters: np.ndarray, people_each: int) -> list[Task]:
    """One task a person, with the combinations whose turn it is.

    Args:
        parameters: (p, n) measured on each person's photo.
        people_each: people for each combination.
    """
    moves = combinations(bundle)
    turns = take_turns(bundle, moves, [people_each] * len(moves), parameters)
    return [Task(TOGETHER, person, tuple(labels)) for person, labels in turns.items()]


def measure_together(context: EvaluationContext, task: Task) -> CachedResult:
    """Each combination of the task at the ends of its parts' ranges.

    Returns:
        per frame: ``combination`` (position in COMBINATIONS), ``asked`` (n,), the readings.
    """
    portrait = context.portrait(task.person)
    if portrait is None:
        return {"combination": np.zeros(0, np.int32)}
    combination: list[int] = []
    asked: list[np.ndarray] = []
    readings: list[Readings] = []
    for label in task.details:
        ends = {}
        for name in COMBINATIONS[label]:
            position = context.schema.index[name]
            ends[name] = own_level(context.renderer.bundle, portrait, position, 1.0)
        vector = context.schema.vector(ends)
        combination.append(list(COMBINATIONS).index(label))
        asked.append(vector)
        readings.append(context.read(context.frame(portrait, vector, "relative")))
    return {
        "combination": np.array(combination, np.int32),
        "asked": np.array(asked, np.float32).reshape(len(asked), len(context.schema)),
        **stack_families(context, readings),
    }


def together_figures(
    schema: ParameterSchema,
    people: Sequence[CachedResult],
    cached_results: Sequence[CachedResult],
    family: str,
) -> dict[str, Any]:
    """By combination: measured ÷ asked of its parts, how far the eyes stay open, gaze, identity."""
    same_person = SamePerson.of(people, family)
    result = {}
    for number, (label, names) in enumerate(COMBINATIONS.items()):
        frames = [
            _frame(people[int(cached["person"].item())], cached, row, family)
            for cached in cached_results
            for row in np.flatnonzero(cached["combination"] == number).tolist()
        ]
        if not frames:
            continue
        joined = {name: np.stack([frame[name] for frame in frames]) for name in frames[0]}
        positions = [schema.index[name] for name in names]
        reached = mean_known(joined["change"][:, positions], 0)
        wanted = joined["asked"][:, positions].mean(0)
        no_turn = np.zeros(len(frames))
        result[label] = {
            "people": len(frames),
            "asked": dict(zip(names, wanted.tolist(), strict=True)),
            "reached": dict(zip(names, reached.tolist(), strict=True)),
            "eyes_open": mean_known(joined["eyes_open"], 0).tolist(),
            "gaze": mean_known(joined["gaze"], 0).tolist(),
            "identity_retention": same_person.retention(joined["identity"], no_turn),
            "age_drift": float(mean_known(joined["age"])),
            "gender_change": float(mean_known(np.abs(joined["gender"]))),
        }
    return result


def _frame(
    person: CachedResult, cached: CachedResult, row: int, family: str
) -> dict[str, np.ndarray]:
    """Change of one frame from the person at rest; openings as parts of those at rest."""

    def change(name: str) -> np.ndarray:
        return np.asarray(cached[f"{family}.{name}"][row] - person[f"{family}.{name}"][REST])

    eyes, rest_eyes = (
        cached[f"{family}.apertures"][row, 1:],
        person[f"{family}.apertures"][REST, 1:],
    )
    identities = cached[f"{family}.identity"][row], person[f"{family}.identity"][REST]
    return {
        "asked": cached["asked"][row],
        "change": change("parameters"),
        "eyes_open": eyes / np.maximum(rest_eyes, 1e-3),
        "gaze": change("gaze"),
        "identity": statistics.cosine(*identities),
        "age": change("age"),
        "gender": change("gender"),
    }
