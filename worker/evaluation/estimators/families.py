"""Families of estimators that look at frames: the judges, and the family that training used.

Both give the same kind of `Reading`, so that every figure can be shown in two columns. What a
family cannot see is NaN and is left out of its figures, never counted as right or wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch

from photorig.shared.parameters.schema import ARKIT_NAMES, HEAD_ANGLES, ParameterSchema
from photorig.worker.faces.descriptor import face_chips, load_descriptor
from photorig.worker.faces.net3d import FaceMeasurement, Net3D, choose_face

N_POINTS = 68

_RIGHT_EYE, _LEFT_EYE = (33, 133), (362, 263)  # corners, the subject's sides
_RIGHT_LIDS, _LEFT_LIDS, _LIPS = (159, 145), (386, 374), (13, 14)
_FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_FEATURES = (
    *(33, 133, 159, 145, 362, 263, 386, 374, 70, 63, 105, 66, 107, 300, 293, 334, 296, 336),
    *(1, 4, 6, 98, 327, 61, 291, 13, 14, 0, 17, 168, 197, 2),
)
MESH_POINTS = np.array(_FACE_OVAL + _FEATURES)
"""Which 68 of Net3D's landmarks are kept: the 36 of the face's outline, then features."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What a family reads off one frame; NaN for what it cannot see.

    Attributes:
        parameters: (n,) in the schema's order and units.
        apertures: (3,) of mouth, left eye, right eye in distances between the eyes.
        gaze: (2, 2) of left and right eye, in the family's own unit.
        identity: (d,) descriptor.
        age: years. gender: 0 to 1 by the family's own direction.
        race: (k,) probabilities.
        landmarks: (68, 2) pixels, the family's own points.
        eyes: (2, 2) pixels, middle of the corners of left and right eye.
    """

    parameters: np.ndarray
    apertures: np.ndarray
    gaze: np.ndarray
    identity: np.ndarray
    age: float
    gender: float
    race: np.ndarray
    landmarks: np.ndarray
    eyes: np.ndarray


READING_FIELDS = tuple(field.name for field in fields(Reading))


class Family(Protocol):
    """Estimators that together read a frame.

    Attributes:
        name: short, for tables and file keys.
        label: for people.
        blank: a Reading of NaN with the family's shapes.
    """

    name: str
    label: str
    blank: Reading

    def read(self, image: np.ndarray) -> Reading | None:
        """(h, w, 3) uint8 to what is seen; None where there is no face to be found."""
        ...


def stacked(family: Family, readings: list[Reading | None]) -> dict[str, np.ndarray]:
    """Readings of f frames as arrays ``<family>.<field>`` (f, …), NaN for frames without a face."""
    whole = [reading or family.blank for reading in readings]
    return {
        f"{family.name}.{name}": np.array([getattr(r, name) for r in whole], np.float32).reshape(
            len(whole), *np.shape(getattr(family.blank, name))
        )
        for name in READING_FIELDS
    }


def blank_reading(n_parameters: int, n_identity: int, n_races: int) -> Reading:
    """A reading of nothing."""

    def unknown(*shape: int) -> np.ndarray:
        return np.full(shape, np.nan, np.float32)

    nan = float("nan")
    return Reading(
        parameters=unknown(n_parameters),
        apertures=unknown(3),
        gaze=unknown(2, 2),
        identity=unknown(n_identity),
        age=nan,
        gender=nan,
        race=unknown(n_races),
        landmarks=unknown(N_POINTS, 2),
        eyes=unknown(2, 2),
    )


class Net3DFamily:
    """Net3D with dlib's descriptor: what training and calibration looked through."""

    name = "net3d"
    label = "Net3D and dlib's descriptor (training used these)"

    def __init__(self, net3d: Net3D, schema: ParameterSchema) -> None:
        self._net3d, self._schema = net3d, schema
        self._descriptor = load_descriptor()
        self.blank = blank_reading(len(schema), 128, 0)

    def read(self, image: np.ndarray) -> Reading | None:
        faces = self._net3d.analyze(image)
        return self.reading(image, choose_face(faces)) if faces else None

    def reading(self, image: np.ndarray, face: FaceMeasurement) -> Reading:
        """The reading of a face that Net3D has measured in ``image``."""
        points = face.landmarks[:, :2]
        return Reading(
            parameters=_seen_parameters(face.parameters, self._schema),
            apertures=_mesh_apertures(points),
            gaze=self.blank.gaze,
            identity=self._identity(image, face),
            age=float("nan"),
            gender=float("nan"),
            race=self.blank.race,
            landmarks=points[MESH_POINTS].astype(np.float32),
            eyes=_mesh_eyes(points),
        )

    @torch.no_grad()
    def _identity(self, image: np.ndarray, face: FaceMeasurement) -> np.ndarray:
        pixels = torch.from_numpy(image.transpose(2, 0, 1)[None].copy()).float() / 255
        chips = face_chips(pixels, torch.from_numpy(face.landmarks)[None])
        return self._descriptor(chips)[0].numpy()


def _seen_parameters(measured: np.ndarray, schema: ParameterSchema) -> np.ndarray:
    """Net3D reports no head translation and no tongue: these are NaN, not 0."""
    parameters = np.full(len(schema), np.nan, np.float32)
    known = {*HEAD_ANGLES, *ARKIT_NAMES} - {"tongueOut"}
    for i, name in enumerate(schema.ids):
        if name in known and i < len(measured):
            parameters[i] = measured[i]
    return parameters


def _mesh_apertures(points: np.ndarray) -> np.ndarray:
    left, right = _mesh_eyes(points)
    eye_distance = max(float(np.linalg.norm(left - right)), 1e-6)
    gaps = [np.linalg.norm(points[a] - points[b]) for a, b in (_LIPS, _LEFT_LIDS, _RIGHT_LIDS)]
    return np.array(gaps, np.float32) / eye_distance


def _mesh_eyes(points: np.ndarray) -> np.ndarray:
    return np.stack([points[list(_LEFT_EYE)].mean(0), points[list(_RIGHT_EYE)].mean(0)])
