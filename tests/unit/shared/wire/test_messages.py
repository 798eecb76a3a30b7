from __future__ import annotations

import contextlib
import string
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photorig.shared.errors import ConnectionLost, InputError, PhotorigError, ProtocolError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire import message_forms as forms
from photorig.shared.wire import portrait_forms
from photorig.shared.wire.message_body import Form
from photorig.shared.wire.message_forms import ErrorReport
from photorig.shared.wire.messages import (
    FramePass,
    FrameReply,
    FrameRequest,
    Heartbeat,
    Hello,
    MessageLimits,
    PortraitInfo,
    Welcome,
)
from photorig.shared.wire.picture_format import PictureFormat
from photorig.shared.wire.protocol import Header, Message, decode, encode

ID = "0123456789abcdef" * 4
REST = FACE_SCHEMA.rest

REQUESTS = st.builds(
    FrameRequest,
    portrait=st.text("0123456789abcdef", min_size=64, max_size=64),
    parameters=st.lists(
        st.floats(-1000, 1000, width=32), min_size=len(FACE_SCHEMA), max_size=len(FACE_SCHEMA)
    ).map(lambda values: np.array(values, np.float32)),
    size=st.just("full") | st.integers(1, 4096),
    mode=st.sampled_from(["relative", "absolute"]),
    method=st.text(string.ascii_lowercase, min_size=1, max_size=20),
    frame=st.integers(-(2**31), 2**31 - 1),
)
WELCOME = Welcome(
    version=(1, 0),
    nonce="n",
    worker="photorig 0.1.0",
    device="cpu",
    backend="openvino bf16",
    model_id="m",
    codecs=("raw", "png"),
    schema=FACE_SCHEMA,
    limits=MessageLimits(),
    sizes=(256, 512),
    milliseconds=31.5,
    description={"bundle": "default"},
)


def sent(form: Form, kind: str = "x", **header: Any) -> Message:
    """A form as it arrives on the other side."""
    message = encode(Header(kind, "c1", body=form.body, **header), form.payloads)
    return decode(message, 1 << 28)


def changed(form: Form, **changes: object) -> Form:
    return Form({**form.body, **changes}, form.payloads)


FORMATS = [PictureFormat("raw"), PictureFormat(), PictureFormat("exr", 32, "RGBA", 50, True)]


@given(REQUESTS, st.sampled_from(FORMATS), st.sampled_from([(), ("matte",), ("face", "matte")]))
def test_a_request_arrives_as_it_was_sent(
    request: FrameRequest, picture_format: PictureFormat, passes: tuple[str, ...]
) -> None:
    request = replace(request, passes=passes)
    form = forms.frame_request_form(request, FACE_SCHEMA.hash, picture_format)
    message = sent(form, frame=request.frame)
    assert forms.read_frame_request(message, FACE_SCHEMA) == (request, picture_format)


def test_neutral_arrives_and_is_left_out_where_it_is_nothing() -> None:
    request = FrameRequest(ID, REST, neutral=0.25)
    form = forms.frame_request_form(request, FACE_SCHEMA.hash, "raw")
    assert forms.read_frame_request(sent(form), FACE_SCHEMA)[0] == request
    plain = forms.frame_request_form(FrameRequest(ID, REST), FACE_SCHEMA.hash, "raw")
    assert "neutral" not in plain.body, "a worker of protocol 1.2 gets what it always got"


@pytest.mark.parametrize("neutral", [-0.1, 1.1, "much", True, [1]])
def test_a_neutral_that_is_none_is_refused(neutral: object) -> None:
    form = forms.frame_request_form(FrameRequest(ID, REST), FACE_SCHEMA.hash, "raw")
    with pytest.raises(PhotorigError):
        forms.read_frame_request(sent(changed(form, neutral=neutral)), FACE_SCHEMA)


def test_the_picture_is_another_one_only_where_neutral_does_something() -> None:
    plain = FrameRequest(ID, REST)
    assert replace(plain, neutral=0.5).picture != plain.picture
    assert replace(plain, neutral=0.5) != replace(plain, neutral=0.6)
    assert replace(plain, neutral=0.0).picture == plain.picture
    absolute = replace(plain, mode="absolute")
    assert replace(absolute, neutral=0.5).picture == absolute.picture


def test_coefficients_below_zero_arrive_as_they_were_sent() -> None:
    request = FrameRequest(ID, FACE_SCHEMA.vector({"jawOpen": -0.75, "mouthSmileLeft": -1.0}))
    form = forms.frame_request_form(request, FACE_SCHEMA.hash, "raw")
    assert forms.read_frame_request(sent(form), FACE_SCHEMA)[0] == request


def test_a_pass_of_a_later_version_is_left_out() -> None:
    form = forms.frame_request_form(FrameRequest(ID, REST), FACE_SCHEMA.hash, "raw")
    request, _ = forms.read_frame_request(
        sent(changed(form, passes=["depth", "matte"])), FACE_SCHEMA
    )
    assert request.passes == ("matte",)


def test_passes_arrive_as_they_were_sent() -> None:
    face = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    passes = (FramePass("face", face), FramePass("matte", face[..., 0]))
    reply = FrameReply(7, bytes(24), 3, 2, "raw", 1.0, 4, "uint8", passes)
    back = forms.read_frame_reply(sent(forms.frame_reply_form(reply), frame=7))
    assert back.pixels().shape == (2, 3, 4)
    assert [layer.name for layer in back.passes] == ["face", "matte"]
    for layer, given_layer in zip(back.passes, passes, strict=True):
        np.testing.assert_array_equal(layer.pixels, given_layer.pixels)


@pytest.mark.parametrize(
    "layer", [FramePass("matte", np.zeros((2, 2), np.uint8)), FramePass("face", np.zeros((2, 3)))]
)
def test_a_pass_of_another_size_or_kind_is_refused(layer: FramePass) -> None:
    pixels = layer.pixels.astype(np.float32) if layer.name == "face" else layer.pixels
    reply = FrameReply(7, bytes(18), 3, 2, "raw", 1.0, passes=(FramePass(layer.name, pixels),))
    with pytest.raises(ProtocolError):
        forms.read_frame_reply(sent(forms.frame_reply_form(reply), frame=7))


@pytest.mark.parametrize("codec", ["raw", "png"])
def test_a_reply_arrives_as_it_was_sent(codec: str) -> None:
    reply = FrameReply(7, bytes(range(18)), 3, 2, codec, 12.25)
    assert forms.read_frame_reply(sent(forms.frame_reply_form(reply), frame=7)) == reply


def test_a_hello_arrives_as_it_was_sent() -> None:
    hello = Hello("ab" * 16, "photorig-extension 0.1.0", ("png",), FACE_SCHEMA.hash)
    assert forms.read_hello(sent(forms.hello_form(hello))) == hello


def test_a_welcome_arrives_as_it_was_sent() -> None:
    assert forms.read_welcome(sent(forms.welcome_form(WELCOME))) == WELCOME


def test_a_portrait_info_arrives_as_it_was_sent() -> None:
    thumbnail = np.arange(128 * 128 * 3, dtype=np.uint8).reshape(128, 128, 3)
    info = PortraitInfo(ID, "Ann", REST, 640, 480, thumbnail)
    back = portrait_forms.read_portrait_info(sent(portrait_forms.portrait_info_form(info)))
    assert (back.id, back.name, back.width, back.height) == (ID, "Ann", 640, 480)
    np.testing.assert_array_equal(back.thumbnail, thumbnail)
    np.testing.assert_array_equal(back.parameters, REST)


def test_a_heartbeat_arrives_as_it_was_sent() -> None:
    busy = Heartbeat(2.0, 1, None, "Measuring this face")
    for heartbeat in (Heartbeat(None, 0, None), Heartbeat(1.5, 3, 31.5), busy):
        assert forms.read_heartbeat(sent(forms.heartbeat_form(heartbeat))) == heartbeat


@pytest.mark.parametrize("error", [PhotorigError("a"), InputError("b", "c."), ConnectionLost("d")])
def test_an_error_arrives_as_the_same_type_with_its_hint(error: PhotorigError) -> None:
    report = forms.read_error(sent(forms.error_form(ErrorReport.of(error, "why"))))
    back = report.exception()
    assert (type(back), str(back), report.reason) == (type(error), str(error), "why")


def test_an_error_of_an_unknown_code_still_says_its_sentence() -> None:
    error = ErrorReport("of-the-future", "Something happened").exception()
    assert (type(error), str(error)) == (PhotorigError, "Something happened")


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 0},
        {"size": 5000},
        {"size": 256.0},
        {"size": True},
        {"size": "large"},
        {"mode": "sideways"},
        {"method": "../../x"},
        {"portrait": "../../etc/passwd"},
        {"portrait": 7},
        {"codec": "gif"},
        {"codec": "jpeg", "format": {"depth": 16}},
        {"format": {"transparent": "yes"}},
        {"format": []},
        {"passes": "matte"},
        {"schema": "another"},
    ],
)
def test_a_wrong_request_is_refused_with_a_sentence(changes: dict[str, object]) -> None:
    form = forms.frame_request_form(FrameRequest(ID, REST), FACE_SCHEMA.hash, "raw")
    with pytest.raises((InputError, ProtocolError)):
        forms.read_frame_request(sent(changed(form, **changes)), FACE_SCHEMA)


@pytest.mark.parametrize(
    "parameters",
    [
        np.full(55, np.nan, np.float32),
        np.full(55, np.inf, np.float32),
        np.zeros(54, np.float32),
        np.zeros(55, np.int32),
        np.zeros((5, 11), np.float32),
    ],
)
def test_parameters_that_are_no_finite_vector_of_the_schema_are_refused(
    parameters: np.ndarray,
) -> None:
    form = forms.frame_request_form(FrameRequest(ID, REST), FACE_SCHEMA.hash, "raw")
    payload = forms.Payload.of_array("parameters", parameters)
    with pytest.raises((InputError, ProtocolError)):
        forms.read_frame_request(sent(Form(form.body, (payload,))), FACE_SCHEMA)


@given(
    st.dictionaries(
        st.sampled_from(
            ["session", "client", "codecs", "schema_hash", "limits", "schema", "version", "code"]
        ),
        st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers()) | st.just({}),
    )
)
def test_bodies_of_anything_raise_nothing_but_photorig_errors(changes: dict[str, object]) -> None:
    readers = {
        forms.read_hello: forms.hello_form(Hello("ab" * 16, "c", ("raw",), "h")),
        forms.read_welcome: forms.welcome_form(WELCOME),
        forms.read_error: forms.error_form(ErrorReport("input", "m")),
        forms.read_heartbeat: forms.heartbeat_form(Heartbeat(None, 0, None)),
    }
    for read, form in readers.items():
        with contextlib.suppress(PhotorigError):
            read(sent(changed(form, **changes)))  # type: ignore[operator]


def test_a_request_keeps_its_own_copy_of_the_parameters() -> None:
    parameters = REST.copy()
    request = FrameRequest(ID, parameters)
    parameters[0] = 30
    assert request.parameters[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        request.parameters[0] = 30


def test_requests_of_the_same_picture_have_the_same_key() -> None:
    request = FrameRequest(ID, REST, 256, frame=1)
    other = replace(request, frame=2)
    assert request.picture == other.picture
    assert request != other
    assert len({request, replace(request)}) == 1
    assert replace(request, size=512).picture != request.picture


@pytest.mark.parametrize("parameters", [["x"], [[0.0]], [float("nan")], [1e999], None])
def test_a_request_of_no_finite_vector_cannot_be_made(parameters: Any) -> None:
    with pytest.raises(InputError):
        FrameRequest(ID, parameters)


def test_the_pixels_of_a_raw_reply_are_its_bytes() -> None:
    reply = FrameReply(1, bytes(range(18)), 3, 2, "raw", 1.0)
    assert reply.pixels().shape == (2, 3, 3)
    assert reply.pixels()[1, 2].tolist() == [15, 16, 17]
    with pytest.raises(InputError, match="before it is decoded"):
        replace(reply, codec="png").pixels()
