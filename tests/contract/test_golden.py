"""The bytes on the wire are those of the golden files, and the document shows those files."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from golden_messages import (
    DOCUMENT,
    FOLDER,
    MESSAGES,
    OTHER,
    PIXELS,
    PORTRAIT,
    REQUEST,
    SCHEMA,
    encoded,
    split,
    with_examples,
)

from photorig.shared.wire import message_forms as forms
from photorig.shared.wire import portrait_forms
from photorig.shared.wire.protocol import MAGIC, MalformedBody, Message, decode

NAMES = sorted(MESSAGES)


def golden(name: str) -> list[bytes]:
    return split((FOLDER / f"{name}.bin").read_bytes())


def message(name: str) -> Message:
    return decode(golden(name), 1 << 20)


@pytest.mark.parametrize("name", NAMES)
def test_messages_are_written_as_the_golden_bytes(name: str) -> None:
    assert encoded(name) == golden(name)


@pytest.mark.parametrize("name", NAMES)
def test_golden_bytes_are_what_their_description_says(name: str) -> None:
    description = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    magic, header, *payloads = golden(name)
    assert magic == MAGIC
    assert json.loads(header) == description["header"]
    assert [payload.hex() for payload in payloads] == description["payloads"]


@pytest.mark.parametrize("name", NAMES)
def test_golden_bytes_are_read_as_the_message(name: str) -> None:
    assert message(name).header == MESSAGES[name][0]


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(NAMES)


def test_the_golden_frame_holds_its_pixels() -> None:
    assert forms.read_frame_reply(message("frame")).image == PIXELS


def test_the_golden_error_names_its_reason() -> None:
    assert forms.read_error(message("error")).reason == "unknown-portrait"


def test_the_golden_welcome_holds_the_schema() -> None:
    assert forms.read_welcome(message("welcome")).schema == SCHEMA


def test_the_golden_request_is_little_endian_float32() -> None:
    payload = message("render").payload("parameters")
    assert bytes(payload.data) == bytes.fromhex("00004841 0000803e")
    np.testing.assert_array_equal(payload.array(), REQUEST.parameters)


def test_the_golden_request_of_two_faces_holds_them_both() -> None:
    request, _ = forms.read_frame_request(_with_schema(message("render_others")), SCHEMA)
    assert request == replace(REQUEST, size="full", others=(OTHER,))


def test_a_request_of_an_older_client_drives_one_face() -> None:
    request, _ = forms.read_frame_request(_with_schema(message("render")), SCHEMA)
    assert request.others == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"others": "both"},
        {"others": [7]},
        {"others": [{"portrait": "8e" * 32, "mode": "absolute"}]},
        {"others": [{"portrait": "8e" * 32, "mode": "absolute", "method": "directions"}] * 2},
        {"others": [{}] * 8},
    ],
)
def test_other_faces_that_are_no_others_are_refused(wrong: dict[str, object]) -> None:
    sent = _with_schema(message("render_others"))
    header = replace(sent.header, body={**sent.header.body, **wrong})
    with pytest.raises(MalformedBody):
        forms.read_frame_request(replace(sent, header=header), SCHEMA)


def _with_schema(sent: Message) -> Message:
    """The examples name a schema of a shortened hash."""
    body = {**sent.header.body, "schema": SCHEMA.hash}
    return replace(sent, header=replace(sent.header, body=body))


def test_the_golden_portrait_has_its_id() -> None:
    assert portrait_forms.read_portrait_info(message("portrait")).id == PORTRAIT


def test_the_document_shows_the_golden_files() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert with_examples(document) == document


def test_the_document_explains_every_kind() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- golden: (\w+) -->", document)) == set(NAMES)
