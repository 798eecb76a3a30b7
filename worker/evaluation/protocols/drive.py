"""Pairs of a person and a target: absolute mode, as reenactment uses it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photorig.shared.parameters.schema import HEAD_ANGLES, ParameterSchema

from ..metrics.placement import TRANSLATION
from .cached_results import CachedResult, Task
from .context import EvaluationContext
from .sweeps import Readings, stack_families

PAIRS = "pairs"
IMAGE, TURN, ROLL = 0, 1, 2
"""Kinds of target: another person's own pose and expression; a drawn yaw and pitch; the same with
a drawn roll."""

YAW_LIMIT, PITCH_LIMIT, ROLL_LIMIT = 30.0, 15.0, 30.0
_KINDS = (IMAGE, TURN, IMAGE, ROLL, TURN, IMAGE, ROLL, IMAGE, TURN, ROLL)
_STREAM = 1  # of random numbers drawn from the seed


def pair_tasks(
    schema: ParameterSchema, parameters: np.ndarray, n_pairs: int, seed: int
) -> list[Task]:
    """One task a person, with the targets that this person is driven to.

    Args:
        parameters: (p, n) measured on each person's photo, NaN where there is no face.
    """
    random = np.random.default_rng([seed, _STREAM])
    usable = np.flatnonzero(np.isfinite(parameters).all(1))
    yaw, pitch, roll = (schema.index[name] for name in HEAD_ANGLES)
    in_box = (np.abs(parameters[:, yaw]) <= YAW_LIMIT) & (
        np.abs(parameters[:, pitch]) <= PITCH_LIMIT
    )
    faces = np.intersect1d(usable, np.flatnonzero(in_box))
    details: dict[int, list[tuple[int, int, list[float]]]] = {}
    for i in range(n_pairs if len(usable) and len(faces) > 1 else 0):
        person = int(usable[i % len(usable)])
        kind = _KINDS[i % len(_KINDS)]
        asked = parameters[person].copy()
        target = int(random.choice(faces[faces != person]))
        draw = random.uniform(-1, 1, 3)
        if kind == IMAGE:
            asked = parameters[target].copy()
            asked[[schema.index[name] for name in TRANSLATION if name in schema.index]] = 0
        else:
            target = person
            asked[yaw], asked[pitch] = draw[:2] * [YAW_LIMIT, PITCH_LIMIT]
        if kind == ROLL:
            asked[roll] = draw[2] * ROLL_LIMIT
        values = [round(float(value), 6) for value in asked]
        details.setdefault(person, []).append((kind, target, values))
    return [Task(PAIRS, person, tuple(entries)) for person, entries in sorted(details.items())]


def measure_pairs(context: EvaluationContext, task: Task) -> CachedResult:
    """Drive one person to each of the task's targets.

    Returns:
        per pair: ``kind``, ``target`` (person), ``asked`` (n,), ``beyond`` (how many parameters
        were asked for more than their trained range), ``shift`` (σ of w), the readings.
    """
    portrait = context.portrait(task.person)
    if portrait is None:
        return {"kind": np.zeros(0, np.int32)}
    readings: list[Readings] = []
    beyond, shift = [], []
    for _, _, values in task.details:
        asked = np.array(values, np.float32)
        request = context.request(portrait, asked, "absolute", context.settings.size)
        wanted = context.renderer.asked_shift(portrait, request)
        beyond.append(len(context.renderer.bundle.beyond_range(portrait, wanted)))
        readings.append(context.read(context.frame(portrait, asked, "absolute")))
        shift.append(context.shift_length(portrait, asked, "absolute"))
    return {
        "kind": np.array([kind for kind, _, _ in task.details], np.int32),
        "target": np.array([target for _, target, _ in task.details], np.int32),
        "asked": np.array([values for _, _, values in task.details], np.float32),
        "beyond": np.array(beyond, np.int32),
        "shift": np.array(shift, np.float32),
        **stack_families(context, readings),
    }


def parameters_of(people: Sequence[CachedResult]) -> np.ndarray:
    """(p, n) what Net3D measured on each person's photo."""
    return np.stack([cached["parameters"] for cached in people])
