"""What a portrait file may hold, for both sides: looked at before anything large is made of it.

A ``.portrait`` is a safetensors file: eight bytes of length, a JSON header that says where which
array lies, and the arrays. Whoever made it may be a stranger, so all that is read here is refused
unless it can be drawn: names that a message can carry, a photo that memory can hold, and a face of
a size that a picture can have.
"""

from __future__ import annotations

import math
import struct
import unicodedata
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..parameters.schema import FACE_SCHEMA, is_parameter_id
from .reading import Content
from .strict_json import parse_json

FORMAT = "photorig.portrait"
FORMAT_VERSION = 1
HINT = "Make a portrait with 'photorig fit PHOTO' or 'photorig sample'."
MAXIMUM_BYTES = 512 << 20
MAXIMUM_PIXELS = 100_000_000
MAXIMUM_PARAMETERS = 1000
LONGEST_NAME = 200
"""Of what a person calls a portrait."""

_LONGEST_ID = 200
_LARGEST_HEADER = 1 << 20
_DEEPEST_HEADER = 6
_MOST_ARRAYS = 600
_LONGEST_ARRAY_NAME = 120
_ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "U8": 1}
"""Bytes of an item, by the types that a portrait's arrays have."""
_NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "U8": "u1"}

_LEAST_SIDE, _GREATEST_SIDE = 16, 30_000
"""Pixels along a photo."""
_LEAST_FACE = 8.0
_GREATEST_FACE = 4.0
"""Of the square around a face: pixels along it at least, diagonals of the photo at most."""
_FARTHEST = 2.0
"""Diagonals of the photo that the middle of the square may lie from the photo's own."""
_MOST_STRETCHED = 1.2
"""How often the square's longer axis may hold its shorter one; in our portraits they are equal."""

_DTYPES = {
    "latents": "F32",
    "parameters": "F32",
    "alignment": "F64",
    "photo.png": "U8",
    "geometry.moves": "F16",
    "mouth.picture": "U8",
    "lids.skin": "U8",
    "eyeballs.sclera": "U8",
    "eyeballs.shade": "U8",
    "eyeballs.iris": "U8",
    "eyeballs.glint": "U8",
}
"""Exact types; all other arrays of the parts below have the part's."""
_DTYPE_OF_PART = {"tuning": "F16"} | dict.fromkeys(
    ("response", "geometry", "mouth", "lids", "eyeballs", "references"), "F32"
)


@dataclass(frozen=True, eq=False)
class PortraitLayout:
    """Where everything is in a portrait file.

    Attributes:
        content: the file.
        metadata: what it says about itself.
        arrays: type, shape, first and last byte in ``content`` by name.
    """

    content: Content
    metadata: dict[str, Any]
    arrays: Mapping[str, tuple[str, tuple[int, ...], int, int]]

    def bytes_of(self, name: str, most: int | None = None) -> bytes:
        """The bytes of an array, the first ``most`` where that is given. Raises ValueError."""
        _, _, first, last = self._entry(name)
        return self.content[first : last if most is None else min(first + most, last)]

    def tensors(self) -> Mapping[str, np.ndarray]:
        """The arrays, read-only; each is read where it is asked for, and of a type or shape that
        it cannot have it raises ValueError."""
        return _Arrays(self)

    def numbers(self, name: str) -> tuple[float, ...]:
        """An array of floats, flat. Raises ValueError where there is none, or it is not finite."""
        dtype, _, first, last = self._entry(name)
        if dtype not in ("F32", "F64"):
            raise ValueError(f"{name} is {dtype}")
        values = np.frombuffer(self.content[first:last], f"<{dtype.lower()[0]}{_ITEM_BYTES[dtype]}")
        if not np.isfinite(values).all():
            raise ValueError(f"{name} is not finite")
        return tuple(values.tolist())

    def text(self, name: str) -> str:
        """A text of the metadata that names something. Raises ValueError."""
        return checked_text(self.metadata.get(name), LONGEST_NAME if name == "name" else 200)

    def parameter_ids(self, count: int) -> tuple[str, ...]:
        """What the ``count`` parameters are, by name. Portraits of before name none: theirs are
        the first of the parameters that there have been from the start.

        Raises:
            ValueError: other names than parameters have, one twice, or not ``count``.
        """
        ids = self.metadata.get("parameter_ids", list(FACE_SCHEMA.ids[:count]))
        if not isinstance(ids, list) or len(ids) != count or len(set(map(str, ids))) != count:
            raise ValueError("the parameters do not have a name each")
        if not all(isinstance(name, str) and is_parameter_id(name) for name in ids):
            raise ValueError("a parameter is called what none can be")
        return tuple(ids)

    def _entry(self, name: str) -> tuple[str, tuple[int, ...], int, int]:
        if name not in self.arrays:
            raise ValueError(f"there is no {name}")
        return self.arrays[name]


class _Arrays(Mapping[str, np.ndarray]):
    def __init__(self, layout: PortraitLayout) -> None:
        self._layout = layout

    def __getitem__(self, name: str) -> np.ndarray:
        dtype, shape, first, last = self._layout.arrays[name]
        if dtype not in _NUMPY:
            raise ValueError(f"{name} is {dtype}")
        return np.frombuffer(self._layout.content[first:last], _NUMPY[dtype]).reshape(shape)

    def __contains__(self, name: object) -> bool:
        return name in self._layout.arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._layout.arrays)

    def __len__(self) -> int:
        return len(self._layout.arrays)


def read_layout(content: Content) -> PortraitLayout:
    """The layout of a portrait file. Nothing is taken out of it: types, shapes and places of all
    arrays are checked first.

    Raises:
        InputError: it is no portrait, or one of another format.
        ValueError: it is damaged, or nothing that can be drawn.
    """
    metadata, entries, start = read_header(content)
    if metadata.get("format") != FORMAT:
        raise InputError("This is no portrait file", HINT)
    if metadata.get("version") != FORMAT_VERSION:
        raise InputError(
            f"This portrait has format {metadata.get('version')!r:.20}, expected {FORMAT_VERSION}",
            "Use the Photorig version that made it, or fit the photo again.",
        )
    arrays = {name: _array(name, entry, start, len(content)) for name, entry in entries.items()}
    # One that lies in another's place many times over would take more memory than the file.
    if sum(last - first for _, _, first, last in arrays.values()) > len(content) - start:
        raise ValueError("arrays that lie in one another")
    return PortraitLayout(content, metadata, arrays)


def read_header(content: Content) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Photorig's metadata of a safetensors file, what it says of its arrays, and where they begin.

    Raises:
        ValueError: there is no such header.
    """
    if not 8 <= len(content) <= MAXIMUM_BYTES:
        raise ValueError("too short or too large")
    length = int.from_bytes(content[:8], "little")
    if length > min(len(content) - 8, _LARGEST_HEADER):
        raise ValueError("header too long")
    header = parse_json(content[8 : 8 + length], _LARGEST_HEADER, _DEEPEST_HEADER)
    if not isinstance(header, dict) or len(header) > _MOST_ARRAYS:
        raise ValueError("no header")
    about = header.pop("__metadata__", None)
    text = about.get("photorig") if isinstance(about, dict) else None
    if not isinstance(text, str):
        raise ValueError("no metadata")
    metadata = parse_json(text, _LARGEST_HEADER, _DEEPEST_HEADER)
    if not isinstance(metadata, dict):
        raise ValueError("metadata is no object")
    return metadata, header, 8 + length


def _array(name: str, entry: Any, start: int, end: int) -> tuple[str, tuple[int, ...], int, int]:
    if len(name) > _LONGEST_ARRAY_NAME or not isinstance(entry, dict):
        raise ValueError("an array without a name, or none")
    dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    wanted = _DTYPES.get(name) or _DTYPE_OF_PART.get(name.partition(".")[0])
    # What a later version keeps in a portrait may be of any type; it is not read here.
    if not isinstance(dtype, str) or (wanted is not None and dtype != wanted):
        raise ValueError(f"{name} is of another type")
    shape, offsets = _counts(shape, 8), _counts(offsets, 2)
    if shape is None or offsets is None or len(offsets) != 2:
        raise ValueError(f"{name} has no shape or no place")
    first, last = offsets
    if not 0 <= first <= last <= end - start:
        raise ValueError(f"{name} lies outside the file")
    if wanted is not None and math.prod(shape) * _ITEM_BYTES[dtype] != last - first:
        raise ValueError(f"{name} has another size than its shape")
    return dtype, shape, start + first, start + last


def _counts(values: Any, most: int) -> tuple[int, ...] | None:
    """Whole numbers that count something; None where they do not."""
    if not isinstance(values, list) or len(values) > most:
        return None
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 40:
            return None
    return tuple(values)


def checked_text(value: Any, longest: int = _LONGEST_ID) -> str:
    """A short text without control characters. Raises ValueError."""
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError("a text that is none, or too long")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
        raise ValueError("a text with control characters")
    return value


def name_to_keep(name: str) -> str:
    """A name as ``checked_text`` takes it: shortened, and with spaces for what no line can show."""
    kept = (" " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in name)
    return "".join(kept)[:LONGEST_NAME]


def check_photo_size(width: int, height: int) -> None:
    """Raise ValueError unless a photo of so many pixels can be drawn in."""
    if not all(_LEAST_SIDE <= side <= _GREATEST_SIDE for side in (width, height)):
        raise ValueError(f"a photo of {width} × {height} pixels")
    if width * height > MAXIMUM_PIXELS:
        raise ValueError("a photo of too many pixels")


def check_alignment(alignment: np.ndarray, width: int, height: int) -> None:
    """Raise ValueError unless a photo can show the square that this cuts out of it.

    Args:
        alignment: (2, 3) from photo pixels to the unit square of the face.
    """
    if alignment.shape != (2, 3) or not np.isfinite(alignment).all():
        raise ValueError("an alignment of a wrong shape, or not finite")
    if np.abs(alignment[:, :2]).max() > 1 / _LEAST_FACE:
        raise ValueError("a face of no size")
    larger, smaller = np.linalg.svd(alignment[:, :2], compute_uv=False)
    diagonal = math.hypot(width, height)
    # The axes of the square in pixels are 1 / smaller and 1 / larger.
    if smaller * _GREATEST_FACE * diagonal < 1 or larger > _MOST_STRETCHED * smaller:
        raise ValueError("a face larger than any photo, or stretched")
    middle = np.linalg.solve(alignment[:, :2], 0.5 - alignment[:, 2])
    distance = float(np.hypot(*(middle - [width / 2, height / 2])))
    if not distance <= _FARTHEST * diagonal:
        raise ValueError("a face far outside of its photo")


PNG_HEAD_BYTES = 45
_PNG = b"\x89PNG\r\n\x1a\n"
_RGB8 = bytes([8, 2, 0, 0, 0])
"""Eight bits, RGB, the only compression and filter there are, not interlaced."""
_DRAWN = (b"IHDR", b"IDAT", b"IEND")


def png_size(png: bytes) -> tuple[int, int]:
    """Width and height of a portrait's photo, by its first PNG_HEAD_BYTES. Raises ValueError where
    no portrait can have it."""
    if png[:16] != _PNG + b"\0\0\0\rIHDR" or len(png) < PNG_HEAD_BYTES:
        raise ValueError("the photo is no PNG")
    width, height = struct.unpack_from(">II", png, 16)
    check_photo_size(width, height)
    if png[24:29] != _RGB8:
        raise ValueError("the photo is not as portraits keep it")
    return width, height


def plain_png(png: bytes) -> bytes:
    """The same photo with nothing but its pixels, for readers that know much more of PNG.

    Raises:
        ValueError: it is damaged, or none that a portrait keeps.
    """
    png_size(png)
    parts, position, kinds = [_PNG], len(_PNG), []
    while position + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, position)
        kind, end = png[position + 4 : position + 8], position + 12 + length
        if end > len(png):
            break
        if kind in _DRAWN:
            content = memoryview(png)[position + 4 : end - 4]
            if struct.unpack_from(">I", png, end - 4) != (zlib.crc32(content),):
                raise ValueError("the photo is damaged")
            parts.append(png[position:end])
            kinds.append(kind)
        position = end
        if kind == b"IEND":
            break
    if kinds[:1] != [b"IHDR"] or kinds[-1:] != [b"IEND"] or set(kinds[1:-1]) != {b"IDAT"}:
        raise ValueError("the photo ends in the middle")
    return b"".join(parts)
