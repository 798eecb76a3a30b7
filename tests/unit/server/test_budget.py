"""Bytes that clients may fill: each its share, and nobody is stopped by what others hold."""

from __future__ import annotations

import gc
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from photorig.shared.errors import InputError
from photorig.shared.wire.message_body import Form
from photorig.shared.wire.protocol import Header, Message
from photorig.worker.server import scheduler as scheduling
from photorig.worker.server.budget import ByteBudget, TooMuch
from photorig.worker.server.later import Later
from photorig.worker.server.portrait_store import PortraitStore
from photorig.worker.server.reply_address import ReplyAddress
from photorig.worker.server.scheduler import Scheduler, SchedulerLimits, Task


def test_a_client_gets_its_share_and_all_together_theirs() -> None:
    budget = ByteBudget(100, 150)
    budget.take("a", 60)
    with pytest.raises(TooMuch):
        budget.take("a", 41)
    budget.take("b", 90)
    with pytest.raises(TooMuch):
        budget.take("c", 1)
    budget.give_back("a", 60)
    budget.take("c", 60)
    assert (budget.of("a"), budget.of("b"), budget.of("c"), budget.total) == (0, 90, 60, 150)


def test_nothing_is_given_back_twice() -> None:
    budget = ByteBudget(100, 150)
    budget.take("a", 60)
    for _ in range(3):
        budget.give_back("a", 60)
    assert (budget.total, budget.of("a")) == (0, 0)


def test_who_holds_nothing_has_room_whatever_others_hold() -> None:
    budget = ByteBudget(100, 150)
    budget.hold("a", 10_000)
    assert budget.has_room("b")
    budget.hold("b", 1)
    assert not budget.has_room("b")


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Scheduler[None]:
    monkeypatch.setattr(scheduling, "UNREAD_OF_CLIENT", 100)
    monkeypatch.setattr(scheduling, "UNREAD_OF_ALL", 150)
    return Scheduler(SchedulerLimits(queued_frames_of_all=8))


def queue(scheduler: Scheduler[None], client: str, frames: int) -> None:
    scheduler.open_job(client, "j", 16)
    for seq in range(frames):
        scheduler.render(Task(client, "j", False, seq, None))


def next_task(scheduler: Scheduler[None]) -> Task[None] | None:
    """One at a time."""
    return next(iter(scheduler.next_chunk()), None)


def test_frames_that_nobody_reads_are_not_made_any_more(scheduler: Scheduler[None]) -> None:
    queue(scheduler, "a", 4)
    for _ in range(2):
        task = next_task(scheduler)
        assert task is not None
        scheduler.finished(task, n_bytes=60)
    assert next_task(scheduler) is None
    queue(scheduler, "b", 1)
    other = next_task(scheduler)
    assert other is not None
    assert other.client == "b"
    assert scheduler.acknowledge("a", "j", 0)
    assert next_task(scheduler) is not None


def test_what_a_client_that_went_did_not_read_counts_no_more(scheduler: Scheduler[None]) -> None:
    queue(scheduler, "a", 2)
    task = next_task(scheduler)
    assert task is not None
    scheduler.finished(task, n_bytes=1000)
    scheduler.forget("a")
    queue(scheduler, "a", 2)
    assert next_task(scheduler) is not None


def test_too_many_frames_of_all_clients_are_refused(scheduler: Scheduler[None]) -> None:
    queue(scheduler, "a", 6)
    with pytest.raises(TooMuch, match="all clients"):
        queue(scheduler, "b", 3)
    scheduler.forget("a")
    scheduler.render(Task("b", "j", False, 9, None))
    assert scheduler.queue_length == 3


# --- memory of what is refused

MEGABYTES = 24


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Cycles stay: what is to be free must not be part of one."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def memory() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="read from Linux's /proc")
@pytest.mark.parametrize("name_is_right", [True, False])
def test_refused_uploads_are_free_at_once(
    tmp_path: Path, no_collection: None, name_is_right: bool
) -> None:
    woken = threading.Semaphore(0)
    later = Later(woken.release)

    def refuse(content: bytes) -> None:
        try:
            raise ValueError(f"{len(content)} bytes that are none")
        except ValueError as error:
            raise InputError("This is no portrait file") from error

    store = PortraitStore(tmp_path, refuse)  # type: ignore[arg-type]
    answers = []

    def upload(seed: int) -> None:
        content = bytes([seed]) * (MEGABYTES << 20)
        right = hashlib.sha256(content).hexdigest()
        name = right if name_is_right else "0" * 64
        later.ask(
            ReplyAddress("bulk", b"peer"),
            "portrait",
            lambda: store.add(name, memoryview(content), lambda info: Form({})),
        )
        assert woken.acquire(timeout=20)

    upload(0)
    before = memory()
    for seed in range(8):
        upload(seed)
        answers += later.answers()  # as the server holds them for a moment
    assert len(answers) == 9
    assert all(isinstance(answer.outcome, InputError) for answer in answers)
    assert memory() - before < 2.5 * (MEGABYTES << 20)
    later.close()


def test_of_a_question_that_waits_nothing_large_is_kept() -> None:
    body = {"view": "v" * 1000, "more": ["x"] * 1000}
    asked = ReplyAddress.of(
        "bulk", b"peer", Message(Header("render", "c1", job="j", seq=4, body=body))
    )
    assert (asked.id, asked.job, asked.seq, asked.view) == ("c1", "j", 4, "v" * 64)
    kept = [value for value in vars(asked).values() if value is not None]
    assert all(isinstance(value, (str, bytes, int)) and len(str(value)) <= 64 for value in kept)
