from __future__ import annotations

import contextlib
import json
import time

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from photorig.shared.errors import ProtocolError
from photorig.shared.wire.protocol import (
    DTYPES,
    MAGIC,
    MAX_DEPTH,
    MAX_HEADER_BYTES,
    MAX_PAYLOADS,
    VERSION,
    Header,
    MalformedBody,
    Message,
    Payload,
    VersionMismatch,
    decode,
    encode,
    version_error,
)

LIMIT = 1 << 20

IDENTIFIERS = st.from_regex(r"[A-Za-z0-9_.:-]{1,64}", fullmatch=True)
COUNTS = st.integers(0, 2**31 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
HEADERS = st.builds(
    Header,
    kind=IDENTIFIERS,
    id=IDENTIFIERS,
    re=st.none() | IDENTIFIERS,
    seq=st.none() | COUNTS,
    job=st.none() | IDENTIFIERS,
    frame=st.none() | st.integers(-(2**31), 2**31 - 1),
    body=st.dictionaries(TEXTS, JSON_VALUES, max_size=5),
    version=st.tuples(st.just(VERSION[0]), st.integers(0, 99)),
)
SHAPES = st.lists(st.integers(0, 5), max_size=4).map(tuple)
ARRAYS = st.tuples(st.sampled_from(sorted(DTYPES)), SHAPES).map(
    lambda entry: np.arange(int(np.prod(entry[1])), dtype=entry[0]).reshape(entry[1])
)


def fields(**changes: object) -> dict[str, object]:
    return {"version": list(VERSION), "kind": "ping", "id": "c1", **changes}


def parts(*payloads: bytes, **changes: object) -> list[bytes]:
    return [MAGIC, json.dumps(fields(**changes)).encode(), *payloads]


def payload_entry(**changes: object) -> dict[str, object]:
    return {"name": "x", "dtype": "uint8", "shape": [3], "codec": "raw", **changes}


@given(HEADERS, st.lists(ARRAYS, max_size=MAX_PAYLOADS))
def test_what_was_encoded_is_decoded(header: Header, arrays: list[np.ndarray]) -> None:
    payloads = [Payload.of_array(f"p{i}", array) for i, array in enumerate(arrays)]
    # Nesting beyond the limit is a programming error, and refused on sending as on receiving.
    with contextlib.suppress(ProtocolError):
        message = decode(encode(header, payloads), LIMIT)
        assert message.header == header
        for array, payload in zip(arrays, message.payloads, strict=True):
            np.testing.assert_array_equal(payload.array(), array)
            assert payload.array().dtype == array.dtype


@given(st.lists(st.binary(max_size=200), max_size=12))
@example([MAGIC, b"[" * MAX_HEADER_BYTES])
@example([MAGIC, b'{"a":' * 10_000])
@example([MAGIC, b'"' + b"\\" * 60_000])
@example([MAGIC, b"9" * 60_000])
@example([MAGIC, b'"\\ud800"'])
@example([MAGIC, b"\xff\xfe{}"])
@example([b"", b""])
def test_random_parts_raise_nothing_but_protocol_errors(garbage: list[bytes]) -> None:
    with contextlib.suppress(ProtocolError):
        decode(garbage, LIMIT)


@given(JSON_VALUES, st.lists(st.binary(max_size=20), max_size=10))
def test_random_json_raises_nothing_but_protocol_errors(value: object, rest: list[bytes]) -> None:
    with contextlib.suppress(ProtocolError):
        decode([MAGIC, json.dumps(value).encode(), *rest], LIMIT)


@given(
    st.dictionaries(
        st.sampled_from(["version", "kind", "id", "re", "seq", "job", "frame", "body", "payloads"]),
        JSON_VALUES
        | st.just(list(VERSION))
        | IDENTIFIERS
        | st.lists(
            st.fixed_dictionaries(
                {
                    "name": IDENTIFIERS | JSON_VALUES,
                    "dtype": st.sampled_from([*DTYPES, "object"]) | JSON_VALUES,
                    "shape": st.lists(st.integers(-2, 2**31)) | JSON_VALUES,
                    "codec": st.sampled_from(["raw", "png"]) | JSON_VALUES,
                }
            ),
            max_size=3,
        ),
    ),
    st.lists(st.binary(max_size=20), max_size=3),
)
def test_headers_that_are_nearly_right_raise_nothing_but_protocol_errors(
    changes: dict[str, object], rest: list[bytes]
) -> None:
    with contextlib.suppress(ProtocolError):
        message = decode([MAGIC, json.dumps(fields(**changes)).encode(), *rest], LIMIT)
        assert isinstance(message, Message)


@given(st.data())
def test_a_flipped_byte_raises_nothing_but_protocol_errors(data: st.DataObject) -> None:
    array = np.arange(55, dtype=np.float32)
    good = encode(Header("render", "c1", job="j", seq=3), [Payload.of_array("parameters", array)])
    header = bytearray(good[1])
    header[data.draw(st.integers(0, len(header) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ProtocolError):
        decode([good[0], bytes(header), good[2]], LIMIT)


def test_unknown_fields_are_ignored() -> None:
    message = decode(parts(colour="blue", body={"later": 1}), LIMIT)
    assert message.header == Header("ping", "c1", body={"later": 1})


def test_a_newer_minor_version_is_read() -> None:
    assert decode(parts(version=[VERSION[0], 7]), LIMIT).header.version == (VERSION[0], 7)


def test_another_major_version_is_told_with_the_message_it_came_in() -> None:
    with pytest.raises(VersionMismatch) as caught:
        decode(parts(version=[2, 0], kind={"of": "the future"}), LIMIT)
    assert (caught.value.peer, caught.value.message_id) == ((2, 0), "c1")


def test_the_older_side_is_the_one_to_update() -> None:
    assert "Update the worker" in str(version_error(extension=(2, 0), worker=(1, 3)))
    assert "Update the extension" in str(version_error(extension=(1, 3), worker=(2, 0)))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ([], "2 to 10 parts"),
        ([MAGIC], "2 to 10 parts"),
        ([MAGIC] * 11, "2 to 10 parts"),
        ([b"PHR2", b"{}"], "no Photorig message"),
        ([b"PHR1" * 1000, b"{}"], "no Photorig message"),
        ([MAGIC, b" " * (MAX_HEADER_BYTES + 1)], "larger than 64 KiB"),
        ([MAGIC, b"{}", b"x" * (LIMIT + 1)], "payload is larger"),
        ([MAGIC, b"{"], "not JSON"),
        ([MAGIC, b"[]"], "no JSON object"),
        ([MAGIC, b'{"a":NaN}'], "not JSON"),
        ([MAGIC, b'{"a":-Infinity}'], "not JSON"),
        ([MAGIC, b'{"a":1e999}'], "not JSON"),
        ([MAGIC, b'{"a":"\\ud800"}'], "not JSON"),
        ([MAGIC, b'{"a":' + b"[" * 12 + b"]" * 12 + b"}"], "nested too deeply"),
        ([MAGIC, b"{}"], "no protocol version"),
    ],
)
def test_malformed_parts_are_named(wrong: list[bytes], sentence: str) -> None:
    with pytest.raises(ProtocolError, match=sentence):
        decode(wrong, LIMIT)


def test_brackets_in_strings_are_no_nesting() -> None:
    text = '[{"\\' * 100
    assert decode(parts(body={"text": text}), LIMIT).header.body == {"text": text}


def nesting(text: str) -> int:
    """How deep the brackets of JSON go, a character at a time."""
    depth = deepest = 0
    in_string = is_escaped = False
    for character in text:
        if in_string:
            in_string = is_escaped or character != '"'
            is_escaped = not is_escaped and character == "\\"
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


BRACKETS = st.text(st.sampled_from('[]{}"\\\n\u00e4a'), max_size=12)


@given(JSON_VALUES | BRACKETS, st.lists(BRACKETS | st.none(), max_size=MAX_DEPTH + 2))
@example("", [None] * (MAX_DEPTH - 2))
@example("", [None] * (MAX_DEPTH - 1))
def test_json_is_refused_exactly_where_it_is_nested_too_deeply(
    value: object, around: list[str | None]
) -> None:
    for name in around:
        value = [name, value] if name is None else {name: value, name + "[": name}
    text = json.dumps(fields(body={"value": value}), ensure_ascii=False)
    refusals = []
    try:
        decode([MAGIC, text.encode()], LIMIT)
    except ProtocolError as error:
        refusals.append(error.message)
    assert refusals == ["The header is nested too deeply"] * (nesting(text) > MAX_DEPTH)


def processor_seconds(header: bytes) -> float:
    """The least of several tries to decode it."""
    tries = []
    for _ in range(5):
        start = time.thread_time()
        with contextlib.suppress(ProtocolError):
            decode([MAGIC, header], LIMIT)
        tries.append(time.thread_time() - start)
    return min(tries)


@pytest.mark.parametrize(
    ("first", "repeated", "last"),
    [
        (b'"', b'\\"', b""),  # every quote may begin a string that never ends
        (b'"', b'\\"', b"\\"),
        (b'"', b"\\\\", b""),
        (b"", b'"', b""),
        (b"", b'"\\"[', b""),
        (b"", b'{"\\\\":', b""),
        (b"", b"9", b""),
        (b"[", b"1.5,", b"1]"),
    ],
)
def test_ten_times_the_header_takes_about_ten_times_as_long(
    first: bytes, repeated: bytes, last: bytes
) -> None:
    def header(size: int) -> bytes:
        return first + repeated * ((size - len(first) - len(last)) // len(repeated)) + last

    # A quadratic reader takes a hundred times as long; the constant is what a small one costs.
    long, short = processor_seconds(header(MAX_HEADER_BYTES)), processor_seconds(header(6554))
    assert long < 30 * short + 1e-3


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": None},
        {"kind": ""},
        {"kind": "two words"},
        {"id": 7},
        {"id": "x" * 65},
        {"re": "a/b"},
        {"seq": -1},
        {"seq": True},
        {"seq": 1.0},
        {"seq": 2**31},
        {"job": []},
        {"frame": 2**31},
        {"body": []},
        {"version": [1]},
        {"version": "1.0"},
        {"version": [1, -1]},
    ],
)
def test_wrong_header_fields_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedBody):
        decode(parts(**changes), LIMIT)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"dtype": "object"},
        {"dtype": "float64"},
        {"shape": [4]},
        {"shape": [-3]},
        {"shape": [1, 1, 1, 1, 3]},
        {"shape": [2**31 - 1, 2**31 - 1]},
        {"shape": 3},
        {"codec": "pickle"},
        {"codec": ["raw"]},
    ],
)
def test_wrong_payload_descriptions_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedBody) as caught:
        decode(parts(b"abc", payloads=[payload_entry(**changes)]), LIMIT)
    assert caught.value.message_id == "c1"


def test_each_payload_needs_its_description() -> None:
    with pytest.raises(MalformedBody, match="describe the payloads"):
        decode(parts(b"abc", b"abc", payloads=[payload_entry()]), LIMIT)


def test_an_encoded_payload_may_not_outgrow_its_picture() -> None:
    entry = payload_entry(codec="png", shape=[1, 1, 3])
    assert decode(parts(b"x" * 1000, payloads=[entry]), LIMIT).payloads[0].codec == "png"
    with pytest.raises(MalformedBody, match="shape does not explain"):
        decode(parts(b"x" * 100_000, payloads=[entry]), LIMIT)


def test_the_array_of_an_encoded_payload_is_refused() -> None:
    with pytest.raises(ProtocolError, match="encoded as png"):
        Payload("image", b"...", "uint8", (1, 1, 3), "png").array()


def test_arrays_share_memory_and_are_read_only() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    back = decode(encode(Header("x", "1"), [Payload.of_array("a", array)]), LIMIT).payload("a")
    assert np.shares_memory(back.array(), array)
    with pytest.raises(ValueError, match="read-only"):
        back.array()[0, 0] = 1


def test_big_endian_and_strided_arrays_travel_as_little_endian_rows() -> None:
    array = np.arange(12, dtype=">f4").reshape(3, 4)[:, ::2]
    payload = Payload.of_array("a", array)
    assert bytes(payload.data) == np.ascontiguousarray(array, "<f4").tobytes()


def test_what_would_not_be_accepted_is_not_sent() -> None:
    with pytest.raises(ProtocolError, match="too large"):
        encode(Header("x", "1", body={"text": "x" * MAX_HEADER_BYTES}))
    with pytest.raises(ProtocolError, match="JSON"):
        encode(Header("x", "1", body={"value": float("nan")}))
    with pytest.raises(ProtocolError, match="do not travel"):
        Payload.of_array("a", np.zeros(3))


def test_a_missing_payload_is_named() -> None:
    with pytest.raises(ProtocolError, match="'render' message needs the payload 'parameters'"):
        Message(Header("render", "1")).payload("parameters")
