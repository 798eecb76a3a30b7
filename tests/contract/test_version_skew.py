"""Client and worker of different minor versions understand each other.

Recorded clients of every minor version are served by today's worker, and today's client by recorded
workers; both also by sides that are newer than any of them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import zmq
from card_server import RunningServer
from record_transcript import client_of, converse
from transcripts import MINORS, PART_BYTES, Said, WorkerOfThen, portraits_in, transcript

from photorig.shared.wire.message_forms import read_error
from photorig.shared.wire.protocol import VERSION, Message, decode

ROOT = Path(__file__).resolve().parents[2]
Change = Callable[[dict[str, Any]], dict[str, Any]]


def test_every_minor_version_has_its_transcript() -> None:
    assert set(range(VERSION[1])) <= set(MINORS)


def later(fields: dict[str, Any]) -> dict[str, Any]:
    """A message as some later minor version might send it."""
    body = {**fields.get("body", {}), "later": {"things": [1, 2, 3]}}
    payloads = [{**entry, "later": "x"} for entry in fields.get("payloads", [])]
    return {**fields, "version": [1, 99], "later": [True], "body": body, "payloads": payloads}


class Replay:
    """Says what a recorded client said, and notes what a worker of today answers."""

    def __init__(self, server: RunningServer, change: Change) -> None:
        self._info, self._change = server.info, change
        self._context: zmq.Context[Any] = zmq.Context()
        self._sockets: dict[int, zmq.Socket[Any]] = {}
        self._answers: dict[tuple[int, str], list[Message]] = {}

    def run(self, lines: list[Said]) -> Iterator[tuple[Said, list[Message]]]:
        """Each question with the answers of today."""
        for line in lines:
            if line.by == "client":
                magic, header, *payloads = line.parts
                changed = json.dumps(self._change(json.loads(header))).encode()
                self._socket(line).send_multipart([magic, changed, *payloads])
            elif (re := line.message.header.re) is not None:
                self._wait(line, re)
        for line in lines:
            if line.by == "client":
                yield line, self._answers.get((line.on, line.message.header.id), [])
        self._context.destroy(0)

    def _socket(self, line: Said) -> zmq.Socket[Any]:
        if line.on not in self._sockets:
            socket = self._sockets[line.on] = self._context.socket(zmq.DEALER)
            socket.curve_serverkey = self._info.server_public_key.encode()
            socket.curve_publickey = self._info.client_public_key.encode()
            socket.curve_secretkey = self._info.client_secret_key.encode()
            socket.connect(getattr(self._info, line.at))
        return self._sockets[line.on]

    def _wait(self, line: Said, re: str) -> None:
        """Until what was answered then has been answered now, a kind at a time."""
        kind, deadline = line.message.header.kind, time.monotonic() + 60
        while not any(one.header.kind == kind for one in self._answers.get((line.on, re), [])):
            assert time.monotonic() < deadline, f"no {kind} as an answer to {re}"
            if self._socket(line).poll(100):
                message = decode(self._socket(line).recv_multipart(), PART_BYTES)
                key = (line.on, message.header.re or "")
                self._answers.setdefault(key, []).append(message)


def shape_of(value: object) -> object:
    """What a reader relies on: names of fields, and kinds of values."""
    if isinstance(value, dict):
        return {name: shape_of(one) for name, one in value.items()}
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def has_all_of(then: dict[str, Any], now: dict[str, Any]) -> None:
    for name, value in then.items():
        assert name in now, name
        if isinstance(value, dict):
            has_all_of(value, now[name])
        elif value is not None and now[name] is not None:
            assert shape_of(now[name]) == shape_of(value), name


def payloads_of(message: Message) -> list[tuple[object, ...]]:
    """What payloads are; a file may have another length in another version."""
    return [
        (one.name, one.dtype, () if one.name == "file" else one.shape, one.codec)
        for one in message.payloads
    ]


def as_it_was(then: Message, now: Message) -> None:
    """Everything that the answer of then said, today's says, too; pixels are the same."""
    for name in ("kind", "re", "seq", "job", "frame"):
        assert getattr(now.header, name) == getattr(then.header, name)
    has_all_of(then.header.body, now.header.body)
    assert payloads_of(now) == payloads_of(then)
    if then.header.kind == "frame" and then.payloads[0].codec == "raw":
        assert [bytes(one.data) for one in now.payloads] == [
            bytes(one.data) for one in then.payloads
        ]


@pytest.mark.parametrize("minor", MINORS)
def test_a_recorded_client_is_served_as_it_was(server: RunningServer, minor: int) -> None:
    answered = set()
    for line, now in Replay(server, lambda fields: fields).run(transcript(minor)):
        for then in (answer.message for answer in line.answers):
            same = [one for one in now if one.header.kind == then.header.kind]
            as_it_was(then, same[0])
            answered.add(then.header.kind)
        if line.message.header.kind == "hello":
            assert now[0].header.body["version"] == [1, minor]
    assert {"welcome", "portrait", "frame", "job_opened", "job_ended", "error", "pong"} <= answered


def test_a_client_of_tomorrow_is_served_like_one_of_today(server: RunningServer) -> None:
    for line, now in Replay(server, later).run(transcript(MINORS[-1])):
        for then in (answer.message for answer in line.answers):
            as_it_was(then, next(one for one in now if one.header.kind == then.header.kind))
        if line.message.header.kind == "hello":
            assert now[0].header.body["version"] == list(VERSION)


def test_a_kind_of_tomorrow_is_answered_with_unsupported(server: RunningServer) -> None:
    hello, *_ = transcript(MINORS[-1])
    magic, header = hello.parts
    news = {**json.loads(header), "kind": "news", "id": "c99", "version": [1, 99]}
    answer = Said("worker", hello.at, hello.on, [])
    asked = Said("client", hello.at, hello.on, [magic, json.dumps(news).encode()], [answer])
    answer.parts = [magic, json.dumps({**news, "kind": "error", "re": "c99"}).encode()]
    (_, [welcome]), (_, [error]) = Replay(server, later).run([hello, *hello.answers, asked, answer])
    assert welcome.header.kind == "welcome"
    assert read_error(error).reason == "unsupported"


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., ModuleType]]:
    folder = tmp_path_factory.mktemp("client")
    yield client_of(ROOT, folder)
    sys.path.remove(str(folder))


def check_frames(minor: int, frames: list[Any]) -> None:
    """As many as were asked for, each the recorded one of its number."""
    numbers = sorted(frame.frame for frame in frames if not 6 <= frame.frame <= 8)
    more = {2: [9, 10, 10], 3: [9, 10, 10, 11], 4: [9, 10, 10, 11, 12]}
    assert numbers == [1, 2, 3, 4, 5, *more.get(min(minor, 4), [])]
    assert all((frame.width, frame.height) == (64, 64) for frame in frames)


@pytest.mark.parametrize("minor", MINORS)
def test_a_recorded_worker_serves_todays_client(
    load: Callable[..., ModuleType], minor: int, tmp_path: Path
) -> None:
    with WorkerOfThen(minor, tmp_path) as worker:
        frames = converse(load, worker.file, minor, portraits_in(minor))
        assert worker.unknown == set()
    check_frames(minor, frames)


def test_a_worker_of_tomorrow_serves_todays_client(
    load: Callable[..., ModuleType], tmp_path: Path
) -> None:
    minor = MINORS[-1]
    with WorkerOfThen(minor, tmp_path, later) as worker:
        check_frames(minor, converse(load, worker.file, minor, portraits_in(minor)))


def test_a_worker_without_fits_is_asked_for_none(
    load: Callable[..., ModuleType], tmp_path: Path
) -> None:
    messages = load("shared.messages", "shared.wire.messages")
    connections = load("shared.connection", "shared.wire.connection")
    with WorkerOfThen(0, tmp_path) as worker:
        info = connections.ConnectionInfo.load(worker.file)
        client = load("client").WorkerClient(info)
        welcome = client.connect()
        assert (welcome.version, welcome.fit_photos, welcome.passes) == ((1, 0), 0, ())
        with pytest.raises(load("shared.errors").InputError, match="makes no portraits"):
            load("fit", "fit_client").start_fit(client, messages.FitRequest((b"x",), "Anna"))
        client.close()
        assert worker.unknown == set()
