# SPDX-License-Identifier: GPL-3.0-or-later
"""Portrait files as Blender needs them: a name, an id, and bytes to send to the worker."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import bpy

from .shared.errors import InputError
from .shared.schema import ARKIT_52

SUFFIX = ".portrait"
MAXIMUM_BYTES = 512 << 20
_HINT = "Make a portrait with 'photorig fit' or 'photorig sample'."


@dataclass(frozen=True)
class PortraitFile:
    """A portrait file that was read.

    Attributes:
        path: absolute.
        id: SHA-256 (hex) of ``content``.
        name: what a person calls it.
        photo_size: (width, height) of the photo in pixels.
        parameters: (m,) pose and expression in the photo, in the order of the schema that the
            portrait was measured with.
        content: the bytes of the file.
    """

    path: Path
    id: str
    name: str
    photo_size: tuple[int, int]
    parameters: tuple[float, ...]
    content: bytes

    @property
    def named_parameters(self) -> dict[str, float]:
        """Value by parameter id; what a portrait of an earlier version lacks is at rest."""
        measured = dict(zip(ARKIT_52.ids, self.parameters, strict=False))
        return {p.id: measured.get(p.id, p.default) for p in ARKIT_52.parameters}


def resolve(path: str, owner: bpy.types.ID | None = None) -> Path:
    """A path as it is written in a .blend file, "//" included, to one of the file system.

    Args:
        owner: the data-block that holds the path; a linked one is relative to its own library.
    """
    library = owner.library if owner is not None else None
    return Path(bpy.path.abspath(path, library=library))


def read_portrait(path: Path) -> PortraitFile:
    """Read a portrait file; a file that did not change since is not read again.

    Raises:
        InputError: there is no such file, it cannot be read, or it is no portrait.
    """
    if path.suffix.lower() != SUFFIX:
        raise InputError(f"{path.name!r} is no {SUFFIX} file", _HINT)
    try:
        status = path.stat()
        if status.st_size > MAXIMUM_BYTES:
            raise InputError(f"{path.name!r} is too large to be a portrait", _HINT)
        return _read(path, status.st_mtime_ns, status.st_size)
    except FileNotFoundError:
        raise InputError(
            f"There is no portrait file {str(path)!r}", "Choose the file again."
        ) from None
    except OSError as error:
        raise InputError(f"Cannot read {str(path)!r}: {error.strerror}") from error


@lru_cache(maxsize=8)
def _read(path: Path, _modified: int, _size: int) -> PortraitFile:
    content = path.read_bytes()
    name, photo_size, parameters = _describe(path, content)
    identity = hashlib.sha256(content).hexdigest()
    return PortraitFile(path, identity, name, photo_size, parameters, content)


def _describe(path: Path, content: bytes) -> tuple[str, tuple[int, int], tuple[float, ...]]:
    """Name, photo size and parameters, by the file's header (safetensors: a length, then JSON)."""
    try:
        (length,) = struct.unpack_from("<Q", content)
        header = json.loads(content[8 : 8 + length])
        metadata = json.loads(header["__metadata__"]["photorig"])
        if metadata["format"] != "photorig.portrait":
            raise ValueError(metadata["format"])
        photo_start = 8 + length + int(header["photo.png"]["data_offsets"][0])
        # A PNG's first chunk begins with width and height after 16 bytes.
        width, height = struct.unpack_from(">II", content, photo_start + 16)
        return (
            str(metadata["name"]),
            (width, height),
            _floats(header["parameters"], content, length),
        )
    except (struct.error, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path.name!r} is no portrait file, or it is damaged", _HINT) from error


def _floats(entry: dict[str, Any], content: bytes, header_length: int) -> tuple[float, ...]:
    """The numbers of a one-dimensional float32 tensor. Raises ValueError where it is none."""
    (count,) = entry["shape"]
    start = 8 + header_length + int(entry["data_offsets"][0])
    values = struct.unpack_from(f"<{count:d}f", content, start)
    if entry["dtype"] != "F32" or not all(map(math.isfinite, values)):
        raise ValueError("parameters are no finite numbers")
    return values
