"""Recorded conversations as tests use them, and a worker that answers as one of then did."""

from __future__ import annotations

import base64
import json
import lzma
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import zmq
from record_transcript import FOLDER

from photorig.shared.wire.connection import ConnectionInfo
from photorig.shared.wire.message_forms import ErrorReport, error_form
from photorig.shared.wire.protocol import Header, Message, decode, encode

MINORS = sorted(int(path.name.split(".")[1]) for path in FOLDER.glob("*.xz"))
PART_BYTES = 1 << 28


@dataclass
class Said:
    """One message of a transcript.

    Attributes:
        by: "client" or "worker".
        at: "control" or "bulk".
        on: number of the connection.
        answers: what answered it, in order.
    """

    by: str
    at: str
    on: int
    parts: list[bytes] = field(repr=False)
    answers: list[Said] = field(default_factory=list, repr=False)

    @property
    def message(self) -> Message:
        return decode(self.parts, PART_BYTES)


def transcript(minor: int) -> list[Said]:
    """All messages in the order in which they were noted, questions with their answers."""
    text = lzma.decompress((FOLDER / f"1.{minor}.jsonl.xz").read_bytes()).decode("ascii")
    lines = []
    for entry in map(json.loads, text.splitlines()):
        parts = [base64.b64decode(part) for part in entry["parts"]]
        lines.append(Said(entry["from"], entry["at"], entry["on"], parts))
    asked: dict[tuple[int, str], Said] = {}
    for line in lines:
        header = line.message.header
        if line.by == "client":
            asked[line.on, header.id] = line
        elif header.re is not None:
            asked[line.on, header.re].answers.append(line)
    return lines


def portraits_in(minor: int) -> list[bytes]:
    """The portrait files that were uploaded in a transcript; their hashes name them in answers."""
    uploads = (s for s in transcript(minor) if s.message.header.kind == "portrait_upload")
    return [bytes(upload.message.payloads[0].data) for upload in uploads]


def what_matters(message: Message) -> tuple[object, ...]:
    """By what a recorded question is found again: its kind and what is asked for."""
    header = message.header
    names = ("codec", "format", "passes", "neutral", "others")
    told = tuple(str(header.body.get(name)) for name in names)
    content = tuple(bytes(one.data) for one in message.payloads) if header.kind == "fit" else ()
    return header.kind, told, content


class WorkerOfThen:
    """Answers as the worker in a transcript did; what nobody asked then it does not know.

    Args:
        change: what is done to each of its messages, as header fields, before they are sent.

    Attributes:
        unknown: kinds that it was asked for and did not know.
    """

    def __init__(
        self,
        minor: int,
        folder: Path,
        change: Callable[[dict[str, Any]], dict[str, Any]] = lambda fields: fields,
    ) -> None:
        self.minor, self.file, self.unknown = minor, folder / "worker.json", set[str]()
        self._change = change
        self._known: dict[tuple[object, ...], list[Said]] = {}
        for line in transcript(minor):
            if line.by == "client":
                self._known.setdefault(what_matters(line.message), []).append(line)
        self._context: zmq.Context[Any] = zmq.Context()
        self._sockets = {name: self._context.socket(zmq.ROUTER) for name in ("control", "bulk")}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> WorkerOfThen:
        server, client = zmq.curve_keypair(), zmq.curve_keypair()
        addresses = {}
        for name, socket in self._sockets.items():
            socket.curve_server, socket.curve_secretkey = True, server[1]
            port = socket.bind_to_random_port("tcp://127.0.0.1")
            addresses[name] = f"tcp://127.0.0.1:{port}"
        texts = [key.decode() for key in (server[0], *client)]
        self.info = ConnectionInfo(
            **addresses,
            server_public_key=texts[0],
            client_public_key=texts[1],
            client_secret_key=texts[2],
            pid=os.getpid(),
            version=(1, self.minor),
        )
        self.info.save(self.file)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self._context.destroy(0)

    def _serve(self) -> None:
        poller = zmq.Poller()
        for socket in self._sockets.values():
            poller.register(socket, zmq.POLLIN)
        while not self._stop.is_set():
            for socket, _ in poller.poll(50):
                identity, *parts = socket.recv_multipart()
                for answer in self._answers(decode(parts, PART_BYTES)):
                    socket.send_multipart([identity, *answer])

    def _answers(self, asked: Message) -> Iterator[list[bytes]]:
        known = self._known.get(what_matters(asked))
        if known is None:
            self.unknown.add(asked.header.kind)
            report = ErrorReport("protocol", "The worker does not know this", "", "unsupported")
            header = Header("error", "w0", body=error_form(report).body, version=(1, self.minor))
            yield self._sent(asked, Message(header))
            return
        # The same question again has the same answer, once the recorded ones are used up.
        line = known.pop(0) if len(known) > 1 else known[0]
        for answer in line.answers:
            yield self._sent(asked, answer.message)

    def _sent(self, asked: Message, answer: Message) -> list[bytes]:
        header = replace(
            answer.header,
            re=asked.header.id,
            seq=asked.header.seq,
            job=asked.header.job,
            frame=asked.header.frame,
        )
        if header.kind == "welcome":
            header = replace(header, body={**header.body, "nonce": self.info.nonce})
        magic, text, *payloads = encode(header, answer.payloads)
        fields = self._change(json.loads(text))
        return [bytes(magic), json.dumps(fields).encode(), *map(bytes, payloads)]
