"""The inside of a mouth: seen where lips part, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.worker.portraits.mouth import LOWER, UPPER, MouthInterior, lips_apart, mouth_of

from ..compositing.test_face_mesh import landmarks
from ..reenactment.test_regional import geometry

pytestmark = pytest.mark.weights("face-landmarker")

SIZE = 256
SCALE = 0.028


def with_lips(opening: float) -> np.ndarray:
    """(478, 3) of a face whose inner lips are up to that many cm apart, oval."""
    points = landmarks()
    across = points[UPPER, 0]
    share = np.sqrt(np.clip(1 - (2 * (across - across.mean()) / np.ptp(across)) ** 2, 0, 1))
    middle = points[np.stack([UPPER, LOWER]), 1].mean(0)
    points[UPPER, 1] = middle - 0.25 * opening * SCALE * share
    points[LOWER, 1] = middle + 0.75 * opening * SCALE * share
    return points


def drawn(opening: float) -> np.ndarray:
    """A picture of that mouth: a red face; behind the lips white above, blue below."""
    picture = np.full((SIZE, SIZE, 3), (200, 60, 50), np.uint8)
    points = with_lips(opening)
    upper, lower = (points[row, :2] * SIZE for row in (UPPER, LOWER))
    for column in range(SIZE):
        x = column + 0.5
        if upper[0, 0] < x < upper[-1, 0]:
            top, bottom = (np.interp(x, edge[:, 0], edge[:, 1]) for edge in (upper, lower))
            middle = (top + bottom) / 2
            picture[int(top) : int(middle), column] = 255
            picture[int(middle) : int(bottom) + 1, column] = (0, 0, 200)
    return picture


@pytest.fixture(scope="module")
def mouth() -> MouthInterior:
    return mouth_of(drawn(2.0), with_lips(2.0), SCALE)


FACE = np.full((SIZE, SIZE, 3), (200, 60, 50), np.uint8)


def painted(mouth: MouthInterior, opening: float) -> np.ndarray:
    return mouth.painted(FACE, with_lips(opening), SCALE, opening)


def middle_column(picture: np.ndarray, opening: float) -> np.ndarray:
    """Pixels (n, 3) well between the lips, from above to below."""
    points = with_lips(opening)
    top, bottom = points[UPPER[5], 1] * SIZE, points[LOWER[5], 1] * SIZE
    column = int(points[UPPER[5], 0] * SIZE)
    return picture[int(np.ceil(top)) + 2 : int(bottom) - 2, column]


def test_lips_that_are_as_in_the_photo_show_the_photo(mouth: MouthInterior) -> None:
    assert mouth.painted(FACE, with_lips(1.0), SCALE, 0.0) is FACE


def test_a_mouth_begins_to_show_without_a_jump(mouth: MouthInterior) -> None:
    little = mouth.painted(FACE, with_lips(1.0), SCALE, 0.01).astype(int)
    assert np.abs(little - FACE).max() <= 2


def test_nothing_changes_outside_the_lips(mouth: MouthInterior) -> None:
    changed = (painted(mouth, 1.5) != FACE).any(2)
    points = with_lips(1.5)[np.stack([UPPER, LOWER]), :2].reshape(-1, 2) * SIZE
    rows, columns = np.nonzero(changed)
    assert rows.min() >= points[:, 1].min() - 1 and rows.max() <= points[:, 1].max() + 1
    assert columns.min() >= points[:, 0].min() - 1 and columns.max() <= points[:, 0].max() + 1


def test_a_mouth_opened_as_far_as_it_was_drawn_is_what_was_drawn(mouth: MouthInterior) -> None:
    inside = middle_column(painted(mouth, 2.0), 2.0)
    assert (inside[0] > 240).all()
    assert inside[-1][2] > 150 and inside[-1][0] < 60


def test_upper_teeth_hang_from_the_upper_lip_and_are_not_squeezed(mouth: MouthInterior) -> None:
    inside = middle_column(painted(mouth, 0.8), 0.8)
    assert (inside > 235).all()


def test_a_mouth_opened_further_keeps_its_teeth_as_long(mouth: MouthInterior) -> None:
    white = [
        int((middle_column(painted(mouth, opening), opening) > 235).all(1).sum())
        for opening in (2.0, 2.8)
    ]
    assert white[1] == pytest.approx(white[0], abs=4)


def test_teeth_longer_than_half_of_the_drawn_mouth_end_where_they_ended() -> None:
    points = with_lips(4.0)
    picture = drawn(4.0)
    for column in range(SIZE):
        white = np.flatnonzero((picture[:, column] == 255).all(1))
        if len(white) > 4:  # two thirds of the opening, where it was one half
            picture[white[-1] + 1 : white[-1] + len(white) // 3, column] = 255
    mouth = mouth_of(picture, points, SCALE)
    inside = middle_column(painted(mouth, 5.5), 5.5)
    teeth = (inside > 200).all(1)
    length = 4.0 * 2 / 3 * SCALE * SIZE
    assert teeth.sum() == pytest.approx(length - 3, abs=3)
    assert not teeth[round(length) + 2 :].any()


def test_what_is_between_the_teeth_gets_darker_the_wider_the_mouth_is_open(
    mouth: MouthInterior,
) -> None:
    darkest = [
        int(middle_column(painted(mouth, opening), opening).sum(1).min())
        for opening in (2.0, 3.0, 4.0)
    ]
    assert darkest[0] > darkest[1] > darkest[2]


def test_teeth_of_a_mouth_that_gets_narrower_stay_as_broad() -> None:
    points, picture = with_lips(2.0), drawn(2.0)
    middle, width = points[UPPER, 0].mean(), np.ptp(points[UPPER, 0])
    left, right = (int((middle + way * 0.1 * width) * SIZE) for way in (-1, 1))
    tooth = (picture[:, left:right] == 255).all(2)
    picture[:, left:right][tooth] = (255, 255, 0)
    mouth = mouth_of(picture, points, SCALE)
    broad = []
    for narrower in (1.0, 0.6):
        lips = points.copy()
        every = np.concatenate([UPPER, LOWER[1:-1]])
        lips[every, 0] = middle + narrower * (lips[every, 0] - middle)
        seen = mouth.painted(FACE, lips, SCALE, 2.0)
        row = int(points[UPPER[5], 1] * SIZE) + 6
        broad.append(int(((seen[row, :, 2] < 60) & (seen[row, :, 1] > 200)).sum()))
    assert broad[0] > 4
    assert broad[1] == pytest.approx(broad[0], abs=1)


def test_the_brightest_of_a_mouth_are_its_teeth(mouth: MouthInterior) -> None:
    assert mouth.brightest == pytest.approx([255, 255, 255], abs=5)


def test_the_photos_own_teeth_are_seen_in_front(mouth: MouthInterior) -> None:
    green = FACE.copy()
    green[:] = (0, 180, 0)
    own = mouth_of(green, with_lips(1.2), SCALE)
    inside = middle_column(mouth.with_teeth(own).painted(FACE, with_lips(2.0), SCALE, 2.0), 2.0)
    assert inside[1][1] > 150 and inside[1][0] < 60
    assert inside[-1][2] > 150


def test_own_teeth_never_stand_on_the_lower_lip(mouth: MouthInterior) -> None:
    green = FACE.copy()
    green[:] = (0, 180, 0)
    own = mouth_of(green, with_lips(2.0), SCALE)
    picture = mouth.with_teeth(own).picture.astype(int)
    lower = mouth.lips[1].astype(int)
    on_lip = picture[lower[1:-1, 1] - 2, lower[1:-1, 0]]
    assert not ((on_lip[:, 1] > 150) & (on_lip[:, 0] < 60)).any()


def test_how_far_lips_are_apart_is_in_centimetres() -> None:
    assert lips_apart(with_lips(1.2), SCALE).max() == pytest.approx(1.2, abs=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"picture": np.zeros((4, 4), np.uint8)},
        {"picture": np.zeros((1000, 4, 3), np.uint8)},
        {"picture": np.zeros((40, 40, 3), np.float32)},
        {"lips": np.zeros((2, 11, 2), np.float32)},
        {"lips": np.full((2, 11, 2), np.nan, np.float32)},
        {"scale": np.array([0.0], np.float32)},
    ],
    ids=["grey", "large", "floats", "no width", "nan", "no scale"],
)
def test_a_mouth_that_cannot_be_is_refused(
    mouth: MouthInterior, change: dict[str, np.ndarray]
) -> None:
    from dataclasses import replace

    from photorig.worker.portraits.portrait import Portrait

    from ..fakes import tiny_portrait

    damaged = replace(geometry(), mouth=replace(mouth, **change))
    portrait = replace(tiny_portrait(), geometry=damaged)
    with pytest.raises(InputError):
        Portrait.from_bytes(portrait.to_bytes())


def test_a_portrait_keeps_its_mouth(mouth: MouthInterior) -> None:
    from dataclasses import replace

    from photorig.worker.portraits.portrait import Portrait

    from ..fakes import tiny_portrait

    portrait = replace(tiny_portrait(), geometry=replace(geometry(), mouth=mouth))
    again = Portrait.from_bytes(portrait.to_bytes()).geometry
    assert again is not None and again.mouth is not None
    np.testing.assert_array_equal(again.mouth.picture, mouth.picture)
