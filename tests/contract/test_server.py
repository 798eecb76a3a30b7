"""Real processes: how a worker starts, ends, is killed, and what its client notices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from card_server import SIZE
from waiting import wait_for

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.connection import ConnectionInfo, process_alive

SCRIPT = Path(__file__).with_name("card_server.py")
posix_only = pytest.mark.skipif(os.name != "posix", reason="file modes and signals of POSIX")


def frame_requests(addon: SimpleNamespace, portrait_id: str, frames: range) -> list[Any]:
    return [
        addon.messages.FrameRequest(
            portrait_id, FACE_SCHEMA.vector({"headYaw": float(frame)}), SIZE, frame=frame
        )
        for frame in frames
    ]


@pytest.fixture
def start(addon: SimpleNamespace, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts worker processes through the extension's WorkerProcess."""
    started = []

    def make(*arguments: str, portraits: str = "portraits") -> Any:
        worker = addon.process.WorkerProcess(
            [sys.executable, SCRIPT, "serve"],
            connection_file=tmp_path / "worker.json",
            log_file=tmp_path / "worker.log",
            arguments=["--portraits", str(tmp_path / portraits), *arguments],
        )
        started.append(worker)
        worker.start()
        return worker

    yield make
    for worker in started:
        worker.stop(patience=1)


@posix_only
def test_the_connection_file_is_for_its_owner_only(start: Callable[..., Any]) -> None:
    worker = start()
    worker.wait_ready(20)
    assert worker.connection_file.stat().st_mode & 0o777 == 0o600


def test_a_stopped_worker_removes_its_connection_file(start: Callable[..., Any]) -> None:
    worker = start()
    pid = worker.wait_ready(20).pid
    began = time.monotonic()
    worker.stop()
    assert time.monotonic() - began < 4, "it had to be ended by force"
    assert not process_alive(pid)
    assert not worker.connection_file.exists()
    assert not worker.is_running


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_worker_cleanly(start: Callable[..., Any], number: int) -> None:
    worker = start()
    os.kill(worker.wait_ready(20).pid, number)
    assert wait_for(lambda: not worker.is_running)
    assert not worker.connection_file.exists()


def test_the_worker_ends_when_its_parent_does(tmp_path: Path) -> None:
    file = tmp_path / "worker.json"
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    worker = subprocess.Popen(
        [
            *(sys.executable, str(SCRIPT), "serve", "--connection-file", str(file)),
            *("--portraits", str(tmp_path), "--parent-pid", str(parent.pid)),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline().split() == [b"ready"]
        # Not waited for yet: a parent that is a zombie has ended all the same.
        parent.kill()
        assert wait_for(lambda: worker.poll() is not None, 5) is not None
        assert worker.poll() == 0
        assert not file.exists()
    finally:
        parent.kill()
        parent.wait()
        worker.kill()
        worker.wait()


def test_an_idle_worker_ends_by_itself(start: Callable[..., Any]) -> None:
    worker = start("--idle-minutes", "0.02")
    worker.wait_ready(20)
    assert wait_for(lambda: not worker.is_running, 6)


def test_a_worker_killed_in_the_middle_of_a_job_costs_only_the_missing_frames(
    addon: SimpleNamespace,
    start: Callable[..., Any],
    connect: Callable[..., Any],
    portrait: bytes,
) -> None:
    worker = start("--delay", "0.05")
    client = connect_to(worker, connect)
    info = client.upload_portrait(portrait)
    job = client.start_job(frame_requests(addon, info.id, range(12)), codec="raw")
    frames: list[Any] = []
    while len(frames) < 3:
        frames += job.poll()
    os.kill(client.connection.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    killed = time.monotonic()
    while not job.done:
        frames += job.poll()
        time.sleep(0.01)
    assert isinstance(job.error, addon.errors.ConnectionLost)
    assert time.monotonic() - killed < 2
    with pytest.raises(addon.errors.ConnectionLost):
        client.poll()

    # The new worker has never seen the portrait: it has an empty cache.
    again = start(portraits="empty")
    client.connection = again.wait_ready(20)
    client.connect()
    missing = [request.frame for request in job.missing]
    job = client.start_job(job.missing, codec="raw")
    while not job.done:
        arrived = job.poll()
        assert {frame.frame for frame in arrived} <= set(missing)
        frames += arrived
    assert job.error is None
    assert sorted(frame.frame for frame in frames) == list(range(12))


def test_a_worker_killed_during_a_still_is_noticed_at_once(
    addon: SimpleNamespace,
    start: Callable[..., Any],
    connect: Callable[..., Any],
    portrait: bytes,
) -> None:
    client = connect_to(start("--delay", "30"), connect)
    info = client.upload_portrait(portrait)
    began = time.monotonic()

    def kill_after_a_moment() -> bool:
        if time.monotonic() > began + 0.2:
            os.kill(client.connection.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        return False

    with pytest.raises(addon.errors.ConnectionLost, match="has ended"):
        client.request_frame(
            frame_requests(addon, info.id, range(1))[0], should_cancel=kill_after_a_moment
        )
    assert time.monotonic() - began < 2


@posix_only
def test_a_worker_that_hangs_is_slow_and_then_lost(
    addon: SimpleNamespace,
    start: Callable[..., Any],
    connect: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addon.channel, "LOST_SECONDS", 2.0)
    monkeypatch.setattr(addon.client, "SLOW_SECONDS", 0.5)
    client = connect_to(start(), connect)
    pid = client.connection.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        assert wait_for(lambda: client.poll() or client.is_slow, 4)
        with pytest.raises(addon.errors.ConnectionLost, match="silent"):
            wait_for(lambda: client.poll(), 6)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_pause_of_the_client_is_not_taken_for_silence_of_the_worker(
    addon: SimpleNamespace,
    start: Callable[..., Any],
    connect: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    portrait: bytes,
) -> None:
    monkeypatch.setattr(addon.channel, "LOST_SECONDS", 1.0)
    client = connect_to(start(), connect)
    assert wait_for(lambda: client.poll() or client.bulk.silent_seconds), "no ping was sent"
    time.sleep(1.5)
    assert client.upload_portrait(portrait).name == "Nobody 1"


def test_a_connection_file_of_a_dead_worker_is_stale(
    addon: SimpleNamespace, start: Callable[..., Any]
) -> None:
    worker = start()
    info = worker.wait_ready(20)
    assert not info.is_stale
    os.kill(info.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    wait_for(lambda: not worker.is_running)
    assert info.is_stale
    with pytest.raises(addon.errors.ConnectionLost, match="has ended"):
        addon.client.WorkerClient(info).connect()


def test_a_connection_file_that_points_to_another_worker_is_noticed(
    addon: SimpleNamespace, start: Callable[..., Any]
) -> None:
    info = replace(start().wait_ready(20), nonce="of an older launch")
    with pytest.raises(addon.errors.ConnectionLost, match="Another worker"):
        addon.client.WorkerClient(info).connect()


def test_a_worker_of_another_protocol_says_which_side_to_update(
    addon: SimpleNamespace, start: Callable[..., Any]
) -> None:
    info = replace(start().wait_ready(20), version=(2, 0))
    with pytest.raises(addon.errors.ProtocolError, match="Update the extension"):
        addon.client.WorkerClient(info).connect()


def test_a_worker_that_ends_while_starting_shows_the_end_of_its_log(
    addon: SimpleNamespace, tmp_path: Path
) -> None:
    worker = addon.process.WorkerProcess(
        [sys.executable, "-c", "raise SystemExit('no such model')"],
        connection_file=tmp_path / "worker.json",
        log_file=tmp_path / "worker.log",
    )
    worker.start()
    with pytest.raises(addon.errors.ConnectionLost, match="no such model"):
        worker.wait_ready(20)


def test_a_worker_that_takes_too_long_is_given_up(addon: SimpleNamespace, tmp_path: Path) -> None:
    worker = addon.process.WorkerProcess(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        connection_file=tmp_path / "worker.json",
        log_file=tmp_path / "worker.log",
    )
    worker.start()
    with pytest.raises(addon.errors.ConnectionLost, match="not ready within"):
        worker.wait_ready(0.3)
    with pytest.raises(addon.errors.Cancelled):
        worker.wait_ready(20, should_cancel=lambda: True)
    # It does not listen to its standard input, so it has to be ended by force.
    worker.stop(patience=0.2)
    assert not worker.is_running


def test_a_program_that_is_not_there_is_named(
    addon: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = addon.process.find_executable
    with pytest.raises(addon.errors.InputError, match="is not there"):
        find(str(tmp_path / "photorig"))
    monkeypatch.delenv("PHOTORIG_WORKER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(addon.errors.InputError, match="not installed"):
        find()


@posix_only
def test_the_program_is_found_by_path_then_variable_then_search(
    addon: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("given", "variable", "photorig"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    find = addon.process.find_executable
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PHOTORIG_WORKER", str(tmp_path / "variable"))
    assert find(str(tmp_path / "given")).name == "given"
    assert find().name == "variable"
    monkeypatch.delenv("PHOTORIG_WORKER")
    assert find().name == "photorig"


def connect_to(worker: Any, connect: Callable[..., Any]) -> Any:
    worker.wait_ready(20)
    return connect(worker.connection_file)


def test_the_connection_info_of_both_sides_is_the_same(start: Callable[..., Any]) -> None:
    worker = start()
    theirs = worker.wait_ready(20)
    assert vars(ConnectionInfo.load(worker.connection_file)) == vars(theirs)
