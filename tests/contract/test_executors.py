"""What every executor does, however many devices it has and however they behave."""

from __future__ import annotations

import importlib.util
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from card_server import DEFECT, SIZE, CardRenderer, CardWorkshop, encode_card, portrait_bytes
from fake_devices import BAD, POISON, FakeDevice, Lingers
from waiting import wait_for

from photorig.shared.errors import Cancelled, InputError, ModelError, PhotorigError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameReply, FrameRequest
from photorig.shared.wire.picture_format import PictureFormat
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.server.executors.entry import ExecutorOptions
from photorig.worker.server.executors.interface import (
    Chunk,
    Executor,
    FrameDone,
    FrameTask,
    RendererFacts,
)
from photorig.worker.server.executors.local import LocalExecutor
from photorig.worker.server.executors.pool import Patience, Pool
from photorig.worker.server.executors.registry import executor_entry, executors

PORTRAIT = portrait_bytes(1)
PORTRAIT_ID = Portrait.from_bytes(PORTRAIT).id
QUICK = Patience(frame=0.3, answer=0.1, look=0.02)


class Bench:
    """An executor and what has come from it.

    Attributes:
        done: every FrameDone, in order.
    """

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.done: list[FrameDone] = []
        self._next = 1

    def chunk(
        self, *yaws: float, is_preview: bool = False, of_sequence: bool = False, **more: Any
    ) -> list[int]:
        """Submit frames whose heads are turned so far; their ids."""
        frames = []
        for yaw in yaws:
            values = FACE_SCHEMA.vector({"headYaw": yaw, **more.get("values", {})})
            portrait = more.get("portrait", PORTRAIT_ID)
            request = FrameRequest(portrait, values, SIZE, frame=int(yaw))
            frames.append(FrameTask(self._next, request, PictureFormat("png")))
            self._next += 1
        self.executor.submit(Chunk(tuple(frames), is_preview, of_sequence))
        return [frame.id for frame in frames]

    def wait(self, ids: list[int], seconds: float = 30.0) -> dict[int, FrameReply | PhotorigError]:
        """The outcomes of these frames, once all have ended."""

        def ended() -> bool:
            self.done += self.executor.events()
            return set(ids) <= {one.task_id for one in self.done}

        assert wait_for(ended, seconds), f"{len(self.done)} of {len(ids)} frames ended"
        return {one.task_id: one.outcome for one in self.done}


def store(folder: Path) -> CardWorkshop:
    workshop = CardWorkshop(folder)
    workshop.portraits().add(PORTRAIT_ID, PORTRAIT, lambda _: None)
    return workshop


def pool_of(make: Callable[[CardWorkshop, int], FakeDevice], folder: Path, count: int = 2) -> Pool:
    workshop = store(folder)

    async def wanted() -> int:
        return count

    pool = Pool(lambda number: make(workshop, number), wanted, QUICK)
    pool.start()
    return pool


NEEDS_RAY = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="Ray is not installed here: build.py test --only ray has an environment with it",
)
REAL = [
    pytest.param(name, marks=[pytest.mark.ray, NEEDS_RAY] if name == "ray" else [])
    for name in executors()
]


@pytest.fixture(scope="module", params=REAL)
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An executor of the registry, started once for all cases."""
    workshop = store(tmp_path_factory.mktemp("portraits"))
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # where other processes find the cards
    actors = 0 if request.param == "local" else 2
    executor = executor_entry(request.param).start(
        workshop, workshop.portraits(), ExecutorOptions(actors=actors)
    )
    yield executor
    executor.close()
    del os.environ["PYTHONPATH"]


@pytest.fixture
def bench(real: Executor) -> Bench:
    real.events()
    return Bench(real)


def check_pixels(outcome: FrameReply | PhotorigError, yaw: float) -> None:
    """The very bytes that this computer's own device would have made."""
    from card_server import card

    assert isinstance(outcome, FrameReply), outcome
    parameters = FACE_SCHEMA.vector({"headYaw": yaw})
    assert outcome.image == encode_card(card(PORTRAIT_ID, parameters, SIZE), "png")
    assert (outcome.frame, outcome.width, outcome.codec) == (int(yaw), SIZE, "png")


# --- every executor


def test_the_facts_are_those_of_the_renderer(bench: Bench) -> None:
    facts = bench.executor.facts
    assert (facts.model_id, facts.device, facts.sizes) == ("card", "test", (SIZE,))


def test_every_frame_of_a_chunk_ends_once_and_is_the_same_everywhere(bench: Bench) -> None:
    yaws = [float(n) for n in range(1, 13)]
    ids = bench.chunk(*yaws)
    outcomes = bench.wait(ids)
    for task_id, yaw in zip(ids, yaws, strict=True):
        check_pixels(outcomes[task_id], yaw)
    time.sleep(0.05)
    bench.done += bench.executor.events()
    assert Counter(one.task_id for one in bench.done) == Counter(ids)


def test_chunks_wait_for_their_turn_and_all_end(bench: Bench) -> None:
    ids = [task_id for n in range(8) for task_id in bench.chunk(*[float(n)] * 4)]
    assert all(isinstance(one, FrameReply) for one in bench.wait(ids).values())


def test_it_wakes_the_gateway_when_a_frame_has_ended(bench: Bench) -> None:
    woken: list[bool] = []
    bench.executor.wake = lambda: woken.append(True)
    bench.wait(bench.chunk(1.0))
    assert woken
    bench.executor.wake = lambda: None


def test_there_is_room_again_when_all_has_ended(bench: Bench) -> None:
    bench.wait(bench.chunk(1.0, 2.0))
    assert wait_for(lambda: bench.executor.room(previews_come=False).frames >= 1)
    assert bench.executor.room(previews_come=True).preview


def test_a_frame_that_fails_is_a_sentence_and_the_others_come(bench: Bench) -> None:
    bad = bench.chunk(1.0, values={"jawOpen": DEFECT})
    good = bench.chunk(2.0)
    outcomes = bench.wait(bad + good)
    assert "ZeroDivisionError" in str(outcomes[bad[0]])
    check_pixels(outcomes[good[0]], 2.0)


def test_a_portrait_that_is_not_there_costs_its_own_frames_only(bench: Bench) -> None:
    bad = bench.chunk(1.0, portrait="f" * 64)
    good = bench.chunk(2.0)
    outcomes = bench.wait(bad + good)
    assert isinstance(outcomes[bad[0]], InputError)
    assert "does not have the portrait" in str(outcomes[bad[0]])
    check_pixels(outcomes[good[0]], 2.0)


def test_a_frame_that_is_cancelled_ends_too(bench: Bench) -> None:
    ids = [task_id for n in range(6) for task_id in bench.chunk(float(n), float(n))]
    for task_id in ids[1:]:
        bench.executor.cancel(task_id)
    outcomes = bench.wait(ids)
    assert isinstance(outcomes[ids[0]], FrameReply)
    assert {type(outcomes[one]) for one in ids[1:]} <= {FrameReply, Cancelled}


def test_a_preview_does_not_wait_for_all_renders(bench: Bench) -> None:
    renders = [task_id for n in range(6) for task_id in bench.chunk(*[float(n)] * 3)]
    preview = bench.chunk(9.0, is_preview=True)
    outcomes = bench.wait(renders + preview)
    check_pixels(outcomes[preview[0]], 9.0)
    assert all(isinstance(outcome, FrameReply) for outcome in outcomes.values())


def test_an_idle_executor_is_not_busy(bench: Bench) -> None:
    bench.wait(bench.chunk(1.0))
    assert wait_for(lambda: bench.executor.status().busy_seconds is None)
    assert (bench.executor.status().milliseconds or 0) >= 0


def test_there_is_a_sentence_for_an_executor_that_does_not_exist() -> None:
    with pytest.raises(InputError, match=r"no executor 'rey'.*'local' or 'ray'"):
        executor_entry("rey")


# --- a device that makes two frames at once


def test_two_frames_of_a_sequence_are_under_way_and_a_preview_has_its_place_within_one(
    tmp_path: Path,
) -> None:
    workshop = store(tmp_path)
    renderer = CardRenderer(delay=0.2, at_once=2)
    executor = LocalExecutor(lambda: renderer, workshop.portraits(), workshop.encode)
    executor.start()
    bench = Bench(executor)
    renders = bench.chunk(*map(float, range(1, 10)), of_sequence=True)
    assert wait_for(lambda: len(renderer.rendered) >= 3)
    asked = time.monotonic()
    preview = bench.chunk(90.0, is_preview=True)
    check_pixels(bench.wait(preview)[preview[0]], 90.0)
    waited = time.monotonic() - asked
    assert waited < 0.2 + 0.2 + 0.1, "for the frame under way and for itself"
    outcomes = bench.wait(renders)
    for task_id, yaw in zip(renders, range(1, 10), strict=True):
        check_pixels(outcomes[task_id], float(yaw))
    assert renderer.under_way == 2
    assert Counter(one.task_id for one in bench.done) == Counter(renders + preview)
    executor.close()


# --- devices that behave badly


@pytest.mark.parametrize("device", BAD, ids=lambda one: one.__name__)
def test_whatever_devices_do_every_frame_ends_once(
    device: type[FakeDevice], tmp_path: Path
) -> None:
    pool = pool_of(device, tmp_path)
    bench = Bench(pool)
    yaws = [float(n) for n in range(1, 22)]
    ids = [task_id for n in range(0, 21, 7) for task_id in bench.chunk(*yaws[n : n + 7])]
    outcomes = bench.wait(ids)
    for task_id, yaw in zip(ids, yaws, strict=True):
        check_pixels(outcomes[task_id], yaw)
    time.sleep(0.05)
    bench.done += pool.events()
    assert Counter(one.task_id for one in bench.done) == Counter(ids)
    pool.close()


def test_a_chunk_that_comes_before_the_last_one_is_done_is_not_taken_for_it(
    tmp_path: Path,
) -> None:
    devices: list[FakeDevice] = []

    def make(workshop: CardWorkshop, number: int) -> FakeDevice:
        devices.append(Lingers(workshop, number))
        return devices[-1]

    bench = Bench(pool_of(make, tmp_path, count=1))
    for _ in range(3):
        bench.wait(bench.chunk(1.0, 2.0))
    assert len(devices) == 1, "the device was thought to have given everything back"
    bench.executor.close()


def test_a_frame_at_which_every_device_ends_is_given_up_and_no_other_with_it(
    tmp_path: Path,
) -> None:
    bench = Bench(pool_of(FakeDevice, tmp_path))
    before = bench.chunk(1.0, 2.0)
    poison = bench.chunk(3.0, values={"jawOpen": POISON})
    after = bench.chunk(4.0, 5.0)
    outcomes = bench.wait(before + poison + after)
    assert "4 devices were lost at frame 3" in str(outcomes[poison[0]])
    assert all(isinstance(outcomes[one], FrameReply) for one in before + after)
    bench.executor.close()


def test_a_preview_has_the_rest_of_a_render_given_back(tmp_path: Path) -> None:
    bench = Bench(pool_of(FakeDevice, tmp_path, count=1))
    renders = bench.chunk(*map(float, range(1, 60)))
    wait_for(lambda: bench.done.extend(bench.executor.events()) or bench.done)
    preview = bench.chunk(90.0, is_preview=True)
    bench.wait(preview + renders)
    order = [one.task_id for one in bench.done]
    assert order.index(preview[0]) < len(renders) / 2
    bench.executor.close()


def test_one_of_several_devices_is_kept_for_previews_while_they_come(tmp_path: Path) -> None:
    pool = pool_of(FakeDevice, tmp_path, count=2)
    bench = Bench(pool)
    assert wait_for(lambda: sum(slot.is_free for slot in pool._slots) == 2)
    bench.wait(bench.chunk(1.0, is_preview=True))
    bench.chunk(*map(float, range(1, 60)))
    assert wait_for(lambda: pool.room(previews_come=True).frames == 0), "the other one renders"
    assert pool.room(previews_come=True).preview
    pool.close()


def test_a_device_that_would_make_other_pixels_is_left_out(tmp_path: Path) -> None:
    class Other(FakeDevice):
        async def start(self) -> RendererFacts:
            facts = await super().start()
            return facts if not self.number else RendererFacts(facts.schema, "other", "", "", ())

    pool = pool_of(Other, tmp_path)
    bench = Bench(pool)
    bench.wait([one for n in range(9) for one in bench.chunk(float(n))])
    assert wait_for(lambda: isinstance(pool._failure, ModelError))
    assert "other" in str(pool._failure)
    assert sum(slot.device is not None for slot in pool._slots) == 1
    pool.close()


def test_a_pool_that_can_never_start_says_why(tmp_path: Path) -> None:
    class Bare(FakeDevice):
        async def start(self) -> RendererFacts:
            raise ModelError("The weights are missing", "Fetch them.")

    with pytest.raises(ModelError, match="weights are missing"):
        pool_of(Bare, tmp_path)


def test_devices_come_and_go_while_a_job_runs(tmp_path: Path) -> None:
    workshop, count, devices = store(tmp_path), [1], list[FakeDevice]()

    async def wanted() -> int:
        return count[0]

    def make(number: int) -> FakeDevice:
        devices.append(FakeDevice(workshop, number))
        return devices[-1]

    pool = Pool(make, wanted, QUICK)
    pool._follow_seconds = 0.02
    pool.start()
    bench, ids = Bench(pool), []
    for wished in (1, 3, 1, 2):
        count[0] = wished
        assert wait_for(lambda wished=wished: len(pool._slots) == wished)
        ids += [one for n in range(12) for one in bench.chunk(*[float(n)] * 5)]
        bench.wait(ids)
    assert all(isinstance(one.outcome, FrameReply) for one in bench.done)
    assert len(devices) == 4
    assert all(device.chunks for device in devices[:3])
    pool.close()


def test_nobody_waits_for_devices_that_are_all_away(tmp_path: Path) -> None:
    class Away(FakeDevice):
        starts = 0

        async def start(self) -> RendererFacts:
            type(self).starts += 1
            return await super().start()

        async def render(self, frames: Any) -> Any:
            from photorig.worker.server.executors.pool import DeviceLost

            raise DeviceLost("gone")
            yield

    pool = pool_of(Away, tmp_path, count=1)
    bench = Bench(pool)
    ids = bench.chunk(1.0)
    seen = set()
    assert wait_for(lambda: seen.add(pool.status().doing) or "Waiting for a device" in seen)
    assert "devices were lost" in str(bench.wait(ids)[ids[0]])
    assert pool.status().heals_itself
    pool.close()
