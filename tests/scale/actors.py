"""What actors of Ray cost and bring: how long one takes to start, and two against one.

Run by measure.py in the environment that has Ray. Two and one take turns in the same run; their
processor time is told beside the clock, for a computer that does other things as well.
"""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameReply, FrameRequest
from photorig.shared.wire.picture_format import PictureFormat
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.server.executors.entry import ExecutorOptions
from photorig.worker.server.executors.interface import Chunk, Executor, FrameTask
from photorig.worker.server.executors.registry import executor_entry
from photorig.worker.server.executors.workshop import FaceWorkshop

_SIZE = 512
_CHUNK = 8
_GOAL = 1.7
_COMPARED = 48
"""Frames of which each byte is compared."""


def measured(portrait_file: Path, rounds: int) -> dict[str, Any]:
    """Starting times, frames a second of one actor and of two, and whether pixels are the same.

    Raises:
        AssertionError: an actor made other pixels than the executor of this process.
    """
    workshop = FaceWorkshop("cpu")
    portraits, content = workshop.portraits(), portrait_file.read_bytes()
    portrait_id = Portrait.from_bytes(content).id
    portraits.add(portrait_id, content, lambda _: None)
    began = time.perf_counter()
    pool = executor_entry("ray").start(workshop, portraits, ExecutorOptions(actors=2))
    first = time.perf_counter() - began
    while len(_actors()) < 2 or sum(slot.is_free for slot in pool._slots) < 2:  # type: ignore[attr-defined]
        time.sleep(0.05)
    both = time.perf_counter() - began
    frames = Frames(pool, portrait_id)
    frames.make(4, at_once=2)  # what the first frame of each prepares
    one, two = [], []
    for _ in range(rounds):
        one.append(frames.make(4, at_once=1))
        two.append(frames.make(4, at_once=2))
    ratio = statistics.median(b[0] / a[0] for a, b in zip(one, two, strict=True))
    pixels = frames.pictures(_COMPARED, kills=3)
    pool.close()
    local = executor_entry("local").start(workshop, portraits, ExecutorOptions())
    assert pixels == Frames(local, portrait_id).pictures(_COMPARED), "actors make other pixels"
    local.close()
    return {
        "size": _SIZE,
        "first_device_seconds": round(first, 2),
        "second_device_seconds": round(both, 2),
        "one_frames_per_second": round(statistics.median(a[0] for a in one), 2),
        "two_frames_per_second": round(statistics.median(a[0] for a in two), 2),
        "two_against_one": round(ratio, 2),
        "two_against_one_each_round": [
            round(b[0] / a[0], 2) for a, b in zip(one, two, strict=True)
        ],
        "goal": _GOAL,
        "one_processor_milliseconds_per_frame": round(statistics.median(a[1] for a in one), 1),
        "two_processor_milliseconds_per_frame": round(statistics.median(a[1] for a in two), 1),
        "same_pixels_as_local_with_three_actors_killed": _COMPARED,
    }


class Frames:
    """Sends chunks through an executor, each frame another head."""

    def __init__(self, executor: Executor, portrait_id: str) -> None:
        self._executor = executor
        self._portrait = portrait_id
        self._next = 1
        # Woken as the gateway is: looking again and again would take a part of the second core.
        self._woken = threading.Event()
        executor.wake = self._woken.set

    def make(self, chunks: int, at_once: int) -> tuple[float, float]:
        """Frames a second by the clock, and the actors' processor time a frame in ms."""
        waiting, out, done, used = chunks * at_once, 0, 0, _processor_seconds()
        total, start = waiting * _CHUNK, time.perf_counter()
        while done < total:
            # A chunk at a time keeps one core busy: the next comes when all of it has ended.
            while waiting and out <= (at_once - 1) * _CHUNK:
                self._executor.submit(self._chunk(_CHUNK))
                waiting, out = waiting - 1, out + _CHUNK
            for event in self._executor.events():
                assert isinstance(event.outcome, FrameReply), event.outcome
                done, out = done + 1, out - 1
            self._wait()
        seconds = time.perf_counter() - start
        return total / seconds, (_processor_seconds() - used) / total * 1000

    def pictures(self, count: int, kills: int = 0) -> list[bytes]:
        """The first so many frames, as files, each of which ends once.

        Args:
            kills: how often an actor is ended on the way, by SIGKILL.
        """
        chunk = self._chunk(count, first=0)
        for start in range(0, count, _CHUNK):
            self._executor.submit(Chunk(chunk.frames[start : start + _CHUNK]))
        found: dict[int, bytes] = {}
        while len(found) < count:
            for event in self._executor.events():
                assert isinstance(event.outcome, FrameReply), event.outcome
                assert event.task_id not in found, "a frame ended twice"
                found[event.task_id] = event.outcome.image
            if kills and len(found) > count / (kills + 2) and (actors := _actors()):
                actors[kills % len(actors)].kill()
                kills -= 1
            self._wait()
        return [found[frame.id] for frame in chunk.frames]

    def _wait(self) -> None:
        self._woken.wait(0.1)
        self._woken.clear()

    def _chunk(self, count: int, first: int | None = None) -> Chunk:
        frames = []
        for offset in range(count):
            task_id = number = self._next
            self._next += 1
            number = number if first is None else first + offset
            # Never the same head twice: finished frames are kept.
            yaw = number * 0.618 % 20 - 10
            values = FACE_SCHEMA.vector({"headYaw": yaw, "jawOpen": number % 7 / 10})
            request = FrameRequest(self._portrait, values, _SIZE, frame=number)
            frames.append(FrameTask(task_id, request, PictureFormat("png")))
        return Chunk(tuple(frames))


def _actors() -> list[psutil.Process]:
    found = []
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if " ".join(one.cmdline()).startswith("ray::RenderActor"):
                found.append(one)
    return found


def _processor_seconds() -> float:
    times = [one.cpu_times() for one in _actors()]
    return sum(one.user + one.system for one in times)
