"""Which face of a photo is meant, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from photorig.shared.errors import InputError
from photorig.worker.faces.net3d import FaceMeasurement, Net3D
from photorig.worker.faces.search import find_faces
from photorig.worker.fitting.subject import PoseRange, Subject, eye_distance, part_outside
from photorig.worker.fitting.visibility import Visibility, measure_visibility
from photorig.worker.portraits.alignment import Alignment

ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"
RANGE = PoseRange(-32.0, 32.0, -18.0, 18.0)
CLEAR = Visibility(0.6, 0.9, 1.0, 12.0, 8.0, 4, 0.5)

pytestmark = pytest.mark.weights("face-landmarker")


@pytest.fixture(scope="module")
def net3d() -> Net3D:
    return Net3D()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.array(Image.open(ASTRONAUT).convert("RGB"))


def look_at(photo: np.ndarray, net3d: Net3D) -> Subject:
    return Subject(photo, find_faces(photo, net3d), RANGE, net3d.analyze)


def scaled(photo: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def turned_to(subject: Subject, yaw: float, pitch: float) -> Subject:
    face = subject.faces[0]
    parameters = face.parameters.copy()
    parameters[:2] = yaw, pitch
    return replace(subject, faces=[replace(face, parameters=parameters)])


def test_about_a_good_photo_nothing_is_said(photo, net3d):
    subject = look_at(cv2.resize(photo, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), net3d)
    assert subject.usable == [0]
    assert eye_distance(subject.choose()) > 100
    assert [said for said in subject.warnings() if "blurred" not in said] == []


def test_a_small_face_is_mentioned_and_a_tiny_one_refused(photo, net3d):
    (said,) = look_at(photo, net3d).warnings()
    assert "The face is small" in said
    tiny = np.full((256, 256, 3), 120, np.uint8)
    tiny[80:180, 80:180] = scaled(photo, 100 / 256)
    face = find_faces(tiny, net3d)[0]
    small = replace(face, landmarks=face.landmarks * (20 / eye_distance(face)))
    with pytest.raises(InputError, match="too small: only 20 pixels"):
        Subject(tiny, [small], RANGE, net3d.analyze).choose()


def test_a_face_is_no_smaller_for_being_turned():
    points = np.zeros((478, 3), np.float32)
    for angle in (0.0, 0.6, 1.2):
        points[263] = 80 * np.cos(angle), 0, 80 * np.sin(angle)
        face = FaceMeasurement(np.zeros(58, np.float32), points, (0, 0, 1, 1), np.eye(4))
        assert eye_distance(face) == pytest.approx(80)


def test_a_face_cut_by_the_edge_is_mentioned_or_refused(photo, net3d):
    whole = look_at(photo, net3d).choose()
    left, top, _, bottom = whole.box
    width = whole.box[2] - left
    little = photo[:, round(left + 0.06 * width) :]
    moved = replace(whole, landmarks=whole.landmarks - [round(left + 0.06 * width), 0, 0])
    subject = Subject(little, [moved], RANGE, net3d.analyze)
    assert 0.01 < part_outside(moved, little) < 0.12
    assert any("edge cuts into the face" in said for said in subject.warnings())
    half = photo[: round((top + bottom) / 2)]
    with pytest.raises(InputError, match="cut off by the picture's edge"):
        Subject(half, [whole], RANGE, net3d.analyze).choose()


@pytest.mark.parametrize(
    ("yaw", "pitch", "outcome"),
    [(30, -17, ""), (36, 0, ""), (-40, 0, "warning"), (0, 30, "warning"), (60, 0, "error")],
)
def test_a_head_turned_beyond_the_trained_range(photo, net3d, yaw, pitch, outcome):
    subject = turned_to(look_at(photo, net3d), yaw, pitch)
    if outcome == "error":
        with pytest.raises(InputError, match="turned too far away"):
            subject.choose()
        return
    assert any("turned further" in said for said in subject.warnings()) == bool(outcome)


def test_of_two_people_the_larger_is_first_and_the_other_can_be_chosen(photo, net3d):
    canvas = np.full((256, 512, 3), 90, np.uint8)
    canvas[:200, 300:500] = scaled(photo, 200 / 256)
    canvas[:256, :256] = photo
    subject = look_at(canvas, net3d)
    assert len(subject.faces) == 2
    assert subject.choose(0).box[0] < 256 < subject.choose(1).box[0]
    first, second = subject.listed()
    assert (first.face, second.face, first.problem, second.problem) == (0, 1, "", "")
    assert str(second).startswith("1: ") and " pixels at 3" in str(second)
    with pytest.raises(InputError, match="no face number 2: 2 faces were found"):
        subject.choose(2)
    with pytest.raises(InputError, match="no face number -1"):
        subject.choose(-1)


def test_somebody_within_the_aligned_square_is_mentioned(photo, net3d):
    face = look_at(photo, net3d).choose()
    beside = replace(face, landmarks=face.landmarks + np.array([90, 0, 0], np.float32))
    far = replace(face, landmarks=face.landmarks + np.array([400, 0, 0], np.float32))
    close = Subject(photo, [face, beside], RANGE, net3d.analyze)
    apart = Subject(photo, [face, far], RANGE, net3d.analyze)
    assert any("Another face is close by" in said for said in close.warnings())
    assert not any("Another face" in said for said in apart.warnings())


@pytest.mark.parametrize(("turns", "what"), [(1, "lies on its side"), (2, "stands on its head")])
def test_a_picture_that_is_not_upright_is_told(photo, net3d, turns, what):
    subject = Subject(np.rot90(photo, turns).copy(), [], RANGE, net3d.analyze)
    with pytest.raises(InputError, match=what):
        subject.choose()


def test_a_face_that_is_found_lying_is_mentioned(photo, net3d):
    face = look_at(photo, net3d).choose()
    parameters = face.parameters.copy()
    parameters[2] = -76
    subject = Subject(photo, [replace(face, parameters=parameters)], RANGE, net3d.analyze)
    assert any("lies on its side" in said for said in subject.warnings())


def test_without_a_face_there_is_a_sentence(net3d):
    subject = look_at(np.full((200, 300, 3), 130, np.uint8), net3d)
    assert subject.usable == []
    with pytest.raises(InputError, match="No face was found"):
        subject.choose()


# --- how well it can be seen ---------------------------------------------------------------------


def painted(photo: np.ndarray, face: FaceMeasurement, part: str) -> np.ndarray:
    """The photo with sunglasses or a mask painted on."""
    picture = photo.copy()
    points = face.landmarks[:, :2]
    if part == "sunglasses":
        for corners in ((33, 133), (362, 263)):
            right, left = points[list(corners)]
            middle = np.rint((right + left) / 2 + [0, 2]).astype(int).tolist()
            width = float(np.linalg.norm(left - right))
            cv2.ellipse(
                picture, middle, (int(0.9 * width), int(0.7 * width)), 0, 0, 360, (20, 18, 20), -1
            )
    else:
        outline = np.rint(points[[197, 116, 345, 93, 323, 58, 288, 172, 397, 149, 378, 152]])
        cv2.fillPoly(picture, [cv2.convexHull(outline.astype(np.int32))], (215, 222, 228))
    return picture


def measured(photo: np.ndarray, face: FaceMeasurement, net3d: Net3D) -> Visibility:
    return measure_visibility(photo, face, Alignment.of_face(face.landmarks), net3d.analyze)


def test_a_face_that_is_seen_well_is_neither_hidden_nor_blurred(photo, net3d):
    seen = measured(photo, look_at(photo, net3d).choose(), net3d)
    assert seen.found == 4
    assert not (seen.hides_eyes or seen.hides_mouth or seen.is_uncertain or seen.is_hidden)


@pytest.mark.parametrize(
    ("part", "word"), [("sunglasses", "eyes seem to be"), ("mask", "mouth seems to be")]
)
def test_what_covers_a_face_is_named(photo, net3d, part, word):
    face = look_at(photo, net3d).choose()
    subject = Subject(painted(photo, face, part), [face], RANGE, net3d.analyze)
    assert any(word in said for said in subject.warnings())


def test_a_blurred_face_is_mentioned(photo, net3d):
    large = cv2.resize(photo, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    blurred = cv2.GaussianBlur(large, (0, 0), 6)
    face = look_at(large, net3d).choose()
    subject = Subject(blurred, [face], RANGE, net3d.analyze)
    assert any("blurred" in said for said in subject.warnings())


def test_a_face_that_no_look_finds_is_refused(photo, net3d):
    face = look_at(photo, net3d).choose()
    subject = Subject(photo, [face], RANGE, lambda _: [])
    with pytest.raises(InputError, match="can hardly be seen"):
        subject.warnings()


def test_landmarks_that_do_not_stay_are_mentioned():
    assert not CLEAR.is_uncertain
    assert replace(CLEAR, play=3.0).is_uncertain
    assert replace(CLEAR, found=3).is_uncertain


def test_deep_eyes_in_light_skin_are_no_sunglasses():
    assert not replace(CLEAR, eye_light=0.5).hides_eyes
    assert replace(CLEAR, eye_light=0.5, below_eyes_light=0.5).hides_eyes


# --- a photo taken with a tilted camera ----------------------------------------------------------


def test_a_photo_turned_by_twenty_degrees_gives_the_same_crop_and_another_roll(photo, net3d):
    large = cv2.resize(photo, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    straight = look_at(large, net3d).choose()
    centre = np.array(large.shape[1::-1]) / 2
    turning = cv2.getRotationMatrix2D(centre.tolist(), 20, 1)  # counter-clockwise, as roll
    tilted_photo = cv2.warpAffine(
        large, turning, large.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    tilted = look_at(tilted_photo, net3d).choose()
    roll = tilted.parameters[2] - straight.parameters[2]
    assert roll == pytest.approx(20, abs=2)
    before, after = Alignment.of_face(straight.landmarks), Alignment.of_face(tilted.landmarks)
    corners = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    in_straight = before.corners
    in_tilted = in_straight @ turning[:, :2].T + turning[:, 2]
    assert after.to_square(in_tilted) == pytest.approx(corners, abs=0.03)
    one, other = before.crop(large, 128), after.crop(tilted_photo, 128)
    inner = np.s_[24:104, 24:104]
    assert np.abs(one[inner].astype(float) - other[inner]).mean() < 8
