"""The worst frames of an evaluation, to be shown and not hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photorig.shared.parameters.schema import HEAD_ANGLES
from photorig.worker.reenactment.bundle import ModelBundle

from ..protocols.cached_results import Task
from .control import SweptFrames
from .drive_figures import Pairs
from .statistics import wrap_degrees

WORST = 12


@dataclass(frozen=True)
class Failure:
    """A frame to show: who, what was asked, and what is wrong with it."""

    person: int
    mode: str
    values: dict[str, float]
    caption: str


def worst_sweeps(bundle: ModelBundle, frames: SweptFrames, count: int = WORST) -> list[Failure]:
    """Single moves with no face left, then those that keep least of the person; one a parameter."""
    order = np.argsort(np.where(np.isfinite(frames.identity), frames.identity, -1))
    result: dict[int, Failure] = {}
    for i in order:
        position = int(frames.parameter[i])
        if position in result or len(result) == count:
            continue
        name, cosine = bundle.schema.ids[position], frames.identity[i]
        said = "no face found" if np.isnan(cosine) else f"identity {cosine:.2f}"
        asked = float(frames.asked[i])
        caption = f"{name} {asked:+.2f}: {said}"
        result[position] = Failure(int(frames.person[i]), "relative", {name: asked}, caption)
    return list(result.values())


def worst_pairs(
    ids: tuple[str, ...], tasks: Sequence[Task], pairs: Pairs, count: int = WORST
) -> list[Failure]:
    """Pairs with no face left, then those with the largest error of an angle; one a person.

    Args:
        tasks: those of the pairs, in the order in which ``pairs`` was joined.
    """
    asked = [(task.person, values) for task in tasks for _, _, values in task.details]
    angles = [ids.index(name) for name in HEAD_ANGLES]
    errors = np.abs(wrap_degrees(pairs.seen - pairs.wanted)[:, angles])
    worst = np.where(np.isfinite(errors).all(1), errors.max(1), np.inf)
    result: dict[int, Failure] = {}
    for i in np.argsort(-worst):
        person, values = asked[i]
        if person in result or len(result) == count:
            continue
        if np.isinf(worst[i]):
            said = "no face found"
        else:
            axis = int(errors[i].argmax())
            said = f"{HEAD_ANGLES[axis].removeprefix('head').lower()} off by {worst[i]:.1f}°"
        named = dict(zip(ids, values, strict=True))
        result[person] = Failure(person, "absolute", named, said)
    return list(result.values())
