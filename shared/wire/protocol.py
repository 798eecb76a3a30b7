"""Framing: a header and payloads to the parts of one ZeroMQ message, and back.

    [b"PHR1"] [header: JSON, UTF-8] [payload 0] [payload 1] …

Whatever arrives is untrusted: sizes and nesting are checked before anything is parsed, and nothing
but ProtocolError leaves this file. docs/protocol.md describes every message.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from ..errors import ProtocolError
from ..files.strict_json import MAX_DEPTH, TooDeep, parse_json

MAGIC = b"PHR1"
VERSION = (1, 5)
"""Protocol spoken here. Another major number is refused; a minor one only adds fields and kinds."""

SEVERAL_FACES = (1, 4)
"""The first version in which a frame may drive several faces of a photo."""

UPLOADS_IN_CHUNKS = (1, 5)
"""The first version in which portraits and photos travel in chunks; before, each is a message."""

MAX_HEADER_BYTES = 64 << 10
MAX_PAYLOADS = 8
MAX_DIMENSIONS = 4

DTYPES = {"uint8": 1, "uint16": 2, "float16": 2, "int32": 4, "float32": 4}
"""Bytes an item takes, by the name on the wire. Little-endian."""
PAYLOAD_CODECS = ("raw", "png", "jpeg", "webp", "tiff", "exr")

_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_ENCODED_OVERHEAD = 64 << 10


class VersionMismatch(ProtocolError):
    """The other side speaks another major version of the protocol.

    Attributes:
        peer: (major, minor) of the other side.
        message_id: of the message that said so, None where it has none.
    """

    def __init__(self, peer: tuple[int, int], message_id: str | None = None) -> None:
        super().__init__(f"The other side speaks protocol {peer[0]}, this side {VERSION[0]}")
        self.peer = peer
        self.message_id = message_id


def version_error(extension: tuple[int, int], worker: tuple[int, int]) -> ProtocolError:
    """For two sides of different major versions: the sentence that says which one to update."""
    if extension[0] > worker[0]:
        hint = "Update the worker: it is older than the extension."
    else:
        hint = "Update the extension: it is older than the worker."
    return ProtocolError(
        f"The extension speaks protocol {extension[0]} and the worker protocol {worker[0]}", hint
    )


class MalformedBody(ProtocolError):
    """The framing is right but the content is not, so that an answer can name the message."""

    def __init__(self, message: str, message_id: str | None) -> None:
        super().__init__(message)
        self.message_id = message_id


@dataclass(frozen=True, eq=False)
class Payload:
    """An array, or an encoded image, beside the header.

    Attributes:
        name: for the reader.
        data: the bytes as they travel; C-contiguous, little-endian where raw.
        dtype, shape: of the array, of the decoded image where encoded.
        codec: one of PAYLOAD_CODECS.
    """

    name: str
    data: bytes | memoryview = field(repr=False)
    dtype: str
    shape: tuple[int, ...]
    codec: str = "raw"

    @staticmethod
    def of_array(name: str, array: np.ndarray) -> Payload:
        """A raw payload that shares the array's memory where that is possible."""
        contiguous = np.ascontiguousarray(array)
        if contiguous.dtype.name not in DTYPES:
            raise ProtocolError(f"Arrays of {contiguous.dtype.name} do not travel")
        little = contiguous.astype(contiguous.dtype.newbyteorder("<"), copy=False)
        # A flat view first: a memoryview with a zero in its shape cannot be cast.
        data = little.reshape(-1).view(np.uint8).data
        return Payload(name, data, contiguous.dtype.name, array.shape)

    def array(self) -> np.ndarray:
        """The read-only array of a raw payload, sharing its memory."""
        if self.codec != "raw":
            raise ProtocolError(f"Payload {self.name!r} is encoded as {self.codec}")
        dtype = np.dtype(self.dtype).newbyteorder("<")
        array = np.frombuffer(self.data, dtype).reshape(self.shape)
        array.flags.writeable = False
        return array


@dataclass(frozen=True)
class Header:
    """What every message says about itself.

    Attributes:
        kind: what the message is.
        id: chosen by the sender, unique in its session.
        re: id of the message this one answers.
        seq: number within a job or a view.
        job: the job it belongs to.
        frame: frame number.
        body: what depends on the kind; JSON values by name.
        version: (major, minor) the sender speaks.
    """

    kind: str
    id: str
    re: str | None = None
    seq: int | None = None
    job: str | None = None
    frame: int | None = None
    body: dict[str, Any] = field(default_factory=dict)
    version: tuple[int, int] = VERSION


@dataclass(frozen=True)
class Message:
    """A header and its payloads."""

    header: Header
    payloads: tuple[Payload, ...] = ()

    def payload(self, name: str) -> Payload:
        """The payload of that name. Raises ProtocolError where there is none."""
        for payload in self.payloads:
            if payload.name == name:
                return payload
        raise ProtocolError(f"A {self.header.kind!r} message needs the payload {name!r}")


def encode(header: Header, payloads: Sequence[Payload] = ()) -> list[bytes | memoryview]:
    """A message to the parts that ZeroMQ sends.

    Raises:
        ProtocolError: the message would not be accepted by ``decode``.
    """
    fields: dict[str, Any] = {"version": list(header.version), "kind": header.kind, "id": header.id}
    for name in ("re", "seq", "job", "frame"):
        value = getattr(header, name)
        if value is not None:
            fields[name] = value
    if header.body:
        fields["body"] = header.body
    if payloads:
        fields["payloads"] = [
            {"name": p.name, "dtype": p.dtype, "shape": list(p.shape), "codec": p.codec}
            for p in payloads
        ]
    try:
        text = json.dumps(fields, allow_nan=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"This header cannot be written as JSON: {error}") from error
    if len(text) > MAX_HEADER_BYTES:
        raise ProtocolError(f"The header of a {header.kind!r} message is too large")
    parts = [payload.data for payload in payloads]
    # What the other side would refuse, and so take for the end of the connection, is not sent.
    described = _parse_json(text.encode("ascii"))
    _read_payloads(described.get("payloads", []), parts, header.id)
    return [MAGIC, text.encode("ascii"), *parts]


def decode(parts: Sequence[bytes | memoryview], max_part_bytes: int) -> Message:
    """The parts of one ZeroMQ message to a message.

    Args:
        parts: without routing id.
        max_part_bytes: most bytes of one payload.

    Raises:
        VersionMismatch: another major version.
        MalformedBody: readable framing, wrong content.
        ProtocolError: anything else; never another exception.
    """
    if not 2 <= len(parts) <= 2 + MAX_PAYLOADS:
        raise ProtocolError(f"A message has 2 to {2 + MAX_PAYLOADS} parts, not {len(parts)}")
    if bytes(parts[0][: len(MAGIC) + 1]) != MAGIC:
        raise ProtocolError("This is no Photorig message")
    if len(parts[1]) > MAX_HEADER_BYTES:
        raise ProtocolError(f"The header is larger than {MAX_HEADER_BYTES >> 10} KiB")
    if any(len(part) > max_part_bytes for part in parts[2:]):
        raise ProtocolError(f"A payload is larger than {max_part_bytes} bytes")
    fields = _parse_json(bytes(parts[1]))
    if not isinstance(fields, dict):
        raise ProtocolError("The header is no JSON object")
    header = _read_header(fields)
    payloads = _read_payloads(fields.get("payloads", []), parts[2:], header.id)
    return Message(header, payloads)


def _read_header(fields: dict[str, Any]) -> Header:
    message_id = fields.get("id")
    if not _is_identifier(message_id):
        message_id = None
    version = fields.get("version")
    if not (isinstance(version, list) and len(version) == 2 and all(map(_is_count, version))):
        raise MalformedBody("The header names no protocol version", message_id)
    if version[0] != VERSION[0]:
        raise VersionMismatch((version[0], version[1]), message_id)

    def optional(name: str, fits: Any) -> Any:
        value = fields.get(name)
        if value is not None and not fits(value):
            raise MalformedBody(f"The header field {name!r} is wrong", message_id)
        return value

    kind = optional("kind", _is_identifier)
    body = optional("body", lambda value: isinstance(value, dict)) or {}
    if kind is None or message_id is None:
        raise MalformedBody("The header needs 'kind' and 'id'", message_id)
    return Header(
        kind=kind,
        id=message_id,
        re=optional("re", _is_identifier),
        seq=optional("seq", _is_count),
        job=optional("job", _is_identifier),
        frame=optional("frame", is_int32),
        body=body,
        version=(version[0], version[1]),
    )


def _read_payloads(
    entries: Any, parts: Sequence[bytes | memoryview], message_id: str
) -> tuple[Payload, ...]:
    if not isinstance(entries, list) or len(entries) != len(parts):
        raise MalformedBody("The header does not describe the payloads", message_id)
    return tuple(
        _read_payload(entry, part, message_id) for entry, part in zip(entries, parts, strict=True)
    )


def _read_payload(entry: Any, part: bytes | memoryview, message_id: str) -> Payload:
    def refuse(reason: str) -> NoReturn:
        raise MalformedBody(f"A payload {reason}", message_id)

    if not isinstance(entry, dict) or not _is_identifier(entry.get("name")):
        refuse("has no name")
    name, dtype, shape = entry["name"], entry.get("dtype"), entry.get("shape")
    codec = entry.get("codec", "raw")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        refuse("has an unknown dtype")
    if not isinstance(codec, str) or codec not in PAYLOAD_CODECS:
        refuse("has an unknown codec")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not all(map(_is_count, shape)):
        refuse("has a wrong shape")
    raw_bytes = math.prod(shape) * DTYPES[dtype]
    if codec == "raw" and len(part) != raw_bytes:
        refuse(f"has {len(part)} bytes where its shape has {raw_bytes}")
    if codec != "raw" and not 0 < len(part) <= 2 * raw_bytes + _ENCODED_OVERHEAD:
        refuse("has a size that its shape does not explain")
    return Payload(name, part, dtype, tuple(shape), codec)


def _parse_json(text: bytes) -> Any:
    try:
        return parse_json(text, MAX_HEADER_BYTES, MAX_DEPTH)
    except TooDeep as error:
        raise ProtocolError("The header is nested too deeply") from error
    except ValueError as error:
        raise ProtocolError("The header is not JSON as this protocol allows it") from error


def _is_identifier(value: Any) -> bool:
    return isinstance(value, str) and _IDENTIFIER.fullmatch(value) is not None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def is_int32(value: Any) -> bool:
    """A whole number that fits 32 bits; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31
