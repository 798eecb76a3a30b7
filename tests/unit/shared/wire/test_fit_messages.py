"""Fits and heads on the wire: what is written is read back, and nothing else is accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import pytest

from photorig.shared.errors import InputError, ProtocolError
from photorig.shared.wire import portrait_forms
from photorig.shared.wire.message_body import Form
from photorig.shared.wire.messages import (
    MAX_FIT_PHOTOS,
    FitFaces,
    FitProgress,
    FitRequest,
    FittedPortrait,
    FoundFace,
    HeadMeasurement,
)
from photorig.shared.wire.protocol import Header, Message, Payload, decode, encode

FACE = FoundFace((1.0, 2.0, 30.5, 40.0), np.arange(12, dtype=np.uint8).reshape(2, 2, 3), "small")


def sent(kind: str, form: Form) -> Message:
    parts = encode(Header(kind, "c1", body=form.body), form.payloads)
    return decode([bytes(part) for part in parts], 1 << 20)


def with_body(message: Message, **changes: Any) -> Message:
    body = {**message.header.body, **changes}
    return replace(message, header=replace(message.header, body=body))


def none_before(content: str) -> NoReturn:
    raise AssertionError(content)


@pytest.mark.parametrize("face", [None, 0, 3])
def test_photos_arrive_as_they_are(face: int | None) -> None:
    request = FitRequest((b"one", b"two", b""), "Anna", face, quick=face == 0)
    message = sent("fit", portrait_forms.fit_form(request))
    assert portrait_forms.read_fit(message, none_before) == request


def test_photos_that_came_before_are_named_in_order() -> None:
    request = FitRequest((b"one", b"two"), "Anna", 2)
    message = sent("fit", portrait_forms.fit_of_uploads_form(request, ["1" * 64, "2" * 64]))
    before = {"1" * 64: b"one", "2" * 64: b"two"}
    assert message.payloads == ()
    assert portrait_forms.read_fit(message, before.__getitem__) == request  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, MAX_FIT_PHOTOS + 1])
def test_no_photo_and_too_many_are_an_input_error(count: int) -> None:
    with pytest.raises(InputError, match="photos"):
        FitRequest((b"photo",) * count, "Anna")


@pytest.mark.parametrize(
    "changes",
    [
        {"face": -1},
        {"face": True},
        {"face": 1.5},
        {"name": 7},
        {"name": "x" * 201},
        {"quick": 1},
        {"photos": "all"},
        {"photos": [7]},
        {"photos": ["1" * 64] * 9},
    ],
)
def test_a_fit_with_a_wrong_body_is_refused(changes: dict[str, Any]) -> None:
    message = sent("fit", portrait_forms.fit_form(FitRequest((b"photo",), "Anna")))
    with pytest.raises(ProtocolError):
        portrait_forms.read_fit(with_body(message, **changes), none_before)


def test_a_fit_whose_photos_have_other_names_is_refused() -> None:
    message = sent("fit", portrait_forms.fit_form(FitRequest((b"photo",), "Anna")))
    other = Message(message.header, (Payload("picture", b"photo", "uint8", (5,)),))
    with pytest.raises(ProtocolError, match="photo-1"):
        portrait_forms.read_fit(other, none_before)


def test_progress_arrives_and_never_exceeds_the_whole() -> None:
    message = sent("fit_progress", portrait_forms.fit_progress_form(FitProgress("Looking", 0.25)))
    assert portrait_forms.read_fit_progress(message) == FitProgress("Looking", 0.25)
    assert portrait_forms.read_fit_progress(with_body(message, fraction=7)).fraction == 1.0
    for wrong in (-0.5, None, "half"):
        with pytest.raises(ProtocolError):
            portrait_forms.read_fit_progress(with_body(message, fraction=wrong))


def test_faces_arrive_with_their_pictures() -> None:
    found = FitFaces((FACE, replace(FACE, problem="")), 640, 480)
    read = portrait_forms.read_fit_faces(sent("fit_faces", portrait_forms.fit_faces_form(found)))
    assert (read.width, read.height) == (640, 480)
    assert [face.box for face in read.faces] == [FACE.box] * 2
    assert [face.problem for face in read.faces] == ["small", ""]
    np.testing.assert_array_equal(read.faces[1].thumbnail, FACE.thumbnail)


@pytest.mark.parametrize(
    "faces",
    [[], [{}], ["face"], [{"box": [1, 2, 3]}], [{"box": [1, 2, 3, "4"]}], None, [{"box": 1}] * 2],
)
def test_faces_that_are_none_are_refused(faces: Any) -> None:
    message = sent("fit_faces", portrait_forms.fit_faces_form(FitFaces((FACE,), 640, 480)))
    with pytest.raises(ProtocolError):
        portrait_forms.read_fit_faces(with_body(message, faces=faces))


def test_a_portrait_that_was_damaged_on_the_way_is_refused() -> None:
    fitted = FittedPortrait("0" * 64, b"portrait")
    with pytest.raises(ProtocolError):
        portrait_forms.read_fitted_portrait(
            sent("fitted", portrait_forms.fitted_portrait_form(fitted))
        )


def test_a_head_arrives_and_one_with_numbers_that_are_none_does_not() -> None:
    random = np.random.default_rng(1)
    head = HeadMeasurement(
        *(random.normal(size=shape).astype(np.float32) for shape in ((468, 3), (478, 2), (4, 4))),
        parameters=np.zeros(58, np.float32),
        width=640,
        height=480,
    )
    read = portrait_forms.read_head(sent("head", portrait_forms.head_form(head)))
    np.testing.assert_array_equal(read.vertices, head.vertices)
    np.testing.assert_array_equal(read.transform, head.transform)
    for name, value in (("vertices", np.nan), ("transform", np.inf)):
        broken = getattr(head, name).copy()
        broken[0, 0] = value
        message = sent("head", portrait_forms.head_form(replace(head, **{name: broken})))
        with pytest.raises(ProtocolError):
            portrait_forms.read_head(message)
    short = replace(head, vertices=head.vertices[:467])
    with pytest.raises(ProtocolError):
        portrait_forms.read_head(sent("head", portrait_forms.head_form(short)))
