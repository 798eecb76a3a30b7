"""Contact sheets: every control in full and seven poses of one face, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import ARKIT_NAMES

from .frames import POSES, REST, Frame, places
from .shape import FaceFrame

TILE = 256
COLUMNS = 10
SHOWN: tuple[str, ...] = (REST, *POSES, *ARKIT_NAMES)
"""Labels of the cells, row by row."""
_LABEL = 18
_SIDE, _TOP = 3.2, 1.05
"""Of a near cell, and how far above the eyes it begins; eye distances."""
_QUALITY = 88


def tiles_of(crops: np.ndarray, frames: Sequence[Frame], face: FaceFrame) -> np.ndarray:
    """(SHOWN, TILE, TILE, 3) uint8 out of the crops (f, s, s, 3) of the frames: poses as they are,
    expressions nearer."""
    by_label = places(frames)
    return np.array(
        [
            _small(crops[by_label[name]]) if name in POSES else _near(crops[by_label[name]], face)
            for name in SHOWN
        ]
    )


def _small(crop: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(crop, (TILE, TILE), interpolation=cv2.INTER_AREA))


def _near(crop: np.ndarray, face: FaceFrame) -> np.ndarray:
    """The face with room for an open jaw, upright."""
    corners = np.array([[-_SIDE / 2, _TOP], [_SIDE / 2, _TOP], [-_SIDE / 2, _TOP - _SIDE]])
    source = (face.to_pixels(corners) - 0.5).astype(np.float32)
    target = np.array([[0, 0], [2 * TILE, 0], [0, 2 * TILE]], np.float32) - 0.5
    matrix = cv2.getAffineTransform(source, target)
    size = (2 * TILE, 2 * TILE)
    return _small(
        cv2.warpAffine(crop, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def draw_contact_sheet(tiles: np.ndarray, path: Path) -> None:
    """Write the cells (SHOWN, s, s, 3) with their labels above. Raises InputError."""
    side = tiles.shape[1]
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (side * COLUMNS, (side + _LABEL) * rows), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for place, (label, tile) in enumerate(zip(SHOWN, tiles, strict=True)):
        x, y = place % COLUMNS * side, place // COLUMNS * (side + _LABEL)
        draw.text((x + 3, y + 2), label, "black", font)
        sheet.paste(Image.fromarray(tile), (x, y + _LABEL))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path, quality=_QUALITY)
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error.strerror}") from error
