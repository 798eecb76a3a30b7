"""Files in chunks: what is whole is kept, what is not is refused, and nothing of it stays."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import stat
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from card_server import RunningServer, portrait_bytes
from test_hostile import Peer, close_peers, frame_form  # noqa: F401
from waiting import wait_for

from photorig.shared.wire import upload_forms
from photorig.shared.wire.message_body import Form
from photorig.shared.wire.protocol import Message, Payload
from photorig.shared.wire.upload_forms import CHUNK_BYTES, UploadOffer
from photorig.worker.server import gateway, received_file, uploads

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def name_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def left_behind(server: RunningServer) -> list[str]:
    """Files that are none of the store's, with a name or only open."""
    folder = server.portraits.folder
    named = [path.name for path in folder.glob("*") if path.suffix != ".portrait"]
    opened = []
    for handle in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):
            target = str(handle.readlink())
            if target.startswith(str(folder)) and target.endswith("(deleted)"):
                opened.append(target)
    return named + opened


class Sender(Peer):
    """Sends files in chunks, as it is told."""

    def __init__(self, server: Any, session: str | None = None) -> None:
        super().__init__(server.info)
        self.greet(session)

    def begin(self, content: bytes, name: str = "", n_bytes: int = 0, **more: Any) -> Message:
        offer = UploadOffer(
            name or name_of(content), more.pop("what", "portrait"), n_bytes or len(content), **more
        )
        self.send("upload", upload_forms.upload_form(offer))
        answer = self.receive()
        assert answer is not None
        return answer

    def chunk(self, name: str, offset: int, data: bytes) -> Message:
        self.send("chunk", upload_forms.chunk_form(name, offset, data))
        answer = self.receive()
        assert answer is not None
        return answer

    def end(self, name: str) -> Message:
        self.send("end_upload", upload_forms.content_form(name))
        answer = self.receive()
        assert answer is not None
        return answer

    def deliver(self, content: bytes, **more: Any) -> Message:
        """All of it; the answer to its end."""
        assert self.begin(content, **more).header.kind == "upload_ready"
        name = more.get("name", name_of(content))
        for offset in range(0, len(content), CHUNK_BYTES):
            taken = self.chunk(name, offset, content[offset : offset + CHUNK_BYTES])
            assert taken.header.kind == "chunk_taken"
        return self.end(name)


def sentence(message: Message) -> tuple[str, str]:
    """Of an error: reason and sentence."""
    assert message.header.kind == "error", message.header
    return message.header.body["reason"], message.header.body["message"]


def large(n_bytes: int, seed: int = 0) -> bytes:
    """A portrait of so many bytes and some more, most of them in an array that nobody reads."""
    content = portrait_bytes(seed)
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    end = len(content) - 8 - length
    header["later"] = {"dtype": "U8", "shape": [n_bytes], "data_offsets": [end, end + n_bytes]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content[8 + length :] + bytes(n_bytes)


def test_a_portrait_in_chunks_is_answered_and_kept_as_one_in_a_message(
    server: RunningServer,
) -> None:
    content, whole = large(3 << 20), portrait_bytes(7)
    sender = Sender(server)
    answer = sender.deliver(content)
    assert answer.header.kind == "portrait"
    assert answer.header.body["portrait"] == name_of(content)
    sender.send("portrait_query", Form({"portrait": name_of(content)}))
    again = sender.receive()
    assert again is not None
    assert again.header.body == answer.header.body
    path = server.portraits.folder / f"{name_of(content)}.portrait"
    assert path.read_bytes() == content
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sender.upload(whole) == name_of(whole)


HOSTILE: dict[str, tuple[Callable[[Sender, bytes], Message], str]] = {
    "a chunk elsewhere": (
        lambda peer, content: peer.chunk(name_of(content), 7, content[:100]),
        "begins at byte 7 where 0 was expected",
    ),
    "a chunk twice": (
        lambda peer, content: [peer.chunk(name_of(content), 0, content[:9]) for _ in "12"][1],
        "begins at byte 0 where 9 was expected",
    ),
    "too much": (
        lambda peer, content: peer.chunk(name_of(content), 0, content + b"x"),
        "more than it said",
    ),
    "nothing": (lambda peer, content: peer.chunk(name_of(content), 0, b""), "empty chunk"),
    "too large a chunk": (
        lambda peer, content: peer.chunk(name_of(content), 0, bytes(CHUNK_BYTES + 1)),
        "at most 1024 KiB",
    ),
    "too little": (
        lambda peer, content: [
            peer.chunk(name_of(content), 0, content[:99]),
            peer.end(name_of(content)),
        ][1],
        "ended after 99 of",
    ),
    "nothing at all": (lambda peer, content: peer.end(name_of(content)), "ended after 0 of"),
    "other bytes": (
        lambda peer, content: [
            peer.chunk(name_of(content), 0, b"\0" + content[1:]),
            peer.end(name_of(content)),
        ][1],
        "damaged on the way",
    ),
    "numbers for bytes": (
        lambda peer, content: _send_floats(peer, content),
        "'data' of a 'chunk' message is wrong",
    ),
}


def _send_floats(peer: Sender, content: bytes) -> Message:
    payload = Payload.of_array("data", np.zeros(25, np.float32))
    peer.send("chunk", Form({"content": name_of(content), "offset": 0}, (payload,)))
    answer = peer.receive()
    assert answer is not None
    return answer


@linux
@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_upload_is_one_sentence_and_leaves_nothing(
    server: RunningServer, what: str
) -> None:
    send, said = HOSTILE[what]
    peer, other, content = Sender(server), Sender(server), portrait_bytes(1)
    peer.begin(content)
    assert said in sentence(send(peer, content))[1]
    assert sentence(peer.chunk(name_of(content), 0, content))[0] == "unknown-upload"
    assert wait_for(lambda: left_behind(server) == [])
    assert other.deliver(content).header.kind == "portrait"
    assert left_behind(server) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"content": "../../etc/passwd"}, "'content'"),
        ({"content": "AB" * 32}, "'content'"),
        ({"what": "film"}, "'what'"),
        ({"n_bytes": 0}, "'n_bytes'"),
        ({"n_bytes": 1 << 50}, "'n_bytes'"),
        ({"n_bytes": 600 << 20}, "at most 512 are taken"),
        ({"n_bytes": 300 << 20, "what": "photo"}, "at most 256 are taken"),
        ({"resume": 1}, "'resume'"),
    ],
)
def test_an_offer_that_cannot_be_is_refused(
    server: RunningServer, fields: dict[str, object], said: str
) -> None:
    peer = Sender(server)
    body = {**upload_forms.upload_form(UploadOffer("0" * 64, "portrait", 100)).body, **fields}
    peer.send("upload", Form(body))
    assert said in peer.error().message


@linux
def test_chunks_faster_than_they_are_answered_end_the_upload(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = received_file.ReceivedFile.take

    def slowly(self: received_file.ReceivedFile, offset: int, data: bytes) -> int:
        time.sleep(0.3)
        return take(self, offset, data)

    monkeypatch.setattr(received_file.ReceivedFile, "take", slowly)
    peer, content = Sender(server), bytes(20 << 10)
    peer.begin(content)
    for offset in range(0, len(content), 1 << 10):
        part = content[offset : offset + 1024]
        peer.send("chunk", upload_forms.chunk_form(name_of(content), offset, part))
    answers = [peer.receive() for _ in range(20)]
    reasons = [a.header.body.get("reason") for a in answers if a and a.header.kind == "error"]
    assert "too-much" in reasons
    assert set(reasons) == {"too-much", "unknown-upload"}
    assert wait_for(lambda: left_behind(server) == [])


@linux
def test_a_flood_of_begun_uploads_is_refused_and_others_send_theirs(server: RunningServer) -> None:
    flood, other = Sender(server), Sender(server)
    answers = [flood.begin(b"", f"{number:064x}", 1 << 20) for number in range(40)]
    kinds = [answer.header.kind for answer in answers]
    assert kinds == ["upload_ready"] * uploads.UPLOADS_OF_CLIENT + ["error"] * 24
    assert sentence(answers[-1])[0] == "too-much"
    assert other.deliver(portrait_bytes(1)).header.kind == "portrait"
    flood.send("bye")
    assert wait_for(lambda: left_behind(server) == [])


def test_more_than_may_be_stored_is_refused_before_a_byte_is_sent(server: RunningServer) -> None:
    peer, other = Sender(server), Sender(server)
    assert peer.begin(b"", "1" * 64, 500 << 20).header.kind == "upload_ready"
    assert peer.begin(b"", "2" * 64, 500 << 20).header.kind == "upload_ready"
    assert sentence(peer.begin(b"", "3" * 64, 500 << 20))[0] == "too-much"
    assert other.deliver(portrait_bytes(1)).header.kind == "portrait"


@linux
def test_an_upload_that_is_never_ended_is_given_up(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, content = Sender(server), portrait_bytes(1)
    peer.begin(content)
    peer.chunk(name_of(content), 0, content[:100])
    monkeypatch.setattr(uploads, "IDLE_SECONDS", 0.2)
    assert wait_for(lambda: left_behind(server) == [])
    assert sentence(peer.chunk(name_of(content), 100, content[100:]))[0] == "unknown-upload"


def test_who_sends_nothing_makes_room_for_those_who_do(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "STALLED_SECONDS", 0.2)
    hoarders = [Sender(server) for _ in range(5)]
    for number, peer in enumerate(hoarders):
        for count in range(2):
            peer.begin(b"", f"{number}{count:063}", 500 << 20)
    time.sleep(0.3)
    assert Sender(server).deliver(portrait_bytes(1)).header.kind == "portrait"


@linux
def test_a_client_that_says_bye_leaves_nothing(server: RunningServer) -> None:
    peer, content = Sender(server), portrait_bytes(1)
    peer.begin(content)
    peer.chunk(name_of(content), 0, content[:100])
    assert left_behind(server) != []
    peer.send("bye")
    assert wait_for(lambda: left_behind(server) == [])


@linux
def test_a_client_that_was_cut_off_goes_on_where_it_was(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    content = portrait_bytes(1)
    cut_off(server, content, content[:1000], caplog)
    again = Sender(server)
    ready = upload_forms.read_upload_ready(again.begin(content))
    assert (ready.offset, ready.taken) == (1000, name_of(content[:1000]))
    assert again.chunk(name_of(content), 1000, content[1000:]).header.kind == "chunk_taken"
    assert again.end(name_of(content)).header.kind == "portrait"
    cut_off(server, portrait_bytes(2), b"x", caplog)
    monkeypatch.setattr(uploads, "KEPT_SECONDS", 0.2)
    assert wait_for(lambda: left_behind(server) == [])


def cut_off(
    server: RunningServer, content: bytes, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A client sends so much of a file, and is gone without a word."""
    caplog.clear()
    peer = Sender(server)
    peer.begin(content)
    peer.chunk(name_of(content), 0, sent)
    with caplog.at_level(logging.INFO), pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "_PROBE_AFTER_SECONDS", 0.1)
        peer.close()
        assert wait_for(lambda: "has gone" in caplog.text)


def test_a_client_with_other_bytes_than_were_left_begins_anew(
    server: RunningServer, connect: Callable[[Path], Any], caplog: pytest.LogCaptureFixture
) -> None:
    content = portrait_bytes(1)
    cut_off(server, content, b"those of somebody else", caplog)
    assert connect(server.file).upload_portrait(content).id == name_of(content)


@linux
def test_an_upload_that_is_aborted_leaves_nothing_and_can_begin_again(
    server: RunningServer,
) -> None:
    peer, content = Sender(server), portrait_bytes(1)
    peer.begin(content)
    peer.chunk(name_of(content), 0, content[:100])
    peer.send("abort_upload", upload_forms.content_form(name_of(content)))
    answer = peer.receive()
    assert answer is not None
    assert answer.header.kind == "upload_aborted"
    assert wait_for(lambda: left_behind(server) == [])
    assert peer.deliver(content).header.kind == "portrait"


def test_several_clients_send_at_once(server: RunningServer) -> None:
    peers, contents = [Sender(server) for _ in range(5)], [large(2 << 20, n) for n in range(5)]
    for peer, content in zip(peers, contents, strict=True):
        assert peer.begin(content).header.kind == "upload_ready"
    for offset in range(0, max(map(len, contents)), CHUNK_BYTES):
        for peer, content in zip(peers, contents, strict=True):
            if offset < len(content):
                part = content[offset : offset + CHUNK_BYTES]
                assert peer.chunk(name_of(content), offset, part).header.kind == "chunk_taken"
    for peer, content in zip(peers, contents, strict=True):
        assert peer.end(name_of(content)).header.kind == "portrait"


def test_two_clients_send_the_same_file(server: RunningServer) -> None:
    one, two, content = Sender(server), Sender(server), portrait_bytes(1)
    for peer in (one, two):
        assert peer.begin(content).header.kind == "upload_ready"
    for peer in (one, two):
        peer.chunk(name_of(content), 0, content)
    for peer in (one, two):
        assert peer.end(name_of(content)).header.kind == "portrait"


def test_frames_of_others_come_while_a_file_waits_for_the_disk(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(received_file.ReceivedFile, "take", lambda *_: time.sleep(1) or 1)
    sender, other = Sender(server), Sender(server)
    portrait_id = other.upload(portrait_bytes(2))
    sender.begin(bytes(9))
    began = time.monotonic()
    sender.send("chunk", upload_forms.chunk_form(name_of(bytes(9)), 0, bytes(9)))
    for number in range(5):
        other.send("render", frame_form(portrait_id), frame=number)
        answer = other.receive()
        assert answer is not None
        assert answer.header.kind == "frame"
    assert time.monotonic() - began < 0.9


def test_where_the_cache_cannot_be_written_a_portrait_is_used_all_the_same(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.portraits.folder.mkdir(parents=True, exist_ok=True)
    original = received_file.FileInTheMaking

    def refuse(path: Path, **more: Any) -> Any:
        if path.parent == server.portraits.folder:
            raise PermissionError(13, "Permission denied")
        return original(path, **more)

    monkeypatch.setattr(received_file, "FileInTheMaking", refuse)
    peer, content = Sender(server), portrait_bytes(1)
    assert peer.deliver(content).header.kind == "portrait"
    peer.send("render", frame_form(name_of(content)))
    answer = peer.receive()
    assert answer is not None
    assert answer.header.kind == "frame"


@linux
def test_a_disk_without_room_is_one_sentence_before_a_byte_is_sent(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(total=1 << 40, used=1 << 40, free=1 << 10)
    monkeypatch.setattr(received_file.shutil, "disk_usage", lambda folder: full)
    assert "has no room" in sentence(Sender(server).begin(portrait_bytes(1)))[1]
    assert left_behind(server) == []


def test_a_photo_in_chunks_is_fitted_and_gone_then(
    server: RunningServer, addon: SimpleNamespace, connect: Callable[[Path], Any]
) -> None:
    job = addon.fit.start_fit(connect(server.file), addon.messages.FitRequest((b"count",), "Anna"))
    assert wait_for(lambda: job.poll() or job.done)
    assert job.error is None
    assert job.portrait is not None
    assert wait_for(lambda: left_behind(server) == [])


@linux
def test_a_fit_that_is_stopped_while_its_photo_is_sent_leaves_nothing(
    server: RunningServer, addon: SimpleNamespace, connect: Callable[[Path], Any]
) -> None:
    photo = bytes(9 << 20)
    job = addon.fit.start_fit(connect(server.file), addon.messages.FitRequest((photo,), "Anna"))
    assert wait_for(lambda: job.poll() or left_behind(server) != [])
    job.cancel()
    assert wait_for(lambda: left_behind(server) == [])


def test_a_photo_that_was_not_sent_fits_nobody(server: RunningServer) -> None:
    peer = Sender(server)
    body = {"name": "Anna", "face": None, "quick": False, "photos": ["1" * 64]}
    peer.send("fit", Form(body), job="fit-1")
    assert peer.error().reason == "unknown-upload"


def test_a_worker_that_gives_an_upload_up_is_sent_it_again(
    server: RunningServer, connect: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    take, failed = received_file.ReceivedFile.take, []

    def once_too_late(self: received_file.ReceivedFile, offset: int, data: bytes) -> int:
        if not failed:
            failed.append(offset)
            self.discard()
        return take(self, offset, data)

    monkeypatch.setattr(received_file.ReceivedFile, "take", once_too_late)
    content = portrait_bytes(1)
    assert connect(server.file).upload_portrait(content).id == name_of(content)
    assert failed == [0]
