"""Finds small faces in large pictures.

MediaPipe's detector looks at the whole picture at 128 pixels and misses faces narrower than about
an eighth of it. Where it finds none, the picture is searched again in overlapping tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from photorig.worker.faces import geometry
from photorig.worker.faces.canonical import load_canonical_face
from photorig.worker.faces.landmarker import N_MESH
from photorig.worker.faces.net3d import MINIMUM_FACE, FaceMeasurement, Net3D

_DIVISIONS = (2, 4)  # tile sides: a half, then a quarter of the picture's longer side
_CLOSE_UP = 3.0  # side of the square that a found face is measured in, in face sizes
_SMALLEST_TILE = 4 * MINIMUM_FACE


def find_faces(image: np.ndarray, net3d: Net3D) -> list[FaceMeasurement]:
    """All faces, largest first, small ones included where there is no large one.

    Args:
        image: (h, w, 3) uint8 sRGB, upright.
    """
    faces = net3d.analyze(image)
    side = max(image.shape[:2])
    for division in _DIVISIONS:
        if faces or side // division < _SMALLEST_TILE:
            break
        faces = _search_tiles(image, net3d, side // division)
    return sorted(faces, key=lambda face: -face.size)


def _search_tiles(image: np.ndarray, net3d: Net3D, tile: int) -> list[FaceMeasurement]:
    found: list[FaceMeasurement] = []
    for left, top in _tile_corners(image.shape[0], image.shape[1], tile):
        for face in net3d.analyze(image[top : top + tile, left : left + tile]):
            x, y = _centre(face)
            close_up = _close_up(image, net3d, (x + left, y + top), face.size)
            if close_up is not None and not any(_is_same(close_up, other) for other in found):
                found.append(close_up)
    return found


def _tile_corners(height: int, width: int, tile: int) -> Iterator[tuple[int, int]]:
    """Left and top of tiles that overlap by half and cover the picture."""

    def starts(length: int) -> list[int]:
        if length <= tile:
            return [0]
        count = -(-2 * (length - tile) // tile) + 1
        return np.linspace(0, length - tile, count).round().astype(int).tolist()

    return ((left, top) for top in starts(height) for left in starts(width))


def _close_up(
    image: np.ndarray, net3d: Net3D, centre: tuple[float, float], size: float
) -> FaceMeasurement | None:
    """The face around a place, measured with space on all sides: a tile may have cut it."""
    reach = _CLOSE_UP * size / 2
    left, top = (max(int(position - reach), 0) for position in centre)
    right, bottom = (int(position + reach) + 1 for position in centre)
    faces = net3d.analyze(image[top:bottom, left:right])
    return _moved(faces[0], left, top, image.shape[:2]) if faces else None


def _moved(face: FaceMeasurement, left: int, top: int, size: tuple[int, int]) -> FaceMeasurement:
    """A face measured in a part of a picture, as seen by the camera of the whole picture."""
    landmarks = face.landmarks + np.array([left, top, 0], np.float32)
    canonical = load_canonical_face()
    metric = geometry.metric_face(
        torch.from_numpy(landmarks[None, :N_MESH]),
        size,
        torch.from_numpy(canonical.vertices),
        torch.from_numpy(canonical.weights),
    )
    parameters = face.parameters.copy()
    parameters[:3] = geometry.head_angles(metric.rotation)[0].numpy()
    x0, y0, x1, y1 = face.box
    return replace(
        face,
        parameters=parameters,
        landmarks=landmarks,
        box=(x0 + left, y0 + top, x1 + left, y1 + top),
        transform=metric.transform[0].numpy(),
    )


def _is_same(one: FaceMeasurement, other: FaceMeasurement) -> bool:
    distance = np.hypot(*np.subtract(_centre(one), _centre(other)))
    return bool(distance < 0.5 * max(one.size, other.size))


def _centre(face: FaceMeasurement) -> tuple[float, float]:
    x0, y0, x1, y1 = face.box
    return (x0 + x1) / 2, (y0 + y1) / 2
