"""The shape of a portrait's head fits the photo it was measured in."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait

pytestmark = pytest.mark.weights("random-face", "face-landmarker")
SIZE = 320


@pytest.fixture(scope="module")
def measurer() -> Any:
    from photorig.worker.fitting.head_measurement import HeadMeasurer

    return HeadMeasurer()


@pytest.fixture(scope="module")
def group() -> np.ndarray:
    """Two people who do not exist, side by side."""
    from photorig.worker.generators import load_generator

    generator = load_generator("cpu")
    z = np.random.default_rng(5).normal(size=(2, generator.w_dim)).astype(np.float32)
    faces = generator.synthesize(generator.expand(generator.map(z, 0.6)), 512)
    photo = np.full((SIZE, 2 * SIZE, 3), 128, np.uint8)
    for number, face in enumerate(faces):
        photo[32:288, number * SIZE + 32 : number * SIZE + 288] = face[::2, ::2]
    return photo


def portrait_of(photo: np.ndarray, left: float) -> Portrait:
    """A portrait whose aligned square of 256 pixels begins at ``left`` and 32."""
    return Portrait(
        latents=np.zeros((16, 512), np.float32),
        parameters=FACE_SCHEMA.rest,
        photo=photo,
        alignment=Alignment(np.array([[1 / 256, 0, -left / 256], [0, 1 / 256, -32 / 256]])),
        model_id="none",
        name="Nobody",
    )


@pytest.mark.parametrize("person", [0, 1])
def test_of_a_group_the_portraits_own_face_is_measured(
    measurer: Any, group: np.ndarray, person: int
) -> None:
    head = measurer.measure(portrait_of(group, person * SIZE + 32))
    middle = head.landmarks[:468, 0].mean()
    assert person * SIZE < middle < (person + 1) * SIZE


def test_the_camera_projects_each_vertex_to_its_landmark(measurer: Any, group: np.ndarray) -> None:
    head = measurer.measure(portrait_of(group, 32))
    points = head.vertices @ head.transform[:3, :3].T + head.transform[:3, 3]
    focal = head.height / 2 / math.tan(math.radians(63) / 2)
    pixels = points[:, :2] / -points[:, 2:] * focal * [1, -1] + [head.width / 2, head.height / 2]
    assert np.abs(pixels - head.landmarks[:468]).max() < 0.05
    assert np.ptp(head.vertices[:, 0]) == pytest.approx(15, abs=3), "a face in centimetres"


def test_a_photo_without_a_face_is_one_sentence(measurer: Any) -> None:
    with pytest.raises(InputError, match="is not found in its photo"):
        measurer.measure(portrait_of(np.full((SIZE, SIZE, 3), 90, np.uint8), 0.0))
