"""Fields found on a coarse raster lie where they belong in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from photorig.worker.compositing.coarse import Coarse, blended
from photorig.worker.portraits.alignment import Alignment


@pytest.mark.parametrize("shape", [(100, 130), (257, 64)])
@pytest.mark.parametrize("factor", [1, 2, 4.9])
def test_positions_enlarged_are_those_of_the_pixels(shape: tuple[int, int], factor: float) -> None:
    coarse = Coarse.of(shape, factor)
    rows, columns = np.indices(shape)
    enlarged = coarse.enlarged(coarse.positions)
    # Beyond this a sampled picture would not be the picture bit for bit.
    np.testing.assert_allclose(enlarged[..., 0], columns, atol=1 / 128)
    np.testing.assert_allclose(enlarged[..., 1], rows, atol=1 / 128)


def test_a_coarse_raster_is_aligned_as_its_picture() -> None:
    alignment = Alignment(np.array([[0.01, 0.002, -0.3], [-0.002, 0.01, 0.1]]))
    coarse = Coarse.of((90, 120), 3)
    middles = coarse.positions.reshape(-1, 2) + 0.5
    rows, columns = np.indices(coarse.shape)
    pixels = np.stack([columns, rows], -1).reshape(-1, 2) + 0.5
    there = coarse.alignment(alignment)
    np.testing.assert_allclose(there.to_square(pixels), alignment.to_square(middles), atol=1e-5)


def test_blends_are_exact_at_both_ends() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    below = np.dstack([levels] * 3)
    above = 255 - below
    for weight, expected in ((0, below), (1, above)):
        weights = np.full((16, 16), weight, np.float32)
        np.testing.assert_array_equal(blended(below, above, weights), expected)
