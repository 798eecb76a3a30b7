"""Ranges, curves and responses of a direction matrix, by measurement on images as users get them.

How far a row may go is decided by its length in standard deviations of w; what is seen along the
way, on many faces, becomes the curve that makes asked equal seen. What is finally reported is
measured on people that nothing was fitted to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from photorig.shared.errors import InputError
from photorig.shared.parameters.responses import BY_GEOMETRY, BY_LATENTS, BY_NOTHING, Response
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.compositing.head_motion import ROLL_RANGE, X_RANGE, Y_RANGE, Z_RANGE
from photorig.worker.generators import Generator
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle
from photorig.worker.reenactment.calibrated import Calibrated
from photorig.worker.reenactment.calibration import Analyzer, with_response

from .curves import ANGLE_KNOTS, COEFFICIENT_KNOTS, Curve, fit_curve
from .motion import MotionScale, full_move
from .observation import IMAGE_SIZE
from .whitening import Whitening

GEOMETRY_RANGES = {
    "headRoll": ROLL_RANGE,
    "headX": X_RANGE,
    "headY": Y_RANGE,
    "headZ": Z_RANGE,
}

PARTS = (-0.5, 0.25, 0.5, 0.75, 1.0)
"""Parts of a coefficient's longest motion at which curves are fitted; angles go both ways."""

ANGLE_PARTS = (-1.0, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1.0)

LONGEST_ANGLE_MOTION = 1.7
LONGEST_MOTION = 2.5
"""In full moves, where the length of the shift allows it."""

MAXIMUM_SHIFT = 2.4
MAXIMUM_SHIFT_OF_MIDDLE = 2.0
MAXIMUM_SHIFT_OF_JAW = 3.0
MAXIMUM_SHIFT_OF_ANGLE = 2.8
"""Longest shift of a row of W+, in standard deviations of w, by one parameter that has a partner on
the other side of the face, by one that has none, by an opening jaw, and by a head angle. Set by
eye, like the next (docs/training-log.md): networks do not see what goes wrong beyond."""

MAXIMUM_GROUP_SHIFT = {"brows": 2.3, "eyes": 3.0, "mouth": 3.0}
"""The same for the coefficients of one part of the face together."""

MAXIMUM_EXPRESSION_SHIFT = 3.8
"""The same for all coefficients of a frame at once; the renderer scales them back to it."""

FURTHEST_ANGLE = {"headYaw": 32.0, "headPitch": 18.0}
"""Degrees from the camera beyond which faces of this generator fall apart."""

HEADROOM = 0.95
"""Part of its longest motion at which a parameter's range ends: faces that answer more weakly than
most still have something to give."""

AT_REST = 0.3
"""Quantile of a coefficient over people that counts as a face at rest."""

MINIMUM_GAIN, MAXIMUM_GAIN, MINIMUM_LINEARITY = 0.25, 1.6, 0.5
MINIMUM_RANGE = {"degree": 8.0, "coefficient": 0.06}
"""A parameter that answers less, or over less range, has no effect an animator could use. How
exactly the others answer is said with each of them, and judged by `photorig evaluate`."""

FRACTIONS = (0.25, 0.5, 0.75, 1.0)
"""Parts of a parameter's range at which its response is reported."""
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class People:
    """People to measure on: latents (m, n_rows, w_dim) and parameters (m, n), float32."""

    latents: np.ndarray
    parameters: np.ndarray

    def __len__(self) -> int:
        return len(self.latents)


class Rig:
    """Generator and measuring instrument, as users have them: 8-bit images, read by Net3D."""

    def __init__(self, generator: Generator, net3d: Analyzer) -> None:
        self.generator = generator
        self.net3d = net3d

    def measure(self, latents: np.ndarray) -> np.ndarray:
        """(b, n_rows, w_dim) to parameters (b, n); NaN where no face is found."""
        images = self.generator.synthesize(latents, IMAGE_SIZE)
        return np.stack([self._read(image) for image in images])

    def _read(self, image: np.ndarray) -> np.ndarray:
        try:
            return self.net3d.analyze_one(image).parameters
        except InputError:
            return np.full(len(FACE_SCHEMA), np.nan, np.float32)

    def people(self, latents: np.ndarray) -> People:
        """Measure the sources; people without a face are left out."""
        parameters = self.measure(latents)
        found = np.isfinite(parameters).all(1)
        return People(latents[found], parameters[found])

    def moved(self, people: People, shifts: np.ndarray) -> np.ndarray:
        """Parameters (m, s, n) of all people, moved by each of the shifts (s, n_rows, w_dim)."""
        latents = np.repeat(people.latents[:, None], len(shifts), 1)
        latents[:, :, : shifts.shape[1]] += shifts
        return np.stack([self.measure(person) for person in latents])


def longest_motion(directions: Tensor, scale: MotionScale, whitening: Whitening) -> np.ndarray:
    """(k,) how much motion of each parameter faces bear.

    Args:
        directions: (k, n_rows, w_dim) per motion.
    """
    rows = whitening.whiten(directions)
    lengths = np.array([_length(row) for row in rows])
    longest = np.where(scale.is_angle.numpy(), LONGEST_ANGLE_MOTION, LONGEST_MOTION)
    has_partner = [FACE_SCHEMA.parameters[p].mirror != FACE_SCHEMA.ids[p] for p in scale.positions]
    clamped_motion = np.where(has_partner, MAXIMUM_SHIFT, MAXIMUM_SHIFT_OF_MIDDLE)
    jaw = scale.positions.index(FACE_SCHEMA.index["jawOpen"])
    clamped_motion[jaw] = MAXIMUM_SHIFT_OF_JAW
    clamped_motion[scale.is_angle.numpy()] = MAXIMUM_SHIFT_OF_ANGLE
    result: np.ndarray = np.minimum(longest, clamped_motion / lengths)
    return result


def _length(rows: Tensor) -> float:
    """Standard deviations of w, root mean square over the rows."""
    return max(float(rows.square().sum(-1).mean().sqrt()), 1e-6)


def calibrate(
    rig: Rig,
    directions: Tensor,
    scale: MotionScale,
    people: People,
    longest: np.ndarray,
    progress: Callable[[str], None] | None = None,
) -> list[Curve]:
    """One curve a parameter of the scale, from what the people show when they are moved.

    Args:
        directions: (k, n_rows, w_dim) per motion.
        longest: (k,) motion to go to.
    """
    curves = []
    for index, position in enumerate(scale.positions):
        is_angle = bool(scale.is_angle[index])
        moved = np.array(ANGLE_PARTS if is_angle else PARTS) * longest[index]
        shifts = moved.astype(np.float32)[:, None, None] * directions[index].numpy()
        seen = rig.moved(people, shifts)
        prior = scale.curve(index, ANGLE_KNOTS if is_angle else COEFFICIENT_KNOTS)
        start = people.parameters[:, position]
        asked = np.tile(moved, (len(people), 1))
        after = seen[:, :, position]
        curve = fit_curve(start, after, asked, prior)
        curves.append(curve)
        if progress:
            error = curve(after) - curve(start)[:, None] - asked
            progress(
                f"{FACE_SCHEMA.ids[position]}: moved {longest[index]:.2f}, seen "
                f"{np.nanmean(after[:, -1] - start):+.2f}, spread {np.nanstd(error):.2f}"
            )
    return curves


def shift_gram(directions: Tensor, whitening: Whitening) -> np.ndarray:
    """(n, n) float32 G: a motion m moves the latents by √(mᵀ G m) standard deviations of w, as the
    root mean square over the rows."""
    rows = whitening.whiten(directions)
    gram = torch.einsum("ird,jrd->ij", rows, rows) / rows.shape[1]
    return gram.numpy().astype(np.float32)


def assemble(
    directions: Tensor,
    curves: list[Curve],
    scale: MotionScale,
    people: People,
    longest: np.ndarray,
    whitening: Whitening,
    model_id: str,
) -> ModelBundle:
    """A bundle in which every learned parameter counts as controllable, with its range."""
    n = len(FACE_SCHEMA)
    matrix = torch.zeros(n, *directions.shape[1:])
    matrix[scale.positions] = directions
    alone = np.zeros(n, np.float32)
    alone[scale.positions] = longest
    values = np.tile(np.array([0.0, 1.0])[None], (n, 1))
    values = np.linspace(values[:, 0], values[:, 1], len(COEFFICIENT_KNOTS), axis=1)
    motion = values.copy()
    nothing = Response(BY_NOTHING, 0, 0, 0, 0, 0, lowest=0, highest=0)
    responses = [nothing] * n
    for name, (low, high) in GEOMETRY_RANGES.items():
        by_geometry = Response(BY_GEOMETRY, low, high, 1, 1, 0, lowest=low, highest=high)
        responses[FACE_SCHEMA.index[name]] = by_geometry
    for index, position in enumerate(scale.positions):
        curve = curves[index]
        values[position], motion[position] = curve.values, curve.motion
        responses[position] = _range(position, curve, people, HEADROOM * float(longest[index]))
    return ModelBundle(
        name="default",
        directions=matrix.numpy(),
        curve_values=values.astype(np.float32),
        curve_motion=motion.astype(np.float32),
        schema=FACE_SCHEMA,
        model_id=model_id,
        responses=tuple(responses),
        shift_gram=shift_gram(matrix, whitening),
        longest_motion=alone,
        longest_by_group=dict(MAXIMUM_GROUP_SHIFT),
        longest_expression=MAXIMUM_EXPRESSION_SHIFT,
    )


def _range(position: int, curve: Curve, people: People, longest: float) -> Response:
    """From what a face at rest shows to what it shows after the longest motion."""
    parameter = FACE_SCHEMA.parameters[position]
    if parameter.unit == "degree":
        furthest = FURTHEST_ANGLE[parameter.id]
        low = max(curve.value_at(-longest), -furthest)
        high = min(curve.value_at(longest), furthest)
        return Response(BY_LATENTS, low, high, 0, 0, 0, lowest=low, highest=high)
    rest = float(np.quantile(people.parameters[:, position], AT_REST))
    highest = float(np.clip(curve.value_at(float(curve(np.array(rest))) + longest), rest, 1.0))
    return Response(BY_LATENTS, -highest, highest - rest, 0, 0, 0, lowest=0.0, highest=highest)


def measured(
    rig: Rig,
    bundle: ModelBundle,
    people: People,
    progress: Callable[[str], None] | None = None,
) -> ModelBundle:
    """The bundle with gain, linearity and crosstalk as these people show them, and without the
    parameters that do not answer well enough."""
    method = Calibrated(bundle)
    portraits = [
        with_response(as_portrait(bundle, people, index), bundle, rig.generator, rig.net3d)
        for index in range(len(people))
    ]
    responses = list(bundle.responses)
    full = full_move(FACE_SCHEMA).numpy()
    for position in np.flatnonzero(bundle.moves_latents):
        response = responses[position]
        asked, seen, crosstalk = [], [], []
        for portrait in portraits:
            shifts = _shifts_to_ask(bundle, portrait, int(position))
            if not len(shifts):
                continue
            motions = [method.motion_to_read(portrait, shift) for shift in shifts]
            latents = np.stack([bundle.shifted(portrait.latents, m) for m in motions])
            change = rig.measure(latents) - portrait.parameters
            asked += shifts[:, position].tolist()
            seen += change[:, position].tolist()
            others = np.abs(change[-1]) / full
            crosstalk.append(np.delete(others, position))
        gain, linearity = fit_gain(np.array(asked), np.array(seen))
        leak = np.array(crosstalk) if crosstalk else np.full((1, 1), np.nan)
        unit = FACE_SCHEMA.parameters[position].unit
        good = (
            MINIMUM_GAIN <= gain <= MAXIMUM_GAIN
            and linearity >= MINIMUM_LINEARITY
            and response.maximum >= MINIMUM_RANGE[unit]
            and bool(np.isfinite(seen).all())
        )
        mean_leak = float(np.nanmean(leak))
        responses[position] = replace(
            response,
            realised_by=BY_LATENTS if good else BY_NOTHING,
            minimum=round(response.minimum, 3) if good else 0.0,
            maximum=round(response.maximum, 3) if good else 0.0,
            gain=round(gain, 4),
            linearity=round(linearity, 4),
            crosstalk=round(mean_leak, 4),
        )
        if progress:
            progress(
                f"{FACE_SCHEMA.ids[position]}: {'yes' if good else 'no '} gain {gain:.2f} "
                f"R² {linearity:.2f} to {response.highest:.2f} crosstalk {mean_leak:.3f} / "
                f"{np.nanmax(np.nanmean(leak, 0)):.2f}"
            )
    directions = bundle.directions.copy()
    directions[[response.realised_by != BY_LATENTS for response in responses]] = 0
    return replace(bundle, directions=directions, responses=tuple(responses))


def as_portrait(bundle: ModelBundle, people: People, index: int) -> Portrait:
    """One of the people as something that a method can drive; it has no photo."""
    return Portrait(
        latents=people.latents[index],
        parameters=people.parameters[index],
        photo=np.zeros((8, 8, 3), np.uint8),
        alignment=Alignment.upright(8),
        model_id=bundle.model_id,
        parameter_ids=bundle.schema.ids,
        name=f"person {index}",
    )


def _shifts_to_ask(bundle: ModelBundle, portrait: Portrait, position: int) -> np.ndarray:
    """(s, n) shifts of one parameter over its range, as far as this face can reach."""
    response = bundle.responses[position]
    amounts = [fraction * response.maximum for fraction in FRACTIONS]
    if FACE_SCHEMA.parameters[position].unit == "degree":
        amounts = [fraction * response.minimum for fraction in FRACTIONS] + amounts
    shifts = np.zeros((len(amounts), len(FACE_SCHEMA)), np.float32)
    shifts[:, position] = amounts
    known = bundle.response_of(portrait) or bundle
    asked = portrait.parameters[position] + shifts[:, position]
    lowest, highest = (float(end[position]) for end in (known.lowest, known.highest))
    return shifts[(asked >= lowest - _TOLERANCE) & (asked <= highest + _TOLERANCE)]


def fit_gain(asked: np.ndarray, seen: np.ndarray) -> tuple[float, float]:
    """Least-squares gain through the origin and R² of measured (q,) against asked (q,)."""
    keep = np.isfinite(seen) & (np.abs(asked) > 1e-6)
    asked, seen = asked[keep], seen[keep]
    if len(asked) < 2:
        return 0.0, 0.0
    gain = float(asked @ seen / (asked @ asked))
    residual = seen - gain * asked
    total = float(np.square(seen).sum())
    return gain, 1 - float(np.square(residual).sum()) / max(total, 1e-12)
