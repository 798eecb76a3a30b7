"""What of a photo is worked on for a frame of a size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from photorig.worker.compositing.canvas import canvas_of
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait

from ..fakes import tiny_portrait

SIZE = 32


def portrait(turn: float = 0.0, centre: tuple[float, float] = (60.0, 50.0)) -> Portrait:
    """A photo of 120 × 100 pixels with a square of side 40 around a point."""
    photo = np.random.default_rng(0).integers(0, 256, (100, 120, 3), np.uint8)
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    linear = np.array([[cos, sin], [-sin, cos]]) / 40
    alignment = Alignment(np.column_stack([linear, 0.5 - linear @ centre]))
    return replace(tiny_portrait(), photo=photo, alignment=alignment)


def test_a_whole_photo_is_its_own_scene() -> None:
    canvas = canvas_of(portrait(), "full")
    assert canvas.photo is not None
    np.testing.assert_array_equal(canvas.photo[canvas.cut], portrait().photo)


@pytest.mark.parametrize("turn", [0.0, 20.0])
def test_the_frame_of_a_crop_is_the_aligned_crop_bit_for_bit(turn: float) -> None:
    made = portrait(turn)
    canvas = canvas_of(made, SIZE)
    crop = made.alignment.crop(made.photo, SIZE)
    np.testing.assert_array_equal(canvas.photo[canvas.cut], crop)


def test_around_a_crop_lies_what_the_photo_has_there() -> None:
    made = portrait()
    y, x = np.mgrid[:100, :120].astype(np.uint8)
    made = replace(made, photo=np.stack([2 * x, 2 * y, x + y], -1))
    canvas = canvas_of(made, 40)  # a pixel of the crop is one of the photo
    assert canvas.photo.shape == (56, 56, 3)
    np.testing.assert_allclose(canvas.photo.astype(int), made.photo[22:78, 32:88], atol=1)
    corner = canvas.alignment.to_square(np.array([[8.0, 8.0]]))
    np.testing.assert_allclose(corner, [[0, 0]], atol=1e-9)


def test_nothing_is_made_up_beyond_the_edges_of_the_photo() -> None:
    canvas = canvas_of(portrait(centre=(22.0, 50.0)), 40)  # 2 pixels left of the square
    assert canvas.photo.shape == (56, 50, 3)
    assert canvas.cut == (slice(8, 48), slice(2, 42))


def test_a_photo_that_is_a_crop_has_nothing_around_it() -> None:
    made = replace(portrait(), photo=portrait().photo[:40, :40])
    canvas = canvas_of(replace(made, alignment=Alignment.upright(40)), 40)
    np.testing.assert_array_equal(canvas.photo, made.photo)
