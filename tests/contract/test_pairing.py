"""Pairing, and what a paired client may do; strangers and who was removed get nowhere."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from card_server import SIZE, RunningServer
from waiting import wait_for

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire import pairing
from photorig.worker.cli import main
from photorig.worker.server.allow_list import AllowList, KnownClient
from photorig.worker.server.endpoint import KeyPair
from photorig.worker.server.identity import load_identity
from photorig.worker.server.pairing import Offer, wait_for_client


def free_port() -> int:
    """The first of three ports in a row that nobody uses, and that no connection is given."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
            for number in range(3):
                opened.enter_context(socket.create_server(("127.0.0.1", port + number)))
            return port


class Pairing:
    """``wait_for_client`` in a thread."""

    def __init__(self, folder: Path, seconds: float = 20.0) -> None:
        self.port, self.code = free_port(), pairing.new_code()
        self.allowed = AllowList(folder / "clients.txt")
        self.identity = load_identity(folder / "identity.json")
        self.client: KnownClient | None = None
        offer = Offer("studio", self.identity.public, self.port, self.port + 1)
        address = f"tcp://127.0.0.1:{self.port + pairing.PAIRING_OFFSET}"

        def wait() -> None:
            self.client = wait_for_client(address, self.code, offer, self.allowed, seconds)

        self.thread = threading.Thread(target=wait, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def paired(addon: SimpleNamespace, tmp_path: Path) -> SimpleNamespace:
    """A client that was paired: its connection, and the options of its worker."""
    process = Pairing(tmp_path)
    typed = process.code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    connection = addon.pair.pair(process.address, typed, "anna's laptop")
    process.thread.join(10)
    options = {
        "bind": f"tcp://127.0.0.1:{process.port}",
        "allow_list": process.allowed,
        "identity": process.identity,
    }
    return SimpleNamespace(connection=connection, options=options, process=process)


@pytest.fixture
def clients() -> Iterator[list[Any]]:
    opened: list[Any] = []
    yield opened
    for client in opened:
        client.close()


def connected(addon: SimpleNamespace, clients: list[Any], connection: Any) -> Any:
    client = addon.client.WorkerClient(connection)
    clients.append(client)
    client.connect()
    return client


def frame_of(addon: SimpleNamespace, client: Any, portrait: bytes) -> Any:
    portrait_id = client.upload_portrait(portrait).id
    request = addon.messages.FrameRequest(portrait_id, FACE_SCHEMA.rest, SIZE, frame=5)
    return client.request_frame(request)


def test_both_sides_know_each_other_afterwards(paired: SimpleNamespace) -> None:
    connection, process = paired.connection, paired.process
    assert process.client == KnownClient(connection.client_public_key, "anna's laptop")
    assert process.allowed.clients() == [process.client]
    assert connection.server_public_key == process.identity.public
    assert (connection.machine, connection.is_paired, connection.is_stale) == (
        "studio",
        True,
        False,
    )
    assert process.code not in (process.allowed.path.read_text() + repr(connection))


def test_a_paired_client_renders_whenever_that_worker_is_started(
    addon: SimpleNamespace,
    paired: SimpleNamespace,
    clients: list[Any],
    portrait: bytes,
    tmp_path: Path,
) -> None:
    for launch in ("first", "second"):
        folder = tmp_path / launch
        folder.mkdir()
        with RunningServer(folder, **paired.options):
            client = connected(addon, clients, paired.connection)
            assert frame_of(addon, client, portrait).frame == 5
            client.close()


def test_a_client_that_was_not_paired_gets_nowhere(
    addon: SimpleNamespace, paired: SimpleNamespace, tmp_path: Path
) -> None:
    stranger = KeyPair.new()
    connection = replace(
        paired.connection, client_public_key=stranger.public, client_secret_key=stranger.secret
    )
    with RunningServer(tmp_path, **paired.options), pytest.raises(addon.errors.ConnectionLost):
        addon.client.WorkerClient(connection).connect(timeout=1.0)


def test_another_worker_at_the_same_address_is_not_taken_for_it(
    addon: SimpleNamespace, paired: SimpleNamespace, tmp_path: Path
) -> None:
    options = {**paired.options, "identity": KeyPair.new()}
    with RunningServer(tmp_path, **options), pytest.raises(addon.errors.ConnectionLost):
        addon.client.WorkerClient(paired.connection).connect(timeout=1.0)


def test_who_is_removed_is_not_heard_any_more_and_others_are(
    addon: SimpleNamespace,
    paired: SimpleNamespace,
    clients: list[Any],
    portrait: bytes,
    tmp_path: Path,
) -> None:
    other = KeyPair.new()
    paired.process.allowed.add(KnownClient(other.public, "bob"))
    second = replace(
        paired.connection, client_public_key=other.public, client_secret_key=other.secret
    )
    with RunningServer(tmp_path, **paired.options):
        first, stays = (connected(addon, clients, one) for one in (paired.connection, second))
        assert frame_of(addon, first, portrait).frame == 5
        AllowList(paired.process.allowed.path).remove("anna's laptop")
        time.sleep(1.1)  # the list is looked at once a second
        request = addon.messages.FrameRequest("0" * 64, FACE_SCHEMA.rest, SIZE)
        began = time.monotonic()
        with pytest.raises(addon.errors.Cancelled):
            first.request_frame(request, should_cancel=lambda: time.monotonic() > began + 1)
        assert frame_of(addon, stays, portrait).frame == 5


def test_a_client_that_is_added_while_the_worker_runs_comes_in(
    addon: SimpleNamespace, paired: SimpleNamespace, clients: list[Any], tmp_path: Path
) -> None:
    other = KeyPair.new()
    later = replace(
        paired.connection, client_public_key=other.public, client_secret_key=other.secret
    )
    with RunningServer(tmp_path, **paired.options):
        AllowList(paired.process.allowed.path).add(KnownClient(other.public, "bob"))

        def comes_in() -> bool:
            try:
                return bool(connected(addon, clients, later))
            except addon.errors.ConnectionLost:
                return False

        assert wait_for(comes_in, 15)


def test_a_wrong_code_learns_nothing_and_changes_nothing(
    addon: SimpleNamespace, tmp_path: Path
) -> None:
    process = Pairing(tmp_path)
    with pytest.raises(addon.errors.ConnectionLost, match="knows this code"):
        addon.pair.pair(process.address, pairing.new_code(), "eve", timeout=1.0)
    assert process.allowed.clients() == []
    addon.pair.pair(process.address, process.code, "anna")
    process.thread.join(10)
    assert [one.name for one in process.allowed.clients()] == ["anna"]


def test_a_code_is_good_once(addon: SimpleNamespace, paired: SimpleNamespace) -> None:
    with pytest.raises(addon.errors.ConnectionLost):
        addon.pair.pair(paired.process.address, paired.process.code, "eve", timeout=1.0)
    assert len(paired.process.allowed.clients()) == 1


def test_a_code_is_good_for_a_time(tmp_path: Path) -> None:
    process = Pairing(tmp_path, seconds=0.3)
    process.thread.join(10)
    assert process.client is None
    assert process.allowed.clients() == []


@pytest.mark.parametrize("address", ["", "a b", "studio:0", "studio:99999", "user@studio", "a/b"])
def test_what_is_no_address_is_said_to_be_none(addon: SimpleNamespace, address: str) -> None:
    with pytest.raises(addon.errors.InputError, match="no address"):
        addon.pair.pair(address, pairing.new_code(), "anna")


@pytest.mark.parametrize("code", ["", "ABCDE-ABCDE-ABCDE", "U" * 20, "é" * 20])
def test_what_is_no_code_is_said_to_be_none(code: str) -> None:
    with pytest.raises(InputError, match="no pairing code"):
        pairing.temporary_secrets(code)


def test_codes_and_keys_differ_each_time() -> None:
    codes = {pairing.new_code() for _ in range(100)}
    assert len(codes) == 100
    assert len(set(pairing.temporary_secrets(codes.pop()))) == 2


def test_the_command_lists_and_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from photorig.worker.cli import pair

    monkeypatch.setattr(pair, "state_folder", lambda: tmp_path)
    key = KeyPair.new().public
    AllowList(tmp_path / "clients.txt").add(KnownClient(key, "anna"))
    assert main.main(["pair", "--list"]) == 0
    assert capsys.readouterr().out == f"anna  {pairing.fingerprint(key)}\n"
    assert main.main(["pair", "--remove", "bob"]) == 1
    assert "Nobody is called 'bob'" in capsys.readouterr().err
    assert main.main(["pair", "--remove", "anna"]) == 0
    assert AllowList(tmp_path / "clients.txt").clients() == []


def test_the_command_shows_a_code_that_works(
    addon: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from photorig.worker.cli import pair

    monkeypatch.setattr(pair, "state_folder", lambda: tmp_path)
    port, codes, ended = free_port(), [], []
    monkeypatch.setattr(pairing, "new_code", lambda: codes.append("0" * 20) or codes[0])
    words = ["pair", "--bind", f"tcp://127.0.0.1:{port}"]
    thread = threading.Thread(target=lambda: ended.append(main.main(words)), daemon=True)
    thread.start()
    assert wait_for(lambda: codes)
    addon.pair.pair(f"127.0.0.1:{port}", codes[0], "anna")
    thread.join(10)
    said = capsys.readouterr().out
    assert ended == [0]
    assert "anna may use this worker" in said
    assert pairing.fingerprint(load_identity(tmp_path / "identity.json").public) in said


def test_the_workers_key_stays_and_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "private" / "identity.json"
    first = load_identity(path)
    assert load_identity(path) == first
    assert path.stat().st_mode & 0o077 == 0
    path.chmod(0o644)
    with pytest.raises(InputError, match="Other users may have read"):
        load_identity(path)
    path.chmod(0o600)
    path.write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        load_identity(path)
