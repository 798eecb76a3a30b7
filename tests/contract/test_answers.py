"""An answer that cannot be made or sent becomes an error, and the server goes on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from card_server import RunningServer, portrait_bytes
from safetensors.numpy import load, save
from test_hostile import Peer, close_peers, frame_form, peer  # noqa: F401
from waiting import wait_for

from photorig.shared.files.portrait_layout import read_header
from photorig.shared.wire import portrait_forms
from photorig.shared.wire.messages import FitFaces, FitProgress, FoundFace, FrameReply
from photorig.worker.server import answers
from photorig.worker.server.executors.interface import FrameDone
from photorig.worker.server.executors.local import LocalExecutor
from photorig.worker.server.fits import queue as fits
from photorig.worker.server.fits.queue import FitEvent
from photorig.worker.server.portrait_store import PortraitStore


def upload(peer: Peer, content: bytes) -> str:  # noqa: F811
    """Send a portrait without waiting; returns its id."""
    portrait_id = hashlib.sha256(content).hexdigest()
    peer.send("portrait_upload", portrait_forms.portrait_upload_form(portrait_id, content))
    return portrait_id


def named(name: str) -> bytes:
    content = portrait_bytes(1)
    metadata = read_header(content)[0] | {"name": name}
    return save(load(content), {"photorig": json.dumps(metadata)})


@pytest.mark.parametrize("name", ["x" * 70_000, "😀" * 6000, "x" * 2500, "x\ny"])
def test_a_portrait_whose_name_no_message_can_carry_is_refused_and_not_kept(
    peer: Peer,  # noqa: F811
    tmp_path: Path,
    name: str,
) -> None:
    portrait_id = upload(peer, named(name))
    assert peer.error().code == "input"
    assert not list((tmp_path / "portraits").glob("*.portrait"))
    peer.send("portrait_query", portrait_forms.portrait_reference_form(portrait_id))
    assert peer.error().reason == "unknown-portrait"


def test_a_portrait_that_an_earlier_version_has_kept_kills_no_later_one(
    peer: Peer,  # noqa: F811
    tmp_path: Path,
) -> None:
    content = named("x" * 70_000)
    portrait_id = hashlib.sha256(content).hexdigest()
    (tmp_path / "portraits").mkdir(exist_ok=True)
    (tmp_path / "portraits" / f"{portrait_id}.portrait").write_bytes(content)
    peer.send("portrait_query", portrait_forms.portrait_reference_form(portrait_id))
    assert peer.error().code == "input"
    peer.send("render", frame_form(portrait_id))
    assert peer.error().code == "input"


def test_a_portrait_whose_answer_cannot_be_sent_is_not_kept(
    peer: Peer,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "MOST_BYTES", 100)
    upload(peer, portrait_bytes(1))
    assert "too large" in peer.error().message
    assert not list((tmp_path / "portraits").glob("*.portrait"))
    monkeypatch.undo()


BROKEN = {
    "a codec that does not travel": {"codec": "tga"},
    "too large a number": {"milliseconds": float("inf")},
    "a shape of text": {"width": "wide"},
    "pixels that are none": {"image": None},
}


@pytest.mark.parametrize("changes", BROKEN.values(), ids=BROKEN)
def test_a_frame_that_cannot_be_sent_becomes_an_error(
    peer: Peer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
) -> None:
    events = LocalExecutor.events

    def broken(executor: LocalExecutor) -> list[FrameDone]:
        reply = {"frame": 1, "image": b"", "width": 1, "height": 1, "codec": "raw"}
        fields = {**reply, "milliseconds": 1.0, **changes}
        return [FrameDone(done.task_id, FrameReply(**fields)) for done in events(executor)]  # type: ignore[arg-type]

    portrait_id = peer.upload(portrait_bytes(1))
    monkeypatch.setattr(LocalExecutor, "events", broken)
    peer.send("render", frame_form(portrait_id), frame=1)
    answer = peer.receive()
    assert answer is not None
    assert (answer.header.kind, answer.header.frame) == ("error", 1)
    monkeypatch.undo()


class BrokenFitter:
    """Says whatever a test wants it to."""

    photos = 1

    def __init__(self) -> None:
        self.wake = lambda: None
        self.outcome: object = None
        self._events: list[FitEvent] = []

    def start(self, fit_id: int, request: object) -> None:
        self._events.append(FitEvent(fit_id, self.outcome))  # type: ignore[arg-type]

    def cancel(self, fit_id: int) -> None: ...

    def events(self) -> list[FitEvent]:
        events, self._events = self._events, []
        return events

    def close(self) -> None: ...


@pytest.mark.parametrize(
    "outcome",
    [
        FitProgress("x", float("nan")),
        FitProgress("\ud800", 0.5),
        FitFaces((), 1, 1),
        FitFaces((FoundFace((0, 0, float("inf"), 1), np.zeros((2, 2, 3), np.uint8)),), 1, 1),
        SimpleNamespace(),
    ],
    ids=["endless", "half a letter", "no faces", "endless face", "nothing known"],
)
def test_news_of_a_fit_that_cannot_be_sent_become_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: object
) -> None:
    fitter = BrokenFitter()
    fitter.outcome = outcome
    monkeypatch.setattr("card_server.ProcessFitter", lambda *_: fitter)
    with RunningServer(tmp_path) as server:
        peer = Peer(server.info)
        peer.greet()
        form = portrait_forms.fit_form(portrait_forms.FitRequest((b"photo",), "Anna"))
        peer.send("fit", form, job="fit-1")
        answer = peer.receive()
        assert answer is not None
        assert answer.header.kind == "error"
        peer.send("ping")
        assert peer.receive() is not None
        peer.close()


def test_whatever_a_step_of_a_turn_does_the_next_turn_comes(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = [True]

    def fail(*_: object) -> list[object]:
        if failing:
            raise ZeroDivisionError("a defect")
        return []

    peer = Peer(server.info)  # noqa: F811
    peer.greet()
    monkeypatch.setattr(fits.Fits, "new_events", fail)
    monkeypatch.setattr(LocalExecutor, "room", fail)
    peer.send("ping")
    assert peer.receive() is not None
    failing.clear()
    monkeypatch.undo()
    peer.send("render", frame_form(peer.upload(portrait_bytes(1))))
    answer = peer.receive()
    assert answer is not None
    assert answer.header.kind == "frame"


def test_the_store_keeps_nothing_that_is_not_accepted(tmp_path: Path) -> None:
    store = PortraitStore(tmp_path / "portraits", lambda _: _portrait())

    def refuse(_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.add(hashlib.sha256(b"x").hexdigest(), b"x", refuse)
    assert hashlib.sha256(b"x").hexdigest() not in store
    assert wait_for(lambda: not (tmp_path / "portraits").exists())


def _portrait() -> SimpleNamespace:
    picture = np.zeros((4, 4, 3), np.uint8)
    return SimpleNamespace(name="x", parameters=np.zeros(2), photo=picture, thumbnail=picture)
