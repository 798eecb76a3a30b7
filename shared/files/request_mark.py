"""Which request a picture answers, inside its own file, so that a lost journal is no loss.

In a PNG it is a chunk of our own, right behind the first (PNG specification, 5.4: not needed to
show the picture, private, and not to be copied by a program that changes it). In a JPEG it is a
comment, in a WebP a chunk behind the others. A TIFF or an OpenEXR is read by the offsets in it, so
there it is a line at the end that nothing refers to; whatever cuts the file takes it away.
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

from .provenance import JPEG_SIGNATURE, PNG_SIGNATURE
from .reading import read_file

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".exr")
"""Of the files that may carry a mark."""
_KIND = b"phRQ"
_AFTER_FIRST = len(PNG_SIGNATURE) + 25
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_COMMENT, _JFIF = b"\xff\xfe", b"\xff\xe0"
_WORD = b"photorig request "
_READ_BY_OFFSETS = (b"II*\0", b"MM\0*", b"v/1\1")
_LINE = re.compile(rb"\nphotorig request ([\x21-\x7e]{1,200}) ([0-9a-f]{8})\n\Z")
_LONGEST_LINE = 240
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_LARGEST = 1 << 30


def marked(content: bytes, key: str) -> bytes:
    """The same picture with a mark; what can carry none stays as it is.

    Args:
        key: up to 200 letters and digits, see frame_index.picture_key.
    """
    if not _KEY.fullmatch(key):
        return content
    if content.startswith(PNG_SIGNATURE) and content[12:16] == b"IHDR":
        data = _KIND + key.encode()
        chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
        return content[:_AFTER_FIRST] + chunk + content[_AFTER_FIRST:]
    if content.startswith(JPEG_SIGNATURE):
        text, start = _WORD + key.encode(), _jpeg_start(content)
        return (
            content[:start] + _COMMENT + struct.pack(">H", len(text) + 2) + text + content[start:]
        )
    if content.startswith(_READ_BY_OFFSETS):
        return content + _line_of(key.encode())
    if _is_webp(content):
        data = key.encode() + b"\0" * (len(key) % 2)
        grown = content + _KIND + struct.pack("<I", len(key)) + data
        return grown[:4] + struct.pack("<I", len(grown) - 8) + grown[8:]
    return content


def read_mark(path: Path) -> tuple[str, int] | None:
    """Key and size of a whole picture that carries a mark, None of everything else."""
    try:
        content = read_file(path, _LARGEST)
    except OSError:
        return None
    key = None
    if content.startswith(PNG_SIGNATURE):
        key = _png_key(content)
    elif content.startswith(JPEG_SIGNATURE):
        key = _jpeg_key(content)
    elif content.startswith(_READ_BY_OFFSETS):
        key = _last_line(content)
    elif _is_webp(content):
        key = _webp_key(content)
    return None if key is None else (key, len(content))


def _png_key(content: bytes) -> str | None:
    head = content[_AFTER_FIRST : _AFTER_FIRST + 8]
    if head[4:] != _KIND or not content.endswith(_PNG_END):
        return None
    (length,) = struct.unpack_from(">I", head)
    data = content[_AFTER_FIRST + 4 : _AFTER_FIRST + 8 + length]
    crc = content[_AFTER_FIRST + 8 + length : _AFTER_FIRST + 12 + length]
    return _key(data[4:]) if crc == struct.pack(">I", zlib.crc32(data)) else None


def _jpeg_key(content: bytes) -> str | None:
    start = _jpeg_start(content)
    if content[start : start + 2] != _COMMENT or not content.endswith(b"\xff\xd9"):
        return None
    text = content[start + 4 : start + 2 + int.from_bytes(content[start + 2 : start + 4], "big")]
    return _key(text.removeprefix(_WORD)) if text.startswith(_WORD) else None


def _is_webp(content: bytes) -> bool:
    """Whether it is a WebP that is whole."""
    size = int.from_bytes(content[4:8], "little") + 8
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP" and size == len(content)


def _webp_key(content: bytes) -> str | None:
    """Of the last chunk, which is the only one of its kind."""
    start = content.rfind(_KIND, max(12, len(content) - _LONGEST_LINE))
    if start < 0:
        return None
    (length,) = struct.unpack_from("<I", content, start + 4)
    data = content[start + 8 : start + 8 + length]
    return _key(data) if start + 8 + length + length % 2 == len(content) else None


def _line_of(key: bytes) -> bytes:
    return b"\n" + _WORD + key + f" {zlib.crc32(key):08x}\n".encode()


def _last_line(content: bytes) -> str | None:
    found = _LINE.search(content[-_LONGEST_LINE:])
    if found is None or content[-len(found[0]) :] != _line_of(found[1]):
        return None
    return _key(found[1])


def _jpeg_start(content: bytes) -> int:
    """Behind JFIF's own segment, which must stay the first one."""
    start = len(JPEG_SIGNATURE)
    if content[start : start + 2] == _JFIF:
        start += 2 + int.from_bytes(content[start + 2 : start + 4], "big")
    return start


def _key(data: bytes) -> str | None:
    text = data.decode("latin-1")
    return text if _KEY.fullmatch(text) else None
