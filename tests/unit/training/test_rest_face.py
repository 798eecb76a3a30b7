"""The face at rest: what a regression on planted faces makes of the canonical face."""

from __future__ import annotations

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.faces.face_shapes import load_face_shapes
from photorig.worker.faces.face_topology import INNER_LIPS, lid_rings, mirror_vertices
from photorig.worker.training.face_shapes.rest import learn_rest_face
from photorig.worker.training.head_model.face_samples import FaceSamples

JAW = FACE_SCHEMA.index["jawOpen"]
UPPER, LOWER = np.array(INNER_LIPS[1:10]), np.array(INNER_LIPS[:10:-1])


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """(468, 3) cm: what a neutral sampled face looks like."""
    return load_face_shapes().face.astype(np.float64)


@pytest.fixture(scope="module")
def canonical(face: np.ndarray) -> np.ndarray:
    """(468, 3) cm: the same face with sleepy lids and parted lips."""
    sleepy = face.copy()
    for upper, lower in lid_rings(mirror_vertices(face)).values():
        sleepy[upper[1:-1], 1] -= 0.4 * (face[upper] - face[lower])[1:-1, 1]
    sleepy[LOWER, 1] -= 0.3
    return sleepy


def _samples(face: np.ndarray, count: int = 550) -> FaceSamples:
    """Faces whose mouths are open by chance and say so."""
    random = np.random.default_rng(1)
    parameters = np.zeros((count, len(FACE_SCHEMA)), np.float32)
    parameters[:, :3] = random.normal(0, 10, (count, 3))
    parameters[:, JAW] = random.uniform(0, 0.7, count)
    down = np.zeros_like(face)
    down[LOWER, 1] = -2.0
    vertices = np.tile(face, (count, 1, 1)) + random.normal(0, 0.02, (count, 468, 3))
    vertices += parameters[:, JAW, None, None] * down
    found = np.ones(count, bool)
    return FaceSamples(np.zeros((count, 512)), parameters, vertices.astype(np.float32), found)


@pytest.fixture(scope="module")
def rest(face: np.ndarray, canonical: np.ndarray) -> np.ndarray:
    return learn_rest_face(_samples(face), canonical)


def test_the_lips_touch_although_the_samples_mouths_are_open(rest: np.ndarray) -> None:
    assert np.abs(rest[UPPER, 1] - rest[LOWER, 1]).max() < 0.1


def test_the_eyes_are_as_open_as_those_of_the_samples(
    face: np.ndarray, canonical: np.ndarray, rest: np.ndarray
) -> None:
    upper, lower = lid_rings(mirror_vertices(face))["Left"]

    def opening(points: np.ndarray) -> float:
        return float((points[upper] - points[lower])[4, 1])

    assert opening(rest) > opening(canonical) + 0.7 * (opening(face) - opening(canonical))


def test_it_is_symmetric(rest: np.ndarray) -> None:
    mirror = mirror_vertices(rest)
    np.testing.assert_allclose(rest[mirror] * (-1, 1, 1), rest, atol=1e-9)


def test_away_from_eyes_and_mouth_it_is_the_canonical_face(
    canonical: np.ndarray, rest: np.ndarray
) -> None:
    away = [10, 151, 1, 4, 152, 234, 454, 136]
    np.testing.assert_allclose(rest[away], canonical[away], atol=1e-6)


def test_too_few_faces_are_refused(face: np.ndarray, canonical: np.ndarray) -> None:
    with pytest.raises(InputError, match="too few"):
        learn_rest_face(_samples(face, 100), canonical)
