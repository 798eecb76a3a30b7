"""Measures people at rest and sweeps single parameters over the range they were trained for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from photorig.shared.parameters.arkit_amounts import readings_of
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle

from ..estimators.families import Reading, stacked
from ..metrics import ceilings
from ..metrics.background import background_change
from .cached_results import CachedResult, Task
from .context import EvaluationContext

Readings = tuple[Reading | None, ...]
"""What each of the studio's families reads off one frame."""

PERSON, SWEEP = "person", "sweep"
REST, AGAIN, OTHER_STYLES, MIRRORED = range(4)
"""Frames of a person's cached result."""

FRACTIONS = (0.25, 0.5, 0.75, 1.0)
"""Of the trained range, for what goes one way; rest is the fifth level."""
SIGNED_FRACTIONS = (-1.0, -0.5, 0.5, 1.0)
_STRANGER = 1 << 20  # index far from all people that are measured


def swept_parameters(bundle: ModelBundle) -> list[int]:
    """Positions of the parameters that the bundle says it controls, so that have a range."""
    return [
        i for i, r in enumerate(bundle.responses) if r.is_controllable and r.maximum > r.minimum
    ]


def fractions(bundle: ModelBundle, position: int) -> tuple[float, ...]:
    """Levels of the sweep in parts of the range, rest left out.

    A coefficient is 0 on most faces, so it is swept upwards; going down is part of `drive`.
    """
    is_coefficient = bundle.schema.parameters[position].unit == "coefficient"
    return FRACTIONS if is_coefficient else SIGNED_FRACTIONS


def level(bundle: ModelBundle, position: int, source: float, fraction: float) -> float:
    """Change to ask of a face that shows ``source``: a part of the way to the end of the range.

    Returns:
        NaN where the face is so close to that end already that there is no room for half of the
        range.
    """
    response = bundle.responses[position]
    if fraction < 0:
        room, range_ = source - float(bundle.lowest[position]), -response.minimum
    else:
        room, range_ = float(bundle.highest[position]) - source, response.maximum
    return fraction * room if room >= range_ / 2 > 0 else float("nan")


def own_level(bundle: ModelBundle, portrait: Portrait, position: int, fraction: float) -> float:
    """Change to ask of a portrait: a part of the way to the end of what its own face can show.

    Where its response was not measured that is the end of the trained range.
    """
    lowest, highest = bundle.reach(portrait)
    end = readings_of(highest if fraction > 0 else lowest, bundle.schema.ids)[position]
    return abs(fraction) * float(end - portrait.parameters[position])


def people_with_room(
    bundle: ModelBundle, names: Sequence[str], parameters: np.ndarray
) -> np.ndarray:
    """Indices of the people whom all these parameters can take to the end of their ranges.

    Args:
        parameters: (p, n) measured on each person's photo, NaN where there is no face.
    """
    fits = np.isfinite(parameters).all(1)
    for name in names:
        position = bundle.schema.index[name]
        if bundle.schema.parameters[position].unit == "coefficient":
            ends = [level(bundle, position, float(p), 1.0) for p in parameters[:, position]]
            fits &= np.isfinite(ends)
    return np.flatnonzero(fits)


def take_turns(
    bundle: ModelBundle,
    moves: Mapping[str, Sequence[str]],
    counts: Sequence[int],
    parameters: np.ndarray,
) -> dict[int, list[str]]:
    """Which moves each person makes: every move goes to so many people, those next in turn.

    Args:
        moves: parameter ids by the move's name.
        counts: people for each move.
    """
    turns: dict[int, list[str]] = {}
    first = 0
    for (label, names), count in zip(moves.items(), counts, strict=True):
        people = people_with_room(bundle, names, parameters)
        order = np.concatenate([people[people >= first], people[people < first]])
        for person in order[:count].tolist():
            turns.setdefault(person, []).append(label)
        if len(order):
            first = (int(order[min(count, len(order)) - 1]) + 1) % len(parameters)
    return dict(sorted(turns.items()))


def sweep_tasks(
    bundle: ModelBundle, parameters: np.ndarray, people_each: int, head_people: int
) -> list[Task]:
    """One task a person, with the parameters whose turn it is.

    Args:
        parameters: (p, n) measured on each person's photo.
        people_each: people for each coefficient.
        head_people: people for each head angle and translation.
    """
    swept = [bundle.schema.parameters[position] for position in swept_parameters(bundle)]
    counts = [people_each if p.unit == "coefficient" else head_people for p in swept]
    moves = {p.id: (p.id,) for p in swept}
    turns = take_turns(bundle, moves, counts, parameters)
    return [Task(SWEEP, person, tuple(names)) for person, names in turns.items()]


def measure_person(context: EvaluationContext, task: Task) -> CachedResult:
    """The person at rest and the un-driven pictures of the same person; empty without a face."""
    portrait = context.portrait(task.person)
    if portrait is None:
        return {"parameters": np.full(len(context.schema), np.nan, np.float32)}
    rest = context.frame(portrait, context.schema.rest, "relative")
    stranger = context.latents_of(_STRANGER + task.person)
    restyled = ceilings.with_other_fine_styles(portrait.latents, stranger)
    other = context.renderer.generator.synthesize(restyled[None], context.settings.size)[0]
    images = [
        rest,
        ceilings.photographed_again(rest, 2 * task.person),
        ceilings.photographed_again(other, 2 * task.person + 1),
        ceilings.mirrored(rest),
    ]
    return {"parameters": portrait.parameters, **_read_all(context, images)}


def measure_sweep(context: EvaluationContext, task: Task) -> CachedResult:
    """Each parameter of the task at each level.

    Returns:
        per frame: ``parameter`` (position), ``fraction`` (of the range), ``asked`` (change in its
        unit), ``background`` (0 to 255, of the generator's own picture, at ends of the range),
        ``shift`` (σ of w), the readings.
    """
    portrait = context.portrait(task.person)
    if portrait is None:
        return {"parameter": np.zeros(0, np.int32)}
    background = BackgroundWatch(context, portrait)
    columns: dict[str, list[float]] = {name: [] for name in SWEEP_COLUMNS}
    readings: list[Readings] = []
    for name in task.details:
        position = context.schema.index[name]
        for fraction in fractions(context.renderer.bundle, position):
            asked = own_level(context.renderer.bundle, portrait, position, fraction)
            wanted = context.schema.vector({name: asked})
            at_end = abs(fraction) == 1
            columns["parameter"].append(position)
            columns["fraction"].append(fraction)
            columns["asked"].append(asked)
            columns["background"].append(background.change(wanted) if at_end else np.nan)
            columns["shift"].append(context.shift_length(portrait, wanted, "relative"))
            readings.append(context.read(context.frame(portrait, wanted, "relative")))
    return {
        **{name: np.array(values, np.float32) for name, values in columns.items()},
        "parameter": np.array(columns["parameter"], np.int32),
        **stack_families(context, readings),
    }


SWEEP_COLUMNS = ("parameter", "fraction", "asked", "background", "shift")


class BackgroundWatch:
    """How the background of the generator's own picture of a person changes."""

    def __init__(
        self, context: EvaluationContext, portrait: Portrait, size: int | None = None
    ) -> None:
        self._context, self._portrait = context, portrait
        self._size = size or context.settings.size
        self._rest = context.generated(portrait, context.schema.rest, "relative", self._size)
        self._rest_mask = context.person_mask(self._rest)

    def change(self, parameters: np.ndarray, mode: str = "relative") -> float:
        """BG of what the generator makes, before anything is put back, 0 to 255."""
        image = self._context.generated(self._portrait, parameters, mode, self._size)
        mask = self._context.person_mask(image)
        return background_change(self._rest, image, self._rest_mask, mask)


def _read_all(context: EvaluationContext, images: list[np.ndarray]) -> CachedResult:
    return stack_families(context, [context.read(image) for image in images])


def stack_families(context: EvaluationContext, readings: list[Readings]) -> CachedResult:
    """Readings of f frames by all families as arrays, see `families.stacked`."""
    arrays: CachedResult = {}
    for i, family in enumerate(context.families):
        arrays |= stacked(family, [reading[i] for reading in readings])
    return arrays
