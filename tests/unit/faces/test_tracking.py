"""Following one person through a recording."""

from __future__ import annotations

import numpy as np

from photorig.shared.parameters.head import HEAD_PIVOT
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.faces.tracking import PLAY, HeadTranslation, measure_frames


def face(x: float, size: float) -> FaceMeasurement:
    return FaceMeasurement(
        parameters=np.zeros(len(FACE_SCHEMA), np.float32),
        landmarks=np.zeros((478, 3), np.float32),
        box=(x - size / 2, 0, x + size / 2, size),
        transform=np.eye(4, dtype=np.float32),
    )


class Script:
    """Answers with prepared faces, one list a frame, largest first as Net3D does."""

    def __init__(self, *frames: list[FaceMeasurement]) -> None:
        self.frames = list(frames)

    def analyze(self, image: np.ndarray) -> list[FaceMeasurement]:
        return sorted(self.frames.pop(0), key=lambda found: -found.size)


def centres(script: Script, number: int = 0) -> list[float | None]:
    images = [np.zeros((4, 4, 3), np.uint8)] * len(script.frames)
    measured = measure_frames(images, script.analyze, number)
    return [m.face and (m.face.box[0] + m.face.box[2]) / 2 for m in measured]


def test_the_largest_face_of_the_first_frame_is_followed_when_another_grows_larger():
    script = Script([face(100, 90), face(400, 80)], [face(110, 85), face(400, 99)])
    assert centres(script) == [100, 110]


def test_another_face_can_be_chosen_by_its_number():
    script = Script([face(100, 90), face(400, 80)], [face(400, 99), face(110, 85)])
    assert centres(script, 1) == [400, 400]


def test_a_frame_without_the_face_has_no_measurement():
    script = Script([face(100, 90)], [], [face(105, 90)])
    assert centres(script) == [100, None, 105]


def test_somebody_far_away_is_not_taken_for_the_person():
    script = Script([face(100, 90)], [face(900, 90)])
    assert centres(script) == [100, None]


def test_a_person_who_was_out_of_sight_may_have_moved_farther():
    script = Script([face(100, 90)], [], [], [], [face(400, 90)])
    assert centres(script)[-1] == 400


def test_faces_too_small_to_measure_do_not_count():
    script = Script([face(100, 20)], [face(100, 60)])
    assert centres(script) == [None, 100]


def standing_at(x: float, y: float, z: float) -> np.ndarray:
    transform = np.eye(4)
    transform[:3, 3] = x, y, z
    return transform


def test_the_translation_is_that_since_the_first_frame_in_centimetres():
    translation = HeadTranslation()
    assert (translation.since_start(standing_at(3, -2, -50)) == 0).all()
    moved = translation.since_start(standing_at(7, -5, -42))
    np.testing.assert_allclose(moved, np.array([4, -3, 8]) - PLAY * [1, -1, 1], atol=1e-5)


def test_a_head_that_is_only_measured_with_noise_stands_exactly_still():
    translation, random = HeadTranslation(), np.random.default_rng(0)
    translation.since_start(standing_at(0, 0, -50))
    places = [translation.since_start(standing_at(5, 0, -50))]
    for _ in range(20):
        noise = random.uniform(-0.9, 0.9, 3) * PLAY
        places.append(translation.since_start(standing_at(5 - PLAY[0], 0, -50) + _column(noise)))
    assert len({place.tobytes() for place in places}) == 1


def _column(offset: np.ndarray) -> np.ndarray:
    transform = np.zeros((4, 4))
    transform[:3, 3] = offset
    return transform


def test_a_head_that_turns_on_its_neck_does_not_move():
    translation = HeadTranslation()
    translation.since_start(standing_at(0, 0, -50))
    angle = np.radians(35)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    transform = np.eye(4)
    transform[:3, :3] = turn
    transform[:3, 3] = np.array(HEAD_PIVOT) - turn @ HEAD_PIVOT + [0, 0, -50]
    assert (translation.since_start(transform) == 0).all()


def test_the_frames_of_a_recording_carry_the_translation():
    near = face(100, 90)
    far = FaceMeasurement(near.parameters, near.landmarks, near.box, standing_at(4, 0, 0))
    script = Script([near], [far])
    measured = measure_frames([np.zeros((4, 4, 3), np.uint8)] * 2, script.analyze)
    values = [FACE_SCHEMA.named(m.face.parameters)["headX"] for m in measured if m.face]
    assert values[0] == 0
    assert 3.5 < values[1] < 4.1
    assert not near.parameters.any(), "the measurement itself is left alone"
