"""No reader takes longer than its input explains: ten times the bytes, about ten times the time."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable

import pytest
from fuzz_targets import TARGETS
from run import try_one

LONG = 64 << 10
_PNG = b"\x89PNG\r\n\x1a\n"


def repeated(part: bytes) -> Callable[[int], bytes]:
    return lambda length: (part * (length // len(part) + 1))[:length]


def in_a_portrait(make: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """As the header of a portrait file."""
    return lambda length: struct.pack("<Q", length) + make(length)


def in_a_message(make: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """As the header of a message."""

    def message(length: int) -> bytes:
        return struct.pack(">I4sI", 4, b"PHR1", length) + make(length)

    return message


def chunks(kind: bytes) -> Callable[[int], bytes]:
    """A PNG of as many empty chunks as there is room for."""
    chunk = struct.pack(">I", 0) + kind + struct.pack(">I", zlib.crc32(kind))
    return lambda length: (_PNG + chunk * (length // len(chunk) + 1))[:length]


PARTS = (
    b"[",
    b'"',
    b'\\"',
    b'{"a":',
    b"9",
    b" ",
    b"\n",
    b"\\",
    b"a=[",
    b"\0",
    b'{"file": "',
    b"a.",
)
CASES: list[tuple[str, str, Callable[[int], bytes]]] = [
    (name, repr(part), repeated(part))
    for name in ("journal", "preset", "connection", "params", "card")
    for part in PARTS
]
CASES += [("portrait", repr(part), in_a_portrait(repeated(part))) for part in PARTS]
CASES += [("portrait_in_extension", repr(part), in_a_portrait(repeated(part))) for part in PARTS]
CASES += [("message", repr(part), in_a_message(repeated(part))) for part in PARTS]
CASES += [("provenance", repr(kind), chunks(kind)) for kind in (b"IHDR", b"iTXt", b"IDAT", b"abcd")]


def seconds(name: str, content: bytes, times: int) -> float:
    """Processor time, the shortest of several tries."""
    tries = []
    for _ in range(3):
        started = time.thread_time()
        for _ in range(times):
            assert try_one(name, content) is None
        tries.append(time.thread_time() - started)
    return min(tries)


@pytest.mark.parametrize(
    ("name", "make"),
    [(name, make) for name, _, make in CASES],
    ids=[f"{c[0]} {c[1]}" for c in CASES],
)
def test_ten_times_the_bytes_take_about_ten_times_the_time(
    name: str, make: Callable[[int], bytes]
) -> None:
    assert TARGETS[name]
    long, short = make(LONG), make(LONG // 10)
    # What grows with the square takes ten times as long for the long one as for ten short ones.
    for _ in range(4):
        ratio = seconds(name, long, 1) / max(seconds(name, short, 10), 2e-4)
        if ratio < 4:
            return
    raise AssertionError(f"{ratio:.1f} times as long for the same number of bytes")
