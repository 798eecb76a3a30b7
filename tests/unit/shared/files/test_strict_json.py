"""JSON from outside ends in a value or in ValueError, and costs no more than its length."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photorig.shared.files.strict_json import GREATEST_INTEGER, MAX_DEPTH, TooDeep, parse_json
from photorig.shared.wire.protocol import MAGIC, ProtocolError, decode

LIMIT = 64 << 10
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_good_json_is_read(value: object) -> None:
    for ascii_only in (True, False):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only), LIMIT, 40) == value


@pytest.mark.parametrize(
    "text",
    [
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"9" * 20,
        b"-" + b"9" * 5000,
        str(GREATEST_INTEGER).encode(),
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b"\xff",
        b"",
        b"{",
        b'"',
        b"[" * 50_000,
        b'{"a":' * 10_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'"' + b"x" * LIMIT + b'"',
        "\ud800",
    ],
    ids=repr,
)
def test_what_no_reader_may_meet_is_refused(text: bytes | str) -> None:
    with pytest.raises(ValueError):
        parse_json(text, LIMIT)


def test_depth_is_counted_without_the_brackets_in_strings() -> None:
    assert parse_json(b'["[[[[[[[[[[[[[[[[\\"[[[["]', LIMIT) == ["[[[[[[[[[[[[[[[[" + '"[[[[']
    assert parse_json(b"[" * 12 + b"]" * 12, LIMIT)
    with pytest.raises(TooDeep):
        parse_json(b"[[]]", LIMIT, 1)


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_value_or_a_value_error(text: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_json(text, LIMIT)


# --- linear in the length of what is checked before it is parsed

HOSTILE: dict[str, Callable[[int], bytes]] = {
    "escaped quotes": lambda n: b'"' + b'\\"' * (n // 2),
    "quotes": lambda n: b'"' * n,
    "backslashes": lambda n: b'"' + b"\\" * (n - 1),
    "brackets": lambda n: b"[" * n,
    "closing brackets": lambda n: b"]" * n,
    "brackets in a string": lambda n: b'"' + b"[" * (n - 1),
    "empty strings": lambda n: (b'["",' * (n // 4))[:n],
    "digits": lambda n: b"1" * n,
    "decimals": lambda n: b"0." + b"1" * (n - 2),
    "exponents": lambda n: b"1e" + b"0" * (n - 2),
    "spaces": lambda n: b" " * n,
    "one key often": lambda n: b"{" + b",".join([b'"a":1'] * (n // 6)) + b"}",
    "escapes": lambda n: b'"' + b"\\u0041" * ((n - 2) // 6) + b'"',
    "half characters": lambda n: b'"' + b"\\ud800" * ((n - 2) // 6) + b'"',
    "bad UTF-8": lambda n: b'"' + b"\xe2\x82" * (n // 2),
    "nothing": lambda n: b"\0" * n,
}


def seconds(work: Callable[[], object], times: int) -> float:
    """Processor time of ``times`` calls, the shortest of several tries."""
    tries = []
    for _ in range(5):
        started = time.thread_time()
        for _ in range(times):
            work()
        tries.append(time.thread_time() - started)
    return min(tries)


def read_json(text: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_json(text, LIMIT)


def read_message(text: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decode([MAGIC, text], LIMIT)


@pytest.mark.parametrize("read", [read_json, read_message])
@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_ten_times_the_text_takes_about_ten_times_the_time(
    make: Callable[[int], bytes], read: Callable[[bytes], None]
) -> None:
    short, long = make(LIMIT // 10), make(LIMIT)
    # One that grows with the square takes ten times as long for the long text as for ten short.
    for _ in range(3):
        ratio = seconds(lambda: read(long), 1) / max(seconds(lambda: read(short), 10), 2e-5)
        if ratio < 4:
            return
    raise AssertionError(f"{ratio:.1f} times as long for the same number of bytes")
