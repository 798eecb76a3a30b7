"""Following one person through a recording."""

from __future__ import annotations

import numpy as np

from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.faces.tracking import measure_frames


def face(x: float, size: float) -> FaceMeasurement:
    return FaceMeasurement(
        parameters=np.zeros(55, np.float32),
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
