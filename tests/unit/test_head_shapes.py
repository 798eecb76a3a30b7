"""Shape keys: what a regression on planted shapes finds, and what is done to them afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.schema import ARKIT_52
from photorig.worker.training.face_samples import FaceSamples
from photorig.worker.training.face_topology import (
    EYE_RADIUS,
    FACE_BORDER,
    INNER_LIPS,
    eye_centres,
    lid_rings,
    mirror_vertices,
)
from photorig.worker.training.head_shapes import HeadShapes, learn_shapes

HEAD_FILE = Path(__file__).parents[2] / "blender_addon" / "data" / "photorig_head.npz"
JAW, SMILE = ARKIT_52.index["jawOpen"], ARKIT_52.index["mouthSmileLeft"]
BLINK = ARKIT_52.index["eyeBlinkLeft"]


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """(468, 3) cm: the face of the data file, which is symmetric like the canonical one."""
    with np.load(HEAD_FILE, allow_pickle=False) as data:
        x, y, z = data["vertices"][:468].T.astype(np.float64) * 100
    half = np.stack([x, z, -y], -1)
    mirror = mirror_vertices(half)
    return (half + half[mirror] * (-1, 1, 1)) / 2


@pytest.fixture(scope="module")
def planted(face: np.ndarray) -> dict[int, np.ndarray]:
    """Offsets by parameter: the jaw drops, the left corner of the mouth rises, a lid closes."""
    down = np.zeros_like(face)
    below = face[:, 1] < -5
    down[below, 1] = -2.0
    corner = np.exp(-((face - face[291]) ** 2).sum(1) / 2)[:, None] * (0.3, 0.5, 0)
    lid = np.zeros_like(face)
    upper, _ = lid_rings(mirror_vertices(face))["Left"]
    lid[upper[1:-1], 1] = -0.6
    return {JAW: down, SMILE: corner, BLINK: lid}


def _samples(face: np.ndarray, planted: dict[int, np.ndarray], count: int = 550) -> FaceSamples:
    random = np.random.default_rng(1)
    parameters = np.zeros((count, len(ARKIT_52)), np.float32)
    parameters[:, :3] = random.normal(0, 10, (count, 3))
    vertices = np.tile(face, (count, 1, 1)) + random.normal(0, 0.02, (count, 468, 3))
    for index, offsets in planted.items():
        parameters[:, index] = random.uniform(0, 0.7, count)
        vertices += parameters[:, index, None, None] * offsets
    # A trace of the pose, as real pose-free vertices have it.
    vertices[..., 0] += 0.01 * parameters[:, :1]
    found = np.ones(count, bool)
    return FaceSamples(np.zeros((count, 512)), parameters, vertices.astype(np.float32), found)


@pytest.fixture(scope="module")
def shapes(face: np.ndarray, planted: dict[int, np.ndarray]) -> HeadShapes:
    return learn_shapes(_samples(face, planted), face)


def _shape(shapes: HeadShapes, name: str) -> np.ndarray:
    return shapes.offsets[shapes.names.index(name)]


def test_a_planted_shape_is_found(face: np.ndarray, shapes: HeadShapes) -> None:
    jaw = _shape(shapes, "jawOpen")
    assert jaw[152, 1] == pytest.approx(-2.0, abs=0.1)
    assert np.abs(jaw[10]).max() < 0.01


def test_a_shape_holds_nothing_of_another(face: np.ndarray, shapes: HeadShapes) -> None:
    smile = _shape(shapes, "mouthSmileLeft")
    assert smile[291, 1] > 0.4
    assert np.abs(smile[61]).max() < 0.05
    assert np.abs(smile[152]).max() < 0.05


def test_left_and_right_are_mirror_images(face: np.ndarray, shapes: HeadShapes) -> None:
    mirror = mirror_vertices(face)
    left, right = _shape(shapes, "mouthSmileLeft"), _shape(shapes, "mouthSmileRight")
    np.testing.assert_allclose(left[mirror] * (-1, 1, 1), right, atol=1e-4)
    np.testing.assert_allclose(shapes.rest[mirror] * (-1, 1, 1), shapes.rest, atol=1e-4)


def test_lids_that_hardly_closed_in_the_samples_meet_at_one(
    face: np.ndarray, shapes: HeadShapes
) -> None:
    upper, lower = lid_rings(mirror_vertices(face))["Left"]
    closed = shapes.rest + _shape(shapes, "eyeBlinkLeft")
    assert np.abs(closed[upper, 1] - closed[lower, 1]).max() < 0.06


def test_closed_lids_lie_on_the_eye_and_not_in_it(face: np.ndarray, shapes: HeadShapes) -> None:
    mirror = mirror_vertices(face)
    centre = eye_centres(shapes.rest, mirror)["Left"]
    closed = shapes.rest + _shape(shapes, "eyeBlinkLeft")
    lids = np.concatenate(lid_rings(mirror)["Left"])
    assert np.linalg.norm(closed[lids] - centre, axis=1).min() > EYE_RADIUS


def test_only_the_jaw_moves_the_border_of_the_face(shapes: HeadShapes) -> None:
    for name, offsets in zip(shapes.names, shapes.offsets, strict=True):
        if not name.startswith("jaw"):
            assert np.abs(offsets[list(FACE_BORDER)]).max() < 1e-6, name


def test_the_lips_touch_at_rest(shapes: HeadShapes) -> None:
    upper, lower = np.array(INNER_LIPS[1:10]), np.array(INNER_LIPS[:10:-1])
    assert np.abs(shapes.rest[upper, 1] - shapes.rest[lower, 1]).max() < 0.1


def test_too_few_faces_are_refused(face: np.ndarray, planted: dict[int, np.ndarray]) -> None:
    with pytest.raises(InputError, match="too few"):
        learn_shapes(_samples(face, planted, 100), face)
