"""Which part of a shift moves the picture, and the field that moves it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.compositing.head_motion import (
    CAMERA_DISTANCE,
    ROLL_RANGE,
    X_RANGE,
    HeadMotion,
    HeadPlace,
    head_similarity,
    source_positions,
    split_shift,
    with_lead_of_face,
)
from photorig.worker.faces.geometry import head_angles

SIZE = 128
PLACE = HeadPlace(
    pivot=np.array([64.0, 106.0]),
    chin=np.array([64.0, 88.0]),
    chin_radius=30.0,
    centre=np.array([64.0, 64.0]),
    pixels_per_cm=4.5,
    unit=128.0,
)
MOTIONS = [
    HeadMotion(roll=30),
    HeadMotion(roll=-35, x=4, y=-3, z=8),
    HeadMotion(x=-5),
    HeadMotion(y=3, z=-8),
]


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Ry(yaw) · Rx(pitch) · Rz(roll) with pitch > 0 nose up, from degrees."""
    y, p, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    tilt = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return turn @ nod @ tilt


def pixel_centres(field: np.ndarray) -> np.ndarray:
    """A field's positions (h, w, 2) in the coordinates of places: pixel i covers [i, i + 1)."""
    return field.astype(np.float64) + 0.5


def identity() -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([x, y], -1).astype(np.float32)


def test_without_motion_every_pixel_stays_where_it_is() -> None:
    np.testing.assert_array_equal(source_positions((SIZE, SIZE), PLACE, HeadMotion()), identity())


@pytest.mark.parametrize("motion", MOTIONS, ids=str)
def test_the_head_moves_rigidly(motion: HeadMotion) -> None:
    source = pixel_centres(source_positions((SIZE, SIZE), PLACE, motion))
    points = source[..., 0] + 1j * source[..., 1]
    a, b = head_similarity(PLACE, motion)
    arrived = a * points + b
    there = pixel_centres(identity())
    on_face = (np.abs(points - complex(64, 60)) < 30) & (np.abs(points.imag - 60) < 40)
    assert on_face.sum() > 1000
    error = np.abs(arrived - (there[..., 0] + 1j * there[..., 1]))[on_face]
    assert error.max() < 0.1


@pytest.mark.parametrize("motion", MOTIONS, ids=str)
def test_the_body_stays(motion: HeadMotion) -> None:
    # 7 cm below the chin, which here lies beyond the picture's lower edge.
    shape = (SIZE * 2, SIZE)
    source = source_positions(shape, PLACE, motion)
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    assert np.abs(source[180:, :, 1] - rows[180:]).max() < 0.02


@pytest.mark.parametrize("motion", MOTIONS, ids=str)
def test_nothing_folds(motion: HeadMotion) -> None:
    source = source_positions((SIZE, SIZE), PLACE, motion).astype(np.float64)
    along_x, along_y = np.diff(source, axis=1)[:-1], np.diff(source, axis=0)[:, :-1]
    area = along_x[..., 0] * along_y[..., 1] - along_x[..., 1] * along_y[..., 0]
    assert area.min() > 0


def test_whoever_stands_beside_the_head_stays() -> None:
    source = source_positions((SIZE, SIZE * 4), PLACE, HeadMotion(roll=30, x=5))
    columns = np.arange(SIZE * 4, dtype=np.float32)[None]
    assert np.abs(source[:, 200:, 0] - columns[:, 200:]).max() < 0.02


def test_a_positive_roll_is_counter_clockwise_in_the_image() -> None:
    a, b = head_similarity(PLACE, HeadMotion(roll=30))
    crown = a * complex(64, 10) + b
    assert crown.real < 64 - 20
    assert crown.imag > 10


def test_translation_is_in_centimetres_to_the_right_and_up() -> None:
    a, b = head_similarity(PLACE, HeadMotion(x=2, y=1))
    moved = a * complex(50, 50) + b
    assert (moved.real - 50, 50 - moved.imag) == pytest.approx((9.0, 4.5))


def test_a_head_that_comes_closer_grows_about_the_cameras_axis() -> None:
    a, b = head_similarity(PLACE, HeadMotion(z=8))
    assert a == pytest.approx(CAMERA_DISTANCE / (CAMERA_DISTANCE - 8))
    assert a * complex(*PLACE.centre) + b == pytest.approx(complex(*PLACE.centre))


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(20, 0, 30), (-20, 10, 30), (15, -12, -25), (0, 8, -30)]
)
def test_turn_and_roll_together_are_the_rotation_asked_for(
    yaw: float, pitch: float, roll: float
) -> None:
    source = FACE_SCHEMA.vector({"headYaw": 4.0, "headPitch": -3.0, "headRoll": 2.0})
    asked = FACE_SCHEMA.vector({"headYaw": yaw, "headPitch": pitch, "headRoll": roll})
    motion, left = split_shift(FACE_SCHEMA, source, asked, asked)
    generated = rotation(*(source[:3] + left[:3]))
    in_plane = rotation(0, 0, motion.roll)
    seen = head_angles(torch.from_numpy(in_plane @ generated)[None])[0].numpy()
    np.testing.assert_allclose(seen, source[:3] + asked[:3], atol=1e-3)


def test_without_a_roll_the_generator_gets_what_it_was_asked_for_bit_for_bit() -> None:
    asked = FACE_SCHEMA.vector({"headYaw": 17.3, "headPitch": -9.1, "jawOpen": 0.4, "headX": 2.0})
    motion, left = split_shift(FACE_SCHEMA, FACE_SCHEMA.rest, asked, asked)
    assert motion == HeadMotion(x=2.0)
    expected = asked.copy()
    expected[FACE_SCHEMA.index["headX"]] = 0
    np.testing.assert_array_equal(left, expected)


def test_moves_that_do_not_look_right_any_more_stop_at_the_end_of_their_range() -> None:
    asked = FACE_SCHEMA.vector({"headRoll": 80.0, "headX": -10.0})
    motion, _ = split_shift(FACE_SCHEMA, FACE_SCHEMA.rest, asked, FACE_SCHEMA.rest)
    assert motion.roll == pytest.approx(ROLL_RANGE[1])
    assert motion.x == X_RANGE[0]


@pytest.mark.parametrize(("yaw", "pitch"), [(30.0, 0.0), (-20.0, 10.0), (0.0, -15.0)])
def test_a_head_that_turns_keeps_its_neck_where_it_is(yaw: float, pitch: float) -> None:
    # A generator of aligned faces holds the face: its neck wanders by what the face would.
    shift = FACE_SCHEMA.vector({"headYaw": yaw, "headPitch": pitch})
    motion = with_lead_of_face(FACE_SCHEMA, FACE_SCHEMA.rest, shift, HeadMotion(roll=12.0, x=1.0))
    sideways, upwards = motion.lead
    neck = PLACE.pivot - np.array([sideways, -upwards]) * PLACE.pixels_per_cm
    a, b = head_similarity(PLACE, motion)
    led = a * complex(*neck) + b
    asked = np.array([1.0, 0.0]) * PLACE.pixels_per_cm
    np.testing.assert_allclose([led.real, led.imag], PLACE.pivot + asked, atol=1e-6)
    assert np.sign(sideways) == np.sign(yaw)
    assert pitch == 0 or np.sign(upwards) == np.sign(pitch)


def test_a_head_that_does_not_turn_is_not_led() -> None:
    source = FACE_SCHEMA.vector({"headYaw": 7.3, "headPitch": -4.1})
    shift = FACE_SCHEMA.vector({"jawOpen": 0.5})
    assert with_lead_of_face(FACE_SCHEMA, source, shift, HeadMotion()).is_rest
