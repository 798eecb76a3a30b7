"""Colour profiles made from their numbers: ICC.1:2001-04 with three colours and one gamma."""

from __future__ import annotations

import functools
import struct

_ADOBE_RGB_GAMMA = 563 / 256
# Colorants adapted to D50, as Adobe RGB (1998), section 4.3.1 and annex C, has them.
_ADOBE_RGB_COLORANTS = (
    (0.60974, 0.31111, 0.01947),
    (0.20528, 0.62567, 0.06087),
    (0.14919, 0.06322, 0.74457),
)
_D50 = (0.9642, 1.0, 0.8249)


@functools.cache
def adobe_rgb_profile() -> bytes:
    """The profile that pictures in Adobe RGB (1998) are to be read with."""
    return matrix_profile(_ADOBE_RGB_COLORANTS, _ADOBE_RGB_GAMMA)


def matrix_profile(colorants: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """An ICC display profile.

    Args:
        colorants: X, Y and Z of red, green and blue at full strength, adapted to D50.
        gamma: exponent of all three.
    """
    curve = b"curv" + bytes(4) + struct.pack(">IHH", 1, round(gamma * 256), 0)
    text = b"text" + bytes(4) + b"No copyright, use freely\0"
    description = b"desc" + bytes(4) + struct.pack(">I", 4) + b"RGB\0" + bytes(78)
    contents = {
        b"desc": description,
        b"cprt": text,
        b"wtpt": _xyz(_D50),
        b"rXYZ": _xyz(colorants[0]),
        b"gXYZ": _xyz(colorants[1]),
        b"bXYZ": _xyz(colorants[2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, data = struct.pack(">I", len(contents)), b""
    start = 128 + 4 + 12 * len(contents)
    for signature, content in contents.items():
        table += signature + struct.pack(">II", start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    size = start + len(data)
    header = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _numbers(_D50)
    return header.ljust(128, b"\0") + table + data


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + _numbers(values)


def _numbers(values: tuple[float, float, float]) -> bytes:
    return struct.pack(">3i", *(round(value * 65536) for value in values))
