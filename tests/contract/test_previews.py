"""Previews against the real server: portraits go along without waiting, all frames are kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from card_server import SIZE, RunningServer

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.portraits.portrait import Portrait


@pytest.fixture
def client(server: RunningServer, connect: Callable[..., Any]) -> Any:
    return connect(server.file)


def request(addon: SimpleNamespace, portrait_id: str, frame: int = 1) -> Any:
    parameters = FACE_SCHEMA.vector({"headYaw": float(frame)})
    return addon.messages.FrameRequest(portrait_id, parameters, SIZE, frame=frame)


def frames_of(client: Any, seconds: float = 10) -> list[tuple[Any, Any]]:
    """All previews that come until nothing is under way any more."""
    deadline = time.monotonic() + seconds
    taken = client.take_previews("view")
    while client.preview_waits("view") and time.monotonic() < deadline:
        client.poll()
        taken += client.take_previews("view")
        time.sleep(0.002)
    return taken + client.take_previews("view")


def test_a_portrait_that_the_worker_lacks_is_read_and_sent_without_waiting(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    read: list[int] = []

    def content() -> bytes:
        read.append(1)
        return portrait

    wanted = request(addon, hashlib.sha256(portrait).hexdigest())
    start = time.monotonic()
    client.offer_portraits({wanted.portrait: content})
    client.submit_preview("view", wanted)
    assert time.monotonic() - start < 0.1
    assert [(asked, reply.frame) for asked, reply in frames_of(client)] == [(wanted, 1)]
    client.submit_preview("view", wanted)
    assert len(frames_of(client)) == 1
    assert len(read) == 1


def test_a_portrait_that_nobody_has_is_reported_once(addon: SimpleNamespace, client: Any) -> None:
    client.submit_preview("view", request(addon, "0" * 64))
    with pytest.raises(addon.errors.InputError, match="does not have the portrait"):
        frames_of(client)
    assert frames_of(client) == []


def test_a_portrait_file_that_cannot_be_read_is_reported(
    addon: SimpleNamespace, client: Any
) -> None:
    def gone() -> bytes:
        raise addon.errors.InputError("There is no portrait file 'x'")

    client.offer_portraits({"1" * 64: gone})
    client.submit_preview("view", request(addon, "1" * 64))
    with pytest.raises(addon.errors.InputError, match="no portrait file"):
        frames_of(client)


def test_frames_that_were_overtaken_are_kept_with_their_requests(
    addon: SimpleNamespace, server: RunningServer, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    for frame in (1, 2):
        client.submit_preview("view", request(addon, info.id, frame))
        deadline = time.monotonic() + 5
        while len(server.renderer.rendered) < frame and time.monotonic() < deadline:
            client.poll()
            time.sleep(0.002)
    taken = frames_of(client)
    assert [asked.frame for asked, _ in taken] == [1, 2]
    assert [reply.frame for _, reply in taken] == [1, 2]


def test_a_forgotten_view_gives_nothing(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    client.submit_preview("view", request(addon, info.id))
    client.forget_previews("view")
    client.poll()
    assert frames_of(client, 0.2) == []
    assert not client.preview_waits("view")


def test_the_portraits_of_all_faces_are_sent_where_they_lack(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    other = replace(Portrait.from_bytes(portrait), name="Somebody").to_bytes()
    ids = [hashlib.sha256(each).hexdigest() for each in (portrait, other)]
    wanted = replace(request(addon, ids[0]), others=(request(addon, ids[1]),))
    client.offer_portraits({ids[0]: lambda: portrait, ids[1]: lambda: other})
    client.submit_preview("view", wanted)
    assert [asked for asked, _ in frames_of(client)] == [wanted]


def test_an_older_worker_is_not_asked_for_a_second_face_that_it_would_leave_out(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    client._control._version = (1, 3)
    wanted = replace(request(addon, info.id), others=(request(addon, "1" * 64),))
    with pytest.raises(addon.errors.ProtocolError, match="drives one face"):
        client._control.frame_form(wanted, "raw")
