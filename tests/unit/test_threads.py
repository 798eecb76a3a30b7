"""Frames of a sequence in lanes: in order, a few at once, each on its share of the threads."""

from __future__ import annotations

import threading
import time

import cv2
import pytest

from photorig.worker.threads import THREADS_VARIABLE, frame_threads, in_lanes, on_threads


@pytest.fixture(autouse=True)
def four_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "4")


def test_results_come_in_the_order_of_their_items() -> None:
    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item

    assert list(in_lanes(work, range(20), lanes=3)) == list(range(20))


def test_the_first_item_is_done_alone_and_the_others_several_at_once() -> None:
    started = threading.Barrier(2, timeout=30)
    alone = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            time.sleep(0.05)
            assert started.n_waiting == 0
            alone.set()
        elif item in (1, 2):
            assert alone.is_set()
            started.wait()  # would break if one of them waited for the other's end
        return item

    assert list(in_lanes(work, range(5), lanes=2)) == list(range(5))


def test_no_more_results_are_made_than_are_taken_soon() -> None:
    begun: list[int] = []
    results = in_lanes(lambda item: begun.append(item), range(100), lanes=2)
    for _ in range(5):
        next(results)
    time.sleep(0.05)
    assert len(begun) <= 5 + 3
    results.close()  # type: ignore[attr-defined]


def test_an_error_comes_in_its_items_turn() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    results = in_lanes(work, range(6), lanes=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_each_lane_has_its_share_of_the_threads_and_opencv_one() -> None:
    before = cv2.getNumThreads()
    shares = set(in_lanes(lambda _: (frame_threads(9), cv2.getNumThreads()), range(6), lanes=2))
    assert shares == {(2, 1)}
    assert cv2.getNumThreads() == before


def test_a_number_of_threads_holds_for_the_thread_that_asked_for_it() -> None:
    with on_threads(3):
        elsewhere: list[int] = []
        thread = threading.Thread(target=lambda: elsewhere.append(frame_threads(7)))
        thread.start()
        thread.join()
        assert (frame_threads(7), elsewhere) == (3, [7])
    assert frame_threads(7) == 7
