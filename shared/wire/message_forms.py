"""How each dataclass of messages.py becomes a header body and payloads, and back; for portraits
and heads see portrait_forms.py.

Writers return ``Form(body, payloads)``; readers take a decoded message and raise MalformedBody or,
where a value is out of a person's range, InputError.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import ERROR_TYPES, InputError, PhotorigError, ProtocolError
from ..parameters.schema import ParameterSchema
from .message_body import MAX_EDGE, MAX_NAME, Body, Form, as_sent
from .messages import (
    MAX_OTHERS,
    MAX_SIZE,
    PASSES,
    FramePass,
    FrameReply,
    FrameRequest,
    Heartbeat,
    Hello,
    MessageLimits,
    Welcome,
)
from .picture_format import PictureFormat
from .protocol import MalformedBody, Message, Payload


def schema_error() -> ProtocolError:
    """The two sides have different parameter schemas."""
    return ProtocolError(
        "The worker and the extension know different parameters",
        "Install the extension and the worker of the same Photorig version.",
    )


def frame_request_form(request: FrameRequest, schema_hash: str, codec: str | PictureFormat) -> Form:
    body: dict[str, Any] = {
        "portrait": request.portrait,
        "size": request.size,
        "mode": request.mode,
        "method": request.method,
        "schema": schema_hash,
        **PictureFormat.of(codec).body(),
    }
    if request.passes:
        body["passes"] = list(request.passes)
    if request.neutral:
        body["neutral"] = request.neutral
    payloads = [Payload.of_array("parameters", request.parameters)]
    if request.others:
        body["others"] = [_other_body(other) for other in request.others]
        numbers = np.stack([other.parameters for other in request.others])
        payloads.append(Payload.of_array("others", numbers))
    return Form(body, tuple(payloads))


def _other_body(other: FrameRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "portrait": other.portrait,
        "mode": other.mode,
        "method": other.method,
    }
    if other.neutral:
        body["neutral"] = other.neutral
    return body


def read_frame_request(
    message: Message, schema: ParameterSchema
) -> tuple[FrameRequest, PictureFormat]:
    """The request and the format of its answer. The frame number comes from the header.

    Raises:
        InputError: a value out of range, parameters not finite, a format that cannot be written.
        ProtocolError: another schema, a malformed body.
    """
    body = Body(message)
    if body.text("schema") != schema.hash:
        raise schema_error()
    picture_format = PictureFormat.from_body(message.header.body)
    payload = message.payload("parameters")
    if payload.dtype != "float32" or payload.shape != (len(schema),):
        body.refuse("parameters")
    size = message.header.body.get("size")
    request = FrameRequest(
        portrait=body.text("portrait"),
        parameters=payload.array(),
        size="full" if size == "full" else body.integer("size", 1, MAX_SIZE),
        mode=body.text("mode"),
        method=body.text("method"),
        frame=message.header.frame or 0,
        # A pass of a later version is left out.
        passes=tuple(name for name in body.texts("passes", default=[]) if name in PASSES),
        # Newer than the rest: a client of protocol 1.2 does not know it.
        neutral=body.optional_number("neutral") or 0.0,
        others=_read_others(message, schema),
    )
    schema.check(request.parameters)
    return request, picture_format


def _read_others(message: Message, schema: ParameterSchema) -> tuple[FrameRequest, ...]:
    """The further faces; newer than the rest: a client of protocol 1.3 drives one."""
    body = Body(message)
    entries = message.header.body.get("others", [])
    if not isinstance(entries, list) or len(entries) > MAX_OTHERS:
        body.refuse("others")
    if not entries:
        return ()
    payload = message.payload("others")
    if payload.dtype != "float32" or payload.shape != (len(entries), len(schema)):
        body.refuse("others")
    others = []
    for each, parameters in zip(entries, payload.array(), strict=True):
        if not isinstance(each, dict):
            body.refuse("others")
        entry = Body(message, each)
        schema.check(parameters)
        others.append(
            FrameRequest(
                portrait=entry.text("portrait"),
                parameters=parameters,
                mode=entry.text("mode"),
                method=entry.text("method"),
                neutral=entry.optional_number("neutral") or 0.0,
            )
        )
    return tuple(others)


def frame_reply_form(reply: FrameReply) -> Form:
    shape = (reply.height, reply.width, reply.channels)
    image = Payload("image", reply.image, reply.dtype, shape, reply.codec)
    passes = (Payload.of_array(layer.name, layer.pixels) for layer in reply.passes)
    return Form({"milliseconds": reply.milliseconds}, (image, *passes))


def read_frame_reply(message: Message) -> FrameReply:
    payload = message.payload("image")
    shape, body = payload.shape, Body(message)
    if len(shape) != 3 or shape[2] not in (1, 3, 4) or max(shape) > MAX_EDGE:
        body.refuse("image")
    if payload.codec == "raw" and (payload.dtype != "uint8" or shape[2] == 1):
        body.refuse("image")
    return FrameReply(
        frame=message.header.frame or 0,
        image=bytes(payload.data),
        width=shape[1],
        height=shape[0],
        codec=payload.codec,
        milliseconds=body.optional_number("milliseconds") or 0.0,
        channels=shape[2],
        dtype=payload.dtype,
        passes=tuple(
            _read_pass(message, entry, shape[:2])
            for entry in message.payloads
            if entry.name in PASSES
        ),
    )


def _read_pass(message: Message, payload: Payload, size: tuple[int, ...]) -> FramePass:
    shape = size if payload.name == "matte" else (*size, 3)
    if (payload.codec, payload.dtype, payload.shape) != ("raw", "uint8", shape):
        Body(message).refuse(payload.name)
    return FramePass(payload.name, payload.array())


def hello_form(hello: Hello) -> Form:
    return Form({**asdict(hello), "codecs": list(hello.codecs)})


def read_hello(message: Message) -> Hello:
    body = Body(message)
    session = body.text("session", limit=32)
    if len(session) != 32 or set(session) - set("0123456789abcdef"):
        body.refuse("session")
    return Hello(
        session, body.text("client", limit=200), body.texts("codecs"), body.text("schema_hash")
    )


def welcome_form(welcome: Welcome) -> Form:
    body = {
        "version": list(welcome.version),
        "nonce": welcome.nonce,
        "worker": welcome.worker,
        "device": welcome.device,
        "backend": welcome.backend,
        "model_id": welcome.model_id,
        "codecs": list(welcome.codecs),
        "schema": welcome.schema.to_json(),
        "limits": asdict(welcome.limits),
        "sizes": list(welcome.sizes),
        "milliseconds": welcome.milliseconds,
        "description": welcome.description,
        "fit_photos": welcome.fit_photos,
        "passes": list(welcome.passes),
    }
    return Form(body)


def read_welcome(message: Message) -> Welcome:
    body = Body(message)
    version = body.integers("version")
    limits = body.object("limits")
    try:
        schema = ParameterSchema.from_json(body.object("schema"))
        known = {name: limits[name] for name in MessageLimits.__dataclass_fields__}
    except (InputError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise MalformedBody("The worker's welcome cannot be read", message.header.id) from error
    if len(version) != 2 or not all(isinstance(n, int) and n > 0 for n in known.values()):
        body.refuse("limits")
    return Welcome(
        version=(version[0], version[1]),
        nonce=body.text("nonce"),
        worker=body.text("worker"),
        device=body.text("device"),
        backend=body.text("backend"),
        model_id=body.text("model_id"),
        codecs=body.texts("codecs"),
        schema=schema,
        limits=MessageLimits(**known),
        sizes=body.integers("sizes"),
        milliseconds=body.optional_number("milliseconds"),
        description=body.object("description"),
        # Newer than the rest: a worker of protocol 1.0 makes no portraits and does not say so.
        fit_photos=body.integer("fit_photos", 0, 2**31 - 1, default=0),
        # Newer still: 1.1 gives the frame alone.
        passes=body.texts("passes", default=[]),
    )


def read_view(message: Message) -> str:
    """The view a preview is for."""
    return Body(message).text("view", limit=64)


def read_window(message: Message) -> int:
    """How many unacknowledged frames the client of a job wants at most."""
    return Body(message).integer("window", 1, 2**31 - 1)


def heartbeat_form(heartbeat: Heartbeat) -> Form:
    body = asdict(heartbeat)
    if not heartbeat.doing:
        del body["doing"]
    return Form(body)


def read_heartbeat(message: Message) -> Heartbeat:
    body = Body(message)
    return Heartbeat(
        busy_seconds=body.optional_number("busy_seconds"),
        queue_length=body.integer("queue_length", 0, 2**31 - 1),
        milliseconds=body.optional_number("milliseconds"),
        doing=body.text("doing", "", limit=MAX_NAME),
    )


@dataclass(frozen=True)
class ErrorReport:
    """An error as it travels.

    Attributes:
        code: which PhotorigError it is.
        reason: a word for programs where the code is not enough: "unknown-portrait",
            "unknown-upload", "unsupported", "version", "hello-first", "too-much", or "".
        message, hint: the two sentences for a person.
    """

    code: str
    message: str
    hint: str = ""
    reason: str = ""

    @staticmethod
    def of(error: PhotorigError, reason: str = "") -> ErrorReport:
        return ErrorReport(error.code, error.message, error.hint, reason)

    def exception(self) -> PhotorigError:
        return ERROR_TYPES.get(self.code, PhotorigError)(self.message, self.hint)


def error_form(report: ErrorReport) -> Form:
    # A sentence may name a file with letters that no message can carry.
    return Form({name: as_sent(text) for name, text in asdict(report).items()})


def read_error(message: Message) -> ErrorReport:
    body = Body(message)
    return ErrorReport(
        code=body.text("code"),
        message=body.text("message"),
        hint=body.text("hint", ""),
        reason=body.text("reason", ""),
    )
