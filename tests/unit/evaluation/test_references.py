"""What further photos are worth: which frames are photos, what the first does not show, means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.evaluation.real.references import (
    SIDE,
    Comparison,
    most_different,
    summary,
    unseen,
)
from photorig.worker.faces.canonical import load_canonical_face
from photorig.worker.faces.net3d import FaceMeasurement

from ..fakes import tiny_bundle

YAW, JAW = FACE_SCHEMA.index["headYaw"], FACE_SCHEMA.index["jawOpen"]


def shown(**values: float) -> FaceMeasurement:
    parameters = np.zeros(len(FACE_SCHEMA), np.float32)
    for name, value in values.items():
        parameters[FACE_SCHEMA.index[name]] = value
    points = np.zeros((478, 3), np.float32)
    return FaceMeasurement(parameters, points, (0, 0, 1, 1), np.eye(4, dtype=np.float32))


def test_photos_are_the_first_frame_and_those_furthest_from_it_and_from_each_other():
    bundle = replace(tiny_bundle(limit=30.0))
    faces = [
        shown(),
        shown(headYaw=5),
        shown(headYaw=20),
        shown(headYaw=19),
        shown(headYaw=-18),
        shown(headYaw=40),  # beyond what the bundle turns a face to
    ]
    assert most_different(faces, 1, bundle) == [0]
    assert most_different(faces, 3, bundle) == [0, 2, 4]


@pytest.fixture
def head() -> np.ndarray:
    """(478, 3): the canonical face in the middle of a picture, z away from the camera."""
    vertices = load_canonical_face().vertices.astype(np.float64)
    points = np.zeros((478, 3))
    points[:468] = vertices * [1, -1, -1]
    points[468:] = points[:1]
    return points


def turned(head: np.ndarray, degrees: float) -> np.ndarray:
    """Turned to image right, in pixels of the crop."""
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    return head @ turn.T * 7 + [SIDE / 2, SIDE / 2, 0]


@pytest.mark.weights("face-landmarker")
def test_a_cheek_that_comes_into_view_was_not_shown_before(head):
    front, side = turned(head, 0), turned(head, 30)
    hidden = unseen(front, side)
    assert 100 < hidden.sum() < 0.3 * SIDE**2
    middle = side[4, 0]  # the tip of the nose
    columns = np.nonzero(hidden)[1]
    # The nose goes one way, the cheek that is seen better lies on the other.
    assert (np.sign(columns - middle) == -np.sign(middle - SIDE / 2)).mean() > 0.9
    assert not unseen(side, side).any()


@pytest.mark.weights("face-landmarker")
def test_an_open_mouth_shows_what_a_closed_one_did_not(head):
    closed = turned(head, 0)
    opened = closed.copy()
    lower = [14, 87, 178, 88, 95, 317, 402, 318, 324]
    opened[lower, 1] += 15
    hidden = unseen(closed, opened)
    inside = opened[[13, 14], :2].mean(0).round().astype(int)
    assert hidden[inside[1], inside[0]]
    assert not unseen(opened, closed)[inside[1], inside[0]]


def test_means_are_over_the_frames_that_all_portraits_have():
    nan = float("nan")
    one = [Comparison(10, nan, 0.1, 0.5, 1), Comparison(20, 8, 0.2, 0.6, 2), None]
    other = [Comparison(8, 3, 0.1, 0.5, 1), None, Comparison(4, 3, 0.1, 0.5, 1)]
    means = summary({"1": one, "2": other})
    assert means["1"]["frames"] == means["2"]["frames"] == 1
    assert (means["1"]["face"], means["2"]["face"]) == (10, 8)
    assert np.isnan(means["1"]["unseen"]) and means["2"]["unseen"] == 3
