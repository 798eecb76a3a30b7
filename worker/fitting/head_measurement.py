"""The shape of a portrait's head as the photo shows it, to make a mesh of it."""

from __future__ import annotations

import threading

import numpy as np
import torch

from photorig.shared.errors import InputError
from photorig.shared.parameters.arkit_amounts import amounts_of
from photorig.shared.wire.messages import HeadMeasurement
from photorig.worker.faces import geometry
from photorig.worker.faces.canonical import load_canonical_face
from photorig.worker.faces.landmarker import N_MESH
from photorig.worker.faces.net3d import FaceMeasurement, Net3D
from photorig.worker.faces.search import find_faces
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait


class HeadMeasurer:
    """Measures heads of portraits; what finds faces is loaded for the first one."""

    def __init__(self) -> None:
        self._net3d: Net3D | None = None
        self._lock = threading.Lock()

    def measure(self, portrait: Portrait) -> HeadMeasurement:
        """The face mesh of a portrait.

        Raises:
            InputError: the face is not found again in its photo.
            ModelError: the models cannot be had.
        """
        with self._lock:
            self._net3d = self._net3d or Net3D()
        faces = find_faces(portrait.photo, self._net3d)
        if not faces:
            raise InputError(
                f"The face of {portrait.name!r} is not found in its photo", "Use another photo."
            )
        return _measurement(_nearest(faces, portrait.alignment), portrait.photo.shape[:2])


def _nearest(faces: list[FaceMeasurement], alignment: Alignment) -> FaceMeasurement:
    """The face that the portrait was made of: the one whose aligned square is most like its own."""

    def away(face: FaceMeasurement) -> float:
        own = Alignment.of_face(face.landmarks).corners
        return float(np.abs(own - alignment.corners).max())

    return min(faces, key=away)


def _measurement(face: FaceMeasurement, size: tuple[int, int]) -> HeadMeasurement:
    canonical = load_canonical_face()
    metric = geometry.metric_face(
        torch.from_numpy(face.landmarks[None, :N_MESH].copy()),
        size,
        torch.from_numpy(canonical.vertices),
        torch.from_numpy(canonical.weights),
    )
    return HeadMeasurement(
        vertices=metric.aligned[0].numpy().astype(np.float32),
        landmarks=face.landmarks[:, :2].astype(np.float32),
        transform=metric.transform[0].numpy().astype(np.float32),
        parameters=amounts_of(face.parameters),
        width=size[1],
        height=size[0],
    )
