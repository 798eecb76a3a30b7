"""Age, sex and descriptor of the second face network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from photorig.worker.faces.attributes import FaceAttributes, load_attributes
from photorig.worker.faces.landmarker import load_landmarker

ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"


@pytest.fixture(scope="module")
def attributes() -> FaceAttributes:
    return load_attributes()


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(ASTRONAUT))).permute(2, 0, 1)[None].float() / 255


def landmarks_of(images: torch.Tensor) -> torch.Tensor:
    landmarker = load_landmarker()
    return landmarker.measure(images, landmarker.detect(images)).landmarks_px


@pytest.mark.weights("face-landmarker", "faceres")
def test_the_astronaut_is_a_woman_of_middle_age_mirrored_and_darkened_too(attributes, photo):
    images = torch.cat([photo, photo.flip(-1), photo * 0.7])
    found = attributes(images, landmarks_of(images))
    assert (found.gender < 0).all()
    assert ((found.age > 22) & (found.age < 50)).all()
    unit = torch.nn.functional.normalize(found.descriptor, dim=-1)
    assert (unit[:1] @ unit[1:].T).min() > 0.8


@pytest.mark.weights("face-landmarker", "faceres")
def test_gradients_reach_the_pixels_from_all_three_answers(attributes, photo):
    landmarks = landmarks_of(photo)
    for answer in ("age", "gender", "descriptor"):
        image = photo.clone().requires_grad_(True)
        getattr(attributes(image, landmarks), answer).sum().backward()
        assert torch.isfinite(image.grad).all() and image.grad.abs().sum() > 0, answer


@pytest.mark.weights("face-landmarker", "faceres")
def test_a_step_along_the_gradient_of_age_makes_the_face_older(attributes, photo):
    landmarks = landmarks_of(photo)
    image = photo.clone().requires_grad_(True)
    before = attributes(image, landmarks).age
    before.sum().backward()
    older = (photo + 0.01 * image.grad.sign()).clamp(0, 1)
    assert attributes(older, landmarks).age.item() > before.item() + 1
