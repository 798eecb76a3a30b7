"""How much of a person is kept, against what a judge gives two pictures of the same person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..protocols.cached_results import CachedResult
from ..protocols.sweeps import AGAIN, MIRRORED, OTHER_STYLES, REST
from . import statistics
from .statistics import mean_known

YAW_EDGES = (0.0, 15.0, 30.0, 45.0)
_CURVE_EDGES = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 37.5, 45.0, 60.0)
_FEWEST = 3
"""Pairs that a point of the curve needs."""


@dataclass(frozen=True, eq=False)
class SamePerson:
    """Cosines of un-driven pairs of one person, as one family gives them; p people.

    Attributes:
        again: (p,) cosine of the frame to itself photographed again.
        other_styles: (p,) the same with half of somebody else's fine styles.
        mirrored: (p,) cosine of the frame to its mirror image.
        gap: (p,) degrees of yaw between those two.
        strangers: mean cosine between different people at rest.
    """

    again: np.ndarray
    other_styles: np.ndarray
    mirrored: np.ndarray
    gap: np.ndarray
    strangers: float

    @staticmethod
    def of(people: Sequence[CachedResult], family: str) -> SamePerson:
        """From the people's cached results; those without a face are left out."""
        known = [cached for cached in people if f"{family}.identity" in cached]
        vectors = np.stack([cached[f"{family}.identity"] for cached in known])
        yaw = np.stack([cached[f"{family}.parameters"][:, 0] for cached in known])
        rest = vectors[:, REST]
        return SamePerson(
            statistics.cosine(rest, vectors[:, AGAIN]),
            statistics.cosine(rest, vectors[:, OTHER_STYLES]),
            statistics.cosine(rest, vectors[:, MIRRORED]),
            np.abs(yaw[:, MIRRORED] - yaw[:, REST]),
            _between_strangers(rest),
        )

    def ceiling(self, gap: np.ndarray) -> np.ndarray:
        """What the same person gets at a yaw gap (f,) in degrees.

        At no gap the frame photographed again; from there along the means of the mirror pairs,
        which may not rise again: a wider gap is never easier than a narrower one.
        """
        points = [(0.0, float(mean_known(self.again)))]
        for step in statistics.binned(self.gap, self.mirrored, _CURVE_EDGES):
            if step.count >= _FEWEST:
                points.append(((step.low + step.high) / 2, step.mean))
        gaps, cosines = np.array(points).T
        return np.interp(gap, gaps, np.minimum.accumulate(cosines))

    def retention(self, cosines: np.ndarray, gap: np.ndarray) -> float:
        """Mean cosine ÷ mean ceiling at these gaps, over what was measured."""
        known = np.isfinite(cosines) & np.isfinite(gap)
        if not known.any():
            return float("nan")
        return float(cosines[known].mean() / self.ceiling(gap[known]).mean())


def _between_strangers(vectors: np.ndarray) -> float:
    """Mean cosine of all pairs of different people (p, d)."""
    vectors = vectors[np.isfinite(vectors).all(-1)]
    if len(vectors) < 2:
        return float("nan")
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    cosines = unit @ unit.T
    return float(cosines[~np.eye(len(unit), dtype=bool)].mean())


def identity_figures(
    people: Sequence[CachedResult], family: str, same_person: SamePerson
) -> dict[str, Any]:
    """The ceilings, and what two strangers get."""
    bins = statistics.binned(same_person.gap, same_person.mirrored, YAW_EDGES)
    return {
        "photographed_again": float(mean_known(same_person.again)),
        "other_fine_styles": float(mean_known(same_person.other_styles)),
        "mirrored_by_yaw_gap": [asdict(step) for step in bins],
        "strangers": same_person.strangers,
        "people": len(same_person.again),
    }
