"""Who sends too much is told so; who opens connections and says nothing slows nobody."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from card_server import RunningServer, portrait_bytes
from test_hostile import Peer, close_peers, frame_form  # noqa: F401

from photorig.shared.wire import portrait_forms
from photorig.worker.server import gateway


@pytest.mark.parametrize("kind", ["portrait_upload", "fit"])
def test_more_bytes_than_a_client_may_send_are_refused_and_others_get_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(gateway, "SENT_OF_CLIENT", 1 << 19)
    with RunningServer(tmp_path) as server:
        refuse_and_serve(server, kind)


def refuse_and_serve(server: RunningServer, kind: str) -> None:
    large, small = Peer(server.info), Peer(server.info)
    for peer in (large, small):
        peer.greet()
    content = bytes(1 << 20)
    if kind == "fit":
        form = portrait_forms.fit_form(portrait_forms.FitRequest((content,), "Anna"))
        large.send("fit", form, job="fit-1")
    else:
        name = hashlib.sha256(content).hexdigest()
        large.send("portrait_upload", portrait_forms.portrait_upload_form(name, content))
    report = large.error()
    assert (report.code, report.reason) == ("protocol", "too-much")
    small.send("render", frame_form(small.upload(portrait_bytes(1))), frame=3)
    answer = small.receive()
    assert answer is not None
    assert answer.header.kind == "frame"


def test_connections_that_say_nothing_slow_nobody(server: RunningServer) -> None:
    peer = Peer(server.info)
    peer.greet()
    portrait_id = peer.upload(portrait_bytes(1))
    place = urlsplit(server.info.bulk)
    silent = []
    try:
        for number in range(200):
            connection = socket.create_connection((place.hostname, place.port), timeout=5)
            silent.append(connection)
            if number % 2:
                connection.sendall(b"\xff\0\0\0\0\0\0\0\1\x7f")
        began = time.monotonic()
        newcomer = Peer(server.info)
        newcomer.greet()
        peer.send("render", frame_form(portrait_id), frame=3)
        answer = peer.receive()
        assert answer is not None
        assert answer.header.kind == "frame"
        assert time.monotonic() - began < 5
    finally:
        for connection in silent:
            connection.close()


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_the_worker_may_open_as_many_files_as_the_system_lets_it() -> None:
    script = """
import resource
from photorig.worker.server.launch import allow_many_files
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
few = min(hard, 4096)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, few))
allow_many_files()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (few, few)
"""
    subprocess.run([sys.executable, "-P", "-c", script], check=True, timeout=60)
