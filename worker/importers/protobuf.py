"""Reads messages of Protocol Buffers, of which the caller knows the fields; needs nothing else.

The encoding: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST = 63  # bits of a number that come before its last byte


def fields(data: int | bytes | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a message: integers as such, the rest as bytes.

    Raises:
        ValueError, IndexError or KeyError: it is no message, or a damaged one.
    """
    if isinstance(data, int):
        raise ValueError("a number stands where a message should")
    data, position = memoryview(data), 0
    while position < len(data):
        key, position = _varint(data, position)
        wire = key & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            length, position = _varint(data, position)
        else:
            length = {_FIXED64: 8, _FIXED32: 4}[wire]
        if position + length > len(data):
            raise ValueError("it ends too early")
        yield key >> 3, data[position : position + length]
        position += length


def integers(value: int | memoryview) -> list[int]:
    """A repeated integer's part in one field: a single one, or many packed. Errors as above."""
    if isinstance(value, int):
        return [value]
    found, position = [], 0
    while position < len(value):
        number, position = _varint(value, position)
        found.append(number)
    return found


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """A base-128 number and the position behind it."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
        if shift > _LONGEST:
            raise ValueError("a number is too long")
