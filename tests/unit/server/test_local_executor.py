from __future__ import annotations

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

REQUEST = FrameRequest("0" * 64, FACE_SCHEMA.rest, 4)
IMAGE = np.zeros((4, 4, 3), np.uint8)


def chunk(*ids: int) -> Chunk:
    return Chunk(tuple(FrameTask(one, REQUEST, PictureFormat("raw")) for one in ids))


class Portraits(PortraitStore):
    """Has every portrait."""

    def __init__(self) -> None:
        super().__init__(Path("unused"), lambda content: SimpleNamespace())

    def get(self, portrait_id: str) -> SimpleNamespace:
        return SimpleNamespace(id=portrait_id)


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


def test_one_thread_alone_uses_the_renderer(bench: Bench) -> None:
    for task_id in range(5):
        bench.executor.submit(chunk(task_id))
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
