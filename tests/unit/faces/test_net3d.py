"""Net3D at run time: which faces it finds, and what it says where it finds none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.faces.net3d import FaceMeasurement, Net3D, choose_face
from photorig.worker.faces.search import find_faces
from photorig.worker.portraits.alignment import Alignment

ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"


@pytest.fixture(scope="module")
def net3d() -> Net3D:
    return Net3D()


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.array(Image.open(ASTRONAUT))


def face_of_size(size: float) -> FaceMeasurement:
    return FaceMeasurement(
        parameters=np.zeros(len(FACE_SCHEMA), np.float32),
        landmarks=np.zeros((478, 3), np.float32),
        box=(10, 10, 10 + size, 10 + size / 2),
        transform=np.eye(4, dtype=np.float32),
    )


@pytest.mark.weights("face-landmarker")
def test_faces_are_sorted_by_size_and_measured_where_they_are(net3d, astronaut):
    small = np.array(Image.fromarray(astronaut).resize((200, 200)))
    canvas = np.full((256, 456, 3), 128, np.uint8)
    canvas[:200, :200], canvas[:, 200:] = small, astronaut
    large_face, small_face = net3d.analyze(canvas)
    assert large_face.size > small_face.size
    assert large_face.box[0] > 200 > small_face.box[2]
    assert small_face.size == pytest.approx(large_face.size * 200 / 256, rel=0.05)


@pytest.mark.weights("face-landmarker")
def test_landmarks_lie_on_the_face(net3d, astronaut):
    face = net3d.analyze_one(astronaut)
    left, top, right, bottom = face.box
    assert 70 < left < right < 190 and 60 < top < bottom < 190
    assert face.landmarks.shape == (478, 3)
    FACE_SCHEMA.check(face.parameters)
    assert np.all(face.parameters[3:] >= 0) and np.all(face.parameters[3:] <= 1)


@pytest.mark.weights("face-landmarker")
@pytest.mark.parametrize("size", [(720, 1280), (1280, 720)])
@pytest.mark.parametrize("across", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("down", [0.0, 0.5, 1.0])
def test_a_face_off_the_middle_is_not_measured_as_turned(net3d, astronaut, size, across, down):
    def angles(across: float, down: float) -> np.ndarray:
        canvas = np.full((*size, 3), 127, np.uint8)
        top, left = int(down * (size[0] - 256)), int(across * (size[1] - 256))
        canvas[top : top + 256, left : left + 256] = astronaut
        (face, *_) = find_faces(canvas, net3d)
        return face.parameters[:3]

    assert np.abs(angles(across, down) - angles(0.5, 0.5)).max() < 1.0


@pytest.mark.weights("face-landmarker")
def test_a_small_face_in_the_corner_is_not_measured_as_turned(net3d, astronaut):
    canvas = np.full((1440, 2560, 3), 127, np.uint8)
    canvas[40:296, 2290:2546] = astronaut
    (face,) = find_faces(canvas, net3d)
    middle = net3d.analyze_one(np.pad(astronaut, ((64, 64), (64, 64), (0, 0)), "edge"))
    assert np.abs(face.parameters[:3] - middle.parameters[:3]).max() < 1.0


@pytest.mark.weights("face-landmarker")
def test_a_photo_is_measured_as_its_aligned_picture_is(net3d, astronaut):
    face = net3d.analyze_one(astronaut)
    aligned = cv2.warpAffine(astronaut, 512 * Alignment.of_face(face.landmarks).matrix, (512, 512))
    again = net3d.analyze_one(aligned)
    assert np.abs(again.parameters[:2] - face.parameters[:2]).max() < 1.0
    assert again.parameters[2] == pytest.approx(0, abs=0.5), "which is turned upright"


@pytest.mark.weights("face-landmarker")
def test_measuring_twice_gives_the_same_numbers(net3d, astronaut):
    first, second = net3d.analyze_one(astronaut), net3d.analyze_one(astronaut)
    assert np.array_equal(first.parameters, second.parameters)


@pytest.mark.weights("face-landmarker")
@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 500, 3), (64, 64, 3)])
def test_pictures_without_a_face_give_no_measurement(net3d, shape):
    assert net3d.analyze(np.zeros(shape, np.uint8)) == []


@pytest.mark.weights("face-landmarker")
@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_an_array_that_is_no_picture_is_refused(net3d, image):
    with pytest.raises(InputError, match="uint8"):
        net3d.analyze(image)


def test_no_face_is_an_error_that_says_what_to_do():
    with pytest.raises(InputError, match="No face was found") as caught:
        choose_face([])
    assert caught.value.hint


@pytest.mark.parametrize("number", [-1, 2])
def test_a_face_number_that_is_not_there_is_an_error_with_the_count(number):
    with pytest.raises(InputError, match="2 faces were found"):
        choose_face([face_of_size(100), face_of_size(80)], number)


def test_a_tiny_face_is_an_error_with_its_size():
    with pytest.raises(InputError, match="only 20 pixels"):
        choose_face([face_of_size(20)])


def test_the_size_of_a_face_is_the_larger_side_of_its_box():
    assert face_of_size(60).size == 60
