"""A portrait that the worker does not come back from stops nobody for long, and only once."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from card_server import HANG, SIZE, portrait_bytes
from waiting import wait_for

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.server import portrait_store
from photorig.worker.server.portrait_store import PortraitStore
from photorig.worker.server.watchdog import Watchdog

SCRIPT = Path(__file__).with_name("card_server.py")


@pytest.fixture
def start(addon: SimpleNamespace, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Starts a worker of little patience, as the extension does."""
    started = []

    def make() -> Any:
        worker = addon.process.WorkerProcess(
            [sys.executable, SCRIPT, "serve"],
            connection_file=tmp_path / "worker.json",
            log_file=tmp_path / "worker.log",
            arguments=["--portraits", str(tmp_path / "portraits"), "--frame-seconds", "1"],
        )
        started.append(worker)
        worker.start()
        return worker

    yield make
    for worker in started:
        worker.stop(patience=1)


def request(addon: SimpleNamespace, portrait: str, jaw: float, frame: int = 1) -> Any:
    vector = FACE_SCHEMA.vector({"jawOpen": jaw})
    return addon.messages.FrameRequest(portrait, vector, SIZE, frame=frame)


def test_a_worker_that_hangs_tells_it_ends_and_refuses_that_portrait_afterwards(
    start: Callable[[], Any], addon: SimpleNamespace
) -> None:
    worker, content = start(), portrait_bytes(1)
    client = addon.client.WorkerClient(worker.wait_ready(20), "test")
    portrait, other = (hashlib.sha256(each).hexdigest() for each in (content, portrait_bytes(2)))
    client.offer_portraits({portrait: content})
    began = time.monotonic()
    with pytest.raises(addon.errors.PhotorigError, match="did not come back"):
        client.request_frame(request(addon, portrait, HANG))
    assert time.monotonic() - began < 5
    assert wait_for(lambda: not worker.is_running), "it did not end"
    assert worker._process.returncode == 1
    assert "did not come back" in worker.log_tail().splitlines()[-1]
    assert not worker.connection_file.exists()

    again = start()
    client = addon.client.WorkerClient(again.wait_ready(20), "test")
    client.offer_portraits({portrait: content, other: portrait_bytes(2)})
    with pytest.raises(addon.errors.InputError, match="refuses it for an hour"):
        client.request_frame(request(addon, portrait, 0.0))
    assert client.request_frame(request(addon, other, 0.0, frame=7)).frame == 7
    assert again.is_running


def test_a_portrait_is_refused_for_an_hour_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def store() -> PortraitStore:
        return PortraitStore(tmp_path, lambda _: SimpleNamespace(photo=SimpleNamespace(nbytes=1)))  # type: ignore[arg-type, return-value]

    content = b"content"
    portrait_id = hashlib.sha256(content).hexdigest()
    (tmp_path / f"{portrait_id}.portrait").write_bytes(content)
    first = store()
    first.get(portrait_id)
    first.quarantine(portrait_id)
    for refusing in (first, store()):
        with pytest.raises(InputError, match="for an hour"):
            refusing.get(portrait_id)
        with pytest.raises(InputError, match="for an hour"):
            refusing.add(portrait_id, content, lambda info: info)
    monkeypatch.setattr(portrait_store, "_QUARANTINE_SECONDS", -1.0)
    assert store().get(portrait_id)


def test_signs_of_life_keep_the_watchdog_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    dog = Watchdog(10)

    def look(seconds: float, sign: object) -> bool:
        clock.now += seconds
        return dog.is_hung(sign)  # type: ignore[arg-type]

    assert not look(100, None)
    assert not look(0, (1, "10 %"))
    assert not look(9, (1, "10 %"))
    assert not look(9, (1, "20 %"))
    assert not look(9, (2, "20 %"))
    assert not look(9, None)
    assert not look(9, (3, ""))
    assert look(11, (3, ""))
