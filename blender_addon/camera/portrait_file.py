# SPDX-License-Identifier: GPL-3.0-or-later
"""Portrait files as Blender needs them: a name, an id, and bytes to send to the worker."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..shared.errors import InputError
from ..shared.farm.job import FOLDER_VARIABLE, portrait_name
from ..shared.farm.path_mapping import SUBMITTED_VARIABLE, place_on_node
from ..shared.files.portrait_layout import (
    HINT,
    MAXIMUM_BYTES,
    MAXIMUM_PARAMETERS,
    PortraitLayout,
    check_alignment,
    plain_png,
    png_size,
    read_layout,
)
from ..shared.files.reading import read_file
from ..shared.parameters.arkit_amounts import amounts_of
from ..shared.parameters.schema import FACE_SCHEMA

if TYPE_CHECKING:
    import bpy

SUFFIX = ".portrait"


@dataclass(frozen=True)
class PortraitFile:
    """A portrait file that was read.

    Attributes:
        path: absolute.
        id: SHA-256 (hex) of ``content``.
        name: what a person calls it.
        photo_size: (width, height) of the photo in pixels.
        parameters: pose and expression in the photo, value by parameter id.
        alignment: (6,) rows of the matrix from photo pixels to the unit square of the face.
        reach: lowest and highest value that this face was seen to show, by parameter; empty where
            that was not measured.
        reach_of: id of the worker's bundle that it was measured with, "" without.
        photo_png: the photo as a PNG file, with nothing in it but pixels.
        content: the bytes of the file.
    """

    path: Path
    id: str
    name: str
    photo_size: tuple[int, int]
    parameters: dict[str, float]
    alignment: tuple[float, ...]
    reach: dict[str, tuple[float, float]]
    reach_of: str
    photo_png: bytes
    content: bytes

    @property
    def named_parameters(self) -> dict[str, float]:
        """Value by parameter id; what a portrait of an earlier version lacks is at rest."""
        return {p.id: self.parameters.get(p.id, p.default) for p in FACE_SCHEMA.parameters}


def resolve(path: str, owner: bpy.types.ID | None = None) -> Path:
    """A path as it is written in a .blend file, "//" included, to one of the file system.

    Args:
        owner: the data-block that holds the path; a linked one is relative to its own library.
    """
    import bpy  # the rest of this file can do without

    library = owner.library if owner is not None else None
    submitted = "" if library is not None else os.environ.get(SUBMITTED_VARIABLE, "")
    return Path(place_on_node(path, bpy.path.abspath(path, library=library), submitted))


def place_of(path: str, portrait: str, owner: bpy.types.ID | None = None) -> Path:
    """Where a camera's portrait file is: on a farm's node in the job's folder, if it is there.

    Args:
        path, owner: as of ``resolve``.
        portrait: SHA-256 (hex) of the file.
    """
    job = os.environ.get(FOLDER_VARIABLE, "")
    kept = Path(job) / portrait_name(portrait) if job else None
    return kept if kept is not None and kept.is_file() else resolve(path, owner)


def read_portrait(path: Path) -> PortraitFile:
    """Read a portrait file; a file that did not change since is not read again.

    Raises:
        InputError: there is no such file, it cannot be read, or it is no portrait.
    """
    if path.suffix.lower() != SUFFIX:
        raise InputError(f"{path.name!r} is no {SUFFIX} file", HINT)
    try:
        status = path.stat()
        return _read(path, status.st_mtime_ns, status.st_size)
    except FileNotFoundError:
        raise InputError(
            f"There is no portrait file {str(path)!r}", "Choose the file again."
        ) from None
    except OSError as error:
        raise InputError(f"Cannot read {str(path)!r}: {error.strerror}") from error


@lru_cache(maxsize=8)
def _read(path: Path, _modified: int, _size: int) -> PortraitFile:
    content = read_file(path, MAXIMUM_BYTES)
    try:
        return _described(path, content)
    except InputError as error:
        raise InputError(f"{path.name!r}: {error.message}", error.hint) from error
    except Exception as error:  # an edge: the file may be a stranger's
        raise InputError(f"{path.name!r} is no portrait file, or it is damaged", HINT) from error


def _described(path: Path, content: bytes) -> PortraitFile:
    """What the file says, as far as a worker would take it. Raises InputError, ValueError."""
    layout = read_layout(content)
    # Blender's image loader knows much more of PNG than photos of portraits have.
    photo = plain_png(layout.bytes_of("photo.png"))
    width, height = png_size(photo)
    alignment, readings = layout.numbers("alignment"), layout.numbers("parameters")
    check_alignment(np.reshape(alignment, (2, 3)), width, height)
    if not 1 <= len(readings) <= MAXIMUM_PARAMETERS:
        raise ValueError(f"{len(readings)} parameters")
    ids = layout.parameter_ids(len(readings))
    reach = _reach(layout, ids)
    return PortraitFile(
        path=path,
        id=hashlib.sha256(content).hexdigest(),
        name=layout.text("name"),
        photo_size=(width, height),
        parameters=dict(zip(ids, _amounts(readings, ids), strict=True)),
        alignment=alignment,
        reach=reach,
        reach_of=layout.text("response_to") if reach else "",
        photo_png=photo,
        content=content,
    )


def _amounts(readings: tuple[float, ...], ids: tuple[str, ...]) -> list[float]:
    """The file keeps what Net3D read; parameters are amounts."""
    return amounts_of(np.array(readings, np.float32), ids).tolist()


def _reach(layout: PortraitLayout, ids: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    names = ("response.lowest", "response.highest")
    if not all(name in layout.arrays for name in names) or "response_to" not in layout.metadata:
        return {}
    lowest, highest = (_amounts(layout.numbers(name), ids) for name in names)
    return dict(zip(ids, zip(lowest, highest, strict=True), strict=True))
