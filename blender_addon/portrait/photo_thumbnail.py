# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo that is being fitted as a small picture, upright as its camera was held."""

from __future__ import annotations

import logging
import re
import struct
from pathlib import Path

import bpy
import numpy as np

_log = logging.getLogger(__name__)
SIZE = 192
_BEGINNING = 1 << 16
_TIFF_HEADER = re.compile(rb"II\*\0|MM\0\*")
_ORIENTATION, _SHORT = 0x0112, 3
_MOST_ENTRIES = 200


def photo_thumbnail(path: Path) -> np.ndarray | None:
    """(h, w, 3) uint8 of at most SIZE a side; None for a file that Blender cannot read."""
    try:
        image = bpy.data.images.load(str(path), check_existing=False)
    except RuntimeError:  # HEIC, for one: the worker reads it
        return None
    try:
        width, height = image.size
        if not width or not height:
            return None
        shrink = min(1.0, SIZE / max(width, height))
        image.scale(max(1, round(width * shrink)), max(1, round(height * shrink)))
        columns, rows = image.size
        values = np.empty(columns * rows * image.channels, np.float32)
        image.pixels.foreach_get(values)
        pixels = values.reshape(rows, columns, image.channels)[::-1]
    finally:
        bpy.data.images.remove(image)
    colours = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, 2)
    with path.open("rb") as file:
        turned = upright(colours, exif_orientation(file.read(_BEGINNING)))
    return np.ascontiguousarray((np.clip(turned, 0, 1) * 255).round().astype(np.uint8))


def upright(picture: np.ndarray, orientation: int) -> np.ndarray:
    """A picture (h, w, c) as it is meant to be seen, by EXIF's orientation from 1 to 8."""
    if orientation in (5, 6, 7, 8):
        picture = picture.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    return picture


def exif_orientation(beginning: bytes) -> int:
    """EXIF's orientation from the first bytes of a photo of any format; 1 where none is told."""
    found = _TIFF_HEADER.search(beginning)
    if found is None:
        return 1
    tiff = beginning[found.start() :]
    order = "<" if tiff[:1] == b"I" else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (n_entries,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(min(n_entries, _MOST_ENTRIES)):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * entry)
            if (tag, kind) == (_ORIENTATION, _SHORT) and 1 <= value <= 8:
                return int(value)
    except struct.error:
        _log.debug("a photo with half an EXIF header")
    return 1
