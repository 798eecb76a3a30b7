"""Fields found on a coarse raster lie where they belong in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from photorig.worker.compositing.coarse import Coarse, blended, box, tiles, within
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


@pytest.mark.parametrize("factor", [1, 2, 4.9])
def test_a_part_enlarged_is_that_part_of_the_whole(factor: float) -> None:
    coarse = Coarse.of((100, 130), factor)
    field = np.random.default_rng(0).random((*coarse.shape, 2)).astype(np.float32)
    whole = coarse.enlarged(field)
    for part in ((slice(0, 7), slice(11, 130)), (slice(53, 100), slice(52, 53))):
        np.testing.assert_allclose(coarse.enlarged(field, part), whole[part], atol=1e-6)


@pytest.mark.parametrize("factor", [1, 3])
def test_what_is_somewhere_on_the_raster_is_nowhere_else_in_the_picture(factor: int) -> None:
    coarse = Coarse.of((90, 120), factor)
    field = np.zeros(coarse.shape, np.float32)
    field[5:9, 20:24] = 1
    outside = coarse.enlarged(field).copy()
    outside[coarse.covering(box(field > 0))] = 0
    assert not outside.any()


def test_tiles_are_a_part_once_and_no_more() -> None:
    count = np.zeros((300, 700), int)
    part = (slice(3, 290), slice(5, 699))
    for tile in tiles(part, count):
        count[tile] += 1
        assert 0 < count[tile].size <= 1 << 15
    assert (count[part] == 1).all()
    assert count.sum() == count[part].size


def test_a_box_holds_what_is_true() -> None:
    where = np.zeros((40, 50), bool)
    assert where[box(where)].size == 0
    where[4, 7] = where[9, 3] = True
    assert box(where) == (slice(4, 10), slice(3, 8))
    part = (slice(10, 30), slice(20, 40))
    assert within(part, box(where)) == (slice(14, 20), slice(23, 28))


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
