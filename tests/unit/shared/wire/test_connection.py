from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from photorig.shared.errors import ConnectionLost, InputError
from photorig.shared.wire.connection import (
    ConnectionInfo,
    is_loopback,
    process_alive,
    remove_connection_file,
)

KEY = "k" * 40
INFO = ConnectionInfo("tcp://127.0.0.1:1", "tcp://127.0.0.1:2", KEY, KEY, KEY, os.getpid())
posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX file modes")


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    INFO.save(tmp_path / "new folder" / "worker.json")
    assert ConnectionInfo.load(tmp_path / "new folder" / "worker.json") == INFO


@posix_only
def test_the_file_and_its_folder_are_private(tmp_path: Path) -> None:
    file = tmp_path / "new" / "worker.json"
    INFO.save(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert list(file.parent.iterdir()) == [file]


@posix_only
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "worker.json"
    INFO.save(file)
    file.chmod(mode)
    with pytest.raises(InputError, match="Other users"):
        ConnectionInfo.load(file)


@posix_only
def test_a_link_that_lies_in_wait_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "worker.json").symlink_to(victim)
    INFO.save(tmp_path / "worker.json")
    assert victim.read_text() == "untouched"


def test_no_file_means_no_worker(tmp_path: Path) -> None:
    with pytest.raises(ConnectionLost, match="No worker"):
        ConnectionInfo.load(tmp_path / "worker.json")


@pytest.mark.parametrize(
    "change",
    [
        {"format": "another"},
        {"pid": "7"},
        {"version": [1]},
        {"version": 1},
        {"server_public_key": "short"},
        {"control": None},
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    file = tmp_path / "worker.json"
    INFO.save(file)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(InputError, match="no connection file"):
        ConnectionInfo.load(file)


@pytest.mark.parametrize("content", ["", "[]", "null", "{", "[" * 30_000])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "worker.json"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(InputError, match="no connection file"):
        ConnectionInfo.load(file)


def test_the_secret_is_not_shown_in_logs() -> None:
    assert "s" * 40 not in repr(replace(INFO, client_secret_key="s" * 40))


def test_a_process_lives_until_it_ends_even_before_it_is_reaped() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert process_alive(child.pid)
    child.communicate(b"\n")
    assert not process_alive(child.pid)
    assert process_alive(os.getpid())
    assert not process_alive(0)
    assert not process_alive(-1)


def test_a_worker_of_another_computer_is_never_called_stale() -> None:
    gone = replace(INFO, pid=2**22 + 1)
    assert gone.is_stale
    assert not replace(gone, machine="elsewhere").is_stale
    assert not replace(gone, control="tcp://192.0.2.1:5600").is_stale


def test_only_this_launch_removes_its_file(tmp_path: Path) -> None:
    file = tmp_path / "worker.json"
    INFO.save(file)
    remove_connection_file(file, replace(INFO, nonce="of another launch"))
    assert file.exists()
    remove_connection_file(file, INFO)
    assert not file.exists()
    remove_connection_file(file, INFO)


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("tcp://127.0.0.1:5600", True),
        ("tcp://127.9.9.9:5600", True),
        ("tcp://[::1]:5600", True),
        ("tcp://localhost:5600", True),
        ("tcp://0.0.0.0:5600", False),
        ("tcp://*:5600", False),
        ("tcp://192.168.1.2:5600", False),
        ("tcp://localhost.example.org:5600", False),
        ("tcp://127.evil.example.org:5600", False),
    ],
)
def test_loopback_is_told_from_the_network(endpoint: str, expected: bool) -> None:
    assert is_loopback(endpoint) is expected


@pytest.mark.parametrize(
    ("host", "control", "bulk"),
    [
        ("node7", "tcp://node7:1", "tcp://node7:2"),
        (" tcp://192.0.2.7 ", "tcp://192.0.2.7:1", "tcp://192.0.2.7:2"),
        ("localhost:6000", "tcp://localhost:6000", "tcp://localhost:6001"),
    ],
)
def test_a_worker_elsewhere_is_reached_by_its_host(host: str, control: str, bulk: str) -> None:
    there = INFO.at_host(host)
    assert (there.control, there.bulk) == (control, bulk)
    assert there.nonce == INFO.nonce
    assert not there.is_local, "its process number means nothing here, even through a tunnel"


@pytest.mark.parametrize(
    "host", ["", ":6000", "node7:port", "node7:65535", "a b", "node7/x", "[::1]"]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(InputError, match="is no host"):
        INFO.at_host(host)
