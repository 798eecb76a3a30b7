"""Where pictures lie, what the badge says, and how pictures become floats."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .. import preview_rooms

rooms = preview_rooms.load()
p = rooms.placement
FREE = p.Rectangle(40, 30, 800, 600)
PLACES = [p.Place(x, y, s) for x in (0, 0.3, 1) for y in (0, 0.8, 1) for s in (0.1, 0.4, 1)]


def is_inside(inner: Any, outer: Any) -> bool:
    slack = 1e-6
    return bool(
        inner.x >= outer.x - slack
        and inner.y >= outer.y - slack
        and inner.x + inner.width <= outer.x + outer.width + slack
        and inner.y + inner.height <= outer.y + outer.height + slack
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("aspect", [0.5, 1.0, 1.8])
@pytest.mark.parametrize("free", [FREE, p.Rectangle(0, 0, 90, 400)])
def test_a_picture_keeps_its_aspect_and_stays_in_the_viewport(
    place: Any, aspect: float, free: Any
) -> None:
    picture = p.placed(aspect, free, place)
    assert is_inside(picture, free)
    assert picture.width == pytest.approx(picture.height * aspect)


@pytest.mark.parametrize("place", PLACES)
def test_dragging_moves_by_the_mouse_and_not_out_of_the_viewport(place: Any) -> None:
    before = p.placed(1.0, FREE, place)
    after = p.placed(1.0, FREE, p.moved(1.0, FREE, place, (-10, 7)))
    assert is_inside(after, FREE)
    if is_inside(p.Rectangle(before.x - 10, before.y + 7, *[before.width] * 2), FREE.inner(12)):
        assert (after.x, after.y) == (pytest.approx(before.x - 10), pytest.approx(before.y + 7))
    far = p.placed(1.0, FREE, p.moved(1.0, FREE, place, (1e5, -1e5)))
    assert is_inside(far, FREE)


@pytest.mark.parametrize("corner", [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_scaling_by_the_inner_corner_keeps_the_outer_one(corner: tuple[float, float]) -> None:
    place = p.Place(*corner, 0.3)
    before = p.placed(1.0, FREE, place)
    inwards = (60 if corner[0] == 0 else -60, 60 if corner[1] == 0 else -60)
    after = p.placed(1.0, FREE, p.scaled(1.0, FREE, place, inwards))
    assert after.height == pytest.approx(before.height + 60)
    handle = p.handle_corner(before, FREE)
    assert before.contains(handle.x + 1, handle.y + 1)
    for edge, size, outer in (("x", "width", corner[0]), ("y", "height", corner[1])):
        ends = [getattr(r, edge) + outer * getattr(r, size) for r in (before, after)]
        assert ends[0] == pytest.approx(ends[1])


def test_scaling_ends_where_the_viewport_does() -> None:
    place = p.Place(1, 0, 0.3)
    assert is_inside(p.placed(1.0, FREE, p.scaled(1.0, FREE, place, (-5000, 5000))), FREE)
    small = p.placed(1.0, FREE, p.scaled(1.0, FREE, place, (5000, -5000)))
    assert small.height == pytest.approx(0.1 * (600 - 24))


def test_side_by_side_halves_the_longer_way() -> None:
    half, picture = p.side_by_side(1.0, FREE)
    assert (half.x, half.width, half.height) == (40, 400, 600)
    assert is_inside(picture, half)
    tall, picture = p.side_by_side(1.0, p.Rectangle(0, 0, 300, 900))
    assert (tall.y, tall.height) == (450, 450)
    assert is_inside(picture, tall)


def test_the_face_crop_lies_in_the_photo_where_the_alignment_says() -> None:
    # A crop of 100 × 100 pixels whose upper left corner is at (50, 20) of a photo of 400 × 200.
    alignment = (1 / 100, 0, -0.5, 0, 1 / 100, -0.2)
    corners = p.corners_in_photo(alignment, (400, 200))
    expected = [(50, 80), (150, 80), (150, 180), (50, 180)]
    np.testing.assert_allclose(corners, [(x / 400, y / 200) for x, y in expected])


def test_a_viewport_without_room_gives_no_error() -> None:
    for free in (p.Rectangle(0, 0, 0, 0), p.Rectangle(0, 0, 10, 500)):
        for by in ((0, 0), (5, 5)):
            p.placed(1.5, free, p.moved(1.5, free, p.Place(), by))
            p.placed(1.5, free, p.scaled(1.5, free, p.Place(), by))


# --- pixels


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (256, 256), (700, 1100)])
def test_floats_are_the_bytes_from_below_whatever_the_parts(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    preparation = rooms.display_pixels.Preparation(pixels)
    steps = 0
    while not preparation.is_done:
        preparation.go_on()
        steps += 1
    assert steps == -(-shape[0] // max(1, rooms.display_pixels.PART_PIXELS // shape[1]))
    np.testing.assert_array_equal(np.rint(preparation.values[::-1, :, :3] * 255), pixels)
    assert (preparation.values[..., 3] == 1).all()


def test_an_array_is_filled_again_if_it_has_the_size() -> None:
    first, second = np.random.default_rng(2).integers(0, 256, (2, 20, 30, 3), np.uint8)
    values = rooms.display_pixels.Preparation(first).finish()
    again = rooms.display_pixels.Preparation(second, values)
    assert again.finish() is values
    np.testing.assert_array_equal(np.rint(values[::-1, :, :3] * 255), second)
    other = rooms.display_pixels.Preparation(second[:10], values).finish()
    assert other is not values
    assert other.shape == (10, 30, 4)


def test_what_no_screen_can_show_is_reduced() -> None:
    pixels = np.zeros((3000, 5000, 3), np.uint8)
    assert rooms.display_pixels.reduced(pixels).shape == (1000, 1667, 3)
    assert rooms.display_pixels.reduced(pixels[:2048, :2048]).shape == (2048, 2048, 3)


# --- the file


def test_a_file_that_is_no_portrait_has_no_place_for_a_face(tmp_path: Path) -> None:
    path = tmp_path / "x.portrait"
    for content in (b"", b"1234", struct.pack("<Q", 1 << 40), struct.pack("<Q", 2) + b"{}"):
        path.write_bytes(content)
        assert rooms.portrait_source.face_in_photo(str(path)) is None
    with pytest.raises(rooms.errors.InputError, match="no portrait file"):
        rooms.portrait_source.content_of(str(tmp_path / "gone.portrait"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are Unix's")
@pytest.mark.timeout(20)
def test_a_pipe_in_place_of_a_portrait_blocks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "x.portrait"
    os.mkfifo(path)
    assert rooms.portrait_source.face_in_photo(str(path)) is None
    with pytest.raises(rooms.errors.InputError, match="no ordinary file"):
        rooms.portrait_source.content_of(str(path))


# --- the badge


def badge(
    state: str = "ready", failure: str = "", is_slow: bool = False, doing: str = "", **has: Any
) -> Any:
    follower = rooms.follower.Follower(rooms.frame_cache.frame_cache(0))
    for name, value in has.items():
        setattr(follower, name, value)
    worker = rooms.badge.WorkerState(state, "The worker has ended", "cpu", is_slow, doing)
    return rooms.badge.badge_of(follower, worker, failure)


def test_the_badge_says_why_there_is_no_picture() -> None:
    assert badge().title == "Waiting for the first picture"
    assert badge("starting").mood == "waiting"
    assert badge("stopped").reason == "Start it in the sidebar, Photorig tab"
    assert badge("failed").reason == "The worker has ended"
    assert badge(problem="The camera has no portrait").reason == "The camera has no portrait"
    assert badge(is_slow=True).title == "The worker does not answer"
    assert badge(failure="boom").reason == "boom"
    assert badge(doing="Measuring this face").title == "Measuring this face"


def test_the_badge_says_what_made_the_picture_and_whether_it_is_right() -> None:
    parameters = np.zeros(58, np.float32)
    request = rooms.messages.FrameRequest("a" * 64, parameters, 256)
    wish = rooms.follower.Wish(request, 256, "m")
    picture = rooms.frame_cache.Picture(wish.key, np.zeros((256, 256, 3), np.uint8))
    right = badge(wish=wish, shown=picture, milliseconds=31.4)
    assert (right.mood, right.title) == ("good", "cpu · 31 ms · 256")
    other = rooms.follower.Wish(
        rooms.messages.FrameRequest("a" * 64, parameters + 1, 256), 256, "m"
    )
    late = badge(wish=other, shown=picture, milliseconds=31.4)
    assert (late.mood, late.title) == ("waiting", "cpu · 31 ms · out of date")
    assert badge("stopped", wish=wish, shown=picture).title.endswith("picture from memory")
    assert badge("failed", wish=other, shown=picture).title.endswith("picture out of date")


CANVASES = [
    rooms.colour.Canvas(width, height, framing, pixel_aspect)
    for width, height in ((64, 64), (96, 40), (31, 50))
    for framing in ("FIT", "FILL", "EXACT")
    for pixel_aspect in (1.0, 2.0)
]


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("size", [(32, 32), (80, 60), (21, 90)])
def test_a_picture_is_laid_into_a_viewport_where_the_render_has_it(
    canvas: Any, size: tuple[int, int]
) -> None:
    columns, rows = size
    rendered = rooms.colour.render_pixels(np.full((rows, columns, 3), 255, np.uint8), canvas)
    lit_rows, lit_columns = np.nonzero(rendered[..., 0])
    frame = p.Rectangle(100.0, 50.0, 3 * canvas.width, 3 * canvas.height)
    laid = p.laid_on(frame, canvas, size)
    left, bottom = max(frame.x, laid.x), max(frame.y, laid.y)
    right = min(frame.x + frame.width, laid.x + laid.width)
    top = min(frame.y + frame.height, laid.y + laid.height)
    assert left == pytest.approx(100 + 3 * lit_columns.min())
    assert right == pytest.approx(100 + 3 * (lit_columns.max() + 1))
    assert bottom == pytest.approx(50 + 3 * lit_rows.min())
    assert top == pytest.approx(50 + 3 * (lit_rows.max() + 1))


@pytest.mark.parametrize(
    "seen",
    [
        p.Rectangle(10, 20, 30, 15),
        p.Rectangle(-10, 20, 30, 50),
        p.Rectangle(-5, -5, 100, 100),
        p.Rectangle(70, 5, 3, 3),
    ],
)
def test_what_is_beside_a_part_is_covered_once_and_the_part_not_at_all(seen: Any) -> None:
    whole = p.Rectangle(0, 0, 60, 40)
    count = np.zeros((40, 60), int)
    for strip in p.around(whole, seen):
        assert is_inside(strip, whole)
        x, y = int(strip.x), int(strip.y)
        count[y : y + int(strip.height), x : x + int(strip.width)] += 1
    expected = np.ones_like(count)
    bottom, left = max(0, seen.y), max(0, seen.x)
    expected[bottom : max(0, seen.y + seen.height), left : max(0, seen.x + seen.width)] = 0
    np.testing.assert_array_equal(count, expected)
