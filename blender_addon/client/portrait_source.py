"""What a preview needs of a portrait file, without reading and hashing all of it. No bpy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..shared.errors import InputError
from ..shared.files.portrait_layout import (
    MAXIMUM_BYTES,
    PNG_HEAD_BYTES,
    check_alignment,
    png_size,
    read_layout,
)
from ..shared.files.reading import FileBytes, open_file, read_file


@dataclass(frozen=True)
class FaceInPhoto:
    """Where the face crop lies.

    Attributes:
        photo_size: (width, height) in pixels.
        alignment: (6,) rows of the matrix from photo pixels to the unit square of the face.
    """

    photo_size: tuple[int, int]
    alignment: tuple[float, ...]


def content_of(path: str) -> bytes:
    """The bytes of a portrait file; the worker checks that they are the ones that were meant.

    Raises:
        InputError: it is not there or cannot be read.
    """
    try:
        return read_file(path, MAXIMUM_BYTES)
    except FileNotFoundError:
        raise InputError(f"There is no portrait file {path!r}", "Choose the file again.") from None
    except OSError as error:
        raise InputError(f"Cannot read {path!r}: {error.strerror}") from error


def face_in_photo(path: str) -> FaceInPhoto | None:
    """From the file's header; None where it cannot be read."""
    try:
        status = Path(path).stat()
        return _read(path, status.st_mtime_ns, status.st_size)
    except (OSError, InputError, ValueError):
        return None


@lru_cache(maxsize=16)
def _read(path: str, _modified: int, _size: int) -> FaceInPhoto:
    with open_file(path, MAXIMUM_BYTES) as file:
        layout = read_layout(FileBytes(file))
        width, height = png_size(layout.bytes_of("photo.png", PNG_HEAD_BYTES))
        alignment = layout.numbers("alignment")
    check_alignment(np.reshape(alignment, (2, 3)), width, height)
    return FaceInPhoto((width, height), alignment)
