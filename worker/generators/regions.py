"""Styles that differ by region: w(x, y) = w + Σ_k m_k(x, y) · Δ_k.

A layer's factors are affine in its row of W+, so a layer's map of factors is
s(w) + Σ_k m_k(x, y) · (A Δ_k): one matrix product of (channels × K) and (K × pixels). Where no
mask lies, and where no shift is asked for, the picture is that of w alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .weights import W_DIM

REGIONS = ("eyeRight", "eyeLeft", "browRight", "browLeft", "mouthRight", "mouthLeft", "jaw")
"""The subject's own sides; each half of the mouth, and the mouth with the jaw below it."""

FIRST_ROW, END_ROW = 3, 8
"""Rows of W+ that a region may move. The coarser ones leak into the whole face and add little; the
finer ones add nothing that is seen, and would cost four times as much (docs/measurements.md)."""

REGIONAL_ROWS = range(FIRST_ROW, END_ROW)
MASK_SIDE = 128
"""Pixels of the aligned square's side at which masks are given."""

MASK_SIDES = (8, 16, 32)
"""Sides of the features that the rows' factors are applied to."""


def side_of_row(row: int) -> int:
    """Side of the features to which the factors of a row of W+ are applied, see `SynthesisBlock`:
    the first convolution's before its block doubles them, the second's after."""
    block, is_second = divmod(row - 1, 2)
    return 4 * 2 ** (block + is_second)


@dataclass(frozen=True, eq=False)
class RegionMasks:
    """Where the regions of a face are in the aligned square.

    Attributes:
        masks: (K, MASK_SIDE, MASK_SIDE) float32 in [0, 1].
    """

    masks: np.ndarray

    def __post_init__(self) -> None:
        if self.masks.shape != (len(REGIONS), MASK_SIDE, MASK_SIDE):
            raise ValueError(f"masks of regions have the shape {self.masks.shape}")

    @cached_property
    def by_side(self) -> dict[int, np.ndarray]:
        """(K, side, side) float32 for each of MASK_SIDES: averaged over larger pixels."""
        averaged, masks = {}, self.masks
        for side in reversed(MASK_SIDES):
            step = masks.shape[1] // side
            blocks = masks.reshape(len(masks), side, step, side, step)
            masks = blocks.sum((2, 4), dtype=np.float32) * np.float32(1 / step**2)
            averaged[side] = np.ascontiguousarray(masks)
        return averaged


@dataclass(frozen=True, eq=False)
class RegionalStyles:
    """By how much the latents of each region differ from those of the picture.

    Attributes:
        deltas: (K, rows, w_dim) float32, Δ of each region for the rows of `REGIONAL_ROWS`.
        regions: where they are.
    """

    deltas: np.ndarray
    regions: RegionMasks

    def __post_init__(self) -> None:
        if self.deltas.ndim != 3 or self.deltas.shape[:2] != (len(REGIONS), len(REGIONAL_ROWS)):
            raise ValueError(f"shifts of regions have the shape {self.deltas.shape}")

    @staticmethod
    def none() -> RegionalStyles:
        """No region differs."""
        return _NONE

    def at_rest(self) -> RegionalStyles:
        """What a picture at rest is drawn with, on the same graph."""
        return _NONE


_NONE = RegionalStyles(
    np.zeros((len(REGIONS), len(REGIONAL_ROWS), W_DIM), np.float32),
    RegionMasks(np.zeros((len(REGIONS), MASK_SIDE, MASK_SIDE), np.float32)),
)
