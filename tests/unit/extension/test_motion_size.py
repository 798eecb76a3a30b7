"""How large a face is shown while it moves, by what the worker's pictures take."""

from __future__ import annotations

from typing import Any

import pytest

from .. import preview_rooms

rooms = preview_rooms.load()


@pytest.fixture
def chosen() -> Any:
    return rooms.motion_size.MotionSize()


def note(chosen: Any, size: int | str, *milliseconds: float) -> int:
    for each in milliseconds:
        chosen.note(size, each)
    return int(chosen.size)


def test_it_is_small_before_anything_is_known(chosen: Any) -> None:
    assert chosen.size == 256
    assert note(chosen, 512, 20.0, 20.0) == 256, "two pictures say little"


def test_it_is_large_where_512_leaves_time_for_15_pictures_a_second(chosen: Any) -> None:
    assert note(chosen, 512, *[56.0] * 3) == 512


def test_it_stays_small_where_it_does_not(chosen: Any) -> None:
    assert note(chosen, 512, *[58.0] * 20) == 256


def test_the_first_picture_of_a_portrait_does_not_decide(chosen: Any) -> None:
    assert note(chosen, 512, 1300.0, 40.0, 41.0) == 512
    assert note(chosen, 512, 1300.0, 40.0) == 512


def test_a_worker_that_becomes_slow_is_noticed_and_one_that_recovers(chosen: Any) -> None:
    note(chosen, 512, *[30.0] * 7)
    assert note(chosen, 512, *[60.0] * 7) == 512, "it still keeps 15 a second"
    assert note(chosen, 512, *[70.0] * 4) == 256
    assert note(chosen, 512, *[60.0] * 7) == 256, "nor does it go to and fro"
    assert note(chosen, 512, *[30.0] * 7) == 512


def test_pictures_that_the_worker_had_tell_nothing(chosen: Any) -> None:
    assert note(chosen, 512, *[0.0] * 20) == 256


def test_where_nothing_of_512_is_seen_it_is_tried_once(chosen: Any) -> None:
    assert note(chosen, 256, *[25.0] * 7) == 512
    assert note(chosen, 512, *[80.0] * 3) == 256
    assert note(chosen, 256, *[25.0] * 20) == 256


def test_it_is_not_tried_where_it_would_be_too_slow(chosen: Any) -> None:
    assert note(chosen, 256, *[30.0] * 20) == 256


def test_larger_pictures_at_rest_tell_where_they_are_quick_enough(chosen: Any) -> None:
    assert note(chosen, 1024, *[90.0] * 5) == 256
    assert note(chosen, "full", *[20.0] * 5) == 256
    assert note(chosen, 1024, *[50.0] * 3) == 512


def test_it_says_when_another_size_is_chosen(chosen: Any) -> None:
    told = [chosen.note(512, 30.0) for _ in range(5)]
    assert told == [False, False, True, False, False]
