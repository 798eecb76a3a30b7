"""The canonical face of MediaPipe's geometry metadata: a protocol buffer read by hand.

Message layout: face_geometry/protos/geometry_pipeline_metadata.proto and mesh_3d.proto.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from photorig.shared.errors import ModelError

_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5


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
    except (struct.error, IndexError, ValueError, KeyError, StopIteration) as error:
        raise ModelError(
            f"The canonical face cannot be read: {error}", "Fetch the model again."
        ) from error


def _read(data: bytes) -> CanonicalFace:
    message = list(_fields(data))
    mesh = list(_fields(next(value for field, value in message if field == 1)))
    vertex_buffer = b"".join(value for field, value in mesh if field == 3)
    triangles: list[int] = []
    for field, value in mesh:
        if field == 4:  # packed by newer writers
            triangles.extend([value] if isinstance(value, int) else _varints(value))
    vertices = np.frombuffer(vertex_buffer, "<f4").reshape(-1, 5)
    weights = np.zeros(len(vertices), np.float32)
    for field, value in message:
        if field == 2:
            entry = dict(_fields(value))
            weights[entry.get(1, 0)] = struct.unpack("<f", entry[2])[0]
    return CanonicalFace(
        vertices[:, :3].copy(),
        vertices[:, 3:].copy(),
        np.array(triangles, np.int64).reshape(-1, 3),
        weights,
    )


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A base-128 number and the position behind it."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, position


def _varints(data: bytes) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _varint(data, position)
        yield value


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The (field number, value) pairs of a message: int for varints, bytes otherwise."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield key >> 3, value
            continue
        length = {_FLOAT: 4, _DOUBLE: 8}.get(kind)
        if length is None and kind == _BYTES:
            length, position = _varint(data, position)
        if length is None:
            raise ValueError(f"unknown wire type {kind}")
        yield key >> 3, data[position : position + length]
        position += length
