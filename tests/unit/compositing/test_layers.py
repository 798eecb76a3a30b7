"""Person, background and what is behind the person; no weights."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from photorig.worker.compositing.beyond_edges import beyond_edges
from photorig.worker.compositing.head_motion import HeadMotion, HeadPlace
from photorig.worker.compositing.layers import (
    background,
    blend,
    composited_over,
    rest_person,
    with_fringe,
)
from photorig.worker.compositing.moved_head import moved_matte, warped
from photorig.worker.compositing.own_colours import person_colours

SIZE = 128
PLACE = HeadPlace(
    pivot=np.array([64.0, 106.0]),
    chin=np.array([64.0, 88.0]),
    chin_radius=30.0,
    centre=np.array([64.0, 64.0]),
    pixels_per_cm=4.5,
    unit=128.0,
)


def silhouette() -> np.ndarray:
    """(128, 128) float32 matte of a round head on shoulders, edges two pixels wide."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    head = 36 - np.hypot(x - 64, (y - 60) * 0.8)
    shoulders = 50 - np.hypot(x - 64, (y - 150) * 1.1)
    return np.clip(np.maximum(head, shoulders) / 2 + 0.5, 0, 1).astype(np.float32)


def canvas(person: np.ndarray) -> np.ndarray:
    """A textured person before a smooth background."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE]
    behind = np.stack([60 + x * 0.5, 120 + y * 0.3, 160 - x * 0.4], -1)
    front = random.integers(20, 60, (SIZE // 4, SIZE // 4, 3)).repeat(4, 0).repeat(4, 1) + 60
    return np.rint(behind + person[..., None] * (front - behind)).astype(np.uint8)


PERSON = silhouette()
PICTURE = canvas(PERSON)
PLATE = background(PICTURE, PERSON, 128)


def move(motion: HeadMotion) -> np.ndarray:
    return warped(PICTURE, PERSON, PLATE, PLACE, motion)


def test_without_motion_the_layers_give_the_picture_bit_for_bit() -> None:
    np.testing.assert_array_equal(move(HeadMotion()), PICTURE)


@pytest.mark.parametrize("motion", [HeadMotion(roll=0.05), HeadMotion(x=0.005), HeadMotion(z=0.01)])
def test_nothing_jumps_when_a_motion_begins(motion: HeadMotion) -> None:
    change = np.abs(move(motion).astype(int) - PICTURE)
    assert change.max() <= 6
    assert change.mean() < 0.5


def test_the_change_grows_with_the_motion_without_a_jump() -> None:
    frames = [move(HeadMotion(roll=float(roll))).astype(int) for roll in np.arange(0, 4, 0.1)]
    steps = [np.abs(b - a).mean() for a, b in itertools.pairwise(frames)]
    assert max(steps) < 3 * np.median(steps)


def test_the_plate_is_the_picture_away_from_the_person() -> None:
    y, x = np.mgrid[:SIZE, :SIZE]
    away = np.hypot(x - 64, (y - 60) * 0.8) > 50
    away &= y < 90
    np.testing.assert_array_equal(PLATE[away], PICTURE[away])
    inside = PERSON == 1
    wanted = np.stack([60 + x * 0.5, 120 + y * 0.3, 160 - x * 0.4], -1)
    assert np.abs(PLATE[inside] - wanted[inside]).mean() < 25, "nothing of the person is left"


def test_what_ends_at_a_person_goes_on_behind_them() -> None:
    picture = np.full((SIZE, SIZE, 3), 200, np.uint8)
    picture[64:] = 30  # a bench behind a person who sits before a wall
    person = np.zeros((SIZE, SIZE), np.float32)
    person[:, 44:84] = 1
    picture[person == 1] = [180, 120, 90]
    plate = background(picture, person, SIZE).astype(int)
    for column in (46, 52, 76, 82):
        assert np.abs(plate[20:56, column] - 200).max() <= 8
        assert np.abs(plate[72:110, column] - 30).max() <= 8


def test_where_no_person_was_or_is_the_background_stays_bit_for_bit() -> None:
    frame = move(HeadMotion(roll=30))
    y, x = np.mgrid[:SIZE, :SIZE]
    # The head tilts to image left: the far right beside it is nobody's.
    untouched = (x > 112) & (y < 90)
    np.testing.assert_array_equal(frame[untouched], PICTURE[untouched])
    assert (frame != PICTURE).any()


def test_where_the_head_was_there_is_background_and_where_it_went_the_head() -> None:
    frame = move(HeadMotion(roll=30)).astype(float)
    left_behind, arrived = frame[40:50, 84:92].mean((0, 1)), frame[40:50, 20:28].mean((0, 1))
    assert np.abs(left_behind - PLATE[40:50, 84:92].mean((0, 1))).max() < 3
    assert np.abs(arrived - PICTURE[PERSON == 1].mean(0)).max() < 25


def test_the_matte_of_a_moved_head_goes_with_it() -> None:
    motion = HeadMotion(x=3, y=1)
    assert np.array_equal(moved_matte(PERSON, PLACE, HeadMotion()), PERSON)
    moved = moved_matte(PERSON, PLACE, motion)
    x, y = (round(cm * PLACE.pixels_per_cm) for cm in (motion.x, motion.y))
    np.testing.assert_allclose(
        moved[30:70, 40 + x : 90 + x], PERSON[30 + y : 70 + y, 40:90], atol=0.3
    )


def test_other_people_and_holes_are_not_in_the_matte() -> None:
    matte = PERSON.copy()
    matte[10:20, 2:10] = 1.0  # somebody in the background
    matte[55:60, 60:66] = 0.0  # glasses that the network took for a window
    person = rest_person(matte, (64, 60), 128)
    assert person.matte[10:20, 2:8].max() == 0
    assert person.matte[55:60, 60:66].min() == 1


def test_surroundings_lie_outside_the_driven_person_and_are_not_in_the_person_alone() -> None:
    person = rest_person(PERSON, (64, 60), 128)
    driven = person.clean(np.roll(PERSON, 6, axis=1))
    surrounded, alone = person.surrounded(driven), person.alone(driven)
    assert surrounded[driven > 0.5].min() == 1
    assert alone[driven > 0.6].min() > 0.5
    assert np.all(alone <= surrounded)
    just_outside = (surrounded > 0.5) & (alone < 0.1)
    assert just_outside.any()
    assert max(surrounded[:30, :8].max(), alone[:30, :8].max()) == 0


def laid(way: float) -> np.ndarray:
    """The person shifted by eight pixels before a green background, over the picture at rest."""
    person = rest_person(PERSON, (64, 60), 128)
    shifted = np.roll(PERSON, 8, axis=1)
    driven = blend(np.full_like(PICTURE, (0, 255, 0)), np.roll(PICTURE, 8, axis=1), shifted)
    matte = person.clean(shifted)
    seams = person.surrounded(matte), person.alone(matte)
    ways = np.full(PERSON.shape, way, np.float32)
    return composited_over(PICTURE, PLATE, driven, seams, ways, with_fringe(PERSON, 128))


def test_where_a_person_was_the_background_comes_into_view() -> None:
    frame = laid(0.1)
    near = cv2.dilate(np.roll(PERSON, 8, axis=1), np.ones((7, 7)))
    left_behind = (PERSON > 0.9) & (near == 0)
    left_behind[100:] = False
    assert left_behind.sum() > 50
    np.testing.assert_array_equal(frame[left_behind], PLATE[left_behind])
    is_green = (frame[..., 1] > 230) & (frame[..., 0] < 40)
    assert not is_green.any(), "the driven picture's own background is left out"


def test_where_nothing_has_moved_the_surroundings_come_along() -> None:
    frame = laid(0.0)
    nobody = np.roll(PERSON, 8, axis=1) == 0
    assert (frame[nobody] == [0, 255, 0]).all(-1).any()
    np.testing.assert_array_equal(frame[:20, :8], PICTURE[:20, :8])


def test_colours_of_the_person_do_not_hold_the_background() -> None:
    person = np.zeros((40, 40), np.float32)
    person[:, :20] = 1
    person[:, 20] = 0.5
    picture = np.full((40, 40, 3), 200, np.uint8)
    picture[:, :20], picture[:, 20] = 40, 120
    assert np.abs(person_colours(picture, person, 8)[:, 20].astype(int) - 40).max() < 12


def test_hair_cut_by_the_upper_edge_ends_in_a_dome() -> None:
    person = np.zeros((64, 64), np.float32)
    person[:, 20:44] = 1
    wide = beyond_edges(person, 16, 64)
    widths = wide[:16].sum(1)
    assert widths[-1] == pytest.approx(24, abs=4)
    assert (np.diff(widths) >= -1e-3).all()
    assert widths[0] == 0
    np.testing.assert_array_equal(wide[16:-16, 16:-16], person)


def test_a_blend_without_weight_is_the_lower_picture() -> None:
    above = 255 - PICTURE
    np.testing.assert_array_equal(blend(PICTURE, above, np.zeros_like(PERSON)), PICTURE)
    np.testing.assert_array_equal(blend(PICTURE, above, np.ones_like(PERSON)), above)
