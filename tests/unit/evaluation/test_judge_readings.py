"""What the judge reads off landmarks, on landmarks made here."""

from __future__ import annotations

import math

import numpy as np
import pytest

from photorig.shared.errors import ModelError
from photorig.worker.evaluation.estimators import readings
from photorig.worker.evaluation.estimators.eyes import N_CONTOUR, Eye
from photorig.worker.evaluation.estimators.landmarks import LEFT_EYE, RIGHT_EYE, UprightFace


def flat_face() -> np.ndarray:
    """Landmarks with eyes 100 apart, closed lids and lips."""
    points = np.zeros((68, 2))
    across = np.array([-20.0, -7, 7, 20, 7, -7])
    points[RIGHT_EYE, 0], points[LEFT_EYE, 0] = 100 + across, 200 + across
    points[RIGHT_EYE, 1] = points[LEFT_EYE, 1] = 100
    points[48:68] = [150, 200]
    return points


def eye(x: float, y: float) -> Eye:
    """An eye with its corners on a level line and its iris moved from the middle."""
    points = np.zeros((N_CONTOUR, 2))
    points[0], points[8] = (-0.5, 0), (0.5, 0)
    return Eye(points, np.tile([x, y], (5, 1)))


def test_closed_lids_and_lips_measure_nothing():
    points = flat_face()
    assert readings.mouth_aperture(points) == 0
    assert readings.eye_opening(points, (eye(0, 0), eye(0, 0))).tolist() == [0, 0]


def test_openings_are_in_distances_between_the_eyes_whatever_the_size():
    points, left = flat_face(), eye(0, 0)
    points[66, 1] += 30
    left.points[9:16, 1] = -0.3  # upper lid, in widths of the eye, which is 40 of 100
    for scale in (1, 2.5):
        assert readings.mouth_aperture(points * scale) == pytest.approx(0.3, abs=0.01)
        opening = readings.eye_opening(points * scale, (left, eye(0, 0)))
        assert opening.tolist() == pytest.approx([0.12, 0])


def test_gaze_is_to_image_right_for_both_eyes_although_one_is_read_mirrored():
    left, right = readings.gaze((eye(-0.2, 0), eye(0.2, 0)))
    assert left.tolist() == pytest.approx([0.2, 0]) and right.tolist() == pytest.approx([0.2, 0])
    up_left, up_right = readings.gaze((eye(0, -0.1), eye(0, -0.1)))
    assert up_left[1] == pytest.approx(0.1) and up_right[1] == pytest.approx(0.1)


@pytest.mark.parametrize("angles", [(20, 0, 0), (0, 12, 0), (0, 0, -30), (25, -14, 28)])
def test_angles_and_rotation_are_inverse(angles):
    assert readings.angles(readings.rotation(np.array(angles, float))) == pytest.approx(angles)


def turned_frame(degrees: float, x: float = 128, y: float = 128) -> UprightFace:
    """A face around a place of a 256² photo, its head leaning counter-clockwise by ``degrees``."""
    turn = math.radians(-degrees)  # image rows go down
    linear = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    landmarks = np.full((68, 2), 200.0)
    shift = np.array([x, y]) - linear @ landmarks[0]
    return UprightFace(np.zeros((1, 1, 3), np.uint8), landmarks, np.column_stack([linear, shift]))


def test_a_head_that_was_turned_upright_leans_in_the_photo():
    frame = readings.frame_rotation(turned_frame(25), (256, 256))
    assert readings.angles(frame) == pytest.approx([0, 0, 25], abs=1e-9)


def test_a_head_right_of_the_axis_that_faces_the_camera_is_turned_to_the_left():
    reach = 128 * math.tan(math.radians(10)) / math.tan(math.radians(63 / 2))
    frame = readings.frame_rotation(turned_frame(0, x=128 + reach), (256, 256))
    assert readings.angles(frame) == pytest.approx([-10, 0, 0], abs=1e-9)
    below = readings.frame_rotation(turned_frame(0, y=128 + reach), (256, 256))
    assert readings.angles(below) == pytest.approx([0, 10, 0], abs=1e-9)


def test_the_mirror_of_landmarks_is_its_own_inverse_and_swaps_the_eyes():
    numbers = np.arange(68)
    assert np.array_equal(numbers[readings.MIRROR][readings.MIRROR], numbers)
    assert readings.MIRROR[36] == 45 and readings.MIRROR[48] == 54 and readings.MIRROR[8] == 8


def test_eye_features_of_a_mirrored_face_swap_the_eyes():
    random = np.random.default_rng(0)
    points, angles = flat_face() + random.normal(size=(68, 2)), np.array([12.0, 3.0, 0.0])
    left, right = eye(0.1, 0), eye(-0.2, 0.1)
    one = readings.eye_features(points, (left, right), angles)
    mirrored = points[readings.MIRROR] * [-1, 1]
    other = readings.eye_features(mirrored, (right, left), angles * [-1, 1, 1])
    assert np.allclose(one, other[::-1])


def test_what_one_eye_does_is_not_among_the_other_eyes_features():
    points, angles = flat_face(), np.zeros(3)
    before = readings.eye_features(points, (eye(0, 0), eye(0, 0)), angles)
    after = readings.eye_features(points, (eye(0.2, 0), eye(0, 0)), angles)
    assert np.array_equal(before[1], after[1]) and not np.array_equal(before[0], after[0])


def test_shape_features_know_neither_place_nor_size():
    points = flat_face() + np.random.default_rng(0).normal(size=(68, 2))
    moved = readings.shape_features(points * 3 + [40, -7])
    assert np.allclose(readings.shape_features(points), moved)


def test_a_damaged_file_of_maps_is_refused(tmp_path):
    path = tmp_path / readings.FILE_NAME
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="cannot be read"):
        readings.read_maps(path)
