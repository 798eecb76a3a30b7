"""Damages bytes in the ways that break readers: a pure function of its seed."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_NUMBERS = (
    b"0 -1 1 2 255 256 65535 65536 2147483647 2147483648 4294967295 4294967296 9007199254740993 "
    b"9223372036854775807 9223372036854775808 1e308 1e309 -1e309 1e-400 0.1 NaN Infinity -Infinity "
    b'null true false [] {} ""'
).split() + [b"9" * 400, b"1" + b"0" * 309]
_TOKENS = [
    *(b"[", b"]", b"{", b"}", b'"', b",", b":", b"\\", b"\\u0000", b"\\ud800", b"\n", b"\r", b"\0"),
    *(b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", "\u2028".encode(), "😀".encode(), b"../", b"/", b"%s"),
    *(b"[" * 40, b"[" * 5000, b'{"a":' * 2000, b'"' + b"\\" * 999, b"x" * 3000, b"\0" * 500),
]


class Mutator:
    """Makes damaged inputs of good ones.

    Args:
        seeds: at least one.
    """

    def __init__(self, seeds: Sequence[bytes], seed: int) -> None:
        self._seeds = list(seeds)
        self._random = random.Random(seed)

    def next(self) -> bytes:
        content = bytearray(self._random.choice(self._seeds))
        for _ in range(self._random.choice((1, 1, 1, 2, 3, 8))):
            self._random.choice(_WAYS)(self, content)
        return bytes(content)

    def _place(self, content: bytearray) -> int:
        # What says what the rest means mostly stands at the beginning.
        reach = len(content) if self._random.random() < 0.5 else min(len(content), 2000)
        return self._random.randint(0, max(reach, 0))

    def _flip(self, content: bytearray) -> None:
        for _ in range(self._random.choice((1, 1, 4, 30))):
            place = self._place(content)
            if place < len(content):
                content[place] ^= 1 << self._random.randrange(8)

    def _set(self, content: bytearray) -> None:
        place = self._place(content)
        length = self._random.choice((1, 2, 4, 8))
        content[place : place + length] = self._random.choice((b"\0", b"\xff", b"\x7f")) * length

    def _cut(self, content: bytearray) -> None:
        place = self._place(content)
        del content[place : place + self._random.choice((1, 4, 50, 1 << 30))]

    def _repeat(self, content: bytearray) -> None:
        place = self._place(content)
        part = content[place : place + self._random.choice((1, 8, 100))]
        content[place:place] = part * self._random.choice((1, 3, 50))

    def _insert(self, content: bytearray) -> None:
        place = self._place(content)
        content[place:place] = self._random.choice(_TOKENS)

    def _number(self, content: bytearray) -> None:
        found = list(_NUMBER.finditer(bytes(content[:20_000])))
        if found:
            start, end = self._random.choice(found).span()
            content[start:end] = self._random.choice(_NUMBERS)

    def _splice(self, content: bytearray) -> None:
        other = self._random.choice(self._seeds)
        place = self._place(content)
        content[place:] = other[min(place, len(other)) :]


_WAYS = (
    Mutator._flip,
    Mutator._set,
    Mutator._cut,
    Mutator._repeat,
    Mutator._insert,
    Mutator._number,
    Mutator._number,
    Mutator._splice,
)
