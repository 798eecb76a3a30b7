"""The messages on the way from a photo to a portrait and to its head: header bodies and payloads.

As in message_forms.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .message_body import MAX_EDGE, MAX_NAME, MAX_TEXT, Body, Form
from .messages import (
    MAX_FACES,
    MAX_FIT_PHOTOS,
    FitFaces,
    FitProgress,
    FitRequest,
    FittedPortrait,
    FoundFace,
    HeadMeasurement,
    PortraitInfo,
    SentFile,
)
from .protocol import Message, Payload


def portrait_info_form(info: PortraitInfo) -> Form:
    payloads = (
        Payload.of_array("parameters", info.parameters),
        Payload.of_array("thumbnail", info.thumbnail),
    )
    body = {"portrait": info.id, "name": info.name, "width": info.width, "height": info.height}
    return Form(body, payloads)


def read_portrait_info(message: Message) -> PortraitInfo:
    body = Body(message)
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
    return Body(message).text("portrait", limit=64)


def fit_form(request: FitRequest) -> Form:
    """With the photos in it."""
    payloads = tuple(
        Payload(f"photo-{number}", photo, "uint8", (len(photo),))
        for number, photo in enumerate(request.photos, start=1)
        if isinstance(photo, bytes)
    )
    return Form(_fit_body(request), payloads)


def fit_of_uploads_form(request: FitRequest, contents: Sequence[str]) -> Form:
    """With the names of the photos' uploads, which have ended (upload_forms.py)."""
    return Form({**_fit_body(request), "photos": list(contents)})


def _fit_body(request: FitRequest) -> dict[str, Any]:
    return {"name": request.name[:MAX_NAME], "face": request.face, "quick": request.quick}


def read_fit(message: Message, sent_before: Callable[[str], SentFile]) -> FitRequest:
    """The photos come with it, or have come before.

    Args:
        sent_before: the file of an upload.

    Raises:
        InputError: there are no photos, or too many.
        ProtocolError: what ``sent_before`` raises, or a malformed body.
    """
    body = Body(message)
    face = message.header.body.get("face")
    names = [
        f"photo-{number}" for number in range(1, 1 + min(len(message.payloads), MAX_FIT_PHOTOS))
    ]
    photos: list[bytes | SentFile] = [bytes(message.payload(name).data) for name in names]
    # Newer than the rest: a client of protocol 1.4 sends the photos in the message.
    photos += map(sent_before, body.texts("photos", MAX_FIT_PHOTOS, default=[]))
    return FitRequest(
        photos=tuple(photos),
        name=body.text("name", limit=MAX_NAME),
        face=None if face is None else body.integer("face", 0, 2**31 - 1),
        quick=body.flag("quick"),
    )


def fit_progress_form(progress: FitProgress) -> Form:
    return Form({"stage": progress.stage[:MAX_NAME], "fraction": progress.fraction})


def read_fit_progress(message: Message) -> FitProgress:
    body = Body(message)
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
    body, thumbnails = Body(message), message.payload("thumbnails")
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
        Body(message).refuse("faces")
    face = Body(message, entry)
    box = entry.get("box")
    if not isinstance(box, list) or len(box) != 4:
        face.refuse("box")
    for edge in box:
        # Larger than a picture can be, and a number that no float holds, is no edge of a face.
        if (
            not isinstance(edge, (int, float))
            or isinstance(edge, bool)
            or not abs(edge) <= MAX_EDGE
        ):
            face.refuse("box")
    left, top, right, bottom = map(float, box)
    return FoundFace((left, top, right, bottom), thumbnail, face.text("problem", ""))


def fitted_portrait_form(fitted: FittedPortrait) -> Form:
    payload = Payload("file", fitted.content, "uint8", (len(fitted.content),))
    return Form({"portrait": fitted.id, "note": fitted.note[:MAX_TEXT]}, (payload,))


def read_fitted_portrait(message: Message) -> FittedPortrait:
    """Raises ProtocolError where the file was damaged on the way."""
    body, content = Body(message), bytes(message.payload("file").data)
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
    body, arrays = Body(message), {}
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
