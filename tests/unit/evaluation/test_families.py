"""Families give readings in the schema's order; what they do not see is NaN."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from photorig.shared.parameters.schema import ARKIT_NAMES, FACE_SCHEMA
from photorig.worker.evaluation.estimators.families import READING_FIELDS, Reading, stacked
from photorig.worker.evaluation.estimators.judge_family import JudgeFamily


def _expression() -> np.ndarray:
    values = np.full(52, np.nan)
    values[ARKIT_NAMES.index("jawOpen")] = 0.4
    return values


@dataclass(frozen=True)
class FakeJudgement:
    landmarks: np.ndarray = field(default_factory=lambda: np.arange(136.0).reshape(68, 2))
    pose: np.ndarray = field(default_factory=lambda: np.array([11.0, -2.0, 3.0]))
    mouth_aperture: float = 0.2
    eye_opening: np.ndarray = field(default_factory=lambda: np.array([0.1, 0.15]))
    gaze: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))
    expression: np.ndarray = field(default_factory=_expression)
    identity: np.ndarray = field(default_factory=lambda: np.array([0.6, 0.8, 0.0]))
    age: float = 31.0
    gender: float = 0.25
    race: np.ndarray = field(default_factory=lambda: np.array([0.5, 0.5]))


class FakeJudge:
    """Sees a face in everything that is not black."""

    def measure(self, image: np.ndarray) -> FakeJudgement | None:
        return FakeJudgement() if image.any() else None


FAMILY = JudgeFamily(FakeJudge(), FACE_SCHEMA, n_identity=3, n_races=2)
BLACK, GREY = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 99, np.uint8)


def test_a_judgement_becomes_a_reading_in_the_schemas_order() -> None:
    reading = FAMILY.read(GREY)
    assert isinstance(reading, Reading)
    named = dict(zip(FACE_SCHEMA.ids, reading.parameters, strict=True))
    assert [named[n] for n in ("headYaw", "headPitch", "headRoll")] == [11, -2, 3]
    assert named["jawOpen"] == np.float32(0.4)
    assert np.isnan([named["mouthPucker"], named["headX"]]).all()
    np.testing.assert_allclose(reading.apertures, [0.2, 0.1, 0.15], rtol=1e-6)


def test_eyes_are_the_middles_of_their_corners_left_first() -> None:
    reading = FAMILY.read(GREY)
    assert reading is not None
    np.testing.assert_allclose(reading.eyes, [[87, 88], [75, 76]])


def test_frames_without_a_face_are_rows_of_nan_and_keep_their_place() -> None:
    arrays = stacked(FAMILY, [FAMILY.read(image) for image in (GREY, BLACK, GREY)])
    assert set(arrays) == {f"judges.{name}" for name in READING_FIELDS}
    identity = arrays["judges.identity"]
    assert identity.shape == (3, 3)
    assert np.isnan(identity[1]).all() and np.isfinite(identity[[0, 2]]).all()
    assert arrays["judges.landmarks"].shape == (3, 68, 2)


def test_no_frames_at_all_are_arrays_of_no_rows() -> None:
    arrays = stacked(FAMILY, [])
    assert arrays["judges.parameters"].shape == (0, len(FACE_SCHEMA))
    assert arrays["judges.age"].shape == (0,)
