"""What an upload costs the worker and those who look at previews meanwhile."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from card_server import RunningServer, portrait_bytes
from test_hostile import Peer, close_peers, frame_form  # noqa: F401
from test_uploads import Sender, large, linux, name_of

from photorig.shared.wire.connection import ConnectionInfo
from photorig.shared.wire.message_body import Form
from photorig.shared.wire.upload_forms import CHUNK_BYTES
from photorig.worker.server import uploads


@linux
@pytest.mark.parametrize("is_right", [True, False])
def test_a_large_upload_takes_the_memory_of_a_few_chunks(tmp_path: Path, is_right: bool) -> None:
    """Kept or refused: at its peak, and by the system's count of the worker's pages."""
    program = Path(__file__).with_name("card_server.py")
    file, folder = tmp_path / "worker.json", tmp_path / "portraits"
    options = ["serve", "--connection-file", file, "--portraits", folder, "--end-with-stdin"]
    command = [sys.executable, "-P", str(program), *map(str, options)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        info = ConnectionInfo.load(file)
        peer = Sender(SimpleNamespace(info=info))
        peer.deliver(large(8 * CHUNK_BYTES))
        content = large(150 * CHUNK_BYTES, 2)
        Path(f"/proc/{worker.pid}/clear_refs").write_text("5")  # the peak begins anew
        before = peak_bytes(worker.pid)
        answer = peer.deliver(content, name=name_of(content) if is_right else "0" * 64)
        grown = peak_bytes(worker.pid) - before
        assert answer.header.kind == ("portrait" if is_right else "error")
        assert grown < 8 * CHUNK_BYTES
        peer.close()


def peak_bytes(pid: int) -> int:
    """Most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (one for one in lines if one.startswith("VmHWM:"))
    return int(line.split()[1]) << 10


def test_while_somebody_looks_at_previews_chunks_are_taken_at_a_measured_pace(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_PACE_SECONDS", 0.2)
    sender, viewer = Sender(server), Peer(server.info, "control")
    session = "a" * 32
    viewer.greet(session)
    portrait_id = Sender(server, session).upload(portrait_bytes(2))
    content = bytes(3)
    sender.begin(content)
    began = time.monotonic()
    sender.chunk(name_of(content), 0, content[:1])
    alone = time.monotonic() - began
    body, payloads = frame_form(portrait_id)
    viewer.send("preview", Form({**body, "view": "v"}, payloads))
    assert viewer.receive() is not None
    began = time.monotonic()
    sender.chunk(name_of(content), 1, content[1:2])
    assert alone < 0.2 <= time.monotonic() - began
