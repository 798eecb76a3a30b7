"""Measures one person through the frames of a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from photorig.shared.parameters.head import HEAD_PIVOT
from photorig.shared.parameters.schema import FACE_SCHEMA, HEAD_TRANSLATION

from .net3d import MINIMUM_FACE, FaceMeasurement, choose_face

PLAY = np.array([0.12, 0.2, 0.5])
"""cm of x, y and z within which a head counts as still: what Net3D's noise moves it by."""

_POSITIONS = [FACE_SCHEMA.index[name] for name in HEAD_TRANSLATION]
_MAXIMUM_MOVE = 1.0  # face sizes between frames; farther away it is somebody else


@dataclass(frozen=True)
class MeasuredFrame:
    """One frame: its number from 1, how many faces it shows, and the followed one if seen."""

    frame: int
    n_faces: int
    face: FaceMeasurement | None


def measure_frames(
    frames: Iterable[np.ndarray],
    analyze: Callable[[np.ndarray], list[FaceMeasurement]],
    face: int = 0,
) -> Iterator[MeasuredFrame]:
    """Pose, expression and place of the same face in every frame.

    ``analyze`` finds the faces of a frame, largest first: `Net3D.analyze` or more.

    The ``face``-th largest of the first frame that shows so many is followed by its place. Where
    it is not seen, the frame has None. The parameters' translation is that since the first frame
    that shows the face.
    """
    translation = HeadTranslation()
    last: FaceMeasurement | None = None
    missed = 0
    for number, image in enumerate(frames, start=1):
        faces = [found for found in analyze(image) if found.size >= MINIMUM_FACE]
        if last is None:
            chosen = choose_face(faces, face) if face < len(faces) else None
        else:
            chosen = _nearest(faces, last, _MAXIMUM_MOVE * (1 + missed))
        missed = 0 if chosen else missed + 1
        last = chosen or last
        if chosen is not None:
            parameters = chosen.parameters.copy()
            parameters[_POSITIONS] = translation.since_start(chosen.transform)
            chosen = replace(chosen, parameters=parameters)
        yield MeasuredFrame(number, len(faces), chosen)


class HeadTranslation:
    """How far a head has moved since it was first seen, followed frame by frame.

    In centimetres as MediaPipe's camera, 63° high, sees it. The measurement has play: as long as it
    stays within PLAY of the last result, that does not change, so that a still head is still.
    """

    def __init__(self) -> None:
        self._start: np.ndarray | None = None
        self._moved = np.zeros(3)

    def since_start(self, transform: np.ndarray) -> np.ndarray:
        """(4, 4) canonical face (cm) to camera space → (3,) float32 x, y, z in cm."""
        place = np.asarray(transform, np.float64)[:3] @ [*HEAD_PIVOT, 1.0]
        if self._start is None:
            self._start = place
        measured = place - self._start
        self._moved = np.clip(self._moved, measured - PLAY, measured + PLAY)
        return self._moved.astype(np.float32)


def _nearest(
    faces: list[FaceMeasurement], last: FaceMeasurement, maximum_move: float
) -> FaceMeasurement | None:
    def distance(face: FaceMeasurement) -> float:
        return float(np.hypot(*(_centre(face) - _centre(last)))) / last.size

    nearest = min(faces, key=distance, default=None)
    return nearest if nearest is not None and distance(nearest) <= maximum_move else None


def _centre(face: FaceMeasurement) -> np.ndarray:
    x0, y0, x1, y1 = face.box
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2])
