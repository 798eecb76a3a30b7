"""A grid of turned faces has no holes and no other faces in it."""

from __future__ import annotations

import numpy as np
import pytest

from photorig.worker.compositing.face_mesh import FacePose
from photorig.worker.compositing.pose_grid import completed

from ..face_fakes import face, rotation

pytestmark = pytest.mark.weights("face-landmarker")

MOTION = np.array([[-1.6, -0.8, 0.0, 0.8, 1.6], [-0.5, -0.25, 0.0, 0.25, 0.5]])
RATE = 19.0


def grid() -> np.ndarray:
    """Turned by 19 degrees of yaw for a motion of 1, and not at all by pitch."""
    poses = np.array([[face(RATE * motion)] * 5 for motion in MOTION[0]])
    middle = [33, 133, 263, 362, 61, 291]
    poses -= poses[:, :, middle].mean(2, keepdims=True) - face()[middle].mean(0)
    return poses


def yaw(landmarks: np.ndarray) -> float:
    turn = FacePose.of(landmarks).rotation
    return float(np.degrees(np.arctan2(turn[0, 2], turn[2, 2])))


def test_what_is_sound_stays_as_it_is() -> None:
    np.testing.assert_array_equal(completed(grid(), MOTION), grid())


def test_a_face_that_was_not_found_is_the_one_at_rest_turned() -> None:
    poses = grid()
    poses[0, 1] = np.nan
    whole = completed(poses, MOTION)
    np.testing.assert_allclose(whole[0, 1], grid()[0, 1], atol=0.012)
    assert yaw(whole[0, 1]) == pytest.approx(-1.6 * RATE, abs=1)


def test_another_face_is_not_taken_for_the_turned_one() -> None:
    poses = grid()
    poses[0] = face(-8)
    poses[4, 4] *= 1.5
    whole = completed(poses, MOTION)
    for i, degrees in ((0, -30.4), (4, 30.4)):
        assert yaw(whole[i, 4]) == pytest.approx(degrees, abs=1.5)
    np.testing.assert_array_equal(whole[2], grid()[2])


def test_signs_are_those_of_poses() -> None:
    tilted = face(0)
    poses = grid()
    poses[4, 2] = np.nan
    whole = completed(poses, MOTION)
    np.testing.assert_allclose(FacePose.of(whole[4, 2]).rotation, rotation(30.4), atol=0.02)
    np.testing.assert_array_equal(whole[2, 2], tilted)
