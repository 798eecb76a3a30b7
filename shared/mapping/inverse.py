"""From wanted parameters back to the numbers of a rig: bounded least squares, frame by frame.

What a rig's numbers come to is known as functions, nearly always linear in pieces (rows of a
mapping, clamped or not, and drivers between). Where they are linear the answer is exact and, of
all exact ones, the nearest to the rig's rest. Levenberg 1944, with bounds by projection; between
pieces a search along one number at a time (coordinate descent).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

_REST = 1e-8
"""How much a step away from rest weighs beside a miss of the same size, squared."""
_EXACT = 1e-12
"""A squared miss that is none."""
_STEP = 1e-4
_ROUNDS = 12
_SWEEPS = 30
_GRID = np.linspace(-1.0, 1.0, 9)
_SHARES = (1.0, 0.5, 0.2)
"""How much of a step is tried."""


@dataclass(frozen=True)
class Unknown:
    """A number of the rig that can be set.

    Attributes:
        least, most: its limits; infinite for none.
        rest: where it is when nothing is asked for.
        scale: how far it goes in a whole movement.
    """

    least: float
    most: float
    rest: float
    scale: float


@dataclass(frozen=True)
class Quantity:
    """A number that the rig comes to.

    Attributes:
        depends: indices of the unknowns it is made of.
        value: from the unknowns (n, m) to it (n,); it looks at no others.
        unit: what counts as a whole movement of it.
    """

    depends: tuple[int, ...]
    value: Callable[[np.ndarray], np.ndarray]
    unit: float = 1.0


def solved(
    quantities: Sequence[Quantity], wanted: np.ndarray, unknowns: Sequence[Unknown]
) -> np.ndarray:
    """(n, m) values of the unknowns that come as near as can be to what is wanted (n, k)."""
    values = np.tile([unknown.rest for unknown in unknowns], (len(wanted), 1)).astype(np.float64)
    for columns, chosen in _parts(quantities):
        part = _Part(quantities, chosen, unknowns, columns, wanted, values)
        values[:, columns] = part.solved()
    return values


def reached(quantities: Sequence[Quantity], values: np.ndarray) -> np.ndarray:
    """(n, k) what values (n, m) of the unknowns come to."""
    return np.stack([quantity.value(values) for quantity in quantities], axis=1)


def _parts(quantities: Sequence[Quantity]) -> list[tuple[list[int], list[int]]]:
    """Unknowns and quantities that have nothing to do with one another, apart."""
    parts: list[tuple[set[int], list[int]]] = []
    for number, quantity in enumerate(quantities):
        if not quantity.depends:
            continue
        joined = [part for part in parts if part[0] & set(quantity.depends)]
        parts = [part for part in parts if part not in joined]
        columns = set(quantity.depends).union(*(part[0] for part in joined))
        parts.append((columns, [number, *(each for part in joined for each in part[1])]))
    return [(sorted(columns), sorted(chosen)) for columns, chosen in parts]


class _Part:
    """Unknowns that have to be found together, counted from rest in whole movements."""

    def __init__(
        self,
        quantities: Sequence[Quantity],
        chosen: list[int],
        unknowns: Sequence[Unknown],
        columns: list[int],
        wanted: np.ndarray,
        values: np.ndarray,
    ) -> None:
        """See ``solved``; ``values`` (n, m) are those of all unknowns, at rest."""
        self._quantities = [quantities[number] for number in chosen]
        self._columns, self._values = columns, values
        mine = [unknowns[column] for column in columns]
        self._rest = np.array([unknown.rest for unknown in mine])
        self._scale = np.array([unknown.scale for unknown in mine])
        self._least = (np.array([unknown.least for unknown in mine]) - self._rest) / self._scale
        self._most = (np.array([unknown.most for unknown in mine]) - self._rest) / self._scale
        self._units = np.array([quantity.unit for quantity in self._quantities])
        self._wanted = wanted[:, chosen] / self._units

    def solved(self) -> np.ndarray:
        """(n, columns) in the unknowns' own units."""
        start = np.clip(np.zeros(len(self._columns)), self._least, self._most)
        moves = np.tile(start, (len(self._wanted), 1))
        moves = self._newton(moves)
        if np.any(self._misses(moves) > _EXACT):
            moves = self._newton(self._search(moves))
        return self._rest + moves * self._scale

    def _reached(self, moves: np.ndarray, frames: np.ndarray | None = None) -> np.ndarray:
        """(n, k) in whole movements."""
        values = (self._values if frames is None else self._values[frames]).copy()
        values[:, self._columns] = self._rest + moves * self._scale
        return reached(self._quantities, values) / self._units

    def _misses(self, moves: np.ndarray) -> np.ndarray:
        return np.square(self._reached(moves) - self._wanted).sum(axis=1)

    def _costs(self, moves: np.ndarray) -> np.ndarray:
        return self._misses(moves) + _REST * np.square(moves).sum(axis=1)

    def _newton(self, moves: np.ndarray) -> np.ndarray:
        costs = self._costs(moves)
        for number in range(_ROUNDS):
            side = _STEP if number % 2 == 0 else -_STEP
            step = self._step(moves, side)
            before = costs.copy()
            for share in _SHARES:
                tried = np.clip(moves + share * step, self._least, self._most)
                tried_costs = self._costs(tried)
                better = tried_costs < costs
                moves = np.where(better[:, None], tried, moves)
                costs = np.where(better, tried_costs, costs)
            if number % 2 and np.all(before - costs <= 1e-6 * before):
                break
        return moves

    def _step(self, moves: np.ndarray, side: float) -> np.ndarray:
        """(n, m) to the least squares of what is linear here; what stands at a limit stays."""
        now = self._reached(moves)
        slopes = np.empty((*now.shape, moves.shape[1]))
        for column in range(moves.shape[1]):
            moved = moves.copy()
            moved[:, column] += side
            slopes[:, :, column] = (self._reached(moved) - now) / side
        miss = self._wanted - now
        free = np.ones(moves.shape, bool)
        step = np.zeros(moves.shape)
        for _ in range(3):
            held = np.where(free, 0.0, step)
            seen = slopes * free[:, None, :]
            left = miss - np.einsum("nkm,nm->nk", slopes, held)
            square = np.einsum("nka,nkb->nab", seen, seen) + _REST * np.eye(moves.shape[1])
            pull = np.einsum("nkm,nk->nm", seen, left) - _REST * moves * free
            step = np.linalg.solve(square, pull[:, :, None])[:, :, 0] * free + held
            stopped = np.clip(moves + step, self._least, self._most) - moves
            beyond = np.abs(stopped - step) > 1e-12
            step = stopped
            if not (beyond & free).any():
                break
            free &= ~beyond
        return step

    def _search(self, moves: np.ndarray) -> np.ndarray:
        """One unknown at a time, over all its range, where a step alone does not find the way."""
        moves = moves.copy()
        rough = np.flatnonzero(self._misses(moves) > _EXACT)
        for _ in range(_SWEEPS):
            before = self._costs(moves)
            for column in range(moves.shape[1]):
                self._search_along(moves, column, rough)
            rough = np.flatnonzero(before - self._costs(moves) > 1e-9 * before)
            if not len(rough):
                break
        return moves

    def _search_along(self, moves: np.ndarray, column: int, frames: np.ndarray) -> None:
        """The best of each piece between places of a grid, where all is taken for linear."""
        least = max(self._least[column], -1e3)
        most = min(self._most[column], 1e3)
        here = moves[frames, column]
        low, high = np.maximum(least, here - 2), np.minimum(most, here + 2)
        grid = low[:, None] + (high - low)[:, None] * (_GRID + 1) / 2
        grid = np.sort(np.concatenate([grid, here[:, None], np.zeros_like(here)[:, None]], 1), 1)
        grid = np.clip(grid, least, most)
        seen = np.stack([self._at(moves, column, frames, place) for place in grid.T], axis=1)
        width = np.diff(grid, axis=1)[:, :, None]
        slopes = np.diff(seen, axis=1) / np.where(width > 0, width, 1)
        miss = self._wanted[frames][:, None, :] - seen[:, :-1]
        along = (slopes * miss).sum(2) / np.maximum(np.square(slopes).sum(2), 1e-12)
        best = np.clip(along, 0, width[:, :, 0]) + grid[:, :-1]
        tried = np.concatenate([best, grid, np.clip(along + grid[:, :-1], least, most)], axis=1)
        costs = np.stack([self._cost_at(moves, column, frames, place) for place in tried.T], 1)
        chosen = tried[np.arange(len(frames)), costs.argmin(axis=1)]
        better = costs.min(axis=1) < self._costs(moves)[frames]
        moves[frames[better], column] = chosen[better]

    def _at(
        self, moves: np.ndarray, column: int, frames: np.ndarray, place: np.ndarray
    ) -> np.ndarray:
        moved = moves[frames]
        moved[:, column] = place
        return self._reached(moved, frames)

    def _cost_at(
        self, moves: np.ndarray, column: int, frames: np.ndarray, place: np.ndarray
    ) -> np.ndarray:
        moved = moves[frames]
        moved[:, column] = place
        miss = np.square(self._reached(moved, frames) - self._wanted[frames]).sum(axis=1)
        return miss + _REST * np.square(moved).sum(axis=1)
