"""The judges as a family: estimators that no loss and no calibration has looked through."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from photorig.shared.parameters.schema import ARKIT_NAMES, HEAD_ANGLES, ParameterSchema

from .families import Reading, blank_reading

_RIGHT_EYE, _LEFT_EYE = ((36, 39), (42, 45))  # corners among the 68, the subject's sides


class Seen(Protocol):
    """What the judges see of a face; see `judges.Judgement`."""

    @property
    def landmarks(self) -> np.ndarray: ...
    @property
    def pose(self) -> np.ndarray: ...
    @property
    def mouth_aperture(self) -> float: ...
    @property
    def eye_opening(self) -> np.ndarray: ...
    @property
    def gaze(self) -> np.ndarray: ...
    @property
    def expression(self) -> np.ndarray: ...
    @property
    def identity(self) -> np.ndarray: ...
    @property
    def age(self) -> float: ...
    @property
    def gender(self) -> float: ...
    @property
    def race(self) -> np.ndarray: ...


class Measures(Protocol):
    """What is needed of `judges.Judge`."""

    def measure(self, image: np.ndarray) -> Seen | None: ...


class JudgeFamily:
    """Reads frames through the judges."""

    name = "judges"
    label = (
        "dlib's 68 landmarks (pose, openings), the iris network (gaze), MobileFace (identity), "
        "GEAR (age, sex, ancestry): no loss and no calibration uses them"
    )

    def __init__(
        self, judge: Measures, schema: ParameterSchema, n_identity: int, n_races: int
    ) -> None:
        self._judge = judge
        self._angles = [schema.index[name] for name in HEAD_ANGLES]
        self._coefficients = [schema.index[name] for name in ARKIT_NAMES]
        self.blank = blank_reading(len(schema), n_identity, n_races)

    def read(self, image: np.ndarray) -> Reading | None:
        seen = self._judge.measure(image)
        if seen is None:
            return None
        parameters = self.blank.parameters.copy()
        parameters[self._angles] = seen.pose
        parameters[self._coefficients] = seen.expression
        points = np.asarray(seen.landmarks, np.float32)
        return Reading(
            parameters=parameters,
            apertures=np.array([seen.mouth_aperture, *seen.eye_opening], np.float32),
            gaze=np.asarray(seen.gaze, np.float32),
            identity=np.asarray(seen.identity, np.float32),
            age=float(seen.age),
            gender=float(seen.gender),
            race=np.asarray(seen.race, np.float32),
            landmarks=points,
            eyes=np.stack([points[list(_LEFT_EYE)].mean(0), points[list(_RIGHT_EYE)].mean(0)]),
        )
