"""FFHQ alignment and pasting back."""

from __future__ import annotations

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.worker.compositing.paste_back import paste_window
from photorig.worker.portraits.alignment import Alignment

from ..align_fakes import landmarks, smooth_photo


def test_the_square_is_the_one_of_ffhq():
    # Karras' formula by hand: x = (60, 0) − rot90(0, 70) → (130, 0); 1.8 · 70 > 2 · 60
    alignment = Alignment.of_face(landmarks())
    assert alignment.side == pytest.approx(2 * 126)
    assert alignment.to_photo(np.array([[0.5, 0.5]]))[0] == pytest.approx([200, 157])


@pytest.mark.parametrize("turn", [-35, 0, 50, 120])
def test_the_square_turns_and_grows_with_the_face(turn):
    straight = Alignment.of_face(landmarks()).to_square(landmarks()[:, :2])
    turned_face = landmarks(turn, 1.7, (90, 410))
    turned = Alignment.of_face(turned_face).to_square(turned_face[:, :2])
    assert np.allclose(straight, turned)


def test_photo_and_aligned_positions_are_inverse():
    alignment = Alignment.of_face(landmarks(20))
    points = np.array([[3.0, 4.0], [250.0, 111.0]])
    assert np.allclose(alignment.to_photo(alignment.to_square(points)), points)


def test_a_face_in_one_point_cannot_be_aligned():
    with pytest.raises(InputError, match="too small"):
        Alignment.of_face(np.zeros((478, 3)))


def test_the_crop_shows_the_photo_between_its_pixels():
    # The red channel grows by one a pixel, so that its value tells the place.
    photo = np.zeros((250, 250, 3), np.uint8)
    photo[..., 0] = np.arange(250)[None]
    alignment = Alignment.upright(100, 30.25, 50)  # left edge at 30.25
    crop = alignment.crop(photo, 100)
    # crop pixel 10 has its centre at 30.25 + 10.5 = 40.75, where red is 40.25
    assert crop[50, 10, 0] == 40
    doubled = alignment.crop(photo, 400)
    assert np.all(np.diff(doubled[200, :, 0].astype(int)) >= 0)


def test_an_aligned_photo_is_its_own_crop():
    photo = smooth_photo(256, 256)
    alignment = Alignment.upright(256)
    assert np.array_equal(alignment.crop(photo, 256), photo)


@pytest.mark.parametrize("factor", [1.5, 2, 3.3, 8])
def test_shrinking_averages_instead_of_skipping(factor):
    size = 64
    side = round(size * factor)
    noise = np.random.default_rng(0).integers(0, 2, (side, side, 1), np.uint8) * 255
    photo = noise.repeat(3, 2)
    alignment = Alignment.upright(side)
    spread = alignment.crop(photo, size)[4:-4, 4:-4].std()
    assert spread < 160 / factor  # picking single pixels would leave 127


def test_beyond_the_edge_the_photo_is_mirrored():
    photo = smooth_photo(100, 100)
    alignment = Alignment.upright(100, left=-50)  # square starts 50 px to the left
    crop = alignment.crop(photo, 100)
    assert np.array_equal(crop[:, 50:], photo[:, :50])
    assert np.abs(crop[:, 49].astype(int) - photo[:, 1]).max() <= 2


def in_photo(crop: np.ndarray, photo: np.ndarray, alignment: np.ndarray) -> np.ndarray:
    """A crop in the part of the photo where it is put back."""
    window = paste_window(photo.shape[:2], alignment)
    return window.alignment.placed(crop, window.shown.shape)


def test_the_untouched_crop_in_its_place_is_the_photo():
    photo = smooth_photo()
    alignment = Alignment.of_face(landmarks(15))
    window = paste_window(photo.shape[:2], alignment)
    again = in_photo(alignment.crop(photo, 512), photo, alignment)
    difference = np.abs(again.astype(int) - photo[window.rows, window.columns])
    assert (window.shown > 0).mean() > 0.3
    assert difference[window.shown > 0].max() <= 2


@pytest.mark.parametrize("turn", [0, 30])
def test_the_middle_of_the_square_is_shown_and_its_edges_are_not(turn):
    window = paste_window((300, 400), Alignment.of_face(landmarks(turn)))
    eye = landmarks(turn)[33].astype(int)
    assert window.shown[eye[1] - window.rows.start, eye[0] - window.columns.start] == 1
    corners = Alignment.of_face(landmarks(turn)).to_photo(np.array([[0.0, 0.5], [0.5, 0.0]]))
    for x, y in corners.astype(int):
        assert window.shown[y - window.rows.start, x - window.columns.start] == 0


def test_a_window_is_smooth_and_ends_at_its_edges():
    alignment = Alignment.upright(256, 128, 128)
    window = paste_window((512, 512), alignment)
    for mask in (window.shown, window.falloff):
        assert mask[0].max() < 0.01
        assert mask[:, 0].max() < 0.01
        assert mask[mask.shape[0] // 2, mask.shape[1] // 2] == 1
        assert np.abs(np.diff(mask, axis=0)).max() < 0.15
        np.testing.assert_allclose(mask, mask[:, ::-1], atol=1e-6)
    assert np.all(window.falloff[window.shown > 0] == 1)


def test_a_square_beyond_the_edge_is_put_back_as_far_as_the_photo_goes():
    window = paste_window((300, 400), Alignment.of_face(landmarks(centre=(10.0, 20.0))))
    assert (window.rows.start, window.columns.start) == (0, 0)
    assert window.shown[27, 10] == 1
    assert window.columns.stop < 400


def test_a_square_that_misses_the_photo_is_not_shown():
    window = paste_window((300, 400), Alignment.of_face(landmarks(centre=(-900.0, 20.0))))
    assert not window.shown.any()


def test_a_large_crop_is_averaged_into_a_small_face():
    photo = np.full((60, 60, 3), 128, np.uint8)
    alignment = Alignment.upright(60)
    checks = (np.indices((960, 960)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    assert np.abs(in_photo(checks, photo, alignment).astype(int) - 128).max() <= 1
