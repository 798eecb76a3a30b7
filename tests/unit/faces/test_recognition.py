"""The sharp face recognition network and the reader of its ONNX file."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from photorig.shared.errors import ModelError
from photorig.worker.faces.landmarker import load_landmarker
from photorig.worker.faces.recognition import (
    CHIP_SIZE,
    N_IDENTITY,
    Recognition,
    load_recognition,
    map_distance,
    recognition_chips,
)
from photorig.worker.importers.onnx import read_weights

ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"
RUNTIME = (-0.00325, 0.14686, -0.04201, -0.00695, 0.14561, 0.07993)
"""The first numbers that ONNX Runtime 1.31 gives for the ramp below, of a vector of length 1."""


def varint(value: int) -> bytes:
    result = b""
    while value > 0x7F:
        result += bytes([value & 0x7F | 0x80])
        value >>= 7
    return result + bytes([value])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name: str, array: np.ndarray, kind: int, *, as_floats: bool = False) -> bytes:
    dims = b"".join(varint(1 << 3) + varint(length) for length in array.shape)
    content = dims + varint(2 << 3) + varint(kind) + message(8, name.encode())
    return content + message(4 if as_floats else 9, array.tobytes())


def onnx_file(*tensors: bytes) -> bytes:
    return varint(1 << 3) + varint(10) + message(7, b"".join(message(5, each) for each in tensors))


def landmarks(points: dict[int, tuple[float, float]]) -> torch.Tensor:
    result = torch.zeros(1, 478, 3)
    for index, place in points.items():
        result[0, index, :2] = torch.tensor(place)
    return result


FIVE_PLACES = landmarks(
    {
        33: (38.2946, 51.6963),
        133: (38.2946, 51.6963),
        362: (73.5318, 51.5014),
        263: (73.5318, 51.5014),
        1: (56.0252, 71.7366),
        61: (41.5493, 92.3655),
        291: (70.7299, 92.2041),
    }
)


def test_float_weights_are_read_from_either_of_the_two_fields():
    values = np.arange(6, dtype="<f4").reshape(2, 3)
    data = onnx_file(tensor("raw", values, 1), tensor("floats", values + 1, 1, as_floats=True))
    weights = read_weights(data)
    assert np.array_equal(weights["raw"], values)
    assert np.array_equal(weights["floats"], values + 1)


def test_blocks_have_their_own_scale_and_zero_and_the_last_may_be_short():
    stored = np.array([[1, 2, 3, 4, 5]], "<i1")
    data = onnx_file(
        tensor("w_quantized", stored, 3),
        tensor("w_scales", np.array([[0.5, 10.0]], "<f4"), 1),
        tensor("w_zero_point", np.array([[1, -1]], "<i1"), 3),
        tensor("w_shape", np.array([5, 1], "<i8"), 7),
    )
    assert read_weights(data)["w"].ravel().tolist() == [0, 0.5, 1, 50, 60]
    assert read_weights(data)["w"].shape == (5, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no network at all",
        bytes(range(256)),
        onnx_file(),
        onnx_file(tensor("double", np.zeros(1), 11)),
        onnx_file(tensor("short", np.zeros(3, "<f4"), 1))[:-4],
        onnx_file(tensor("w_quantized", np.zeros((1, 4), "<i1"), 3)),
        b"\x3a\x03" + struct.pack("3B", 0xFF, 0xFF, 0xFF),
    ],
)
def test_a_file_that_is_no_network_or_a_damaged_one_is_refused(content):
    with pytest.raises(ModelError, match="cannot be read"):
        read_weights(content)


def test_weights_of_another_network_are_refused_with_a_way_out():
    with pytest.raises(ModelError, match="another one") as caught:
        Recognition({"conv_1_conv2d_weight": np.zeros((32, 3, 3, 3), np.float32)})
    assert "photorig models fetch sface" in caught.value.hint


def test_a_picture_that_is_a_chip_already_stays_as_it_is():
    image = torch.rand(1, 3, CHIP_SIZE, CHIP_SIZE)
    assert torch.allclose(recognition_chips(image, FIVE_PLACES), image, atol=1e-4)


@pytest.mark.parametrize(("turns", "scale"), [(1, 3), (2, 1), (3, 5)])
def test_a_turned_and_larger_face_gives_the_same_chip(turns, scale):
    chip = torch.rand(1, 3, CHIP_SIZE, CHIP_SIZE)
    large = chip.repeat_interleave(scale, 2).repeat_interleave(scale, 3).rot90(turns, (2, 3))
    places = FIVE_PLACES.clone()
    for _ in range(turns):  # a quarter counter-clockwise: (x, y) goes to (y, side − x)
        x, y = places[..., 0].clone(), places[..., 1].clone()
        places[..., 0], places[..., 1] = y, CHIP_SIZE - x
    assert torch.allclose(recognition_chips(large, places * scale), chip, atol=1e-3)


@pytest.fixture(scope="module")
def recognition() -> Recognition:
    return load_recognition()


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(ASTRONAUT))).permute(2, 0, 1)[None].float() / 255


def landmarks_of(images: torch.Tensor) -> torch.Tensor:
    landmarker = load_landmarker()
    return landmarker.measure(images, landmarker.detect(images)).landmarks_px


@pytest.mark.weights("sface")
def test_the_numbers_are_those_of_the_reference_runtime(recognition):
    chip = torch.linspace(0, 1, 3 * CHIP_SIZE * CHIP_SIZE).view(1, 3, CHIP_SIZE, CHIP_SIZE)
    found = recognition.embed(chip)[0]
    assert found.shape == (N_IDENTITY,)
    assert found[: len(RUNTIME)].tolist() == pytest.approx(RUNTIME, abs=1e-4)


@pytest.mark.weights("face-landmarker", "sface")
def test_the_astronaut_stays_herself_mirrored_darkened_and_smaller(recognition, photo):
    images = torch.cat([photo, photo.flip(-1), photo * 0.6])
    found = recognition(images, landmarks_of(images))
    small = torch.nn.functional.interpolate(photo, scale_factor=0.6, mode="area")
    found = torch.cat([found, recognition(small, landmarks_of(small))])
    assert torch.allclose(found.norm(dim=-1), torch.ones(4), atol=1e-5)
    assert (found[:1] @ found[1:].T).min() > 0.8


@pytest.mark.weights("face-landmarker", "sface")
def test_maps_tell_where_a_face_differs_though_it_is_the_same_person(recognition, photo):
    landmarks = landmarks_of(photo)
    blurred = torch.nn.functional.avg_pool2d(photo, 9, 1, 4)
    other = photo.flip(-2)  # upside down: nothing is where it was
    plain, soft, turned = (
        recognition.face_features(image, landmarks) for image in (photo, blurred, other)
    )
    assert map_distance(plain, plain) == 0
    assert 0 < map_distance(plain, soft) < map_distance(plain, turned) < 2
    assert torch.equal(plain.identity, recognition(photo, landmarks))


@pytest.mark.weights("face-landmarker", "sface")
def test_a_step_along_the_gradient_makes_another_person_of_her(recognition, photo):
    places = landmarks_of(photo)
    with torch.no_grad():
        herself = recognition(photo, places)
    nudged = (photo + 0.01 * torch.randn(photo.shape, generator=torch.manual_seed(0))).clamp(0, 1)
    image = nudged.requires_grad_(True)
    likeness = (recognition(image, places) * herself).sum()
    likeness.backward()
    assert torch.isfinite(image.grad).all()
    other = (image.detach() - 0.01 * image.grad.sign()).clamp(0, 1)
    assert (recognition(other, places) * herself).sum() < likeness.item() - 0.1
