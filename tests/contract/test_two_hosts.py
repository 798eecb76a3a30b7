"""A worker and a client on two hosts: network namespaces of this computer, with a cable between.

Linux, as root. Loss and delay are tried where the kernel has netem; the cable is cut everywhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from card_server import portrait_bytes

from photorig.worker.server.allow_list import AllowList, KnownClient
from photorig.worker.server.endpoint import KeyPair

HERE = Path(__file__).parent
WORKER, CLIENT = "192.0.2.1", "192.0.2.2"
"""Addresses for documentation (RFC 5737), here of hosts that only the two know."""
PORT = 45000

_CLIENT_PROGRAM = """
import sys, time
sys.path.insert(0, {here!r})
from pathlib import Path
from record_transcript import SIZE, client_of
load = client_of(Path({root!r}), Path({folder!r}))
info = load("shared.connection", "shared.wire.connection").ConnectionInfo.load({file!r})
schema = load("shared.schema", "shared.parameters.schema").FACE_SCHEMA
messages = load("shared.messages", "shared.wire.messages")
errors = load("shared.errors")
portrait = Path({portrait!r}).read_bytes()
done, breaks, deadline = set(), 0, time.monotonic() + 90
while len(done) < 40 and time.monotonic() < deadline:
    client = load("client").WorkerClient(info)
    try:
        client.connect(5.0)
        known = client.upload_portrait(portrait).id
        wanted = [messages.FrameRequest(known, schema.rest, SIZE, frame=n)
                  for n in range(40) if n not in done]
        job = client.start_job(wanted, codec="raw")
        while not job.done:
            for reply in job.poll():
                assert reply.frame not in done, "twice"
                done.add(reply.frame)
                print("frame", reply.frame, flush=True)
            time.sleep(0.002)
        if job.error is not None:
            raise job.error
    except errors.ConnectionLost as error:
        breaks += 1
        print("lost", error, flush=True)
        time.sleep(0.5)
    finally:
        client.close()
print("done", len(done), breaks, flush=True)
"""


def run(*words: str) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.fixture
def hosts() -> Iterator[tuple[str, str]]:
    """Names of two namespaces with a cable between them."""
    if not (shutil.which("ip") and os.name == "posix" and os.geteuid() == 0):
        pytest.skip("only an administrator of Linux can make hosts")
    names = tuple(f"photorig-{os.getpid()}-{side}" for side in ("worker", "client"))
    try:
        for name in names:
            if not run("ip", "netns", "add", name):
                pytest.skip("there are no network namespaces here")
        ends = ("eth0", "netns", names[0], "type", "veth")
        assert run("ip", "link", "add", *ends, "peer", "name", "eth0", "netns", names[1])
        for name, address in zip(names, (WORKER, CLIENT), strict=True):
            assert run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                assert run("ip", "-n", name, "link", "set", device, "up")
        yield names[0], names[1]
    finally:
        for name in names:
            run("ip", "netns", "del", name)


@contextlib.contextmanager
def worker_on(host: str, folder: Path) -> Iterator[Path]:
    """A worker that listens at its address for one known client; yields that one's file."""
    client, keys = KeyPair.new(), folder / "keys.txt"
    AllowList(keys).add(KnownClient(client.public, "anna"))
    file = folder / "worker.json"
    command = ["ip", "netns", "exec", host, sys.executable, "-P", str(HERE / "card_server.py")]
    command += ["serve", "--bind", f"tcp://{WORKER}:{PORT}", "--allow-clients", str(keys)]
    command += ["--connection-file", str(file), "--portraits", str(folder), "--delay", "0.05"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        data = json.loads(file.read_text())
        data |= {"client_public_key": client.public, "client_secret_key": client.secret}
        data |= {"machine": "studio"}
        mine = folder / "mine.json"
        mine.write_text(json.dumps(data))
        mine.chmod(0o600)
        yield mine
        process.kill()


def render_on(host: str, file: Path, folder: Path) -> subprocess.Popen[str]:
    """A client that asks for forty frames, however often the connection breaks."""
    (folder / "portrait").write_bytes(portrait_bytes(1))
    (folder / "client").mkdir()
    program = _CLIENT_PROGRAM.format(
        here=str(HERE),
        root=str(HERE.parents[1]),
        folder=str(folder / "client"),
        file=str(file),
        portrait=str(folder / "portrait"),
    )
    command = ["ip", "netns", "exec", host, sys.executable, "-P", "-c", program]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def lines_of(client: subprocess.Popen[str], count: int) -> list[str]:
    assert client.stdout is not None
    return [client.stdout.readline() for _ in range(count)]


def test_a_cable_that_is_pulled_out_and_back_loses_no_frame(
    hosts: tuple[str, str], tmp_path: Path
) -> None:
    worker, client = hosts
    with worker_on(worker, tmp_path) as file:
        process = render_on(client, file, tmp_path)
        lines_of(process, 5)
        run("ip", "-n", client, "link", "set", "eth0", "down")
        time.sleep(2.0)
        run("ip", "-n", client, "link", "set", "eth0", "up")
        rest = process.communicate(timeout=120)[0].splitlines()
    assert rest[-1].startswith("done 40"), rest[-3:]


def test_loss_and_delay_lose_no_frame(hosts: tuple[str, str], tmp_path: Path) -> None:
    worker, client = hosts
    netem = ("root", "netem", "delay", "40ms", "10ms", "loss", "3%")
    if not all(
        run("ip", "netns", "exec", host, "tc", "qdisc", "add", "dev", "eth0", *netem)
        for host in hosts
    ):
        pytest.skip("this kernel has no netem")
    with worker_on(worker, tmp_path) as file:
        rest = render_on(client, file, tmp_path).communicate(timeout=120)[0].splitlines()
    assert rest[-1].startswith("done 40"), rest[-3:]


def test_a_stranger_on_the_network_gets_no_answer(hosts: tuple[str, str], tmp_path: Path) -> None:
    worker, client = hosts
    with worker_on(worker, tmp_path) as file:
        stranger, data = KeyPair.new(), json.loads(file.read_text())
        data |= {"client_public_key": stranger.public, "client_secret_key": stranger.secret}
        file.write_text(json.dumps(data))
        process = render_on(client, file, tmp_path)
        assert "does not answer" in lines_of(process, 1)[0]
        process.kill()
        process.communicate()
