"""The extension's client against the real server, over real sockets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from card_server import DEFECT, SIZE, RunningServer, card, portrait_bytes

from photorig.shared.files.provenance import read_provenance
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import CODECS

Connect = Callable[..., Any]


@pytest.fixture
def client(server: RunningServer, connect: Connect) -> Any:
    return connect(server.file)


def request(addon: SimpleNamespace, portrait_id: str, frame: int = 1, **values: float) -> Any:
    parameters = FACE_SCHEMA.vector({"headYaw": float(frame), **values})
    return addon.messages.FrameRequest(portrait_id, parameters, SIZE, frame=frame)


def collect(job: Any, seconds: float = 10) -> list[Any]:
    frames = []
    deadline = time.monotonic() + seconds
    while not job.done and time.monotonic() < deadline:
        frames += job.poll()
        time.sleep(0.002)
    return frames


def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.002)
    return value


def test_the_welcome_describes_the_worker(client: Any) -> None:
    welcome = client.welcome
    assert (welcome.device, welcome.backend, welcome.model_id) == ("test", "cards", "card")
    assert welcome.schema.hash == FACE_SCHEMA.hash
    assert welcome.codecs == CODECS


def test_an_upload_tells_what_is_in_the_portrait(client: Any, portrait: bytes) -> None:
    info = client.upload_portrait(portrait)
    assert (info.name, info.width, info.height) == ("Nobody 1", SIZE, SIZE)
    assert info.thumbnail.shape == (128, 128, 3)
    assert info.parameters.shape == (len(FACE_SCHEMA),)


def test_a_portrait_is_sent_once_however_many_clients_have_it(
    server: RunningServer, connect: Connect, portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = []
    take = server.portraits.take

    def counted(received: Any, accept: Any) -> Any:
        added.append(received.sha256)
        return take(received, accept)

    monkeypatch.setattr(server.portraits, "take", counted)
    for _ in range(3):
        connect(server.file).upload_portrait(portrait)
    assert len(added) == 1


def test_a_frame_is_the_pixels_of_its_request(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    wanted = request(addon, info.id, frame=-7, jawOpen=0.25)
    reply = client.request_frame(wanted)
    assert (reply.frame, reply.codec, reply.width, reply.height) == (-7, "raw", SIZE, SIZE)
    np.testing.assert_array_equal(reply.pixels(), card(info.id, wanted.parameters, SIZE))


def test_a_png_frame_carries_its_provenance(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    reply = client.request_frame(request(addon, info.id), codec="png")
    assert read_provenance(reply.image) is not None


def test_preview_single_frame_and_job_give_the_same_pixels(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    wanted = request(addon, info.id)
    client.submit_preview("view", wanted)
    preview = until(lambda: client.poll_preview("view"))
    (frame,) = collect(client.start_job([wanted], codec="raw"))
    assert preview.image == frame.image == client.request_frame(wanted).image


def test_a_job_gives_every_frame_once(addon: SimpleNamespace, client: Any, portrait: bytes) -> None:
    info = client.upload_portrait(portrait)
    job = client.start_job([request(addon, info.id, frame) for frame in range(40)], window=3)
    frames = collect(job)
    assert sorted(frame.frame for frame in frames) == list(range(40))
    assert job.error is None
    assert job.missing == []


def test_two_portraits_in_one_job_are_not_mixed_up(addon: SimpleNamespace, client: Any) -> None:
    ids = [client.upload_portrait(portrait_bytes(seed)).id for seed in (1, 2)]
    wanted = [request(addon, ids[frame % 2], frame) for frame in range(10)]
    for reply in collect(client.start_job(wanted, codec="raw")):
        parameters = wanted[reply.frame].parameters
        expected = card(ids[reply.frame % 2], parameters, SIZE)
        np.testing.assert_array_equal(reply.pixels(), expected)


def test_a_slow_client_holds_no_more_than_its_window(
    addon: SimpleNamespace, server: RunningServer, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    job = client.start_job([request(addon, info.id, frame) for frame in range(20)], window=4)
    job.poll()
    assert until(lambda: len(server.renderer.rendered) == 4)
    time.sleep(0.2)
    assert len(server.renderer.rendered) == 4
    assert len(collect(job)) == 20


def test_a_cancelled_job_renders_nothing_more(
    addon: SimpleNamespace, server: RunningServer, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    server.renderer.gate.clear()
    job = client.start_job([request(addon, info.id, frame) for frame in range(20)])
    job.poll()
    assert until(lambda: client.poll() or server.renderer.rendered or client_busy(client))
    job.cancel()
    assert isinstance(job.error, addon.errors.Cancelled)
    time.sleep(0.1)
    server.renderer.gate.set()
    assert client.request_frame(request(addon, info.id, 99)).frame == 99
    assert server.renderer.rendered[-1] == 99
    assert len(server.renderer.rendered) <= 2


def client_busy(client: Any) -> bool:
    """Whether a heartbeat has said that the device is busy."""
    return client.heartbeat is not None and client.heartbeat.busy_seconds is not None


def test_heartbeats_are_answered_while_the_device_is_busy(
    addon: SimpleNamespace, server: RunningServer, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    server.renderer.gate.clear()
    client.submit_preview("view", request(addon, info.id))
    assert until(lambda: client.poll() or client_busy(client))
    assert not client.is_slow


def test_only_the_newest_preview_is_shown_and_few_are_rendered(
    addon: SimpleNamespace, server: RunningServer, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    server.renderer.gate.clear()
    for frame in range(50):
        client.submit_preview("view", request(addon, info.id, frame))
    server.renderer.gate.set()
    shown: list[int] = []

    def last_is_shown() -> bool:
        reply = client.poll_preview("view")
        shown.extend([reply.frame] if reply else [])
        return shown[-1:] == [49]

    assert until(last_is_shown)
    assert shown == sorted(shown)
    assert len(server.renderer.rendered) <= 4


def test_an_error_of_the_worker_arrives_with_its_hint(addon: SimpleNamespace, client: Any) -> None:
    with pytest.raises(addon.errors.InputError, match="does not have the portrait") as caught:
        client.request_frame(request(addon, "0" * 64))
    assert caught.value.hint == "Load the portrait again."
    job = client.start_job([request(addon, "0" * 64)])
    assert collect(job) == []
    assert "does not have the portrait" in job.error.message


def test_data_that_are_no_portrait_are_refused(addon: SimpleNamespace, client: Any) -> None:
    with pytest.raises(addon.errors.InputError, match="portrait"):
        client.upload_portrait(b"\x80\x04N." * 100)


def test_a_defect_in_a_frame_ends_its_job_and_not_the_worker(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    job = client.start_job([request(addon, info.id, 5, jawOpen=DEFECT)])
    assert collect(job) == []
    assert "failed at frame 5 (ZeroDivisionError)" in str(job.error)
    client.submit_preview("view", request(addon, info.id, 5, jawOpen=DEFECT))
    with pytest.raises(addon.errors.PhotorigError, match="failed at frame 5"):
        until(lambda: client.poll_preview("view"))
    assert client.request_frame(request(addon, info.id, 6)).frame == 6


def test_a_waiting_frame_can_be_cancelled(
    addon: SimpleNamespace, server: RunningServer, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    server.renderer.gate.clear()
    start = time.monotonic()
    with pytest.raises(addon.errors.Cancelled):
        client.request_frame(
            request(addon, info.id), should_cancel=lambda: time.monotonic() > start + 0.2
        )
    assert time.monotonic() - start < 1


def test_many_stills_in_a_row_do_not_fill_the_worker(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    for frame in range(150):
        assert client.request_frame(request(addon, info.id, frame)).frame == frame


def test_a_closed_client_says_so_and_ends_its_jobs(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    job = client.start_job([request(addon, info.id)])
    client.close()
    assert isinstance(job.error, addon.errors.ConnectionLost)
    assert len(job.missing) == 1
    with pytest.raises(addon.errors.ConnectionLost):
        client.poll()


def test_a_frame_brings_the_passes_it_was_asked_for(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    assert client.welcome.passes == ("face", "matte")
    plain = request(addon, info.id)
    reply = client.request_frame(replace(plain, passes=("face", "matte")))
    face, matte = reply.passes
    assert (face.name, matte.name) == ("face", "matte")
    np.testing.assert_array_equal(face.pixels, 255 - reply.pixels())
    np.testing.assert_array_equal(matte.pixels, reply.pixels()[..., 0])
    assert client.request_frame(plain).passes == ()
    assert client.request_frame(plain).image == reply.image


def test_a_frame_comes_in_the_format_it_was_asked_for(
    addon: SimpleNamespace, client: Any, portrait: bytes
) -> None:
    info = client.upload_portrait(portrait)
    form = addon.picture_format.PictureFormat
    wanted = request(addon, info.id)
    plain = client.request_frame(wanted).pixels()
    cut_out = client.request_frame(wanted, form("raw", 8, "RGBA", transparent=True)).pixels()
    np.testing.assert_array_equal(cut_out, np.dstack([plain, plain[..., 0]]))
    exr = client.request_frame(wanted, form("exr", 16, "RGBA"))
    assert (exr.codec, exr.channels, exr.dtype) == ("exr", 4, "float16")
    assert exr.image[:4] == b"v/1\x01"
