"""The identity descriptor tells people apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from photorig.shared.errors import ModelError
from photorig.worker.faces.descriptor import (
    MANIFEST_FILE,
    WEIGHTS_FILE,
    IdentityDescriptor,
    face_chips,
    load_descriptor,
    read_weights,
)
from photorig.worker.faces.landmarker import FaceLandmarker, load_landmarker

ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return load_landmarker()


@pytest.fixture(scope="module")
def descriptor() -> IdentityDescriptor:
    return load_descriptor()


def describe(
    landmarker: FaceLandmarker, descriptor: IdentityDescriptor, images: torch.Tensor
) -> torch.Tensor:
    landmarks = landmarker.measure(images, landmarker.detect(images)).landmarks_px
    return descriptor(face_chips(images, landmarks))


def astronaut() -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(ASTRONAUT))).permute(2, 0, 1)[None].float() / 255


@pytest.mark.weights("face-landmarker", "face-descriptor")
def test_light_and_mirroring_do_not_make_another_person(landmarker, descriptor):
    photo = astronaut()
    images = torch.cat([photo, photo * 0.75, photo.flip(-1)])
    found = describe(landmarker, descriptor, images)
    assert torch.cdist(found[:1], found[1:]).max() < 0.45


@pytest.mark.weights("face-landmarker", "face-descriptor", "random-face")
def test_other_people_are_farther_away_than_the_threshold(landmarker, descriptor):
    from photorig.worker.generators import load_generator

    generator = load_generator("cpu", "f32")
    z = np.random.RandomState(3).randn(3, 512).astype(np.float32)
    images = generator.synthesize(generator.expand(generator.map(z, 0.9)), 1024)
    others = torch.from_numpy(images[:, ::2, ::2].copy()).permute(0, 3, 1, 2).float() / 255
    strangers = describe(landmarker, descriptor, others)
    person = describe(landmarker, descriptor, astronaut())
    assert torch.cdist(person, strangers).min() > 0.6


@pytest.mark.weights("face-descriptor")
def test_gradients_reach_the_chips(descriptor):
    chips = torch.full((2, 3, 150, 150), 100.0, requires_grad=True)
    descriptor(chips).square().sum().backward()
    assert torch.isfinite(chips.grad).all() and chips.grad.abs().sum() > 0


@pytest.mark.weights("face-descriptor")
def test_an_incomplete_file_is_refused(tmp_path):
    from photorig.worker.registry import fetch

    folder = fetch("face-descriptor")
    (tmp_path / MANIFEST_FILE).write_bytes((folder / MANIFEST_FILE).read_bytes())
    (tmp_path / WEIGHTS_FILE).write_bytes((folder / WEIGHTS_FILE).read_bytes()[:-100])
    with pytest.raises(ModelError, match="cannot be read"):
        read_weights(tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(ModelError):
        read_weights(tmp_path)


def test_a_chip_stands_upright_with_the_eyes_in_its_upper_half():
    landmarks = torch.zeros(1, 478, 3)
    # eyes 40 px apart on a line that falls by 45°
    landmarks[0, [33, 133], :2] = torch.tensor([100.0, 100.0])
    landmarks[0, [362, 263], :2] = torch.tensor([128.28, 128.28])
    image = torch.zeros(1, 3, 256, 256)
    image[..., 98:103, 98:103] = 1
    image[..., 126:131, 126:131] = 1
    chip = face_chips(image, landmarks)[0, 0]
    bright = (chip > 120).nonzero().float()
    right_eye = bright[bright[:, 1] < 75].mean(0)
    left_eye = bright[bright[:, 1] >= 75].mean(0)
    assert right_eye[0] == pytest.approx(left_eye[0].item(), abs=1)
    assert right_eye[0] < 75
    assert (left_eye[1] - right_eye[1]).item() == pytest.approx(150 / 3.2, abs=1.5)
