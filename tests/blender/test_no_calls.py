"""The extension calls nobody: an ear at Python's sockets and at ZeroMQ's, while all of it works."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_heard: list[str] = []


def _hear(event: str, arguments: tuple) -> None:
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"):
        place = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        place = arguments[1][0]
    elif event == "webbrowser.open":
        place = arguments[0]
    else:
        return
    if place is not None and place not in LOOPBACK:
        _heard.append(f"{event} {place}")


sys.addaudithook(_hear)  # cannot be taken away again; it does nothing but listen


@pytest.fixture
def heard(addon: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Everybody who was called."""
    import zmq

    connect = zmq.Socket.connect

    def listening(socket: zmq.Socket, place: str) -> object:
        if not place.startswith(("tcp://127.0.0.1:", "tcp://[::1]:", "inproc://")):
            _heard.append(f"zmq {place}")
        return connect(socket, place)

    monkeypatch.setattr(zmq.Socket, "connect", listening)
    monkeypatch.delenv("CI", raising=False)
    _heard.clear()
    yield _heard


def test_nobody_is_called_by_a_whole_shot(
    heard: list[str], shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    photo = tmp_path / "anna.jpg"
    photo.write_bytes(b"portrait")  # see tests/contract/fake_fit_program.py
    bpy.ops.photorig.render_to_sequencer(directory=f"{tmp_path}/frames/")
    bpy.ops.render.render()
    bpy.ops.photorig.fit_photo(filepath=str(photo))
    bpy.ops.photorig.create_head()
    bpy.ops.photorig.add_head()
    bpy.ops.photorig.detect_rig()
    bpy.ops.photorig.export_performance(filepath=str(tmp_path / "shot.jsonl"))
    bpy.ops.photorig.import_performance(filepath=str(tmp_path / "shot.jsonl"))
    bpy.ops.photorig.export_mapping(filepath=str(tmp_path / "rig.json"))
    bpy.ops.photorig.stop_worker()
    bpy.ops.preferences.addon_disable(module=modules.package)
    bpy.ops.preferences.addon_enable(module=modules.package)
    assert heard == []


def test_the_ear_hears(heard: list[str]) -> None:
    import socket

    import zmq

    with pytest.raises(OSError):
        socket.getaddrinfo("photorig.invalid", 80)
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.connect("tcp://192.0.2.1:9")
    assert heard == ["socket.getaddrinfo photorig.invalid", "zmq tcp://192.0.2.1:9"]


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "farm.invalid", "127.0.0.1.farm.invalid", "localhost.farm.invalid"]
)
def test_other_computers_are_reached_only_with_online_access(
    heard: list[str],
    scene: bpy.types.Scene,
    shared_card_worker: Path,
    host: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bpy.context.preferences.system, "use_online_access", False)
    assert not bpy.app.online_access
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.photorig.connect_worker(filepath=str(shared_card_worker), host=host)
    assert heard == []
