"""Net3D at run time: faces in an image, with pose and expression, through MediaPipe Tasks.

The same networks as `photorig.worker.faces.landmarker`, run by MediaPipe's own graph: faster for
single images, several faces, not differentiable.
"""

from __future__ import annotations

import sys
import threading
import weakref
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch

from photorig.shared.errors import InputError, ModelError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.registry import fetch

from . import geometry
from .canonical import load_canonical_face
from .landmarker import BUNDLE_FILE, N_MESH
from .native_logs import quiet_native_code

MAXIMUM_FACES = 4
MINIMUM_FACE = 48
"""Faces smaller than this (larger side of the landmarks' box, pixels) cannot be measured well."""

_NOT_NEEDED = ("matplotlib", "matplotlib.pyplot")


@dataclass(frozen=True, eq=False)
class FaceMeasurement:
    """One face in an image.

    Attributes:
        parameters: (58,) float32 in FACE_SCHEMA's order and units; tongueOut and the translation,
            which one picture cannot tell (see tracking.py), are always 0. The angles do not depend
            on where in the image the face is (see geometry.facing_angles).
        landmarks: (478, 3) float32 image pixels (pixel i covers [i, i + 1)), z in the same unit.
        box: x0, y0, x1, y1 of the face mesh in pixels.
        transform: (4, 4) float32 canonical face (cm) to camera space; turned by the viewing
            direction as well.
    """

    parameters: np.ndarray
    landmarks: np.ndarray
    box: tuple[float, float, float, float]
    transform: np.ndarray

    @property
    def size(self) -> float:
        """The larger side of the box in pixels."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


class Net3D:
    """Face detector, landmarks, head pose and blend shape coefficients. May be shared by threads.

    Raises:
        ModelError: the face landmarker's weights cannot be had or are damaged.
    """

    def __init__(self) -> None:
        task = fetch("face-landmarker") / BUNDLE_FILE
        self._lock = threading.Lock()
        canonical = load_canonical_face()
        self._canonical = torch.from_numpy(canonical.vertices), torch.from_numpy(canonical.weights)
        with quiet_native_code():
            self._mediapipe = _import_mediapipe()
            vision = self._mediapipe.tasks.vision
            options = vision.FaceLandmarkerOptions(
                base_options=self._mediapipe.tasks.BaseOptions(model_asset_path=str(task)),
                running_mode=vision.RunningMode.IMAGE,
                num_faces=MAXIMUM_FACES,
                output_face_blendshapes=True,
                output_facial_transformation_matrixes=True,
            )
            try:
                self._landmarker = vision.FaceLandmarker.create_from_options(options)
            except (RuntimeError, ValueError) as error:
                raise ModelError(
                    f"The face landmarker cannot be started: {error}",
                    "Run `photorig models verify face-landmarker`.",
                ) from error
            # MediaPipe's own __del__ fails at interpreter exit; a finalizer runs before that.
            self._finalizer = weakref.finalize(self, self._landmarker.close)
            # MediaPipe's threads write their greetings during the first run.
            self._detect(np.zeros((128, 128, 3), np.uint8))

    def analyze(self, image: np.ndarray) -> list[FaceMeasurement]:
        """All faces found, up to MAXIMUM_FACES, largest first.

        Args:
            image: (h, w, 3) uint8 sRGB, upright.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise InputError(f"An image must be (h, w, 3) uint8, not {image.shape} {image.dtype}")
        result = self._detect(image)
        per_face = zip(
            result.face_landmarks,
            result.face_blendshapes,
            result.facial_transformation_matrixes,
            strict=True,
        )
        faces = [_measurement(*face, image.shape[:2], self._canonical) for face in per_face]
        return sorted(faces, key=lambda face: -face.size)

    def analyze_one(self, image: np.ndarray, face: int = 0) -> FaceMeasurement:
        """One face: the largest, or the ``face``-th by size.

        Raises:
            InputError: no such face, or it is smaller than MINIMUM_FACE.
        """
        return choose_face(self.analyze(image), face)

    def _detect(self, image: np.ndarray) -> Any:
        mediapipe = self._mediapipe
        wrapped = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image)
        )
        with self._lock:
            return self._landmarker.detect(wrapped)

    def close(self) -> None:
        """Stop MediaPipe's threads."""
        self._finalizer()


def choose_face(faces: list[FaceMeasurement], face: int = 0) -> FaceMeasurement:
    """The ``face``-th of `Net3D.analyze`. Raises InputError where it is missing or too small."""
    if not faces:
        raise InputError(
            "No face was found",
            "Use a picture with a larger face that is not seen from the side.",
        )
    if not 0 <= face < len(faces):
        found = "one face was" if len(faces) == 1 else f"{len(faces)} faces were"
        raise InputError(
            f"There is no face number {face}: {found} found",
            "Faces are counted from 0, the largest first.",
        )
    chosen = faces[face]
    if chosen.size < MINIMUM_FACE:
        raise InputError(
            f"The face is only {chosen.size:.0f} pixels large",
            f"It has to be at least {MINIMUM_FACE}: use a larger picture.",
        )
    return chosen


def _measurement(
    landmarks: Any,
    blend_shapes: Any,
    transform: np.ndarray,
    size: tuple[int, int],
    canonical: tuple[torch.Tensor, torch.Tensor],
) -> FaceMeasurement:
    height, width = size
    points = np.array([(p.x, p.y, p.z) for p in landmarks], np.float32)
    points *= np.array([width, height, width], np.float32)
    angles = geometry.facing_angles(torch.from_numpy(points[None, :N_MESH]), *canonical)
    parameters = np.zeros(len(FACE_SCHEMA), np.float32)
    parameters[:3] = angles[0].numpy()
    for shape in blend_shapes:
        position = FACE_SCHEMA.index.get(shape.category_name)
        if position is not None:  # not "_neutral"
            parameters[position] = shape.score
    low, high = points[:N_MESH, :2].min(0), points[:N_MESH, :2].max(0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return FaceMeasurement(parameters, points, box, np.array(transform, np.float32))


def _import_mediapipe() -> Any:
    """MediaPipe without matplotlib, which only its drawing functions use, and which takes as long
    to import as all the rest of it."""
    absent = {name: ModuleType(name) for name in _NOT_NEEDED if name not in sys.modules}
    sys.modules.update(absent)
    try:
        import mediapipe
    finally:
        for name in absent:
            del sys.modules[name]
    return mediapipe
