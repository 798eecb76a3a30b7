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
        alignment: (6,) rows of the matrix from photo pixels to the unit square of the face.
        reach: lowest and highest value that this face was seen to show, by parameter; empty where
            that was not measured.
        reach_of: id of the worker's bundle that it was measured with, "" without.
        photo_png: the photo as a PNG file.
        content: the bytes of the file.
    """

    path: Path
    id: str
    name: str
    photo_size: tuple[int, int]
    parameters: tuple[float, ...]
    alignment: tuple[float, ...]
    reach: dict[str, tuple[float, float]]
    reach_of: str
    photo_png: bytes
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
    try:
        return _described(path, content)
    except (struct.error, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path.name!r} is no portrait file, or it is damaged", _HINT) from error


def _described(path: Path, content: bytes) -> PortraitFile:
    """What the file's header says (safetensors: a length, then JSON, then the tensors)."""
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    metadata = json.loads(header["__metadata__"]["photorig"])
    if metadata["format"] != "photorig.portrait":
        raise ValueError(metadata["format"])
    tensors = _Tensors(header, content, 8 + length)
    photo = tensors.bytes_of("photo.png")
    # A PNG's first chunk begins with width and height after 16 bytes.
    width, height = struct.unpack_from(">II", photo, 16)
    reach = _reach(tensors)
    return PortraitFile(
        path=path,
        id=hashlib.sha256(content).hexdigest(),
        name=str(metadata["name"]),
        photo_size=(width, height),
        parameters=tensors.numbers("parameters", "F32"),
        alignment=tensors.numbers("alignment", "F64"),
        reach=reach,
        reach_of=str(metadata.get("response_to", "")) if reach else "",
        photo_png=photo,
        content=content,
    )


def _reach(tensors: _Tensors) -> dict[str, tuple[float, float]]:
    names = ("response.lowest", "response.highest")
    if not all(name in tensors.header for name in names):
        return {}
    lowest, highest = (tensors.numbers(name, "F32") for name in names)
    ends = zip(lowest, highest, strict=True)
    return {p.id: end for p, end in zip(ARKIT_52.parameters, ends, strict=False)}


@dataclass(frozen=True)
class _Tensors:
    """The tensors of a safetensors file; ``start`` is where the first one's bytes begin."""

    header: dict[str, Any]
    content: bytes
    start: int

    def bytes_of(self, name: str) -> bytes:
        first, last = (self.start + int(end) for end in self.header[name]["data_offsets"])
        return self.content[first:last]

    def numbers(self, name: str, kind: str) -> tuple[float, ...]:
        """A float tensor, flat. Raises ValueError where it is none."""
        letter = {"F32": "f", "F64": "d"}[kind]
        if self.header[name]["dtype"] != kind:
            raise ValueError(f"{name} is no {kind}")
        count = math.prod(self.header[name]["shape"])
        values = struct.unpack(f"<{count:d}{letter}", self.bytes_of(name))
        if not all(map(math.isfinite, values)):
            raise ValueError(f"{name} is not finite")
        return values
