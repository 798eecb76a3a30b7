"""Amounts of a recording: those that lay the person's neutral mesh over each frame's landmarks."""

from __future__ import annotations

import numpy as np
import pytest

from photorig.shared.parameters.arkit_amounts import amounts_of, readings_of
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.faces.canonical import load_canonical_face
from photorig.worker.faces.face_shapes import load_face_shapes
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.reenactment.face_target import IRISES, lid_edges
from photorig.worker.reenactment.recorded_amounts import NeutralFace, recorded_parameters

pytestmark = pytest.mark.weights("face-landmarker")
_TO_PIXELS = np.array([1.0, -1.0, -1.0])


def person() -> NeutralFace:
    """A face that is broader and longer than the canonical one, with an eye that looks aside."""
    vertices = load_canonical_face().vertices * np.array([1.08, 1.03, 0.95])
    return NeutralFace(vertices, np.array([[0.03, 0.0], [-0.02, 0.01]]))


def frame(
    values: dict[str, float], read: float = 1.0, yaw: float = 0.0, at: float = 300.0
) -> FaceMeasurement:
    """A person's face as it shows these amounts, of which Net3D reads a part.

    Args:
        yaw: degrees. at: pixels, where the face is.
    """
    who, wanted = person(), FACE_SCHEMA.vector(values)
    names = load_face_shapes().names
    amounts = np.array([values.get(name, 0.0) for name in names])
    points = np.zeros((478, 3))
    points[:468] = who.vertices + np.tensordot(amounts, who.offsets, 1)
    look = who.irises + np.tensordot(amounts, load_face_shapes().gaze, 1)
    for number, side in enumerate(("Right", "Left")):
        corners = points[lid_edges(side)[0][[0, -1]]]
        along = (corners[1] - corners[0]) * (1 if side == "Right" else -1)
        across = np.array([-along[1], along[0], 0])
        points[IRISES[side]] = corners.mean(0) + look[number, 0] * along + look[number, 1] * across
    angle = np.radians(yaw)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    pixels = 11 * (points @ turn.T) * _TO_PIXELS + at
    parameters = readings_of(wanted * np.float32(read))
    return FaceMeasurement(
        parameters, pixels.astype(np.float32), (0, 0, 150, 150), np.eye(4, dtype=np.float32)
    )


SHOWN = {"jawOpen": 0.5, "mouthSmileLeft": 0.8, "mouthSmileRight": 0.7, "eyeBlinkLeft": 1.0}
_SHUT = {"eyeBlink": 0.6, "eyeSquint": 1.0}
"""Read so, lids are shut."""
REST = [frame({}, at=300 + i) for i in range(8)]


def found(parameters: np.ndarray, *names: str) -> list[float]:
    return [float(parameters[FACE_SCHEMA.index[name]]) for name in names]


@pytest.mark.parametrize("yaw", [0.0, 20.0])
def test_landmarks_decide_where_net3d_reads_too_little(yaw: float) -> None:
    *_, seen = recorded_parameters([*REST, frame(SHOWN, read=0.6, yaw=yaw)])
    assert seen is not None
    assert found(seen, *SHOWN) == pytest.approx(list(SHOWN.values()), abs=0.13)


def test_a_shut_eye_is_a_full_blink_and_the_other_one_open() -> None:
    *_, seen = recorded_parameters([*REST, frame({"eyeBlinkRight": 1.0}, read=0.7)])
    assert seen is not None
    shut, other = found(seen, "eyeBlinkRight", "eyeBlinkLeft")
    assert shut > 0.9 and other < 0.1


def test_eyes_that_shut_shut_by_blinks_though_their_owner_squints() -> None:
    squints = [frame({"eyeSquintLeft": 0.5, "eyeSquintRight": 0.5}) for _ in range(8)]
    both = {f"{name}{side}": value for side in ("Left", "Right") for name, value in _SHUT.items()}
    *_, seen = recorded_parameters([*squints, frame(both)])
    usual, *_ = recorded_parameters(squints)
    assert seen is not None and usual is not None
    assert min(found(seen, "eyeBlinkLeft", "eyeBlinkRight")) > 0.95
    np.testing.assert_allclose(
        found(seen, "eyeSquintLeft"), found(usual, "eyeSquintLeft"), atol=0.1
    )


def test_an_eye_that_looks_down_does_not_blink() -> None:
    look = {"eyeLookDownLeft": 0.9, "eyeLookDownRight": 0.9}
    *_, seen = recorded_parameters([*REST, frame(look)])
    assert seen is not None
    assert found(seen, *look) == pytest.approx([0.9, 0.9], abs=0.1)
    assert max(found(seen, "eyeBlinkLeft", "eyeBlinkRight")) < 0.15


def test_a_look_aside_is_where_the_irises_are() -> None:
    look = {"eyeLookOutLeft": 0.9, "eyeLookInRight": 0.9}
    *_, seen = recorded_parameters([*REST, frame(look, read=0.4)])
    assert seen is not None
    assert found(seen, *look) == pytest.approx([0.9, 0.9], abs=0.1)


def test_no_eye_looks_up_and_down_at_once() -> None:
    squints = {"eyeSquintLeft": 0.6, "eyeWideLeft": 0.5, "eyeLookUpLeft": 0.4}
    for seen in recorded_parameters([*REST, frame(squints, read=0.3)]):
        assert seen is not None
        assert min(found(seen, "eyeLookUpLeft", "eyeLookDownLeft")) == 0


def test_what_no_landmark_shows_is_as_net3d_reads_it() -> None:
    *_, seen = recorded_parameters([*REST, frame({"tongueOut": 0.0})])
    assert seen is not None
    assert found(seen, "tongueOut") == [0]


def test_a_face_at_rest_has_no_expression_wherever_it_is() -> None:
    for seen in recorded_parameters(REST):
        assert seen is not None
        assert np.abs(seen[3:55]).max() < 0.05


def test_amounts_are_between_0_and_1() -> None:
    extreme = frame({"jawOpen": 1.4, "mouthSmileLeft": 1.3, "browInnerUp": -0.5})
    *_, seen = recorded_parameters([*REST, extreme])
    assert seen is not None
    assert seen[3:55].min() >= 0 and seen[3:55].max() <= 1


def test_a_frame_is_a_function_of_itself_and_of_the_neutral_face() -> None:
    frames = [*REST, frame(SHOWN), frame({"jawOpen": 0.3})]
    neutral = NeutralFace.of(frames)
    forwards = [neutral.parameters(each) for each in frames]
    backwards = [neutral.parameters(each) for each in reversed(frames)]
    np.testing.assert_array_equal(forwards, backwards[::-1])


def test_a_single_picture_is_as_net3d_reads_it_so_that_absolutely_a_photo_drives_itself() -> None:
    alone = frame(SHOWN, read=0.8)
    (seen,) = recorded_parameters([alone])
    np.testing.assert_array_equal(seen, amounts_of(alone.parameters))


def test_frames_without_the_face_stay_without() -> None:
    seen = recorded_parameters([REST[0], None, REST[1]])
    assert [each is None for each in seen] == [False, True, False]
    assert recorded_parameters([None]) == [None]
