"""What the device does next. Pure logic: no sockets, no clock, no threads.

Previews are latest-wins: per view one frame in flight and one pending, which a newer request
replaces. Render jobs run on credits: a job has at most ``window`` frames that are in flight or not
yet acknowledged, and a client only so many bytes, so memory is bounded whatever the client's disk
does. A waiting preview goes first, but after ``render_floor`` previews in a row a waiting render
gets its turn.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from photorig.shared.errors import ProtocolError

from .budget import UNREAD_OF_ALL, UNREAD_OF_CLIENT, ByteBudget, TooMuch

Work = TypeVar("Work")


@dataclass(frozen=True)
class SchedulerLimits:
    """Most views, jobs and waiting frames of one client, most waiting frames of all clients, and
    most frames out of one job."""

    views: int = 64
    jobs: int = 16
    queued_frames: int = 100_000
    window: int = 16
    queued_frames_of_all: int = 200_000


@dataclass(frozen=True, eq=False)
class Task(Generic[Work]):
    """One frame to make.

    Attributes:
        client: who asked.
        lane: the view's name for a preview, the job's for a render.
        is_preview: which of the two.
        seq: number within the lane.
        work: what to do; the scheduler does not look at it.
    """

    client: Hashable
    lane: str
    is_preview: bool
    seq: int
    work: Work


@dataclass
class _View(Generic[Work]):
    pending: Task[Work] | None = None
    in_flight: Task[Work] | None = None


@dataclass
class _Job(Generic[Work]):
    window: int
    waiting: deque[Task[Work]] = field(default_factory=deque)
    in_flight: dict[int, Task[Work]] = field(default_factory=dict)
    unacknowledged: dict[int, int] = field(default_factory=dict)  # bytes by number
    numbers: set[int] = field(default_factory=set)

    @property
    def has_credit(self) -> bool:
        return len(self.in_flight) + len(self.unacknowledged) < self.window


class Scheduler(Generic[Work]):
    """Orders the frames of all clients.

    Every task handed out by ``next_chunk`` comes back exactly once through ``finished``, which says
    whether its frame is still wanted.
    """

    def __init__(self, limits: SchedulerLimits | None = None, render_floor: int = 3) -> None:
        self.limits = limits or SchedulerLimits()
        self.render_floor = render_floor
        # Ordered by whose turn it is: who was served goes to the end.
        self._views: OrderedDict[tuple[Hashable, str], _View[Work]] = OrderedDict()
        self._jobs: OrderedDict[tuple[Hashable, str], _Job[Work]] = OrderedDict()
        self._queued_of_client: dict[Hashable, int] = {}
        self._queued = 0
        self._unread = ByteBudget(UNREAD_OF_CLIENT, UNREAD_OF_ALL)
        self._previews_in_a_row = 0

    @property
    def queue_length(self) -> int:
        """Frames that wait for the device."""
        previews = sum(view.pending is not None for view in self._views.values())
        return previews + self._queued

    @property
    def is_idle(self) -> bool:
        """Whether no client has a frame waiting or in flight."""
        in_flight = any(view.in_flight for view in self._views.values())
        return not in_flight and not self.queue_length and not self._in_flight_renders()

    def preview(self, task: Task[Work]) -> Task[Work] | None:
        """Take a preview request; returns the pending one it replaces, to be told so.

        Raises:
            ProtocolError: the client has too many views.
        """
        key = (task.client, task.lane)
        if key not in self._views:
            if self._count(self._views, task.client) >= self.limits.views:
                raise ProtocolError("There are too many preview views", "Close some viewports.")
            self._views[key] = _View()
        view = self._views[key]
        replaced, view.pending = view.pending, task
        return replaced

    def open_job(self, client: Hashable, job: str, window: int) -> int:
        """Begin a job; returns the window it gets.

        Raises:
            ProtocolError: the name is taken, or the client has too many jobs.
        """
        if (client, job) in self._jobs:
            raise ProtocolError(f"There already is a job {job!r}")
        if self._count(self._jobs, client) >= self.limits.jobs:
            raise ProtocolError("There are too many render jobs", "Wait for one to end.")
        granted = max(1, min(window, self.limits.window))
        self._jobs[client, job] = _Job(granted)
        return granted

    def render(self, task: Task[Work]) -> None:
        """Take one frame of a job.

        Raises:
            ProtocolError: no such job, its number is taken, or too many frames wait.
        """
        job = self._jobs.get((task.client, task.lane))
        if job is None:
            raise ProtocolError(f"There is no job {task.lane!r}", "Start the render again.")
        if task.seq in job.numbers:
            raise ProtocolError(f"Job {task.lane!r} already has a frame number {task.seq}")
        queued = self._queued_of_client.get(task.client, 0)
        if queued >= self.limits.queued_frames:
            raise TooMuch("Too many frames wait", "Ask for fewer frames at a time.")
        if self._queued >= self.limits.queued_frames_of_all:
            raise TooMuch("Too many frames of all clients wait", "Try again later.")
        job.numbers.add(task.seq)
        job.waiting.append(task)
        self._queued += 1
        self._queued_of_client[task.client] = queued + 1

    def acknowledge(self, client: Hashable, job: str, seq: int) -> bool:
        """Give a credit back; False where this frame has none to give (a replay, an old job)."""
        entry = self._jobs.get((client, job))
        if entry is None or seq not in entry.unacknowledged:
            return False
        self._unread.give_back(client, entry.unacknowledged.pop(seq))
        return True

    def close_job(self, client: Hashable, job: str) -> bool:
        """End or cancel a job: what waits is dropped. False where there is no such job."""
        entry = self._jobs.pop((client, job), None)
        if entry is None:
            return False
        self._unqueue(client, len(entry.waiting))
        self._unread.give_back(client, sum(entry.unacknowledged.values()))
        return True

    def forget(self, client: Hashable) -> None:
        """Drop everything of a client that has gone."""
        for name in [job for owner, job in self._jobs if owner == client]:
            self.close_job(client, name)
        for name in [view for owner, view in self._views if owner == client]:
            del self._views[client, name]

    def next_chunk(self, preview: bool = True, frames: int = 1) -> list[Task[Work]]:
        """What to make next on one device: a preview, or frames of one job; empty for nothing.

        Args:
            preview: whether there is room for a preview.
            frames: most frames of a job that there is room for.
        """
        view = self._runnable_view() if preview else None
        job = self._runnable_job() if frames else None
        render_is_due = self._previews_in_a_row >= self.render_floor
        if view is not None and not (job is not None and render_is_due):
            self._previews_in_a_row = self._previews_in_a_row + 1 if job is not None else 0
            return [self._start_preview(view)]
        if job is None:
            return []
        self._previews_in_a_row = 0
        chunk = [self._start_render(job)]
        while len(chunk) < frames and self._is_runnable(job):
            chunk.append(self._start_render(job))
        return chunk

    def finished(self, task: Task[Work], delivered: bool = True, n_bytes: int = 0) -> bool:
        """A task has ended; returns whether its frame is still wanted.

        Args:
            delivered: False where there is no frame (an error), which takes no credit.
            n_bytes: of the frame, which are the client's until it acknowledges them.
        """
        key = (task.client, task.lane)
        if task.is_preview:
            view = self._views.get(key)
            if view is None or view.in_flight is not task:
                return False
            view.in_flight = None
            if view.pending is None:
                del self._views[key]
            return True
        job = self._jobs.get(key)
        if job is None or job.in_flight.get(task.seq) is not task:
            return False
        del job.in_flight[task.seq]
        if delivered:
            job.unacknowledged[task.seq] = n_bytes
            self._unread.hold(task.client, n_bytes)
        return True

    def _runnable_view(self) -> tuple[Hashable, str] | None:
        for key, view in self._views.items():
            if view.pending is not None and view.in_flight is None:
                return key
        return None

    def _runnable_job(self) -> tuple[Hashable, str] | None:
        return next((key for key in self._jobs if self._is_runnable(key)), None)

    def _is_runnable(self, key: tuple[Hashable, str]) -> bool:
        job = self._jobs[key]
        return bool(job.waiting) and job.has_credit and self._unread.has_room(key[0])

    def _start_preview(self, key: tuple[Hashable, str]) -> Task[Work]:
        view = self._views[key]
        task, view.pending = view.pending, None
        assert task is not None  # it is runnable
        view.in_flight = task
        self._views.move_to_end(key)
        return task

    def _start_render(self, key: tuple[Hashable, str]) -> Task[Work]:
        job = self._jobs[key]
        task = job.waiting.popleft()
        job.in_flight[task.seq] = task
        self._unqueue(task.client, 1)
        self._jobs.move_to_end(key)
        return task

    def _unqueue(self, client: Hashable, count: int) -> None:
        self._queued -= count
        left = self._queued_of_client.get(client, 0) - count
        if left > 0:
            self._queued_of_client[client] = left
        else:
            self._queued_of_client.pop(client, None)

    def _in_flight_renders(self) -> bool:
        return any(job.in_flight for job in self._jobs.values())

    @staticmethod
    def _count(entries: Iterable[tuple[Hashable, str]], client: Hashable) -> int:
        return sum(owner == client for owner, _ in entries)
