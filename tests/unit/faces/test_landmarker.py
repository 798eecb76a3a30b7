"""The differentiable landmarker, against MediaPipe's own graph and against itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from photorig.shared.errors import ModelError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.faces.landmarker import FaceLandmarker, load_landmarker
from photorig.worker.faces.net3d import Net3D

ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"

pytestmark = pytest.mark.weights("face-landmarker")


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return load_landmarker()


@pytest.fixture(scope="module")
def net3d() -> Net3D:
    return Net3D()


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.array(Image.open(ASTRONAUT))


def to_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255


def assert_agrees(landmarker: FaceLandmarker, net3d: Net3D, image: np.ndarray) -> None:
    """The limits are a few times what was measured, see docs/measurements.md."""
    tensor = to_tensor(image)
    measured = landmarker.measure(tensor, landmarker.detect(tensor))
    reference = net3d.analyze_one(image)
    difference = np.abs(measured.parameters[0].numpy() - reference.parameters)
    assert difference[:3].max() < 0.25  # degrees
    assert difference[3:].max() < 0.04
    offset = measured.landmarks_px[0].numpy() - reference.landmarks
    assert np.abs(offset[:, :2]).mean() < 0.5  # pixels
    assert np.abs(measured.transform[0].numpy() - reference.transform).max() < 0.5  # cm


def test_it_agrees_with_mediapipe_on_a_photo(landmarker, net3d, astronaut):
    assert_agrees(landmarker, net3d, astronaut)


def test_it_agrees_with_mediapipe_on_a_wide_picture(landmarker, net3d, astronaut):
    wide = np.concatenate([np.full((256, 180, 3), 90, np.uint8), astronaut], 1)
    assert_agrees(landmarker, net3d, wide)


@pytest.mark.weights("face-landmarker", "random-face")
def test_it_agrees_with_mediapipe_on_generated_faces(landmarker, net3d):
    from photorig.worker.generators import load_generator

    generator = load_generator("cpu", "f32")
    z = np.random.RandomState(5).randn(4, 512).astype(np.float32)
    latents = generator.expand(generator.map(z, 0.8))
    for latent in latents:
        image = generator.synthesize(latent[None], 1024)[0]
        assert_agrees(landmarker, net3d, image[::2, ::2])


def test_a_smile_is_found_under_its_name(landmarker, astronaut):
    tensor = to_tensor(astronaut)
    measured = landmarker.measure(tensor, landmarker.detect(tensor)).parameters[0].numpy()
    values = FACE_SCHEMA.named(measured)
    assert values["mouthSmileLeft"] > 0.5
    assert values["mouthSmileRight"] > 0.5
    assert values["jawOpen"] < 0.3
    assert values["tongueOut"] == 0


def test_a_mirrored_face_has_mirrored_parameters(landmarker, astronaut):
    images = torch.cat([to_tensor(astronaut), to_tensor(astronaut[:, ::-1])])
    one, other = landmarker.measure(images, landmarker.detect(images)).parameters.numpy()
    mirror = [FACE_SCHEMA.index[parameter.mirror] for parameter in FACE_SCHEMA.parameters]
    expected = one[mirror]
    expected[[FACE_SCHEMA.index["headYaw"], FACE_SCHEMA.index["headRoll"]]] *= -1
    assert np.abs(other[:3] - expected[:3]).max() < 2.5
    assert np.median(np.abs(other[3:] - expected[3:])) < 0.02


def test_a_turned_picture_turns_the_roll_counter_clockwise(landmarker, astronaut):
    turned = np.array(Image.fromarray(astronaut).rotate(20, Image.Resampling.BICUBIC))
    images = torch.cat([to_tensor(astronaut), to_tensor(turned)])
    rolls = landmarker.measure(images, landmarker.detect(images)).parameters[:, 2]
    assert (rolls[1] - rolls[0]).item() == pytest.approx(20, abs=2.5)


def test_a_picture_without_a_face_has_no_region(landmarker):
    noise = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    assert landmarker.detect(torch.cat([torch.zeros(1, 3, 128, 128), noise])) == [None, None]


def test_a_batch_gives_what_its_images_give_alone(landmarker, astronaut):
    images = torch.cat([to_tensor(astronaut), to_tensor(astronaut[:, ::-1])])
    together = landmarker.measure(images, landmarker.detect(images))
    for i in range(2):
        alone = landmarker.measure(images[i : i + 1], landmarker.detect(images[i : i + 1]))
        assert torch.allclose(alone.parameters[0], together.parameters[i], atol=1e-3)


def test_gradients_reach_the_pixels_of_the_face(landmarker, astronaut):
    image = to_tensor(astronaut).requires_grad_(True)
    regions = landmarker.detect(image)
    landmarker.measure(image, regions).parameters[0, 0].backward()
    assert torch.isfinite(image.grad).all()
    inside = image.grad[..., 60:190, 80:190].abs().sum()
    assert inside > 0.5 * image.grad.abs().sum() > 0


def test_following_the_gradient_opens_the_mouth(landmarker, astronaut):
    image = to_tensor(astronaut)
    regions, position = landmarker.detect(image), FACE_SCHEMA.index["jawOpen"]
    before = landmarker.measure(image, regions).parameters[0, position]
    for _ in range(5):
        image.requires_grad_(True)
        landmarker.measure(image, regions).parameters[0, position].backward()
        step = 0.05 * image.grad / image.grad.abs().max()
        image = (image.detach() + step).clamp(0, 1)
    assert landmarker.measure(image, regions).parameters[0, position] > before


def test_the_canonical_face_is_a_mesh_in_centimetres(landmarker):
    vertices = landmarker.canonical_vertices
    assert vertices.shape == (468, 3)
    extent = vertices.amax(0) - vertices.amin(0)
    assert 12 < extent[0] < 18
    assert 14 < extent[1] < 20
    assert landmarker.canonical_uv.shape == (468, 2)
    assert landmarker.canonical_triangles.shape == (898, 3)
    assert landmarker.canonical_triangles.unique().numel() == 468
    left_eye, right_eye, nose, chin = vertices[[263, 33, 1, 152]]
    assert left_eye[0] > 0 > right_eye[0]
    assert nose[2] > left_eye[2]  # z towards the camera
    assert chin[1] < nose[1]  # y up


def test_a_damaged_bundle_is_refused(tmp_path):
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(b"PK\x03\x04 but not really")
    with pytest.raises(ModelError, match="cannot be read"):
        FaceLandmarker(path)
