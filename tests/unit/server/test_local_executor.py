from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from photorig.shared.errors import Cancelled, InputError, ModelError, PhotorigError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameReply, FrameRequest
from photorig.shared.wire.picture_format import PictureFormat
from photorig.worker.server.executors.interface import Chunk, FrameDone, FrameTask
from photorig.worker.server.executors.local import LocalExecutor
from photorig.worker.server.portrait_store import PortraitStore
from photorig.worker.threads import THREADS_VARIABLE, frame_threads


def asked(number: int, portrait: str = "0") -> FrameRequest:
    """A request for a picture that no other number gives."""
    values = FACE_SCHEMA.vector({"headYaw": number / 10})
    return FrameRequest(portrait * 64, values, 4, frame=number)


REQUEST = asked(0)
IMAGE = np.zeros((4, 4, 3), np.uint8)


def task(number: int, portrait: str = "0") -> FrameTask:
    return FrameTask(number, asked(number, portrait), PictureFormat("raw"))


def chunk(*ids: int) -> Chunk:
    return Chunk(tuple(FrameTask(one, REQUEST, PictureFormat("raw")) for one in ids))


class Portraits(PortraitStore):
    """Has every portrait."""

    def __init__(self) -> None:
        super().__init__(Path("unused"), lambda content: SimpleNamespace())

    def get(self, portrait_id: str) -> SimpleNamespace:
        return SimpleNamespace(id=portrait_id, photo=np.zeros((4, 4, 3), np.uint8))


class Renderer:
    schema = FACE_SCHEMA
    model_id = "test"

    def __init__(self, render: Callable[[FrameRequest], np.ndarray]) -> None:
        self._render = render
        self.threads: set[int] = set()

    def describe(self) -> dict[str, object]:
        return {"device": "d", "backend": "b", "sizes": [4]}

    def render(self, portrait: object, request: FrameRequest) -> np.ndarray:
        self.threads.add(threading.get_ident())
        return self._render(request)


class Bench:
    """An executor with gates: ``device`` holds rendering, ``encoder`` holds encoding."""

    def __init__(self) -> None:
        self.device, self.encoder = threading.Event(), threading.Event()
        self.device.set()
        self.encoder.set()
        self.failure: Exception | None = None
        self.image = IMAGE
        self.woken = threading.Event()
        self.renderer = Renderer(self._render)
        self.executor = LocalExecutor(lambda: self.renderer, Portraits(), self._encode)
        self.executor.start()
        self.executor.wake = self.woken.set
        self.done: list[FrameDone] = []

    def _render(self, request: FrameRequest) -> np.ndarray:
        self.device.wait(10)
        if self.failure is not None:
            raise self.failure
        return self.image

    def _encode(self, image: np.ndarray, codec: PictureFormat, model_id: str) -> bytes:
        self.encoder.wait(10)
        return image.tobytes()

    def wait(self, condition: Callable[[], object]) -> bool:
        deadline = time.monotonic() + 5
        while not condition() and time.monotonic() < deadline:
            self.done += self.executor.events()
            time.sleep(0.001)
        return bool(condition())

    def outcome(self, task_id: int) -> FrameReply | PhotorigError:
        assert self.wait(lambda: any(event.task_id == task_id for event in self.done))
        return next(event.outcome for event in self.done if event.task_id == task_id)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.device.set()
    bench.encoder.set()
    bench.executor.close()


def test_the_facts_are_those_of_the_renderer(bench: Bench) -> None:
    facts = bench.executor.facts
    assert (facts.model_id, facts.device, facts.backend, facts.sizes) == ("test", "d", "b", (4,))


def test_a_renderer_that_cannot_be_made_says_why() -> None:
    def broken() -> Renderer:
        raise ModelError("The weights are missing")

    with pytest.raises(ModelError, match="missing"):
        LocalExecutor(broken, Portraits(), lambda image, codec, model_id: b"").start()


def test_a_frame_comes_with_its_size_and_time(bench: Bench) -> None:
    bench.executor.submit(chunk(1))
    reply = bench.outcome(1)
    assert isinstance(reply, FrameReply)
    assert (reply.width, reply.height, reply.codec, reply.image) == (4, 4, "raw", IMAGE.tobytes())
    assert bench.executor.status().milliseconds == reply.milliseconds
    assert bench.woken.is_set()


def test_the_device_goes_on_while_a_frame_is_being_encoded(bench: Bench) -> None:
    bench.encoder.clear()
    bench.executor.submit(chunk(1))
    assert bench.wait(lambda: bench.executor.room(True).frames)
    assert bench.executor.events() == []


def test_a_busy_device_has_no_room_and_says_how_long(bench: Bench) -> None:
    assert bench.executor.status().busy_seconds is None
    bench.device.clear()
    bench.executor.submit(chunk(1))
    assert not bench.executor.room(True).frames
    assert bench.wait(lambda: (bench.executor.status().busy_seconds or 0) > 0.02)


def test_a_renderer_may_say_what_keeps_it_from_the_frame(bench: Bench) -> None:
    class Measuring(Renderer):
        doing = "Measuring this face"

    executor = LocalExecutor(lambda: Measuring(bench._render), Portraits(), bench._encode)
    executor.start()
    assert executor.status().doing == "", "an idle device does nothing"
    bench.device.clear()
    executor.submit(chunk(1))
    assert bench.wait(lambda: executor.status().doing == "Measuring this face")
    bench.device.set()
    executor.close()


def test_a_renderer_that_says_nothing_of_threads_is_used_by_one_alone(bench: Bench) -> None:
    bench.executor.submit(Chunk(tuple(task(number) for number in range(5)), of_sequence=True))
    for task_id in range(5):
        bench.outcome(task_id)
    assert len(bench.renderer.threads) == 1
    assert threading.get_ident() not in bench.renderer.threads


def test_a_cancelled_frame_is_not_rendered(bench: Bench) -> None:
    bench.device.clear()
    bench.executor.submit(chunk(1))
    bench.executor.submit(chunk(2))
    bench.executor.cancel(2)
    bench.device.set()
    assert isinstance(bench.outcome(2), Cancelled)
    assert isinstance(bench.outcome(1), FrameReply)


def test_an_error_of_the_renderer_is_passed_on(bench: Bench) -> None:
    bench.failure = InputError("Wrong size", "Use 4.")
    bench.executor.submit(chunk(1))
    assert bench.outcome(1) is bench.failure
    assert bench.executor.room(True).frames


@pytest.mark.parametrize("failure", [ValueError("x"), ZeroDivisionError(), KeyError("y")])
def test_a_defect_becomes_a_sentence_and_the_device_goes_on(
    bench: Bench, failure: Exception
) -> None:
    bench.failure = failure
    bench.executor.submit(chunk(1))
    assert type(failure).__name__ in str(bench.outcome(1))
    bench.failure = None
    bench.executor.submit(chunk(2))
    assert isinstance(bench.outcome(2), FrameReply)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)]
)
def test_an_image_of_another_form_is_never_sent(bench: Bench, image: np.ndarray) -> None:
    bench.image = image
    bench.executor.submit(chunk(1))
    assert "TypeError" in str(bench.outcome(1))


def test_too_little_memory_is_said_so(bench: Bench) -> None:
    bench.failure = MemoryError()
    bench.executor.submit(chunk(1))
    assert "too little memory" in str(bench.outcome(1))


# --- what was made last


def test_a_pose_that_is_held_is_made_once_and_told_by_each_frames_number(bench: Bench) -> None:
    bench.executor.submit(Chunk((FrameTask(1, asked(7), PictureFormat("raw")),)))
    first = bench.outcome(1)
    bench.failure = InputError("it was made again")
    held = dataclasses.replace(asked(7), frame=8)
    bench.executor.submit(Chunk((FrameTask(2, held, PictureFormat("raw")),)))
    again = bench.outcome(2)
    assert isinstance(first, FrameReply)
    assert again == dataclasses.replace(first, frame=8, milliseconds=0.0)


@pytest.mark.parametrize(
    "other",
    [
        FrameTask(2, asked(7, "1"), PictureFormat("raw")),
        FrameTask(2, asked(8), PictureFormat("raw")),
        FrameTask(2, dataclasses.replace(asked(7), size=8), PictureFormat("raw")),
        FrameTask(2, dataclasses.replace(asked(7), mode="absolute"), PictureFormat("raw")),
        FrameTask(2, dataclasses.replace(asked(7), method="directions"), PictureFormat("raw")),
        FrameTask(2, dataclasses.replace(asked(7), neutral=0.5), PictureFormat("raw")),
        FrameTask(2, dataclasses.replace(asked(7), others=(asked(7, "2"),)), PictureFormat("raw")),
        FrameTask(2, asked(7), PictureFormat("png")),
    ],
    ids="portrait parameters size mode method neutral others format".split(),
)
def test_what_differs_in_anything_is_made_anew(bench: Bench, other: FrameTask) -> None:
    bench.executor.submit(Chunk((FrameTask(1, asked(7), PictureFormat("raw")),)))
    bench.outcome(1)
    bench.failure = InputError("it was made again")
    bench.executor.submit(Chunk((other,)))
    assert bench.outcome(2) is bench.failure


# --- several frames at once


class InLanes(Renderer):
    """Makes two frames at once of every portrait but "1", of which there is memory for one."""

    most_frames_at_once = 2

    def __init__(self, render: Callable[[FrameRequest], np.ndarray]) -> None:
        super().__init__(render)
        self.begun: list[tuple[int, int]] = []
        self.gates = {number: threading.Event() for number in range(20)}

    def frames_at_once(self, portrait: SimpleNamespace, size: object) -> int:
        return 1 if portrait.id[0] == "1" else 2

    def render(self, portrait: object, request: FrameRequest) -> np.ndarray:
        self.begun.append((request.frame, frame_threads(2)))
        self.gates[request.frame].wait(10)
        return self._render(request)

    def open(self, *numbers: int) -> None:
        for number in numbers:
            self.gates[number].set()


@pytest.fixture
def two(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Bench, InLanes]]:
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    renderer = InLanes(bench._render)
    bench.executor.close()
    bench.executor = LocalExecutor(lambda: renderer, Portraits(), bench._encode)
    bench.executor.start()
    yield bench, renderer
    renderer.open(*renderer.gates)


def sequence(*numbers: int, portrait: str = "0") -> Chunk:
    return Chunk(tuple(task(number, portrait) for number in numbers), of_sequence=True)


def test_the_first_frame_of_a_sequence_is_made_alone_then_two_at_once_on_a_thread_each(
    two: tuple[Bench, InLanes],
) -> None:
    bench, renderer = two
    bench.executor.submit(sequence(1, 2, 3, 4))
    assert bench.wait(lambda: renderer.begun)
    time.sleep(0.05)
    assert renderer.begun == [(1, 1)]
    renderer.open(1)
    assert bench.wait(lambda: len(renderer.begun) == 3)
    time.sleep(0.05)
    assert sorted(renderer.begun) == [(1, 1), (2, 1), (3, 1)]
    renderer.open(2, 3, 4)
    assert all(isinstance(bench.outcome(number), FrameReply) for number in (1, 2, 3, 4))


def test_a_preview_begins_before_what_waits_on_all_threads_and_nothing_begins_beside_it(
    two: tuple[Bench, InLanes],
) -> None:
    bench, renderer = two
    renderer.open(1)
    bench.executor.submit(sequence(1, 2, 3, 4, 5))
    assert bench.wait(lambda: len(renderer.begun) == 3)
    assert bench.executor.room(True).preview, "it would begin before 4"
    bench.executor.submit(Chunk((task(9),), is_preview=True))
    assert not bench.executor.room(True).preview, "of the next one a newer request may come"
    renderer.open(2)
    assert bench.wait(lambda: len(renderer.begun) == 4)
    renderer.open(3)
    bench.outcome(3)
    time.sleep(0.05)
    assert renderer.begun[3:] == [(9, 2)]
    renderer.open(9, 4, 5)
    assert isinstance(bench.outcome(9), FrameReply)
    assert bench.wait(lambda: len(renderer.begun) == 6)
    assert sorted(renderer.begun[4:]) == [(4, 1), (5, 1)]


def test_a_still_has_all_threads(two: tuple[Bench, InLanes]) -> None:
    bench, renderer = two
    renderer.open(1)
    bench.executor.submit(Chunk((task(1),)))
    bench.outcome(1)
    assert renderer.begun == [(1, 2)]


def test_where_there_is_memory_for_one_frame_it_has_all_threads(
    two: tuple[Bench, InLanes],
) -> None:
    bench, renderer = two
    renderer.open(1, 2, 4)
    bench.executor.submit(sequence(1, 2, 3, 4, portrait="1"))
    assert bench.wait(lambda: len(renderer.begun) == 3)
    time.sleep(0.05)
    assert renderer.begun == [(1, 1), (2, 2), (3, 2)]


def test_there_is_room_for_a_frame_a_lane_and_one_that_waits_unless_previews_come(
    two: tuple[Bench, InLanes],
) -> None:
    bench, renderer = two
    renderer.open(1)
    bench.executor.submit(sequence(1))
    bench.outcome(1)
    rooms = []
    for number in (2, 3, 4):
        bench.executor.submit(sequence(number))
        rooms.append(tuple(bench.executor.room(come).frames for come in (True, False)))
    assert rooms == [(1, 1), (0, 1), (0, 0)]


def test_the_frame_that_was_begun_first_is_the_one_that_is_watched(
    two: tuple[Bench, InLanes],
) -> None:
    bench, renderer = two
    renderer.open(1)
    bench.executor.submit(sequence(1, 2, 3))
    assert bench.wait(lambda: len(renderer.begun) == 3)
    first, second = (number for number, _ in renderer.begun[1:])
    assert bench.executor.status().task_id == first
    renderer.open(first)
    assert bench.wait(lambda: bench.executor.status().task_id == second)


# --- what a portrait's first frame needs, found out before


class Preparing(InLanes):
    """Needs something for each portrait; that of "9" takes a minute."""

    def __init__(self, render: Callable[[FrameRequest], np.ndarray]) -> None:
        super().__init__(render)
        self.prepared: list[tuple[str, object]] = []

    def describe(self) -> dict[str, object]:
        return {"device": "d", "backend": "b", "sizes": [4, 256, 512]}

    def is_soon_ready(self, portrait: SimpleNamespace) -> bool:
        return portrait.id[0] != "9"

    def render(self, portrait: object, request: FrameRequest) -> np.ndarray:
        self.prepared.append((request.portrait[0], request.size))
        if request.portrait[0] == "5":
            raise ValueError("a defect")
        return super().render(portrait, request)


@pytest.fixture
def ready(two: tuple[Bench, InLanes]) -> Iterator[tuple[Bench, Preparing]]:
    bench, _ = two
    renderer = Preparing(bench._render)
    bench.executor.close()
    bench.executor = LocalExecutor(lambda: renderer, Portraits(), bench._encode)
    bench.executor.start()
    renderer.open(*renderer.gates)
    yield bench, renderer


def test_a_portrait_that_arrives_is_prepared_at_the_usual_sizes_and_nobody_is_told(
    ready: tuple[Bench, Preparing],
) -> None:
    bench, renderer = ready
    bench.executor.prepare("7" * 64)
    assert bench.wait(lambda: len(renderer.prepared) == 2)
    assert renderer.prepared == [("7", 256), ("7", 512)]
    assert bench.wait(lambda: bench.executor.status().busy_seconds is None)
    assert bench.done == []


def test_what_is_asked_for_goes_before_what_is_prepared(ready: tuple[Bench, Preparing]) -> None:
    bench, renderer = ready
    bench.executor.prepare("7" * 64)
    bench.executor.submit(Chunk((task(1),)))
    assert isinstance(bench.outcome(1), FrameReply)
    assert renderer.prepared == [("0", 4)]
    assert bench.wait(lambda: len(renderer.prepared) == 3)


def test_a_face_that_is_yet_to_be_measured_is_not_prepared(ready: tuple[Bench, Preparing]) -> None:
    bench, renderer = ready
    bench.executor.prepare("9" * 64)
    bench.executor.prepare("7" * 64)
    assert bench.wait(lambda: len(renderer.prepared) == 2)
    assert {portrait for portrait, _ in renderer.prepared} == {"7"}


def test_a_portrait_that_cannot_be_prepared_is_no_harm(ready: tuple[Bench, Preparing]) -> None:
    bench, renderer = ready
    bench.executor.prepare("5" * 64)
    assert bench.wait(lambda: len(renderer.prepared) == 2)
    bench.executor.submit(Chunk((task(1),)))
    assert isinstance(bench.outcome(1), FrameReply)


def test_previews_of_another_size_have_that_one_prepared(ready: tuple[Bench, Preparing]) -> None:
    bench, renderer = ready
    bench.executor.submit(Chunk((task(1),), is_preview=True))
    bench.outcome(1)
    bench.executor.prepare("7" * 64)
    assert bench.wait(lambda: len(renderer.prepared) == 3)
    assert renderer.prepared[1:] == [("7", 512), ("7", 4)]
