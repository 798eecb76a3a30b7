"""Portraits and photos on their way to the worker, chunk by chunk: header bodies and payloads.

As in message_forms.py. An upload is named by the SHA-256 of the file, and is its session's own.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from .message_body import Body, Form
from .protocol import Message, Payload

PORTRAIT, PHOTO = "portrait", "photo"
CHUNK_BYTES = 1 << 20
"""Most bytes of a chunk."""
WINDOW = 4
"""Most chunks of an upload that may be on their way: sent and not answered."""

_CONTENT = re.compile(r"[0-9a-f]{64}")
_GREATEST_SIZE = 1 << 40


@dataclass(frozen=True)
class UploadOffer:
    """What a client wants to send.

    Attributes:
        content: SHA-256 (64 hex digits) of the file.
        what: PORTRAIT or PHOTO.
        n_bytes: of the file, at least 1.
        resume: whether to go on where an upload that was cut off has ended.
    """

    content: str
    what: str
    n_bytes: int
    resume: bool = True


@dataclass(frozen=True)
class UploadReady:
    """What the worker says to it.

    Attributes:
        content: of the offer.
        offset: the byte to begin with; more than 0 where an upload goes on.
        taken: SHA-256 of the bytes before it, by which the client sees that they are its own.
        chunk_bytes: most bytes of a chunk.
        window: most chunks that may be sent and not answered.
    """

    content: str
    offset: int
    taken: str
    chunk_bytes: int = CHUNK_BYTES
    window: int = WINDOW


def upload_form(offer: UploadOffer) -> Form:
    return Form(asdict(offer))


def read_upload(message: Message) -> UploadOffer:
    body = Body(message)
    what = body.text("what", limit=20)
    if what not in (PORTRAIT, PHOTO):
        body.refuse("what")
    return UploadOffer(
        read_content(message), what, body.integer("n_bytes", 1, _GREATEST_SIZE), body.flag("resume")
    )


def upload_ready_form(ready: UploadReady) -> Form:
    return Form(asdict(ready))


def read_upload_ready(message: Message) -> UploadReady:
    body = Body(message)
    return UploadReady(
        content=read_content(message),
        offset=body.integer("offset", 0, _GREATEST_SIZE),
        taken=body.text("taken", limit=64),
        chunk_bytes=body.integer("chunk_bytes", 1, 1 << 30),
        window=body.integer("window", 1, 1 << 10),
    )


def chunk_form(content: str, offset: int, data: bytes | memoryview) -> Form:
    payload = Payload("data", data, "uint8", (len(data),))
    return Form({"content": content, "offset": offset}, (payload,))


def read_chunk(message: Message) -> tuple[int, bytes | memoryview]:
    """The first byte's place in the file, and the bytes, as they travelled."""
    body, payload = Body(message), message.payload("data")
    if payload.codec != "raw" or payload.dtype != "uint8" or len(payload.shape) != 1:
        body.refuse("data")
    return body.integer("offset", 0, _GREATEST_SIZE), payload.data


def chunk_taken_form(content: str, offset: int) -> Form:
    """``offset`` is where the next chunk begins."""
    return Form({"content": content, "offset": offset})


def read_chunk_taken(message: Message) -> int:
    return Body(message).integer("offset", 0, _GREATEST_SIZE)


def content_form(content: str) -> Form:
    """Of the messages that name an upload and nothing else."""
    return Form({"content": content})


def read_content(message: Message) -> str:
    """The upload that a message is about."""
    body = Body(message)
    content = body.text("content", limit=64)
    if not _CONTENT.fullmatch(content):
        body.refuse("content")
    return content
