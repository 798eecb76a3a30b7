"""Whatever a client sends, the server goes on and other clients get their frames."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from card_server import SIZE, RunningServer, portrait_bytes
from waiting import wait_for

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire import message_forms as forms
from photorig.shared.wire import portrait_forms
from photorig.shared.wire.connection import ConnectionInfo
from photorig.shared.wire.message_body import Form
from photorig.shared.wire.messages import FrameRequest, Heartbeat, Hello, MessageLimits
from photorig.shared.wire.protocol import MAGIC, Header, Message, Payload, decode, encode
from photorig.worker.server import gateway, sessions
from photorig.worker.server.endpoint import KeyPair

LIMIT = 1 << 28


_open_peers: list[Peer] = []


@pytest.fixture(autouse=True)
def close_peers() -> Iterator[None]:
    """A socket left open by a test that failed would hang the next ones."""
    yield
    while _open_peers:
        _open_peers.pop().close()


class Peer:
    """A client that can send anything."""

    def __init__(
        self, info: ConnectionInfo, endpoint: str = "bulk", keys: KeyPair | None = None
    ) -> None:
        _open_peers.append(self)
        self._context: zmq.Context[Any] = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.curve_serverkey = info.server_public_key.encode()
        keys = keys or KeyPair(info.client_public_key, info.client_secret_key)
        self.socket.curve_publickey = keys.public.encode()
        self.socket.curve_secretkey = keys.secret.encode()
        self.socket.connect(getattr(info, endpoint))
        self._count = 0

    def send(self, kind: str, form: Form = Form({}), **header: Any) -> None:  # noqa: B008
        self._count += 1
        parts = encode(Header(kind, f"p{self._count}", body=form.body, **header), form.payloads)
        self.socket.send_multipart(parts)

    def receive(self, seconds: float = 5) -> Message | None:
        """The next message that is no probe, None where none comes."""
        while self.socket.poll(int(seconds * 1000)):
            message = decode(self.socket.recv_multipart(), LIMIT)
            if message.header.kind != "probe":
                return message
        return None

    def error(self) -> forms.ErrorReport:
        message = self.receive()
        assert message is not None, "no answer"
        assert message.header.kind == "error", message.header
        return forms.read_error(message)

    def greet(self, session: str | None = None) -> None:
        hello = Hello(session or secrets.token_hex(16), "peer", ("raw",), FACE_SCHEMA.hash)
        self.send("hello", forms.hello_form(hello))
        answer = self.receive()
        assert answer is not None
        assert answer.header.kind == "welcome"

    def upload(self, content: bytes) -> str:
        portrait_id = hashlib.sha256(content).hexdigest()
        self.send("portrait_upload", portrait_forms.portrait_upload_form(portrait_id, content))
        answer = self.receive()
        assert answer is not None
        assert answer.header.kind == "portrait", answer.header
        return portrait_id

    def close(self) -> None:
        self._context.destroy(linger=0)


def frame_form(portrait_id: str, yaw: float = 0.0, **changes: object) -> Form:
    """A frame that is asked for; the worker keeps the last ones, so another yaw makes a new one."""
    request = FrameRequest(portrait_id, FACE_SCHEMA.vector({"headYaw": yaw}), SIZE)
    body, payloads = forms.frame_request_form(request, FACE_SCHEMA.hash, "raw")
    return Form({**body, **changes}, payloads)


@pytest.fixture
def peer(server: RunningServer) -> Iterator[Peer]:
    """Has said hello on the bulk endpoint. Afterwards the server must still work."""
    peer = Peer(server.info)
    peer.greet()
    yield peer
    peer.close()
    other = Peer(server.info)
    other.greet()
    other.send("render", frame_form(other.upload(portrait_bytes(3))))
    answer = other.receive()
    assert answer is not None
    assert answer.header.kind == "frame"


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"", b"", b""],
        [b"GET / HTTP/1.1\r\n\r\n"],
        [MAGIC],
        [MAGIC, b"{"],
        [MAGIC, b"null"],
        [MAGIC, b"[" * 60_000],
        [MAGIC, b"\xff" * 1000],
        [MAGIC, b" " * 10_000_000],
        [MAGIC, b'{"version":[1,0],"kind":"render","id":"x","seq":NaN}'],
        [MAGIC, b'{"version":[1,0],"kind":"render","id":"x"}', b"payload"],
        [b"x"] * 1000,
    ],
)
def test_garbage_is_answered_with_a_protocol_error(peer: Peer, parts: list[bytes]) -> None:
    peer.socket.send_multipart(parts)
    assert peer.error().code == "protocol"


def test_random_garbage_is_answered_message_by_message(peer: Peer) -> None:
    random = np.random.default_rng(5)
    for _ in range(300):
        sizes = random.integers(0, 100, random.integers(1, 13))
        peer.socket.send_multipart([random.bytes(int(size)) for size in sizes])
    assert {peer.error().code for _ in range(300)} == {"protocol"}


def test_another_version_is_told_which_side_to_update(peer: Peer) -> None:
    for major, sentence in ((2, "Update the worker"), (0, "Update the extension")):
        header = {"version": [major, 0], "kind": "hello", "id": "h1"}
        peer.socket.send_multipart([MAGIC, json.dumps(header).encode()])
        answer = peer.receive()
        assert answer is not None
        assert answer.header.re == "h1"
        report = forms.read_error(answer)
        assert (report.reason, sentence in report.hint) == ("version", True)


def test_an_unknown_kind_is_unsupported(peer: Peer) -> None:
    peer.send("teleport")
    assert peer.error().reason == "unsupported"
    peer.send("preview", frame_form("0" * 64, view="v"))
    assert peer.error().reason == "unsupported", "previews belong to the control endpoint"


def test_who_has_not_said_hello_is_asked_to(server: RunningServer) -> None:
    stranger = Peer(server.info)
    stranger.send("ping")
    assert stranger.error().reason == "hello-first"


@pytest.mark.parametrize("session", ["", "xyz", "A" * 32, "0" * 33])
def test_a_hello_without_a_proper_session_is_refused(peer: Peer, session: str) -> None:
    peer.send("hello", forms.hello_form(Hello(session, "p", ("raw",), "")))
    assert peer.error().code == "protocol"


def test_a_hello_without_a_common_codec_is_refused(peer: Peer) -> None:
    peer.send("hello", forms.hello_form(Hello("0" * 32, "p", ("gif",), "")))
    assert "codec" in peer.error().message


def test_parameters_that_are_not_finite_are_refused(peer: Peer) -> None:
    form = frame_form(peer.upload(portrait_bytes(1)))
    for value in (np.nan, np.inf):
        vector = Payload.of_array("parameters", np.full(len(FACE_SCHEMA), value, np.float32))
        peer.send("render", Form(form.body, (vector,)))
        assert peer.error().code == "input"


def test_parameters_of_another_schema_are_refused(peer: Peer) -> None:
    peer.send("render", frame_form(peer.upload(portrait_bytes(1)), schema="f" * 64))
    assert "different parameters" in peer.error().message


@pytest.mark.parametrize("size", [-1, 0, 10**9, "huge", None, 1.5])
def test_an_impossible_size_is_refused(peer: Peer, size: object) -> None:
    peer.send("render", frame_form(peer.upload(portrait_bytes(1)), size=size))
    assert peer.error().code in ("protocol", "input")


@pytest.mark.parametrize("portrait_id", ["0" * 64, "../../../etc/passwd", "", "/" * 64])
def test_an_unknown_portrait_is_told_and_no_path_is_opened(peer: Peer, portrait_id: str) -> None:
    peer.send("portrait_query", portrait_forms.portrait_reference_form(portrait_id))
    assert peer.error().reason == "unknown-portrait"
    peer.send("render", frame_form("0" * 64, portrait=portrait_id))
    assert peer.error().code == "input"


def test_an_upload_under_a_wrong_name_is_refused_and_not_kept(
    peer: Peer, server: RunningServer
) -> None:
    peer.send("portrait_upload", portrait_forms.portrait_upload_form("0" * 64, portrait_bytes(1)))
    assert "damaged on the way" in peer.error().message
    assert "0" * 64 not in server.portraits


def test_uploads_that_are_no_portrait_are_refused(peer: Peer) -> None:
    whole = portrait_bytes(1)
    for content in (b"", b"\x80\x04]", whole[:100], whole[:-50], b"\xff" * 8 + whole[8:]):
        name = hashlib.sha256(content).hexdigest()
        peer.send("portrait_upload", portrait_forms.portrait_upload_form(name, content))
        assert peer.error().code == "input"


def test_a_damaged_file_in_the_cache_is_dropped(peer: Peer, tmp_path: Path) -> None:
    file = tmp_path / "portraits" / ("0" * 64 + ".portrait")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"damaged")
    peer.send("portrait_query", portrait_forms.portrait_reference_form("0" * 64))
    assert peer.error().reason == "unknown-portrait"
    assert not file.exists()


def test_replayed_acknowledgements_give_no_credit(peer: Peer, server: RunningServer) -> None:
    portrait_id = peer.upload(portrait_bytes(1))
    peer.send("job", Form({"window": 2}), job="j")
    for seq in range(10):
        peer.send("render", frame_form(portrait_id, seq / 10), job="j", seq=seq)
    kinds = [message.header.kind for _ in range(3) if (message := peer.receive())]
    assert kinds == ["job_opened", "frame", "frame"]
    for _ in range(50):
        peer.send("ack", job="j", seq=0)
        peer.send("ack", job="j", seq=9)
        peer.send("ack", job="another", seq=1)
    assert peer.receive() is not None
    assert peer.receive(0.2) is None
    assert len(server.renderer.rendered) == 3


def test_frames_for_a_job_that_is_not_open_are_refused(peer: Peer) -> None:
    peer.send("render", frame_form(peer.upload(portrait_bytes(1))), job="none", seq=0)
    assert "no job" in peer.error().message
    peer.send("ack")
    assert "needs a job" in peer.error().message


def heartbeat(peer: Peer) -> Heartbeat:
    peer.send("ping")
    answer = peer.receive()
    assert answer is not None
    return forms.read_heartbeat(answer)


def queue_length(peer: Peer) -> int:
    return heartbeat(peer).queue_length


def start_job(server: RunningServer, frames: int) -> Peer:
    """A client with a job whose window is full as soon as four frames are made."""
    peer = Peer(server.info)
    peer.greet()
    portrait_id = peer.upload(portrait_bytes(1))
    peer.send("job", Form({"window": 4}), job="j")
    for seq in range(frames):
        peer.send("render", frame_form(portrait_id, seq / 10), job="j", seq=seq)
    return peer


def test_a_client_that_vanishes_with_frames_in_flight_leaves_the_device_free(
    server: RunningServer,
) -> None:
    server.renderer.gate.clear()
    peer, other = start_job(server, 200), Peer(server.info)
    other.greet()
    # One frame is on the device and the next in its hand.
    assert wait_for(lambda: queue_length(other) == 198)
    peer.close()
    server.renderer.gate.set()
    assert wait_for(lambda: queue_length(other) == 0)
    other.send("render", frame_form(other.upload(portrait_bytes(1))), frame=77)
    answer = other.receive()
    assert answer is not None
    assert answer.header.frame == 77
    # The frame that was in flight, and at most one that began before that one could not be sent.
    assert len(server.renderer.rendered) <= 3


def test_a_client_that_vanishes_while_nothing_is_sent_to_it_is_noticed(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "_PROBE_AFTER_SECONDS", 0.3)
    peer, other = start_job(server, 50), Peer(server.info)
    other.greet()
    assert wait_for(lambda: len(server.renderer.rendered) == 4)
    time.sleep(0.5)
    assert queue_length(other) == 46, "a client that is there was forgotten"
    peer.close()
    assert wait_for(lambda: queue_length(other) == 0)


def test_clients_that_come_and_vanish_do_not_use_up_the_sessions(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "_MANY_SESSIONS", 4)
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 10)
    for _ in range(20):
        peer = Peer(server.info)
        peer.greet()
        peer.close()


def test_one_client_too_many_is_told_so(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 1)
    first, second = Peer(server.info), Peer(server.info)
    first.greet()
    second.send("hello", forms.hello_form(Hello("0" * 32, "p", ("raw",), "")))
    assert "Too many clients" in second.error().message


def test_a_preview_that_was_replaced_is_told_so(server: RunningServer) -> None:
    session = secrets.token_hex(16)
    control, bulk = Peer(server.info, "control"), Peer(server.info)
    control.greet(session)
    bulk.greet(session)
    form = frame_form(bulk.upload(portrait_bytes(1)), view="v")
    server.renderer.gate.clear()
    control.send("preview", form, seq=0)
    assert wait_for(lambda: heartbeat(bulk).busy_seconds is not None)
    for seq in (1, 2, 3):
        control.send("preview", form, seq=seq)
    first, second = control.receive(), control.receive()
    server.renderer.gate.set()
    answers = [first, second, control.receive(), control.receive()]
    assert [(a.header.kind, a.header.seq, a.header.body["view"]) for a in answers if a] == [
        ("superseded", 1, "v"),
        ("superseded", 2, "v"),
        ("frame", 0, "v"),
        ("frame", 3, "v"),
    ]


def test_a_client_that_does_not_read_does_not_hold_up_another(server: RunningServer) -> None:
    deaf = Peer(server.info, "control")
    deaf.socket.rcvhwm = 1
    session = secrets.token_hex(16)
    deaf.greet(session)
    bulk = Peer(server.info)
    bulk.greet(session)
    portrait_id = bulk.upload(portrait_bytes(1))
    for seq in range(3000):
        with contextlib.suppress(zmq.Again):
            body, payloads = frame_form(portrait_id)
            parts = encode(
                Header("preview", f"q{seq}", seq=seq, body={**body, "view": "v"}), payloads
            )
            deaf.socket.send_multipart(parts, zmq.NOBLOCK)
    bulk.send("render", frame_form(portrait_id), frame=5)
    answer = bulk.receive()
    assert answer is not None
    assert answer.header.frame == 5


def test_a_message_over_the_limit_cuts_its_sender_off_and_nobody_else(tmp_path: Path) -> None:
    with RunningServer(tmp_path, MessageLimits(bulk_bytes=1 << 16)) as server:
        large, small = Peer(server.info), Peer(server.info)
        large.greet()
        small.greet()
        large.socket.send_multipart([MAGIC, b"{}", b"x" * (1 << 17)])
        assert large.receive(0.5) is None
        small.send("ping")
        answer = small.receive()
        assert answer is not None
        assert answer.header.kind == "pong"


def test_a_key_that_is_not_on_the_list_gets_no_answer(server: RunningServer) -> None:
    stranger = Peer(server.info, keys=KeyPair.new())
    hello = Hello("0" * 32, "stranger", ("raw",), "")
    with contextlib.suppress(zmq.Again):
        stranger.send("hello", forms.hello_form(hello))
    assert stranger.receive(0.5) is None


def test_a_session_cannot_be_joined_by_a_socket_of_another(server: RunningServer) -> None:
    peer = Peer(server.info)
    peer.greet("a" * 32)
    peer.send("hello", forms.hello_form(Hello("b" * 32, "p", ("raw",), "")))
    assert "cannot change its session" in peer.error().message
    peer.close()


@pytest.mark.parametrize(
    ("job", "payloads"),
    [(None, ("photo-1",)), ("fit-1", ()), ("fit-1", ("photo-2",)), ("fit-1", ("photo-1",) * 8)],
)
def test_a_fit_that_is_none_is_refused(
    peer: Peer, job: str | None, payloads: tuple[str, ...]
) -> None:
    parts = tuple(Payload(name, b"portrait", "uint8", (8,)) for name in payloads)
    peer.send("fit", Form({"name": "Anna", "face": None}, parts), job=job)
    assert peer.error().code in ("protocol", "input")


def test_the_end_of_a_fit_that_is_not_there_is_no_error(peer: Peer) -> None:
    peer.send("end_fit", Form({}), job="none")
    peer.send("ping", Form({}))
    answer = peer.receive()
    assert answer is not None
    assert answer.header.kind == "pong"
