"""Finds small faces in large pictures.

MediaPipe's detector looks at the whole picture at 128 pixels and misses faces narrower than about
an eighth of it. Where it finds none or small ones, the picture is searched again in overlapping
tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import torch

from . import geometry
from .canonical import load_canonical_face
from .landmarker import N_MESH
from .net3d import MINIMUM_FACE, FaceMeasurement, Net3D

_DIVISIONS = (2, 4)  # tile sides: a half, then a quarter of the picture's longer side
_CLOSE_UP = 3.0  # side of the square that a found face is measured in, in face sizes
_LOOK_SIDE = 2048  # pixels of the longer side that one look is given at most
_CLOSE_UPS = 3  # of each face at most
_STILL = 0.01  # face sizes by which landmarks of two close-ups differ that agree
_LARGE = 1.5  # a face this part of a tile's side, and one look has seen what a tile would show
_SMALLEST_TILE = 4 * MINIMUM_FACE


def find_faces(image: np.ndarray, net3d: Net3D) -> list[FaceMeasurement]:
    """All faces, largest first, the small ones of a group included.

    Beside one large face (a third of the picture) nobody else is looked for in detail.

    Args:
        image: (h, w, 3) uint8 sRGB, upright.
    """
    side = max(image.shape[:2])
    faces = [_settled(image, net3d, face) for face in _look(image, net3d)]
    for division in _DIVISIONS:
        largest = max((face.size for face in faces), default=0.0)
        if division * largest * _LARGE >= side or side // division < _SMALLEST_TILE:
            break
        faces = _search_tiles(image, net3d, side // division, faces)
    return sorted(faces, key=lambda face: -face.size)


def _look(image: np.ndarray, net3d: Net3D) -> list[FaceMeasurement]:
    """`Net3D.analyze`, of a smaller copy where the picture is large: memory and time stay bounded,
    and the networks see no more than 256 pixels of a face anyway."""
    height, width = image.shape[:2]
    factor = max(height, width) / _LOOK_SIDE
    if factor <= 1:
        return net3d.analyze(image)
    size = max(round(width / factor), 1), max(round(height / factor), 1)
    smaller = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    scale = width / size[0], height / size[1]
    return [_scaled(face, *scale) for face in net3d.analyze(smaller)]


def _scaled(face: FaceMeasurement, across: float, down: float) -> FaceMeasurement:
    """A face measured in a smaller copy. Its angles do not depend on the number of pixels."""
    x0, y0, x1, y1 = face.box
    return replace(
        face,
        landmarks=face.landmarks * np.array([across, down, across], np.float32),
        box=(x0 * across, y0 * down, x1 * across, y1 * down),
    )


def _settled(image: np.ndarray, net3d: Net3D, face: FaceMeasurement) -> FaceMeasurement:
    """The face, measured again where it is small in the picture: around a face that was detected a
    little beside its place the landmarks may be half a face off, and those of a close-up of them
    are not."""
    if _CLOSE_UP * face.size >= max(image.shape[:2]):
        return face
    for _ in range(_CLOSE_UPS):
        closer = _close_up(image, net3d, _centre(face), face.size)
        if closer is None:
            break
        moved = (closer.landmarks - face.landmarks)[:, :2]
        face = closer
        if np.linalg.norm(moved, axis=1).mean() < _STILL * face.size:
            break
    return face


def _search_tiles(
    image: np.ndarray, net3d: Net3D, tile: int, known: list[FaceMeasurement]
) -> list[FaceMeasurement]:
    """Known faces, and those that only tiles of this side show."""
    faces = list(known)
    for left, top in _tile_corners(image.shape[0], image.shape[1], tile):
        for face in _look(image[top : top + tile, left : left + tile], net3d):
            x, y = _centre(face)
            place = x + left, y + top
            if any(_is_there(place, face.size, other) for other in faces):
                continue
            close_up = _close_up(image, net3d, place, face.size)
            if close_up is None:
                continue
            close_up = _settled(image, net3d, close_up)
            if not any(_is_there(_centre(close_up), close_up.size, other) for other in faces):
                faces.append(close_up)
    return faces


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
    faces = _look(image[top:bottom, left:right], net3d)
    # A neighbour may be larger than the one we came for.
    faces = [_moved(face, left, top, image.shape[:2]) for face in faces]
    faces.sort(key=lambda face: float(np.hypot(*np.subtract(_centre(face), centre))))
    return faces[0] if faces else None


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
    x0, y0, x1, y1 = face.box
    return replace(
        face,
        landmarks=landmarks,
        box=(x0 + left, y0 + top, x1 + left, y1 + top),
        transform=metric.transform[0].numpy(),
    )


def _is_there(place: tuple[float, float], size: float, other: FaceMeasurement) -> bool:
    distance = np.hypot(*np.subtract(place, _centre(other)))
    return bool(distance < 0.5 * max(size, other.size))


def _centre(face: FaceMeasurement) -> tuple[float, float]:
    x0, y0, x1, y1 = face.box
    return (x0 + x1) / 2, (y0 + y1) / 2
