from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from photorig.shared.errors import ProtocolError
from photorig.worker.server.scheduler import Scheduler, SchedulerLimits, Task


def preview(seq: int, client: str = "a", view: str = "v") -> Task[str]:
    return Task(client, view, True, seq, "")


def frame(seq: int, client: str = "a", job: str = "j") -> Task[str]:
    return Task(client, job, False, seq, "")


def with_job(frames: int, window: int = 4, **limits: int) -> Scheduler[str]:
    scheduler: Scheduler[str] = Scheduler(SchedulerLimits(**limits))
    scheduler.open_job("a", "j", window)
    for seq in range(frames):
        scheduler.render(frame(seq))
    return scheduler


def next_task(scheduler: Scheduler[str]) -> Task[str] | None:
    """One at a time."""
    return next(iter(scheduler.next_chunk()), None)


def test_a_newer_preview_replaces_the_pending_one() -> None:
    scheduler: Scheduler[str] = Scheduler()
    first, second = preview(1), preview(2)
    assert scheduler.preview(first) is None
    assert scheduler.preview(second) is first
    assert next_task(scheduler) is second
    assert next_task(scheduler) is None


def test_a_preview_in_flight_is_not_replaced() -> None:
    scheduler: Scheduler[str] = Scheduler()
    scheduler.preview(first := preview(1))
    assert next_task(scheduler) is first
    assert scheduler.preview(preview(2)) is None
    assert next_task(scheduler) is None
    assert scheduler.finished(first)
    following = next_task(scheduler)
    assert following is not None
    assert following.seq == 2


def test_views_take_turns() -> None:
    scheduler: Scheduler[str] = Scheduler()
    order = []
    for round_number in range(2):
        for view in "xy":
            scheduler.preview(preview(round_number, view=view))
        for _ in range(2):
            task = next_task(scheduler)
            assert task is not None
            order.append(task.lane)
            scheduler.finished(task)
    assert order == ["x", "y", "x", "y"]


def test_a_job_stops_at_its_window_and_goes_on_with_each_acknowledgement() -> None:
    scheduler = with_job(frames=4, window=2)
    first, second = next_task(scheduler), next_task(scheduler)
    assert first is not None
    assert second is not None
    assert next_task(scheduler) is None
    scheduler.finished(first)
    assert next_task(scheduler) is None
    assert scheduler.acknowledge("a", "j", first.seq)
    assert next_task(scheduler) is not None


def test_a_replayed_acknowledgement_gives_no_credit() -> None:
    scheduler = with_job(frames=9, window=2)
    first = next_task(scheduler)
    assert first is not None
    scheduler.finished(first)
    assert scheduler.acknowledge("a", "j", first.seq)
    assert not scheduler.acknowledge("a", "j", first.seq)
    assert not scheduler.acknowledge("a", "j", 7)
    assert not scheduler.acknowledge("b", "j", first.seq)
    assert [next_task(scheduler) is None for _ in range(3)] == [False, False, True]


def test_a_failed_frame_takes_no_credit() -> None:
    scheduler = with_job(frames=2, window=1)
    first = next_task(scheduler)
    assert first is not None
    assert scheduler.finished(first, delivered=False)
    assert next_task(scheduler) is not None


def test_the_worker_grants_no_larger_window_than_its_own() -> None:
    scheduler: Scheduler[str] = Scheduler(SchedulerLimits(window=3))
    assert scheduler.open_job("a", "j", 1000) == 3


def test_a_preview_goes_before_a_render_but_renders_proceed() -> None:
    scheduler = with_job(frames=20, window=16)
    order = ""
    for seq in range(8):
        scheduler.preview(preview(seq))
        task = next_task(scheduler)
        assert task is not None
        order += "p" if task.is_preview else "r"
        scheduler.finished(task)
        if not task.is_preview:
            scheduler.acknowledge("a", "j", task.seq)
    assert order == "ppprpppr"


def test_a_cancelled_job_leaves_nothing_and_its_late_frame_is_unwanted() -> None:
    scheduler = with_job(frames=3)
    task = next_task(scheduler)
    assert task is not None
    assert scheduler.close_job("a", "j")
    assert scheduler.queue_length == 0
    assert next_task(scheduler) is None
    assert not scheduler.finished(task)
    assert not scheduler.close_job("a", "j")


def test_a_late_frame_of_a_cancelled_job_is_not_taken_for_one_of_a_new_job() -> None:
    scheduler = with_job(frames=1)
    old = next_task(scheduler)
    assert old is not None
    scheduler.close_job("a", "j")
    scheduler.open_job("a", "j", 1)
    scheduler.render(frame(0))
    new = next_task(scheduler)
    assert new is not None
    assert not scheduler.finished(old)
    assert scheduler.finished(new)


def test_a_client_that_has_gone_leaves_nothing() -> None:
    scheduler = with_job(frames=3)
    scheduler.preview(preview(1))
    task = next_task(scheduler)
    assert task is not None
    scheduler.forget("a")
    assert not scheduler.finished(task)
    assert scheduler.is_idle
    assert next_task(scheduler) is None


def test_jobs_of_two_clients_take_turns() -> None:
    scheduler = with_job(frames=3)
    scheduler.open_job("b", "j", 4)
    for seq in range(3):
        scheduler.render(frame(seq, client="b"))
    clients = [task.client for _ in range(6) if (task := next_task(scheduler))]
    assert clients == ["a", "b", "a", "b", "a", "b"]


def test_the_limits_of_a_client_are_kept() -> None:
    scheduler = with_job(frames=2, queued_frames=2, jobs=1, views=1)
    with pytest.raises(ProtocolError, match="Too many frames"):
        scheduler.render(frame(2))
    with pytest.raises(ProtocolError, match="too many render jobs"):
        scheduler.open_job("a", "k", 1)
    scheduler.preview(preview(1))
    with pytest.raises(ProtocolError, match="too many preview views"):
        scheduler.preview(preview(1, view="w"))
    scheduler.open_job("b", "j", 1)


def test_a_frame_number_is_taken_once_in_a_job() -> None:
    scheduler = with_job(frames=1)
    with pytest.raises(ProtocolError, match="already has a frame"):
        scheduler.render(frame(0))


def test_a_frame_needs_a_job() -> None:
    scheduler: Scheduler[str] = Scheduler()
    with pytest.raises(ProtocolError, match="no job"):
        scheduler.render(frame(0))


@given(st.lists(st.sampled_from(["ask", "start", "finish"]), max_size=60))
def test_the_last_preview_is_always_answered_and_never_overtaken(steps: list[str]) -> None:
    scheduler: Scheduler[str] = Scheduler()
    running: list[Task[str]] = []
    shown: list[int] = []
    asked = 0
    # Whatever happened, work off the rest afterwards.
    for step in steps + ["start", "finish"] * 2:
        if step == "ask":
            asked += 1
            scheduler.preview(preview(asked))
        elif step == "start" and (task := next_task(scheduler)):
            running.append(task)
        elif step == "finish" and running:
            task = running.pop()
            assert scheduler.finished(task)
            shown.append(task.seq)
        assert len(running) <= 1
    assert shown == sorted(shown)
    assert shown[-1:] == ([asked] if asked else [])
    assert scheduler.is_idle


class SchedulerMachine(RuleBasedStateMachine):
    """Any order of requests, endings, acknowledgements, cancels and losses."""

    clients = st.sampled_from("ab")
    jobs = st.sampled_from("jk")

    def __init__(self) -> None:
        super().__init__()
        self.scheduler: Scheduler[str] = Scheduler(SchedulerLimits(window=3))
        self.windows: dict[tuple[str, str], int] = {}
        self.numbers: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.running: list[Task[str]] = []
        self.delivered: list[Task[str]] = []

    @rule(client=clients, job=jobs, window=st.integers(1, 9))
    def open_job(self, client: str, job: str, window: int) -> None:
        if (client, job) not in self.windows:
            self.windows[client, job] = self.scheduler.open_job(client, job, window)

    @rule(client=clients, job=jobs)
    def render(self, client: str, job: str) -> None:
        if (client, job) in self.windows:
            self.numbers[client, job] += 1
            self.scheduler.render(frame(self.numbers[client, job], client, job))

    @rule(client=clients)
    def ask_preview(self, client: str) -> None:
        self.scheduler.preview(preview(0, client))

    @rule()
    def start(self) -> None:
        task = next_task(self.scheduler)
        if task is not None:
            self.running.append(task)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), delivered=st.booleans())
    def finish(self, data: st.DataObject, delivered: bool) -> None:
        task = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        if self.scheduler.finished(task, delivered) and not task.is_preview and delivered:
            self.delivered.append(task)

    @precondition(lambda self: self.delivered)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        # Not removed: an acknowledgement may be replayed at any time.
        task = data.draw(st.sampled_from(self.delivered))
        self.scheduler.acknowledge(task.client, task.lane, task.seq)

    @rule(client=clients, job=jobs)
    def close_job(self, client: str, job: str) -> None:
        self.scheduler.close_job(client, job)
        self.windows.pop((client, job), None)

    @rule(client=clients)
    def forget(self, client: str) -> None:
        self.scheduler.forget(client)
        for key in [key for key in self.windows if key[0] == client]:
            del self.windows[key]

    @invariant()
    def the_window_is_never_exceeded(self) -> None:
        for (client, job), window in self.windows.items():
            entry = self.scheduler._jobs[client, job]
            assert len(entry.in_flight) + len(entry.unacknowledged) <= window <= 3

    @invariant()
    def a_view_has_one_frame_in_flight(self) -> None:
        for client in "ab":
            wanted = [t for t in self.running if t.is_preview and t.client == client]
            known = self.scheduler._views.get((client, "v"))
            assert sum(known is not None and known.in_flight is t for t in wanted) <= 1

    @invariant()
    def a_job_with_credit_is_not_forgotten(self) -> None:
        assert self.scheduler.queue_length >= 0
        if not self.windows and not self.scheduler._views:
            assert self.scheduler.is_idle


TestSchedulerMachine = SchedulerMachine.TestCase
