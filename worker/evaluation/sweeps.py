"""Measures people at rest and sweeps single parameters over the range they were trained for."""

from __future__ import annotations

import numpy as np

from photorig.shared.schema import ParameterSchema
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle

from . import ceilings
from .background import background_change, person_mask
from .families import Net3DFamily, Reading, stacked
from .pieces import Piece, Task
from .studio import Studio

Readings = tuple[Reading | None, ...]
"""What each of the studio's families reads off one frame."""

PERSON, SWEEP = "person", "sweep"
REST, AGAIN, OTHER_STYLES, MIRRORED = range(4)
"""Frames of a person's piece."""

FRACTIONS = (0.25, 0.5, 0.75, 1.0)
"""Of the trained range, for what goes one way; rest is the fifth level."""
SIGNED_FRACTIONS = (-1.0, -0.5, 0.5, 1.0)
_STRANGER = 1 << 20  # index far from all people that are measured

_FULL_MOVE = {"degree": 25.0, "centimetre": 5.0, "coefficient": 1.0}
_FULL_MOVE_OF = {"headPitch": 15.0, "headRoll": 30.0}


def full_moves(schema: ParameterSchema) -> np.ndarray:
    """(n,) what counts as a full move in each parameter's unit: yaw 25°, pitch 15°, roll 30°,
    5 cm, coefficient 1. Crosstalk compares degrees and coefficients by it."""
    return np.array([_FULL_MOVE_OF.get(p.id, _FULL_MOVE[p.unit]) for p in schema.parameters])


def swept_parameters(bundle: ModelBundle) -> list[int]:
    """Positions of the parameters that the bundle says it controls, so that have a range."""
    return [i for i, r in enumerate(bundle.responses) if r.controllable and r.maximum > r.minimum]


def levels(bundle: ModelBundle, position: int) -> np.ndarray:
    """(4,) asked changes of one parameter: both ways for what goes both ways, else upwards.

    A coefficient is 0 on most faces, so it is swept upwards; going down is part of `drive`.
    """
    response = bundle.responses[position]
    if bundle.schema.parameters[position].unit == "coefficient":
        return np.array(FRACTIONS) * response.maximum
    return np.array(
        [abs(f) * (response.minimum if f < 0 else response.maximum) for f in SIGNED_FRACTIONS]
    )


def sweep_tasks(
    bundle: ModelBundle, n_people: int, people_each: int, angle_people: int
) -> list[Task]:
    """One task a person, with the parameters whose turn it is; each has a rotating set of people.

    Args:
        people_each: people for each coefficient.
        angle_people: people for each head angle and translation.
    """
    turns: dict[int, list[str]] = {person: [] for person in range(n_people)}
    first = 0
    for position in swept_parameters(bundle):
        parameter = bundle.schema.parameters[position]
        count = people_each if parameter.unit == "coefficient" else angle_people
        for i in range(min(count, n_people)):
            turns[(first + i) % n_people].append(parameter.id)
        first += count
    return [Task(SWEEP, person, tuple(names)) for person, names in turns.items() if names]


def measure_person(studio: Studio, task: Task) -> Piece:
    """The person at rest and the un-driven pictures of the same person; empty without a face."""
    portrait = studio.portrait(task.person)
    if portrait is None:
        return {"parameters": np.full(len(studio.schema), np.nan, np.float32)}
    rest = studio.frame(portrait, studio.schema.rest, "relative")
    stranger = studio.latents_of(_STRANGER + task.person)
    restyled = ceilings.with_other_fine_styles(portrait.latents, stranger)
    other = studio.renderer.generator.synthesize(restyled[None], studio.settings.size)[0]
    images = [
        rest,
        ceilings.photographed_again(rest, 2 * task.person),
        ceilings.photographed_again(other, 2 * task.person + 1),
        ceilings.mirrored(rest),
    ]
    return {"parameters": portrait.parameters, **_read_all(studio, images)}


def measure_sweep(studio: Studio, task: Task) -> Piece:
    """Each parameter of the task at each level.

    Returns:
        per frame: ``parameter`` (position), ``asked`` (change in its unit, NaN where the photo
        leaves no room for it), ``background`` (0 to 255), ``shift`` (σ of w), the readings.
    """
    portrait = studio.portrait(task.person)
    if portrait is None:
        return {"parameter": np.zeros(0, np.int32)}
    rest = studio.frame(portrait, studio.schema.rest, "relative")
    rest_mask = frame_mask(studio, rest, studio.read(rest))
    positions, asked, background, shift = [], [], [], []
    readings: list[Readings] = []
    for name in task.details:
        position = studio.schema.index[name]
        for level in levels(studio.renderer.bundle, position):
            if not has_room(portrait, studio.schema, position, level):
                continue
            wanted = studio.schema.vector({name: float(level)})
            image = studio.frame(portrait, wanted, "relative")
            positions.append(position)
            asked.append(level)
            seen = studio.read(image)
            mask = frame_mask(studio, image, seen)
            background.append(background_change(rest, image, rest_mask, mask))
            shift.append(studio.shift_length(portrait, wanted, "relative"))
            readings.append(seen)
    return {
        "parameter": np.array(positions, np.int32),
        "asked": np.array(asked, np.float32),
        "background": np.array(background, np.float32),
        "shift": np.array(shift, np.float32),
        **stack_families(studio, readings),
    }


def has_room(portrait: Portrait, schema: ParameterSchema, position: int, change: float) -> bool:
    """Whether a change keeps within the parameter's hard limits: nobody smiles more than fully."""
    parameter = schema.parameters[position]
    wanted = float(portrait.parameters[position]) + float(change)
    return parameter.minimum - 1e-6 <= wanted <= parameter.maximum + 1e-6


def frame_mask(studio: Studio, image: np.ndarray, readings: Readings) -> np.ndarray:
    """Where the person is in a frame, by the mesh that Net3D laid on the face."""
    mesh = next(
        reading
        for family, reading in zip(studio.families, readings, strict=True)
        if family.name == Net3DFamily.name
    )
    if mesh is None:
        return np.zeros(image.shape[:2], bool)
    return person_mask(mesh.landmarks, image.shape[:2])


def _read_all(studio: Studio, images: list[np.ndarray]) -> Piece:
    return stack_families(studio, [studio.read(image) for image in images])


def stack_families(studio: Studio, readings: list[Readings]) -> Piece:
    """Readings of f frames by all families as arrays, see `families.stacked`."""
    arrays: Piece = {}
    for i, family in enumerate(studio.families):
        arrays |= stacked(family, [reading[i] for reading in readings])
    return arrays
