# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of portraits for the panels, made once and kept beside the preferences."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews
import numpy as np

from ..camera.portrait_file import PortraitFile
from ..extension import PACKAGE
from ..shared.errors import InputError
from ..shared.files.writing import write_atomically

SIZE = 128
_SAMPLES = 2  # a side, in each pixel
_previews: Any = None


def _path_of(portrait_id: str) -> Path:
    folder = bpy.utils.extension_path_user(PACKAGE, path="thumbnails", create=True)
    return Path(folder) / f"{portrait_id}.png"


def make_thumbnail(portrait: PortraitFile) -> Path:
    """The face of a portrait as a PNG of SIZE × SIZE; one that is there is not made again.

    Raises:
        InputError: it cannot be written, or Blender cannot read the photo.
    """
    path = _path_of(portrait.id)
    if path.is_file():
        return path
    photo_path = path.with_suffix(".photo.png")
    write_atomically(photo_path, portrait.photo_png, private=True)
    try:
        image = bpy.data.images.load(str(photo_path), check_existing=False)
        try:
            if tuple(image.size) != portrait.photo_size:
                raise InputError(f"Blender cannot read the photo of {portrait.name!r}")
            face = _face_of(image, np.reshape(portrait.alignment, (2, 3)))
        finally:
            bpy.data.images.remove(image)
    finally:
        photo_path.unlink(missing_ok=True)
    _save(face, path)
    return path


def _face_of(image: bpy.types.Image, alignment: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE, 3) float32, rows from the top: the part of a photo that is its aligned face.

    Args:
        alignment: (2, 3) photo pixels to the unit square.
    """
    width, height = image.size
    to_photo = np.linalg.inv(np.vstack([alignment, [0, 0, 1]]))[:2]
    # As small as the samples allow; a large photo would take long to read.
    scale = min(1.0, 2 * SIZE * _SAMPLES / max(1.0, float(np.hypot(*to_photo[:, 0]))))
    if scale < 1:
        image.scale(max(1, round(width * scale)), max(1, round(height * scale)))
    columns, rows = image.size
    values = np.empty(columns * rows * 4, np.float32)
    image.pixels.foreach_get(values)
    pixels = values.reshape(rows, columns, 4)[::-1, :, :3]
    steps = (np.arange(SIZE * _SAMPLES) + 0.5) / (SIZE * _SAMPLES)
    across, down = np.meshgrid(steps, steps)
    places = np.stack([across, down, np.ones_like(across)], axis=-1) @ to_photo.T
    x = np.clip((places[..., 0] * columns / width).astype(int), 0, columns - 1)
    y = np.clip((places[..., 1] * rows / height).astype(int), 0, rows - 1)
    sampled = pixels[y, x].reshape(SIZE, _SAMPLES, SIZE, _SAMPLES, 3)
    return sampled.mean(axis=(1, 3))


def _save(face: np.ndarray, path: Path) -> None:
    image = bpy.data.images.new("Photorig Thumbnail", SIZE, SIZE)
    try:
        values = np.ones((SIZE, SIZE, 4), np.float32)
        values[..., :3] = face[::-1]
        image.pixels.foreach_set(values.ravel())
        image.file_format = "PNG"
        unfinished = path.with_suffix(f".{os.getpid()}.png")  # Blender writes by name only
        image.filepath_raw = str(unfinished)
        try:
            image.save()
            write_atomically(path, unfinished.read_bytes(), private=True)
        finally:
            unfinished.unlink(missing_ok=True)
    finally:
        bpy.data.images.remove(image)


def thumbnail(portrait_id: str) -> bpy.types.ImagePreview | None:
    """A portrait's thumbnail, None where none was made."""
    if _previews is None or not portrait_id:
        return None
    if portrait_id not in _previews:
        path = _path_of(portrait_id)
        if not path.is_file():
            return None
        _previews.load(portrait_id, str(path), "IMAGE")
    return _previews[portrait_id]


def thumbnail_icon(portrait_id: str) -> int:
    """Its number for layouts; 0 where none was made, or without a window."""
    preview = thumbnail(portrait_id)
    return 0 if preview is None else int(preview.icon_id)


def picture_icon(picture: np.ndarray) -> int:
    """A small picture, (h, w, 3) uint8, as a number for layouts; 0 without a window."""
    if _previews is None:
        return 0
    name = f"picture {hashlib.sha256(picture.tobytes()).hexdigest()}"
    if name not in _previews:
        height, width = picture.shape[:2]
        values = np.ones((height, width, 4), np.float32)
        values[..., :3] = picture[::-1] / np.float32(255)
        preview = _previews.new(name)
        preview.image_size = (width, height)
        preview.image_pixels_float.foreach_set(values.ravel())
    return int(_previews[name].icon_id)


def register() -> None:
    global _previews
    _previews = bpy.utils.previews.new()


def unregister() -> None:
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None
