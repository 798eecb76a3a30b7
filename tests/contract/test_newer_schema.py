"""A worker that knows more parameters than the extension renders what the extension sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from card_server import SIZE, CardRenderer, RunningServer, card

from photorig.shared.parameters.schema import FACE_SCHEMA, Parameter, ParameterSchema

EARS = Parameter("earWiggle", "Ear Wiggle", "ears", "coefficient", 0.0, 1.0, 0.25, "earWiggle")
# Not at the end: parameters are found by id, not by place.
NEWER = ParameterSchema("newer", (EARS, *FACE_SCHEMA.parameters))


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(CardRenderer, "schema", NEWER)
    with RunningServer(tmp_path) as running:
        yield running


def frame_of(addon: SimpleNamespace, client: Any, portrait: bytes, **options: Any) -> bytes:
    info = client.upload_portrait(portrait)
    values = FACE_SCHEMA.vector({"jawOpen": 0.5})
    request = addon.messages.FrameRequest(info.id, values, SIZE, **options)
    still = client.request_frame(request)
    job = client.start_job([request], codec="raw")
    frames = []
    while not job.done:
        frames += job.poll()
    assert job.error is None
    assert frames[0].image == still.image, "jobs and stills speak alike"
    return bytes(still.image)


def test_values_of_the_newer_parameter_arrive(
    addon: SimpleNamespace, newer: RunningServer, connect: Callable[..., Any], portrait: bytes
) -> None:
    client = connect(newer.file)
    image = frame_of(addon, client, portrait, extra={"earWiggle": 0.75})
    wanted = NEWER.vector({"jawOpen": 0.5, "earWiggle": 0.75})
    assert image == card(client.upload_portrait(portrait).id, wanted, SIZE).tobytes()


def test_a_newer_parameter_that_nobody_set_is_at_rest(
    addon: SimpleNamespace, newer: RunningServer, connect: Callable[..., Any], portrait: bytes
) -> None:
    client = connect(newer.file)
    image = frame_of(addon, client, portrait)
    wanted = NEWER.vector({"jawOpen": 0.5})
    assert image == card(client.upload_portrait(portrait).id, wanted, SIZE).tobytes()


def test_a_worker_that_does_not_know_a_parameter_does_without_it(
    addon: SimpleNamespace, server: RunningServer, connect: Callable[..., Any], portrait: bytes
) -> None:
    client = connect(server.file)
    image = frame_of(addon, client, portrait, extra={"earWiggle": 0.75})
    wanted = FACE_SCHEMA.vector({"jawOpen": 0.5})
    assert image == card(client.upload_portrait(portrait).id, wanted, SIZE).tobytes()


def test_a_newer_parameter_makes_another_picture() -> None:
    from photorig.shared.wire.messages import FrameRequest

    request = FrameRequest("7d" * 32, FACE_SCHEMA.rest)
    assert replace(request, extra={"earWiggle": 0.5}).picture != request.picture


def test_a_worker_that_lacks_a_built_in_parameter_or_means_another_unit_is_refused(
    addon: SimpleNamespace,
    tmp_path: Path,
    connect: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = replace(FACE_SCHEMA.parameters[0], unit="radian")
    other = ParameterSchema("other", (first, *FACE_SCHEMA.parameters[1:]))
    monkeypatch.setattr(CardRenderer, "schema", other)
    with (
        RunningServer(tmp_path) as running,
        pytest.raises(addon.errors.ProtocolError, match="different parameters"),
    ):
        connect(running.file)
