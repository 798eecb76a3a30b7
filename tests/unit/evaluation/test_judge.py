"""The judge on a photograph and on people who do not exist."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import ARKIT_NAMES
from photorig.worker.evaluation.estimators.judge import Judge

ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"
ALL = ("dlib-landmarks", "iris", "mobileface", "gear")

pytest.importorskip("dlib")


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.array(Image.open(ASTRONAUT))


def turned(image: np.ndarray, degrees: float) -> np.ndarray:
    """Counter-clockwise about the middle."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)


@pytest.mark.weights(*ALL)
def test_roll_follows_a_turned_photo_and_yaw_stays(judge, photo):
    # The face in the middle: beside the camera's axis a turn would change yaw and pitch as well.
    centre = judge.measure(photo).landmarks.mean(0).astype(int)
    reach = int(min(*centre, *(np.array(photo.shape[1::-1]) - centre)))
    left, top = centre - reach
    face = np.ascontiguousarray(photo[top : top + 2 * reach, left : left + 2 * reach])
    straight = judge.measure(face).pose
    for degrees in (-28, -10, 10, 28):
        found = judge.measure(turned(face, degrees)).pose - straight
        assert found[2] == pytest.approx(degrees, abs=1.5), degrees
    # what is left of a turned head's yaw and pitch is told by the rotation, not by the axes
    assert abs(judge.measure(turned(face, 10)).pose[0] - straight[0]) < 5


@pytest.mark.weights(*ALL)
def test_a_mirrored_photo_has_the_opposite_yaw_and_roll_and_the_same_person(judge, photo):
    one, other = judge.measure(photo), judge.measure(np.ascontiguousarray(photo[:, ::-1]))
    assert one.pose[0] == pytest.approx(-other.pose[0], abs=3)
    assert one.pose[1] == pytest.approx(other.pose[1], abs=3)
    assert one.pose[2] == pytest.approx(-other.pose[2], abs=2)
    assert one.identity @ other.identity > 0.6
    assert np.linalg.norm(one.identity) == pytest.approx(1, abs=1e-5)
    assert one.mouth_aperture == pytest.approx(other.mouth_aperture, abs=0.04)
    assert one.eye_opening == pytest.approx(other.eye_opening[::-1], abs=0.03)


@pytest.mark.weights(*ALL)
def test_a_smile_is_seen_and_what_cannot_be_seen_is_nan(judge, photo):
    found = judge.measure(photo)
    smile = [ARKIT_NAMES.index(f"mouthSmile{side}") for side in ("Left", "Right")]
    assert (found.expression[smile] > 0.4).all()
    assert np.array_equal(np.isfinite(found.expression), judge.seen)
    assert not judge.seen[ARKIT_NAMES.index("tongueOut")]
    assert judge.seen.sum() >= 20


@pytest.mark.weights(*ALL)
def test_another_person_is_another_person(judge, photo):
    from photorig.worker.generators import load_generator

    generator = load_generator("cpu", "f32")
    z = np.random.RandomState(3).randn(3, 512).astype(np.float32)
    images = generator.synthesize(generator.expand(generator.map(z, 0.8)), 256)
    person = judge.measure(photo).identity
    for image in images:
        found = judge.measure(image)
        again = judge.measure(cv2.convertScaleAbs(image, alpha=0.85, beta=10))
        assert found.identity @ person < 0.5
        assert found.identity @ again.identity > 0.8
        assert np.abs(found.pose - again.pose).max() < 1.5
        assert 5 < found.age < 70 and 0 <= found.gender <= 1
        assert found.race.sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.weights("dlib-landmarks")
def test_parts_that_are_left_out_are_nan(photo):
    found = Judge(parts=()).measure(photo)
    assert np.isfinite(found.pose).all() and np.isfinite(found.mouth_aperture)
    for value in (
        found.gaze,
        found.eye_opening,
        found.expression,
        found.identity,
        found.race,
        found.age,
    ):
        assert np.isnan(value).all()


@pytest.mark.weights("dlib-landmarks")
def test_a_picture_without_a_face_gives_none():
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3)).astype(np.uint8)
    assert Judge(parts=()).measure(noise) is None


def test_an_unknown_part_is_refused():
    with pytest.raises(InputError, match="beauty"):
        Judge(parts=("beauty",))
