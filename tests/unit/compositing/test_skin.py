"""Skin of a face is told from hair over it, and from what is beside it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from photorig.worker.compositing.skin import skin_of
from photorig.worker.faces.face_topology import FACE_BORDER
from photorig.worker.portraits.alignment import Alignment

from ..face_fakes import face

pytestmark = pytest.mark.weights("face-landmarker")

SIDE = 300
SKIN, HAIR, WALL = (200, 150, 130), (60, 40, 30), (120, 130, 200)


def photo(landmarks: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8: a face with some grain before a wall."""
    picture = np.full((SIDE, SIDE, 3), WALL, np.uint8)
    outline = np.round(landmarks[list(FACE_BORDER), :2] * SIDE).astype(np.int32)
    cv2.fillPoly(picture, [outline], SKIN)
    grain = np.random.default_rng(5).normal(0, 3, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def at(values: np.ndarray, point: np.ndarray) -> float:
    column, row = (point[:2] * SIDE).astype(int)
    return float(values[row, column])


def test_the_face_is_skin_and_what_is_beside_it_is_not() -> None:
    landmarks = face()
    skin = skin_of(photo(landmarks), Alignment.upright(SIDE), landmarks)
    assert at(skin, landmarks[4]) == pytest.approx(1, abs=0.01)
    assert at(skin, landmarks[50]) == pytest.approx(1, abs=0.01)
    assert skin[5, 5] == 0
    beside = landmarks[234] + [-0.03, 0, 0]
    assert at(skin, beside) < 0.05


def test_hair_over_a_cheek_is_no_skin() -> None:
    landmarks = face()
    picture = photo(landmarks)
    temple = (landmarks[234, :2] * SIDE).astype(int)
    cv2.rectangle(picture, (0, 0), (int(temple[0]) + 12, SIDE), HAIR, -1)
    skin = skin_of(picture, Alignment.upright(SIDE), landmarks)
    assert at(skin, landmarks[234] + [0.02, 0, 0]) < 0.05
    assert at(skin, landmarks[50]) == pytest.approx(1, abs=0.01)


def test_light_that_changes_across_a_face_leaves_it_skin() -> None:
    landmarks = face()
    light = np.linspace(0.55, 1.15, SIDE)[None, :, None]
    lit = np.clip(photo(landmarks) * light, 0, 255).astype(np.uint8)
    skin = skin_of(lit, Alignment.upright(SIDE), landmarks)
    for cheek in (50, 280, 151):
        assert at(skin, landmarks[cheek]) == pytest.approx(1, abs=0.05)
