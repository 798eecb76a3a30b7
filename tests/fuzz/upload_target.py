"""What a client may say about uploads, in any order: nothing of it stays, whatever it says."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from photorig.shared.errors import PhotorigError
from photorig.shared.files.reading import sha256_of
from photorig.shared.files.strict_json import parse_json
from photorig.shared.wire.message_body import Form
from photorig.shared.wire.protocol import Header, Message, Payload
from photorig.worker.server.budget import ByteBudget
from photorig.worker.server.received_file import ReceivedFile
from photorig.worker.server.reply_address import ReplyAddress
from photorig.worker.server.uploads import UPLOAD_KINDS, Uploads


class _AtOnce:
    """In place of a thread."""

    @staticmethod
    def submit(work: Callable[[], None]) -> None:
        work()

    def shutdown(self, wait: bool) -> None:
        """There is nothing to end."""


def _said(kind: str, content: str, data: bytes | None = None, **body: Any) -> bytes:
    line = {"kind": kind, "job": None, "body": {"content": content, **body}}
    return json.dumps(line if data is None else {**line, "data": data.hex()}).encode() + b"\n"


def upload_seeds() -> list[bytes]:
    data = bytes(range(60))
    name = hashlib.sha256(data).hexdigest()
    begin = _said("upload", name, what="portrait", n_bytes=60, resume=True)
    chunks = [_said("chunk", name, data[n : n + 20], offset=n) for n in (0, 20, 40)]
    whole = [begin, *chunks, _said("end_upload", name)]
    photo = begin.replace(b"portrait", b"photo")
    cut = [begin, chunks[0], b'{"kind": "cut"}\n', begin, *chunks[1:], _said("end_upload", name)]
    aborted = [begin, chunks[0], _said("abort_upload", name), *whole]
    sequences = (whole, [photo, *whole[1:], b'{"kind": "photo"}\n'], cut, aborted)
    return [b"".join(sequence) for sequence in sequences]


def read_uploads(content: bytes, folder: Path) -> None:
    """Lines that say what a client does; afterwards nothing of it is there."""
    sent, kept = ByteBudget(1 << 20, 1 << 20), []

    def keep(address: ReplyAddress, received: ReceivedFile, release: Callable[[], None]) -> None:
        with contextlib.suppress(PhotorigError):
            kept.append(sha256_of(received.whole()) == received.sha256)
        received.discard()
        release()

    uploads = Uploads(folder, sent, lambda: None, keep, lambda: None, lambda: False)
    uploads._writer.close()
    uploads._writer._pool = _AtOnce()  # type: ignore[assignment]
    for line in content.splitlines()[:50]:
        with contextlib.suppress(PhotorigError, ValueError):
            _act(uploads, parse_json(line, 1 << 20))
        for answer in uploads.answers():
            assert isinstance(answer.outcome, (Form, PhotorigError))
    uploads.forget("client", False)
    for one in uploads._cut_off:
        one.heard -= 1000
    uploads._looked = 0.0
    uploads.look()
    uploads.close()
    assert all(kept)
    left = list(folder.iterdir()) if folder.is_dir() else []
    assert (sent.total, uploads._stored.total, left) == (0, 0, []), (
        f"{sent.total} {uploads._stored.total} {left}"
    )


def _act(uploads: Uploads, said: Any) -> None:
    if not isinstance(said, dict):
        return
    kind, job, body = said.get("kind"), said.get("job"), said.get("body", {})
    if not isinstance(body, dict):
        return
    if kind == "cut":
        uploads.forget("client", True)
    elif kind == "photo":
        for _, name, content in list(uploads._uploads):
            _, release = uploads.photo("client", name, content)
            release()
    elif kind in UPLOAD_KINDS:
        data = bytes.fromhex(str(said.get("data", "")))
        payloads = (Payload("data", data, "uint8", (len(data),)),) if "data" in said else ()
        header = Header(kind, "c1", job=job if isinstance(job, str) else None, body=body)
        uploads.handle(ReplyAddress("bulk", b"c"), "client", Message(header, payloads))
