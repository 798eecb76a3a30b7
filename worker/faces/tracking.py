"""Measures one person through the frames of a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from photorig.worker.faces.net3d import MINIMUM_FACE, FaceMeasurement, choose_face

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
    """Pose and expression of the same face in every frame.

    ``analyze`` finds the faces of a frame, largest first: `Net3D.analyze` or more.

    The ``face``-th largest of the first frame that shows so many is followed by its place. Where
    it is not seen, the frame has None.
    """
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
        yield MeasuredFrame(number, len(faces), chosen)


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
