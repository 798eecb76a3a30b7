"""StyleSpace: the factors that modulate the convolutions, as one vector.

Wu, Lischinski and Shechtman, "StyleSpace Analysis: Disentangled Controls for StyleGAN Image
Generation", 2021. Each row of W+ becomes, by one or two affine maps, the factors of the layers that
it modulates; a vector of StyleSpace holds those of the coarser rows, row after row. The image heads
are left out, as in StyleMask: what they add is colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .regions import MASK_SIDES, REGIONAL_ROWS, REGIONS, RegionalStyles
from .weights import AffineWeights, GeneratorWeights

STYLE_ROWS = 12
"""Rows of W+ whose factors a vector of StyleSpace holds: those of 4² to the first of 256²."""


@dataclass(frozen=True, eq=False)
class StyleOffsets:
    """By how much the factors of a picture differ from those that its latents give.

    Attributes:
        values: (n,) float32, in the order of `row_affines`.
    """

    values: np.ndarray

    def at_rest(self) -> StyleOffsets:
        """What a picture at rest is drawn with, on the same graph."""
        return StyleOffsets(np.zeros_like(self.values))


Styles = RegionalStyles | StyleOffsets
"""What a picture may differ by from its latents: region by region, or factor by factor."""


def difference_arrays(styles: Styles | None, w_dim: int) -> list[np.ndarray]:
    """What a network takes beside latents: nothing, offsets (n,), or the shifts of regions
    (K, rows, w_dim) and their masks (K, side, side) by `MASK_SIDES`; float32."""
    if styles is None:
        return []
    if isinstance(styles, StyleOffsets):
        return [np.ascontiguousarray(styles.values, np.float32)]
    by_side = styles.regions.by_side
    deltas = np.ascontiguousarray(styles.deltas, np.float32)
    if not deltas.any():  # those of nobody have the length of another generator's rows
        deltas = np.zeros((len(REGIONS), len(REGIONAL_ROWS), w_dim), np.float32)
    return [deltas, *(np.ascontiguousarray(by_side[side]) for side in MASK_SIDES)]


def row_affines(weights: GeneratorWeights) -> tuple[tuple[AffineWeights, ...], ...]:
    """The affine maps of each of the first `STYLE_ROWS` rows, in the order in which they act."""
    rows: list[tuple[AffineWeights, ...]] = [(weights.modulation0,)]
    for block in weights.blocks:
        rows += [(block.upsampling, block.modulation1), (block.modulation2,)]
    return tuple(rows[:STYLE_ROWS])


def row_slices(weights: GeneratorWeights) -> tuple[slice, ...]:
    """Where each row's factors are in a vector of StyleSpace."""
    return tuple(slice(row[0].start, row[-1].stop) for row in affine_slices(weights))


def style_vectors(weights: GeneratorWeights, latents: np.ndarray) -> np.ndarray:
    """Latents (b, n_rows, 512) → (b, n) float32 factors."""
    parts = [
        latents[:, row].astype(np.float32) @ affine.weight.T + affine.bias
        for row, affines in enumerate(row_affines(weights))
        for affine in affines
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def affine_slices(weights: GeneratorWeights) -> tuple[tuple[slice, ...], ...]:
    """Where the factors of each affine map of each row are in a vector of StyleSpace."""
    rows, start = [], 0
    for affines in row_affines(weights):
        ends = np.cumsum([start, *(len(affine.bias) for affine in affines)]).tolist()
        rows.append(tuple(slice(first, last) for first, last in pairwise(ends)))
        start = ends[-1]
    return tuple(rows)
