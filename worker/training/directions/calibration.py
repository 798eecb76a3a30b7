"""Amplitudes and responses of a direction matrix, by measurement on the images a user would get.

The estimator is not linear and a local slope says little about a full move, so every row is scaled
until what is asked is what is seen, and its range ends where the face stops to follow or the person
is lost. What is finally reported is measured on people that nothing was fitted to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from photorig.shared.schema import ARKIT_52
from photorig.worker.generators import Generator
from photorig.worker.reenactment.bundle import ParameterResponse

from .observation import IMAGE_SIZE, FaceObserver, full_move
from .whitening import Whitening

FRACTIONS = (0.25, 0.5, 0.75, 1.0)
"""Parts of a parameter's range at which its response is measured."""

MINIMUM_IDENTITY = 0.72
"""Mean cosine to the source that a move of an expression must keep; below, its range is cut.

The descriptor calls two photos of one person the same above about 0.82, of two people below 0.68,
so this is the middle: still nearer to the same person than to another one."""

MINIMUM_IDENTITY_OF_ANGLE = 0.5
"""The same for head angles: the cosine between real photos of one person falls with them too."""

MAXIMUM_SHIFT = 3.0
"""Longest shift of a row of W+, in standard deviations of w. Beyond about this the picture falls
apart although landmarks and identity, measured through networks that can be deceived, stay fine."""

MINIMUM_GAIN, MAXIMUM_GAIN, MINIMUM_LINEARITY = 0.6, 1.5, 0.6
MINIMUM_RANGE = {"degree": 4.0, "coefficient": 0.1}
"""A parameter that answers less exactly or over less range is not called controllable."""


@dataclass(frozen=True)
class People:
    """People to measure on: latents (m, 16, 512), parameters (m, n), identity (m, 128)."""

    latents: Tensor
    parameters: Tensor
    identity: Tensor


@dataclass(frozen=True)
class Sweep:
    """Response to one parameter on m people.

    Attributes:
        asked: (m, s) change asked for, in the parameter's unit.
        change: (m, s, n) change of all parameters; NaN where no face was found.
        identity: (m, s) cosine to the source.
    """

    asked: np.ndarray
    change: np.ndarray
    identity: np.ndarray


class Rig:
    """Generator and measuring instruments; what is measured are the 8-bit images users get."""

    def __init__(self, generator: Generator, observer: FaceObserver) -> None:
        self.generator = generator
        self.observer = observer

    @torch.no_grad()
    def measure(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """(b, 16, 512) to parameters (b, n) and identity (b, 128); NaN where no face is found."""
        images = self.generator.synthesize(latents.numpy(), IMAGE_SIZE)
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        regions, found = self.observer.regions(pixels)
        parameters = torch.full((len(latents), len(ARKIT_52)), torch.nan)
        identity = torch.full((len(latents), 128), torch.nan)
        if found.any():
            seen = self.observer.observe(pixels[found], regions[found])
            parameters[found], identity[found] = seen.parameters, seen.identity
        return parameters, identity

    def people(self, latents: Tensor) -> People:
        """Measure the sources; people without a face are left out."""
        parameters, identity = self.measure(latents)
        found = parameters.isfinite().all(1)
        return People(latents[found], parameters[found], identity[found])

    def sweep(
        self,
        directions: Tensor,
        people: People,
        position: int,
        high: float,
        fractions: tuple[float, ...] = FRACTIONS,
    ) -> Sweep:
        """Ask all people for fractions of ``high``, and for angles of ``-high`` too.

        Args:
            directions: (n, n_rows, 512) per unit.
            fractions: rising, the last one 1.

        Returns:
            Moves that would leave a coefficient's [0, 1] are asked for only as far as they go.
        """
        parameter = ARKIT_52.parameters[position]
        amounts = [fraction * high for fraction in fractions]
        if parameter.unit == "degree":
            amounts += [-fraction * high for fraction in fractions]
        have = people.parameters[:, position, None]
        asked = torch.tensor(amounts)[None].expand(len(have), -1)
        asked = (have + asked).clamp(parameter.minimum, parameter.maximum) - have
        latents = people.latents[:, None].repeat(1, len(amounts), 1, 1)
        n_rows = directions.shape[1]
        latents[:, :, :n_rows] += asked[..., None, None] * directions[position]
        parameters, identity = self.measure(latents.flatten(0, 1))
        shape = (len(have), len(amounts), -1)
        change = parameters.reshape(shape) - people.parameters[:, None]
        cosine = (identity.reshape(shape) * people.identity[:, None]).sum(-1)
        return Sweep(asked.numpy(), change.numpy(), cosine.numpy())


def calibrate(
    rig: Rig,
    directions: Tensor,
    positions: list[int],
    people: People,
    whitening: Whitening,
    *,
    rounds: int,
    fractions: tuple[float, ...] = FRACTIONS,
    progress: Callable[[str], None] | None = None,
) -> tuple[Tensor, np.ndarray]:
    """Scale rows until asked = seen, and end ranges where the picture or the person would be lost.

    Args:
        directions: (n, n_rows, 512) per unit.

    Returns:
        The scaled directions and (n,) ranges in the parameters' units, 0 outside ``positions``.
    """
    directions = directions.clone()
    full = full_move().numpy()
    ranges = np.zeros(len(full))
    for position in positions:
        ranges[position] = min(full[position], _natural_limit(directions[position], whitening))
    for round_number in range(rounds):
        for position in positions:
            high = float(ranges[position])
            sweep = rig.sweep(directions, people, position, high, fractions)
            good = good_steps(sweep, position, len(fractions))
            if good == 0:
                ranges[position] = high * fractions[0] / 2
                continue
            gain, linearity = fit_gain(_first_steps(sweep, good, len(fractions)), position)
            directions[position] *= float(np.clip(1 / max(gain, 1e-3), 0.05, 4.0))
            reach = new_range(high, fractions, good, gain, linearity)
            limit = _natural_limit(directions[position], whitening)
            ranges[position] = min(full[position], limit, reach)
            if progress:
                progress(
                    f"round {round_number + 1} {ARKIT_52.ids[position]}: gain {gain:.2f}, "
                    f"R² {linearity:.2f}, range {high:.2f} → {ranges[position]:.2f}"
                )
    return directions, ranges


def _natural_limit(row: Tensor, whitening: Whitening) -> float:
    """The move at which (n_rows, 512) per unit gets as long as MAXIMUM_SHIFT."""
    length = float(whitening.whiten(row).norm(dim=-1).mean())
    return MAXIMUM_SHIFT / max(length, 1e-9)


def good_steps(sweep: Sweep, position: int, steps: int) -> int:
    """How many of the first steps leave every person a face, and the mean person themselves."""
    is_angle = ARKIT_52.parameters[position].unit == "degree"
    bar = MINIMUM_IDENTITY_OF_ANGLE if is_angle else MINIMUM_IDENTITY
    lost = ~np.isfinite(sweep.identity)
    identity = np.where(lost, 0.0, sweep.identity).mean(0)
    good = (identity >= bar) & ~lost.any(0)
    both_ways = good.reshape(-1, steps).all(0)
    return steps if both_ways.all() else int(both_ways.argmin())


def _first_steps(sweep: Sweep, good: int, steps: int) -> Sweep:
    """The sweep without the steps that went too far."""
    keep = np.tile(np.arange(steps) < good, sweep.asked.shape[1] // steps)
    return Sweep(sweep.asked[:, keep], sweep.change[:, keep], sweep.identity[:, keep])


def new_range(
    high: float, fractions: tuple[float, ...], good: int, gain: float, linearity: float
) -> float:
    """The range in units of the row that was just corrected: what was seen, and room to grow.

    Args:
        high: range in units before the correction.
        good: how many of the fractions of it were good.
    """
    seen = high * fractions[good - 1] * max(gain, 0.01)
    room = 1.5 if good == len(fractions) else 1.0
    in_proportion = 1.0 if linearity >= MINIMUM_LINEARITY else 0.6
    return seen * room * in_proportion


def fit_gain(sweep: Sweep, position: int) -> tuple[float, float]:
    """Least-squares gain through the origin and R² of measured against asked, all people pooled."""
    asked, seen = sweep.asked.ravel(), sweep.change[:, :, position].ravel()
    keep = np.isfinite(seen) & (np.abs(asked) > 1e-6)
    asked, seen = asked[keep], seen[keep]
    if len(asked) < 2:
        return 0.0, 0.0
    gain = float(asked @ seen / (asked @ asked))
    residual = seen - gain * asked
    total = float(np.square(seen).sum())
    return gain, 1 - float(np.square(residual).sum()) / max(total, 1e-12)


def responses(
    rig: Rig,
    directions: Tensor,
    ranges: np.ndarray,
    positions: list[int],
    people: People,
    progress: Callable[[str], None] | None = None,
) -> tuple[list[ParameterResponse], np.ndarray]:
    """What the finished matrix does, on people that nothing was fitted to.

    Returns:
        One response for each of the n parameters, and the (n, n) crosstalk: |change| of the column
        in full moves, for the whole range of the row.
    """
    n = len(ARKIT_52)
    full = full_move().numpy()
    crosstalk = np.zeros((n, n))
    result = [ParameterResponse(False, 0.0, 0.0, 0.0, 0.0, 0.0) for _ in range(n)]
    for position in positions:
        high = float(ranges[position])
        sweep = rig.sweep(directions, people, position, high)
        gain, linearity = fit_gain(sweep, position)
        last = slice(len(FRACTIONS) - 1, None, len(FRACTIONS))
        faces_lost = not np.isfinite(sweep.identity).all()
        change = np.nan_to_num(np.abs(sweep.change[:, last])).mean((0, 1))
        crosstalk[position] = change / full
        others = np.delete(crosstalk[position], position)
        unit = ARKIT_52.parameters[position].unit
        controllable = (
            not faces_lost
            and MINIMUM_GAIN <= gain <= MAXIMUM_GAIN
            and linearity >= MINIMUM_LINEARITY
            and high >= MINIMUM_RANGE[unit]
        )
        # Coefficients may also be lowered: a face that smiles in the photo can stop smiling.
        result[position] = ParameterResponse(
            controllable=bool(controllable),
            minimum=-high if controllable else 0.0,
            maximum=high if controllable else 0.0,
            gain=round(gain, 4),
            linearity=round(linearity, 4),
            crosstalk=round(float(others.mean()), 4),
        )
        if progress:
            identity = float(np.nan_to_num(sweep.identity[:, last]).mean())
            progress(
                f"{ARKIT_52.ids[position]}: {'yes' if controllable else 'no '} gain {gain:.2f} "
                f"R² {linearity:.2f} range {high:.2f} crosstalk {others.mean():.3f} / "
                f"{others.max():.2f} identity {identity:.2f}"
            )
    return result, crosstalk
