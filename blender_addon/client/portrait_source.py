"""What a preview needs of a portrait file, without reading and hashing all of it. No bpy."""

from __future__ import annotations

import json
import stat
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..shared.errors import InputError
from ..shared.files.portrait_layout import MAXIMUM_BYTES
from ..shared.files.reading import read_file

_LARGEST_HEADER = 1 << 20


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
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would hold Blender up for ever
            return None
        return _read(path, status.st_mtime_ns, status.st_size)
    except (OSError, struct.error, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None


@lru_cache(maxsize=16)
def _read(path: str, _modified: int, _size: int) -> FaceInPhoto:
    with Path(path).open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > _LARGEST_HEADER:
            raise ValueError(length)
        header = json.loads(file.read(length))
        start = 8 + length
        file.seek(start + int(header["alignment"]["data_offsets"][0]))
        alignment = struct.unpack("<6d", file.read(48))
        file.seek(start + int(header["photo.png"]["data_offsets"][0]) + 16)
        width, height = struct.unpack(">II", file.read(8))
    if abs(alignment[0] * alignment[4] - alignment[1] * alignment[3]) < 1e-12 or not width * height:
        raise ValueError(alignment)
    return FaceInPhoto((width, height), alignment)
