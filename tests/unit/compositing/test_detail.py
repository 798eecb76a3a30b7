"""What the photo has and the generator has not moves with the face, and is all there at rest."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from photorig.worker.compositing.detail import (
    SIDE,
    Flow,
    RestPictures,
    carried,
    colour_offset,
    optical_flow,
)
from photorig.worker.compositing.paste_back import PasteWindow, paste_window
from photorig.worker.portraits.alignment import Alignment

PERSON = np.ones((SIDE, SIDE), np.float32)


def skin(seed: int, contrast: float = 30, blur: float = 3.0, size: int = SIDE) -> np.ndarray:
    """(size, size, 3) uint8 with a texture that a flow can hold on to."""
    noise = np.random.default_rng(seed).standard_normal((size, size, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), blur * size / SIDE)
    return np.clip(128 + contrast * noise / noise.std(), 0, 255).astype(np.uint8)


def shifted(picture: np.ndarray, x: float, y: float = 0.0) -> np.ndarray:
    matrix = np.array([[1, 0, x], [0, 1, y]])
    return cv2.warpAffine(
        picture, matrix, picture.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )


def rest_pictures(photo: np.ndarray, generated: np.ndarray) -> RestPictures:
    offset = colour_offset(photo, generated, PERSON)
    return RestPictures(photo, generated, offset, Alignment.upright(photo.shape[0]))


GENERATED = skin(0)
PHOTO = np.clip(GENERATED.astype(int) + skin(1, 12, 1.0) - 128 + [14, 0, -9], 0, 255).astype(
    np.uint8
)


def inner(picture: np.ndarray, border: int = 24) -> np.ndarray:
    return picture[border:-border, border:-border].astype(float)


def test_at_rest_the_photo_comes_back_bit_for_bit() -> None:
    flow = optical_flow(GENERATED, GENERATED)
    assert not flow.back.any()
    frame = carried(GENERATED, rest_pictures(PHOTO, GENERATED), flow).picture
    np.testing.assert_array_equal(frame, PHOTO)


@pytest.mark.parametrize("x", [2.5, -7.0])
def test_detail_moves_with_what_it_belongs_to(x: float) -> None:
    driven, wanted = shifted(GENERATED, x, 3), shifted(PHOTO, x, 3)
    flow = optical_flow(driven, GENERATED)
    frame = carried(driven, rest_pictures(PHOTO, GENERATED), flow).picture
    without = np.abs(inner(driven) - inner(wanted)).mean()
    left = np.abs(inner(frame) - inner(wanted)).mean()
    stuck = np.abs(inner(driven) + inner(PHOTO) - inner(GENERATED) - inner(wanted)).mean()
    assert left < 0.3 * min(without, stuck)


def test_what_comes_into_view_gets_no_detail_but_the_colour() -> None:
    driven = GENERATED.copy()
    mouth = (slice(110, 150), slice(100, 160))
    driven[mouth] = 40  # dark, and nowhere in the picture at rest
    flow = optical_flow(driven, GENERATED)
    frame = carried(driven, rest_pictures(PHOTO, GENERATED), flow).picture.astype(float)
    inside = frame[120:140, 112:148]
    assert flow.trust[120:140, 112:148].max() < 0.05
    assert inside.std((0, 1)).max() < 3
    red, green, blue = inside.mean((0, 1)) - 40
    assert 2 < red < 15
    assert abs(green) < 2
    assert -10 < blue < -1


def test_a_small_change_of_the_picture_is_a_small_change_of_the_frame() -> None:
    rest = rest_pictures(PHOTO, GENERATED)
    near = shifted(GENERATED, 0.02)
    frame = carried(near, rest, optical_flow(near, GENERATED)).picture
    assert np.abs(frame.astype(int) - PHOTO).max() <= 4


def test_noise_of_a_level_is_smoothed_and_what_moves_is_not() -> None:
    rest = rest_pictures(PHOTO, GENERATED)
    random = np.random.default_rng(2)
    noisy = np.clip(GENERATED + random.integers(-1, 2, GENERATED.shape), 0, 255).astype(np.uint8)
    flow = optical_flow(GENERATED, GENERATED)
    still = np.abs(carried(noisy, rest, flow).picture.astype(int) - PHOTO)
    assert still.mean() < 0.5 * np.abs(noisy.astype(int) - GENERATED).mean()
    line = GENERATED.copy()
    line[100, 60:200] //= 2
    drawn = carried(line, rest, flow).picture.astype(int) - PHOTO
    asked = line.astype(int) - GENERATED
    np.testing.assert_allclose(drawn[100, 62:198], asked[100, 62:198], atol=1)


def test_a_shade_of_a_level_all_over_is_kept() -> None:
    generated, photo = np.maximum(GENERATED, 1), np.maximum(PHOTO, 1)
    flow = optical_flow(generated, generated)
    frame = carried(generated - 1, rest_pictures(photo, generated), flow).picture
    np.testing.assert_array_equal(frame, photo - 1)


def placed(size: int = 500) -> tuple[RestPictures, PasteWindow, np.ndarray]:
    """A photo that shows the generator's face with grain, twice as large, in its middle."""
    alignment = Alignment.upright(512, size / 2 - 256, size / 2 - 256)
    window = paste_window((size, size), alignment)
    generated = alignment.placed(GENERATED, (size, size))
    grain = np.random.default_rng(5).integers(-20, 21, (size, size, 3))
    photo = np.clip(generated.astype(int) + grain, 0, 255).astype(np.uint8)
    window = paste_window((size, size), alignment)
    part = (window.rows, window.columns)
    offset = np.zeros((SIDE, SIDE, 3), np.float32)
    return RestPictures(photo[part], generated[part], offset, window.alignment), window, photo


def test_beyond_the_square_the_photo_goes_along_and_comes_to_rest() -> None:
    rest, window, photo = placed(900)
    driven = shifted(GENERATED, 6)
    frame = carried(driven, rest, optical_flow(driven, GENERATED), window)
    still = window.falloff == 0
    assert still.any()
    np.testing.assert_array_equal(frame.picture[still], photo[window.rows, window.columns][still])
    # Next to the square, where the generator's picture is not shown any more, by 12 pixels.
    sources = frame.ways.sources
    middle = sources.shape[0] // 2
    edge = int(np.flatnonzero(window.shown[middle])[0]) - 2
    way = sources[middle, edge, 0] - edge
    assert window.shown[middle, edge] == 0
    assert way == pytest.approx(-12, abs=1.5)
    assert np.diff(sources[middle, :, 0]).min() > 0, "nothing folds"


def test_flow_does_not_depend_on_the_size_of_the_pictures() -> None:
    large = cv2.resize(GENERATED, (1024, 1024), interpolation=cv2.INTER_CUBIC)
    driven = shifted(large, 12)
    flow = optical_flow(driven, large)
    np.testing.assert_allclose(flow.back[40:-40, 40:-40, 0].mean(), -12 / 1024, atol=4e-4)
    assert flow.back.shape == (SIDE, SIDE, 2)


def test_flow_is_the_same_whatever_the_number_of_threads() -> None:
    driven, threads = shifted(GENERATED, 5), cv2.getNumThreads()
    try:
        flows = []
        for number in (1, 3):
            cv2.setNumThreads(number)
            flows.append(optical_flow(driven, GENERATED).back.tobytes())
            assert cv2.getNumThreads() == number
    finally:
        cv2.setNumThreads(threads)
    assert flows[0] == flows[1]


def test_detail_comes_at_the_resolution_of_the_photo() -> None:
    rest, window, photo = placed()
    driven = shifted(GENERATED, 4)
    frame = carried(driven, rest, optical_flow(driven, GENERATED), window).picture
    expected = shifted(photo, 8)[window.rows, window.columns]
    assert np.abs(inner(frame, 60) - inner(expected, 60)).mean() < 5  # the grain alone has 10


def test_what_is_rigid_looks_as_in_the_photo_whatever_the_generator_draws() -> None:
    photo, generated = skin(1), skin(2)
    pictures = RestPictures(
        photo, generated, np.zeros((SIDE, SIDE, 3), np.float32), Alignment.upright(SIDE)
    )
    still = np.zeros((SIDE, SIDE, 2), np.float32)
    rigid = np.zeros((SIDE, SIDE), np.float32)
    rigid[100:120, 100:140] = 1
    found = carried(255 - generated, pictures, Flow(still, rigid, rigid)).picture
    inside = (slice(102, 118), slice(102, 138))
    np.testing.assert_array_equal(found[inside], photo[inside])
    assert np.abs(found[:50].astype(int) - photo[:50]).mean() > 20
