"""What the preview asks for and shows: small while a face moves, the chosen size at rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from photorig.shared.parameters.schema import FACE_SCHEMA

from .. import preview_rooms

rooms = preview_rooms.load()
PORTRAIT, OTHER = "a" * 64, "b" * 64
MODEL = "model"
REST = rooms.follower.REST_SECONDS


def wish(yaw: float, size: int | str = 512, quick: int = 256, portrait: str = PORTRAIT) -> Any:
    parameters = FACE_SCHEMA.vector({"headYaw": yaw})
    request = rooms.messages.FrameRequest(portrait, parameters, size, frame=1)
    return rooms.follower.Wish(request, quick, MODEL)


def reply(request: Any, milliseconds: float = 30.0) -> Any:
    edge = 8 if request.size == 256 else 16
    image = np.full((edge, edge, 3), 7, np.uint8).tobytes()
    return rooms.messages.FrameReply(1, image, edge, edge, "raw", milliseconds)


@pytest.fixture
def cache() -> Any:
    return rooms.frame_cache.frame_cache(1 << 20)


@pytest.fixture
def follower(cache: Any) -> Any:
    return rooms.follower.Follower(cache)


def answer(follower: Any, now: float) -> int | str | None:
    """Ask and answer once; the size that was asked for, None where nothing was."""
    request = follower.next_request(now)
    if request is None:
        return None
    follower.receive(request, reply(request), MODEL)
    size: int | str = request.size
    return size


def test_a_face_that_stops_is_shown_small_first_and_then_as_large_as_chosen(follower: Any) -> None:
    follower.want(wish(10), 0.0)
    assert answer(follower, 0.0) == 256
    assert follower.is_current
    assert not follower.is_final
    assert answer(follower, 0.01) is None
    assert follower.seconds_to_rest(0.01) == pytest.approx(REST - 0.01)
    assert answer(follower, REST) == 512
    assert follower.is_final
    assert answer(follower, 10.0) is None
    assert follower.seconds_to_rest(10.0) is None


def test_a_moving_face_is_never_asked_for_in_full(follower: Any) -> None:
    for step in range(20):
        now = step * REST / 2
        follower.want(wish(step), now)
        assert answer(follower, now) == 256
        assert answer(follower, now) is None


def test_playback_stays_small_until_it_ends(follower: Any) -> None:
    follower.want(wish(1), 0.0)
    follower.play(True, 0.0)
    assert answer(follower, 0.0) == 256
    assert answer(follower, 100.0) is None
    follower.play(False, 100.0)
    assert answer(follower, 100.0) == 512


def test_a_loop_asks_for_each_frame_once(follower: Any) -> None:
    follower.play(True, 0.0)
    asked = []
    for now in range(30):
        follower.want(wish(now % 10), float(now))
        asked.append(answer(follower, float(now)))
        assert follower.is_current
    assert asked == [256] * 10 + [None] * 20


def test_one_size_is_enough_where_the_chosen_one_is_small(follower: Any) -> None:
    follower.want(wish(1, size=256), 0.0)
    assert answer(follower, 0.0) == 256
    assert follower.is_final
    assert answer(follower, 9.0) is None


def test_the_same_request_is_not_repeated_while_it_is_under_way(follower: Any) -> None:
    follower.want(wish(1), 0.0)
    assert follower.next_request(0.0) is not None
    assert follower.next_request(0.1) is None
    follower.want(wish(2), 0.2)
    assert follower.next_request(0.2) is not None


def test_after_a_restart_of_the_worker_it_is_asked_again(follower: Any) -> None:
    follower.want(wish(1), 0.0)
    assert follower.next_request(0.0) is not None
    follower.forget_requests()
    assert follower.next_request(0.1) is not None
    follower.refuse("It failed")
    follower.forget_requests()
    assert follower.problem == ""
    assert follower.next_request(0.2) is not None


def test_a_late_picture_is_shown_until_the_right_one_comes_and_not_after_it(follower: Any) -> None:
    follower.want(wish(1), 0.0)
    first = follower.next_request(0.0)
    follower.want(wish(2), 0.1)
    second = follower.next_request(0.1)
    assert follower.receive(first, reply(first), MODEL)
    assert not follower.is_current
    assert follower.receive(second, reply(second), MODEL)
    assert follower.is_current
    assert not follower.receive(first, reply(first), MODEL)
    assert follower.is_current


def test_a_large_picture_is_not_replaced_by_a_small_one_of_the_same_face(follower: Any) -> None:
    follower.want(wish(1), 0.0)
    small = follower.next_request(0.0)
    follower.receive(small, reply(small), MODEL)
    assert answer(follower, REST) == 512
    assert not follower.receive(small, reply(small), MODEL)
    assert follower.is_final


def test_a_failure_is_told_and_not_repeated_until_something_changes(follower: Any) -> None:
    follower.want(wish(1), 0.0)
    assert follower.next_request(0.0) is not None
    follower.refuse("It failed")
    assert follower.problem == "It failed"
    follower.want(wish(1), 0.1)
    assert follower.problem == "It failed"
    assert follower.next_request(5.0) is None
    follower.want(wish(2), 6.0)
    assert follower.problem == ""
    assert follower.next_request(6.0) is not None


def test_another_portrait_never_shows_the_face_before_it(follower: Any) -> None:
    follower.want(wish(1), 0.0)
    answer(follower, 0.0)
    follower.want(wish(1, portrait=OTHER), 0.1)
    assert follower.shown is None
    follower.want(wish(1), 0.2)
    assert follower.is_current


def test_without_a_camera_there_is_nothing_to_show_or_ask(follower: Any) -> None:
    follower.want(wish(1), 0.0)
    answer(follower, 0.0)
    follower.cannot("The scene has no camera")
    assert follower.shown is None
    assert follower.next_request(1.0) is None
    assert follower.seconds_to_rest(1.0) is None


def test_the_whole_photo_stays_behind_a_moving_face(follower: Any) -> None:
    follower.want(wish(1, size="full"), 0.0)
    assert answer(follower, 0.0) == 256
    assert answer(follower, REST) == "full"
    whole = follower.shown
    assert follower.whole is whole
    follower.want(wish(2, size="full"), 1.0)
    assert answer(follower, 1.0) == 256
    assert follower.whole is whole
    follower.want(wish(3, size=512), 2.0)
    answer(follower, 2.0)
    assert follower.whole is None


def test_quantised_parameters_are_far_below_what_can_be_seen() -> None:
    keys = {wish(10 + shift).key for shift in (0.0, 0.001, -0.001)}
    assert len(keys) == 1
    assert wish(10.02).key != wish(10).key
    assert wish(10).key != wish(10, size=256).key
    assert wish(10).key != wish(10, portrait=OTHER).key


def test_the_cache_counts_the_bytes_of_pixels() -> None:
    cache = rooms.frame_cache.frame_cache(3 * 192)
    for yaw in range(4):
        picture = rooms.frame_cache.Picture(wish(yaw).key, np.zeros((8, 8, 3), np.uint8))
        cache.put(picture.key, picture)
    assert (cache.size, len(cache)) == (3 * 192, 3)
