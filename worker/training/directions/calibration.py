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

MAXIMUM_SHIFT = 2.0
MAXIMUM_GROUP_SHIFT = 2.0
"""Longest shift of a row of W+, in standard deviations of w, by one parameter, and by parameters
that usually move together. Beyond this people age and pictures fall apart, although landmarks and
identity, measured through networks that can be deceived, stay fine (docs/training-log.md)."""

MAXIMUM_EXPRESSION_SHIFT = 2.6
"""The same for all coefficients of a frame at once; the renderer scales them back to it."""

MAXIMUM_BLINK_SHIFT = 2.5
"""Both lids together: they have to meet, and the moment in which it makes people older is short."""

RAISED_BROWS = ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")

HAS_ROOM = 0.4
"""A coefficient up to which a person can still show more of it."""

MINIMUM_GAIN, MAXIMUM_GAIN, MINIMUM_LINEARITY = 0.6, 1.8, 0.45
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
        clamp: bool = True,
    ) -> Sweep:
        """Ask all people for fractions of ``high``, and for angles of ``-high`` too.

        Args:
            directions: (n, n_rows, 512) per unit.
            fractions: rising, the last one 1.
            clamp: ask for moves that would leave a coefficient's [0, 1] only as far as they go.
        """
        parameter = ARKIT_52.parameters[position]
        amounts = [fraction * high for fraction in fractions]
        if parameter.unit == "degree":
            amounts += [-fraction * high for fraction in fractions]
        have = people.parameters[:, position, None]
        asked = torch.tensor(amounts)[None].repeat(len(have), 1)
        if clamp:
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
    """Find how far each row can go, then scale it until asked = seen.

    Args:
        directions: (n, n_rows, 512); only the direction of each row matters.
        rounds: how often the scale is corrected by what is seen.

    Returns:
        The directions per unit and (n,) ranges in the parameters' units, 0 outside ``positions``.
    """
    directions = longest_shifts(directions, positions, whitening)
    ranges = np.zeros(len(directions))
    for position in positions:
        few = _with_room(people, position)
        sweep = rig.sweep(directions, few, position, 1.0, fractions, clamp=False)
        good = good_steps(sweep, position, len(fractions))
        seen = _mean_change(sweep, position, len(fractions))[:good]
        amplitude, reached = furthest(seen, fractions, float(full_move()[position]))
        directions[position] *= amplitude / max(reached, 1e-3)
        ranges[position] = reached
        gains = []
        for _ in range(rounds if reached > 0 else 0):
            sweep = rig.sweep(directions, people, position, reached, fractions)
            gain, linearity = fit_gain(sweep, position)
            gains.append(f"{gain:.2f} (R² {linearity:.2f})")
            directions[position] *= float(np.clip(1 / max(gain, 1e-3), 0.7, 1.4))
        if progress:
            progress(
                f"{ARKIT_52.ids[position]}: reaches {reached:.2f} with {amplitude:.2f} of the "
                f"longest shift, gain {', '.join(gains)}"
            )
    return directions, ranges


def longest_shifts(directions: Tensor, positions: list[int], whitening: Whitening) -> Tensor:
    """(n, n_rows, 512) with each row as long as it may be alone and with what moves along."""
    whitened = whitening.whiten(directions)
    unit = whitened / whitened.norm(dim=-1, keepdim=True).mean(1, keepdim=True).clamp_min(1e-9)
    result = torch.zeros_like(directions)
    for position in positions:
        together = float(unit[_moved_together(position)].sum(0).norm(dim=-1).mean())
        is_blink = ARKIT_52.ids[position].startswith("eyeBlink")
        group = MAXIMUM_BLINK_SHIFT if is_blink else MAXIMUM_GROUP_SHIFT
        longest = min(MAXIMUM_SHIFT, group / max(together, 1e-9))
        result[position] = whitening.shift(unit[position]) * longest
    return result


def _moved_together(position: int) -> list[int]:
    """The parameter and those that an animator usually moves with it: its other side, all brows."""
    parameter = ARKIT_52.parameters[position]
    if parameter.id in RAISED_BROWS:
        return [ARKIT_52.index[name] for name in RAISED_BROWS]
    return sorted({position, ARKIT_52.index[parameter.mirror]})


def shift_gram(directions: Tensor, whitening: Whitening) -> np.ndarray:
    """(n, n) float32 G: a parameter shift Δp moves the latents by √(Δpᵀ G Δp) standard deviations
    of w, as the root mean square over the rows."""
    rows = whitening.whiten(directions)
    gram = torch.einsum("ird,jrd->ij", rows, rows) / rows.shape[1]
    return gram.numpy().astype(np.float32)


def _with_room(people: People, position: int) -> People:
    """For coefficients the people who have little of it yet: the others cannot show much more."""
    if ARKIT_52.parameters[position].unit == "degree":
        return people
    have = people.parameters[:, position]
    order = have.argsort()
    n_with_room = max(int((have <= HAS_ROOM).sum()), (len(have) + 1) // 2)
    chosen = order[:n_with_room]
    return People(people.latents[chosen], people.parameters[chosen], people.identity[chosen])


def _mean_change(sweep: Sweep, position: int, steps: int) -> np.ndarray:
    """(steps,) mean change in the direction asked for; of angles the mean of both ways."""
    change = np.nan_to_num(sweep.change[:, :, position]) * np.sign(sweep.asked)
    return change.mean(0).reshape(-1, steps).mean(0)


def furthest(seen: np.ndarray, fractions: tuple[float, ...], full: float) -> tuple[float, float]:
    """How far to go along a row, as (part of the longest shift, change seen there).

    Args:
        seen: (s,) mean change at the first s fractions.
        full: change at which to stop even if the row goes further.
    """
    amplitude = reached = 0.0
    for fraction, change in zip(fractions, seen, strict=False):
        if change <= reached:
            break
        if change >= full:
            part = (full - reached) / (change - reached)
            return amplitude + part * (fraction - amplitude), full
        amplitude, reached = fraction, float(change)
    return amplitude, reached


def good_steps(sweep: Sweep, position: int, steps: int) -> int:
    """How many of the first steps leave every person a face, and the mean person themselves."""
    is_angle = ARKIT_52.parameters[position].unit == "degree"
    bar = MINIMUM_IDENTITY_OF_ANGLE if is_angle else MINIMUM_IDENTITY
    lost = ~np.isfinite(sweep.identity)
    identity = np.where(lost, 0.0, sweep.identity).mean(0)
    good = (identity >= bar) & ~lost.any(0)
    both_ways = good.reshape(-1, steps).all(0)
    return steps if both_ways.all() else int(both_ways.argmin())


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
