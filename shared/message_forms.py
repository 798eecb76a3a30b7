"""How each dataclass of messages.py becomes a header body and payloads, and back.

Writers return ``Form(body, payloads)``; readers take a decoded message and raise MalformedBody or,
where a value is out of a person's range, InputError.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np

from .errors import ERROR_TYPES, InputError, PhotorigError, ProtocolError
from .messages import (
    MAX_FACES,
    MAX_FIT_PHOTOS,
    MAX_SIZE,
    PASSES,
    FitFaces,
    FitProgress,
    FitRequest,
    FittedPortrait,
    FoundFace,
    FramePass,
    FrameReply,
    FrameRequest,
    HeadMeasurement,
    Heartbeat,
    Hello,
    MessageLimits,
    PortraitInfo,
    Welcome,
)
from .picture_format import PictureFormat
from .protocol import MalformedBody, Message, Payload
from .schema import ParameterSchema

MAX_TEXT = 2000
MAX_NAME = 200
MAX_EDGE = 1 << 16
"""Most pixels along an edge of a photo or a frame."""


class Form(NamedTuple):
    """A message's body and payloads, still without a header."""

    body: dict[str, Any]
    payloads: tuple[Payload, ...] = ()


class _Body:
    """Typed access to a body that may hold anything."""

    def __init__(self, message: Message, body: Mapping[str, Any] | None = None) -> None:
        self._id = message.header.id
        self._kind = message.header.kind
        self._body = message.header.body if body is None else body

    def refuse(self, name: str) -> NoReturn:
        raise MalformedBody(f"Field {name!r} of a {self._kind!r} message is wrong", self._id)

    def text(self, name: str, default: str | None = None, limit: int = MAX_TEXT) -> str:
        value = self._body.get(name, default)
        if not isinstance(value, str) or len(value) > limit:
            self.refuse(name)
        return value

    def flag(self, name: str) -> bool:
        """True or False, which is also what is not said."""
        value = self._body.get(name, False)
        if not isinstance(value, bool):
            self.refuse(name)
        return value

    def integer(self, name: str, lowest: int, highest: int, default: int | None = None) -> int:
        value = self._body.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            self.refuse(name)
        return value

    def optional_number(self, name: str) -> float | None:
        """A finite number that is not negative, or None."""
        value = self._body.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse(name)
        if not 0 <= value < math.inf:
            self.refuse(name)
        return float(value)

    def texts(self, name: str, limit: int = 16, default: object = None) -> tuple[str, ...]:
        value = self._body.get(name, default)
        if not isinstance(value, list) or len(value) > limit:
            self.refuse(name)
        if not all(isinstance(entry, str) and len(entry) <= MAX_TEXT for entry in value):
            self.refuse(name)
        return tuple(value)

    def integers(self, name: str, limit: int = 16) -> tuple[int, ...]:
        value = self._body.get(name)
        if not isinstance(value, list) or len(value) > limit:
            self.refuse(name)
        if not all(isinstance(entry, int) and not isinstance(entry, bool) for entry in value):
            self.refuse(name)
        return tuple(value)

    def object(self, name: str) -> dict[str, Any]:
        value = self._body.get(name)
        if not isinstance(value, dict):
            self.refuse(name)
        return value


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
    return Form(body, (Payload.of_array("parameters", request.parameters),))


def read_frame_request(
    message: Message, schema: ParameterSchema
) -> tuple[FrameRequest, PictureFormat]:
    """The request and the format of its answer. The frame number comes from the header.

    Raises:
        InputError: a value out of range, parameters not finite, a format that cannot be written.
        ProtocolError: another schema, a malformed body.
    """
    body = _Body(message)
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
    )
    schema.check(request.parameters)
    return request, picture_format


def frame_reply_form(reply: FrameReply) -> Form:
    shape = (reply.height, reply.width, reply.channels)
    image = Payload("image", reply.image, reply.dtype, shape, reply.codec)
    passes = (Payload.of_array(layer.name, layer.pixels) for layer in reply.passes)
    return Form({"milliseconds": reply.milliseconds}, (image, *passes))


def read_frame_reply(message: Message) -> FrameReply:
    payload = message.payload("image")
    shape, body = payload.shape, _Body(message)
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
        _Body(message).refuse(payload.name)
    return FramePass(payload.name, payload.array())


def hello_form(hello: Hello) -> Form:
    return Form({**asdict(hello), "codecs": list(hello.codecs)})


def read_hello(message: Message) -> Hello:
    body = _Body(message)
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
    body = _Body(message)
    version = body.integers("version")
    limits = body.object("limits")
    try:
        schema = ParameterSchema.from_json(body.object("schema"))
        known = {name: limits[name] for name in MessageLimits.__dataclass_fields__}
    except (InputError, KeyError, TypeError, AttributeError) as error:
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


def portrait_info_form(info: PortraitInfo) -> Form:
    payloads = (
        Payload.of_array("parameters", info.parameters),
        Payload.of_array("thumbnail", info.thumbnail),
    )
    body = {"portrait": info.id, "name": info.name, "width": info.width, "height": info.height}
    return Form(body, payloads)


def read_portrait_info(message: Message) -> PortraitInfo:
    body = _Body(message)
    parameters, thumbnail = message.payload("parameters"), message.payload("thumbnail")
    if parameters.dtype != "float32" or len(parameters.shape) != 1:
        body.refuse("parameters")
    if thumbnail.dtype != "uint8" or len(thumbnail.shape) != 3 or thumbnail.shape[2] != 3:
        body.refuse("thumbnail")
    return PortraitInfo(
        id=body.text("portrait"),
        name=body.text("name"),
        parameters=parameters.array(),
        width=body.integer("width", 1, MAX_EDGE),
        height=body.integer("height", 1, MAX_EDGE),
        thumbnail=thumbnail.array(),
    )


def portrait_reference_form(portrait_id: str) -> Form:
    return Form({"portrait": portrait_id})


def portrait_upload_form(portrait_id: str, content: bytes) -> Form:
    payload = Payload("file", content, "uint8", (len(content),))
    return Form({"portrait": portrait_id}, (payload,))


def read_portrait_reference(message: Message) -> str:
    """The portrait id of a query or an upload."""
    return _Body(message).text("portrait", limit=64)


def read_view(message: Message) -> str:
    """The view a preview is for."""
    return _Body(message).text("view", limit=64)


def read_window(message: Message) -> int:
    """How many unacknowledged frames the client of a job wants at most."""
    return _Body(message).integer("window", 1, 2**31 - 1)


def fit_form(request: FitRequest) -> Form:
    payloads = tuple(
        Payload(f"photo-{number}", photo, "uint8", (len(photo),))
        for number, photo in enumerate(request.photos, start=1)
    )
    body = {"name": request.name[:MAX_NAME], "face": request.face, "quick": request.quick}
    return Form(body, payloads)


def read_fit(message: Message) -> FitRequest:
    """Raises InputError where there are no photos or too many."""
    body = _Body(message)
    names = [
        f"photo-{number}" for number in range(1, 1 + min(len(message.payloads), MAX_FIT_PHOTOS))
    ]
    face = message.header.body.get("face")
    return FitRequest(
        photos=tuple(bytes(message.payload(name).data) for name in names),
        name=body.text("name", limit=MAX_NAME),
        face=None if face is None else body.integer("face", 0, 2**31 - 1),
        quick=body.flag("quick"),
    )


def fit_progress_form(progress: FitProgress) -> Form:
    return Form({"stage": progress.stage[:MAX_NAME], "fraction": progress.fraction})


def read_fit_progress(message: Message) -> FitProgress:
    body = _Body(message)
    fraction = body.optional_number("fraction")
    if fraction is None:
        body.refuse("fraction")
    return FitProgress(body.text("stage", limit=MAX_NAME), min(fraction, 1.0))


def fit_faces_form(found: FitFaces) -> Form:
    faces = found.faces[:MAX_FACES]
    entries = [{"box": list(face.box), "problem": face.problem[:MAX_TEXT]} for face in faces]
    thumbnails = np.stack([face.thumbnail for face in faces])
    body = {"width": found.width, "height": found.height, "faces": entries}
    return Form(body, (Payload.of_array("thumbnails", thumbnails),))


def read_fit_faces(message: Message) -> FitFaces:
    body, thumbnails = _Body(message), message.payload("thumbnails")
    entries = message.header.body.get("faces")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_FACES:
        body.refuse("faces")
    shape = thumbnails.shape
    if thumbnails.dtype != "uint8" or len(shape) != 4 or (shape[0], shape[3]) != (len(entries), 3):
        body.refuse("thumbnails")
    faces = tuple(
        _read_face(message, entry, picture)
        for entry, picture in zip(entries, thumbnails.array(), strict=True)
    )
    width, height = body.integer("width", 1, MAX_EDGE), body.integer("height", 1, MAX_EDGE)
    return FitFaces(faces, width, height)


def _read_face(message: Message, entry: Any, thumbnail: np.ndarray) -> FoundFace:
    if not isinstance(entry, dict):
        _Body(message).refuse("faces")
    face = _Body(message, entry)
    box = entry.get("box")
    if not isinstance(box, list) or len(box) != 4:
        face.refuse("box")
    if not all(isinstance(edge, (int, float)) and not isinstance(edge, bool) for edge in box):
        face.refuse("box")
    left, top, right, bottom = map(float, box)
    return FoundFace((left, top, right, bottom), thumbnail, face.text("problem", ""))


def fitted_portrait_form(fitted: FittedPortrait) -> Form:
    payload = Payload("file", fitted.content, "uint8", (len(fitted.content),))
    return Form({"portrait": fitted.id, "note": fitted.note[:MAX_TEXT]}, (payload,))


def read_fitted_portrait(message: Message) -> FittedPortrait:
    """Raises ProtocolError where the file was damaged on the way."""
    body, content = _Body(message), bytes(message.payload("file").data)
    portrait_id = body.text("portrait", limit=64)
    if hashlib.sha256(content).hexdigest() != portrait_id:
        body.refuse("portrait")
    return FittedPortrait(portrait_id, content, body.text("note", ""))


_HEAD_SHAPES = {"vertices": (468, 3), "landmarks": (478, 2), "transform": (4, 4)}


def head_form(head: HeadMeasurement) -> Form:
    names = (*_HEAD_SHAPES, "parameters")
    payloads = tuple(
        Payload.of_array(name, np.asarray(getattr(head, name), np.float32)) for name in names
    )
    return Form({"width": head.width, "height": head.height}, payloads)


def read_head(message: Message) -> HeadMeasurement:
    body, arrays = _Body(message), {}
    for name in (*_HEAD_SHAPES, "parameters"):
        payload = message.payload(name)
        shape = _HEAD_SHAPES.get(name, payload.shape[:1])
        if payload.dtype != "float32" or payload.shape != shape:
            body.refuse(name)
        arrays[name] = payload.array()
        if not np.isfinite(arrays[name]).all():
            body.refuse(name)
    width, height = body.integer("width", 1, MAX_EDGE), body.integer("height", 1, MAX_EDGE)
    return HeadMeasurement(**arrays, width=width, height=height)


def heartbeat_form(heartbeat: Heartbeat) -> Form:
    return Form(asdict(heartbeat))


def read_heartbeat(message: Message) -> Heartbeat:
    body = _Body(message)
    return Heartbeat(
        busy_seconds=body.optional_number("busy_seconds"),
        queue_length=body.integer("queue_length", 0, 2**31 - 1),
        milliseconds=body.optional_number("milliseconds"),
    )


@dataclass(frozen=True)
class ErrorReport:
    """An error as it travels.

    Attributes:
        code: which PhotorigError it is.
        reason: a word for programs where the code is not enough: "unknown-portrait",
            "unsupported", "version", "hello-first", "too-much", or "".
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
    shortened = {name: text[:MAX_TEXT] for name, text in asdict(report).items()}
    return Form(shortened)


def read_error(message: Message) -> ErrorReport:
    body = _Body(message)
    return ErrorReport(
        code=body.text("code"),
        message=body.text("message"),
        hint=body.text("hint", ""),
        reason=body.text("reason", ""),
    )
