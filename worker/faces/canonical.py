"""The canonical face of MediaPipe's geometry metadata: read from its Protocol Buffers file.

Message layout: face_geometry/protos/geometry_pipeline_metadata.proto and mesh_3d.proto.
"""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from photorig.shared.errors import ModelError
from photorig.worker.importers.protobuf import fields, integers


@dataclass(frozen=True)
class CanonicalFace:
    """A neutral face, x to image right, y up, z towards the camera.

    Attributes:
        vertices: (468, 3) float32, centimetres.
        uv: (468, 2) float32 in [0, 1], v counted from the bottom.
        triangles: (898, 3) int64 vertex numbers.
        weights: (468,) float32, how much each vertex counts in the pose fit.
    """

    vertices: np.ndarray
    uv: np.ndarray
    triangles: np.ndarray
    weights: np.ndarray


METADATA_FILE = "geometry_pipeline_metadata_landmarks.binarypb"
"""Its name inside face_landmarker.task."""


def load_canonical_face() -> CanonicalFace:
    """The registry's canonical face. Raises ModelError."""
    from photorig.worker.registry import fetch

    try:
        with zipfile.ZipFile(fetch("face-landmarker") / "face_landmarker.task") as bundle:
            return read_canonical_face(bundle.read(METADATA_FILE))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"The canonical face cannot be read: {error}",
            "Run `photorig models verify face-landmarker`.",
        ) from error


def read_canonical_face(data: bytes) -> CanonicalFace:
    """Parse geometry_pipeline_metadata_landmarks.binarypb. Raises ModelError if it is damaged."""
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise ModelError(
            f"The canonical face cannot be read: {error}", "Fetch the model again."
        ) from error


def _read(data: bytes) -> CanonicalFace:
    message: list[tuple[int, Any]] = list(fields(data))
    mesh: list[tuple[int, Any]] = list(
        fields(next(value for field, value in message if field == 1))
    )
    vertex_buffer = b"".join(value for field, value in mesh if field == 3)
    triangles: list[int] = []
    for field, value in mesh:
        if field == 4:  # packed by newer writers
            triangles.extend(integers(value))
    vertices = np.frombuffer(vertex_buffer, "<f4").reshape(-1, 5)
    weights = np.zeros(len(vertices), np.float32)
    for field, value in message:
        if field == 2:
            entry: dict[int, Any] = dict(fields(value))
            weights[entry.get(1, 0)] = struct.unpack("<f", entry[2])[0]
    return CanonicalFace(
        vertices[:, :3].copy(),
        vertices[:, 3:].copy(),
        np.array(triangles, np.int64).reshape(-1, 3),
        weights,
    )
