"""Several faces of one photo in one frame: each driven by itself, none undone by the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.compositing.several_faces import faces_passes, joined, render_faces
from photorig.worker.portraits.alignment import Alignment

from ..fakes import TinyGenerator, tiny_bundle, tiny_portrait
from ..stage_fakes import tiny_stage

PHOTO = np.random.default_rng(3).integers(0, 255, (24, 40, 3), dtype=np.uint8)


@dataclass(frozen=True)
class _Passes:
    combined: np.ndarray
    face: np.ndarray
    matte: np.ndarray


class Painter:
    """Drives a face by painting its square; jawOpen says how bright."""

    def render(self, portrait: Any, request: FrameRequest) -> np.ndarray:
        frame = portrait.photo.copy()
        if request.parameters.any():
            frame[portrait.square] = round(255 * float(request.parameters.max()))
        if request.size == "full":
            return frame
        return portrait.alignment.crop(frame, request.size)

    def passes(self, portrait: Any, request: FrameRequest) -> _Passes:
        matte = np.zeros(PHOTO.shape[:2], np.uint8)
        matte[portrait.square] = 255
        return _Passes(self.render(portrait, request), np.zeros((4, 4, 3), np.uint8), matte)


def face(name: str, columns: slice, photo: np.ndarray = PHOTO, at: int = 0) -> Any:
    """A face whose aligned square begins at a column; driving it changes other columns."""
    alignment = Alignment.upright(20, left=at)
    square = (slice(4, 20), columns)
    return SimpleNamespace(id=name * 64, name=name, photo=photo, square=square, alignment=alignment)


LEFT, RIGHT = face("a", slice(2, 18)), face("b", slice(22, 38), at=20)


def ask(portrait: Any, jaw: float, *others: FrameRequest, **fields: Any) -> FrameRequest:
    return FrameRequest(portrait.id, FACE_SCHEMA.vector({"jawOpen": jaw}), others=others, **fields)


def test_each_face_is_driven_as_it_would_be_alone() -> None:
    both = render_faces(Painter(), [LEFT, RIGHT], ask(LEFT, 0.2, ask(RIGHT, 0.9)))
    np.testing.assert_array_equal(both[:, :20], Painter().render(LEFT, ask(LEFT, 0.2))[:, :20])
    np.testing.assert_array_equal(both[:, 20:], Painter().render(RIGHT, ask(RIGHT, 0.9))[:, 20:])


def test_faces_at_rest_are_the_photo() -> None:
    resting = ask(LEFT, 0, ask(RIGHT, 0))
    np.testing.assert_array_equal(render_faces(Painter(), [LEFT, RIGHT], resting), PHOTO)


def test_what_two_have_changed_goes_to_the_nearer_one_whatever_the_order() -> None:
    wide = [face("a", slice(0, 30), at=0), face("b", slice(10, 40), at=20)]
    for first, second in (wide, wide[::-1]):
        levels = {first.id: 0.2, second.id: 0.8}
        asked = ask(first, 0.2, ask(second, 0.8))
        both = render_faces(Painter(), [first, second], asked)
        left, right = (round(255 * levels[each.id]) for each in wide)
        assert (both[4:20, :18] == left).all() and (both[4:20, 22:] == right).all()


def test_no_face_is_changed_by_what_is_done_to_another() -> None:
    resting, wide = face("a", slice(2, 18), at=0), face("b", slice(6, 40), at=20)
    for portraits, asked in (
        ([resting, wide], ask(resting, 0, ask(wide, 0.8))),
        ([wide, resting], ask(wide, 0.8, ask(resting, 0))),
    ):
        frame = render_faces(Painter(), portraits, asked)
        np.testing.assert_array_equal(frame[8:14, 6:13], PHOTO[8:14, 6:13])
        assert (frame[4:20, 22:] == 204).all()


def test_a_pixel_that_stays_the_same_by_chance_is_the_drivens_all_the_same() -> None:
    photo = np.full((20, 40, 3), 100, np.uint8)
    driven, frame = photo.copy(), photo.copy()
    driven[4:16, 2:18], frame[4:16, 2:38] = 200, 30
    driven[10, 10] = 100
    squares = [face("a", slice(0, 1), at=20).alignment], face("b", slice(0, 1), at=0).alignment
    assert (joined(frame, photo, driven, *squares)[10, 10] == 100).all()


def test_a_face_crop_shows_what_the_others_do_in_it() -> None:
    near = face("b", slice(10, 30), at=14)
    crop = render_faces(Painter(), [LEFT, near], ask(LEFT, 0, ask(near, 0.8), size=20))
    whole = Painter().render(near, ask(near, 0.8))
    assert (crop[:, 19:] != LEFT.alignment.crop(PHOTO, 20)[:, 19:]).any()
    np.testing.assert_array_equal(crop[:, 19:], LEFT.alignment.crop(whole, 20)[:, 19:])


def test_the_matte_is_that_of_all_persons() -> None:
    made = faces_passes(Painter(), [LEFT, RIGHT], ask(LEFT, 0.2, ask(RIGHT, 0.9)))
    assert (made.matte[4:20, 2:18] == 255).all() and (made.matte[4:20, 22:38] == 255).all()
    assert made.matte[0].max() == 0


def test_portraits_of_different_photos_are_refused() -> None:
    stranger = face("b", slice(22, 38), PHOTO[::-1], at=20)
    with pytest.raises(InputError, match="different photos"):
        render_faces(Painter(), [LEFT, stranger], ask(LEFT, 0.2, ask(stranger, 0.9)))


def test_the_real_renderer_drives_two_portraits_of_a_photo() -> None:
    from photorig.worker.reenactment.renderer import FaceRenderer

    renderer = FaceRenderer(tiny_bundle(), TinyGenerator(), tiny_stage())
    first = tiny_portrait()
    second = replace(first, alignment=first.alignment.from_corner(-0.4 * first.alignment.side, 0))
    one, other = (
        FrameRequest(each.id, FACE_SCHEMA.vector({"jawOpen": 0.5, "headRoll": 8}))
        for each in (first, second)
    )
    both = render_faces(renderer, [first, second], replace(one, others=(other,)))
    alone = [renderer.render(first, one), renderer.render(second, other)]
    middles = [each.alignment.to_photo(np.array([[0.5, 0.54]]))[0] for each in (first, second)]
    height, width = first.photo.shape[:2]
    down, across = np.mgrid[0:height, 0:width] + 0.5
    away = [np.hypot(across - x, down - y) for x, y in middles]
    margin = 0.1 * first.alignment.side
    for frame, mine, its in zip(alone, away, away[::-1], strict=True):
        own = its - mine > margin
        assert (frame[own] != first.photo[own]).any()
        np.testing.assert_array_equal(both[own], frame[own])


def test_what_a_further_face_does_is_part_of_what_a_request_asks_for() -> None:
    requests = [
        ask(LEFT, 0.2),
        ask(LEFT, 0.2, ask(RIGHT, 0.9)),
        ask(LEFT, 0.2, ask(RIGHT, 0.8)),
        ask(LEFT, 0.2, ask(RIGHT, 0.9, mode="absolute")),
        ask(LEFT, 0.2, ask(RIGHT, 0.9, neutral=0.5)),
        ask(LEFT, 0.2, ask(face("c", slice(0, 1)), 0.9)),
    ]
    assert len({request.picture for request in requests}) == len(requests)
    assert ask(LEFT, 0.2, ask(RIGHT, 0.9)) == ask(LEFT, 0.2, ask(RIGHT, 0.9))
    assert requests[1].portraits == ("a" * 64, "b" * 64)


@pytest.mark.parametrize(
    ("others", "sentence"),
    [
        ([ask(LEFT, 0.1)], "driven twice"),
        ([ask(RIGHT, 0.1, ask(face("c", slice(0, 1)), 0.1))], "has further faces"),
        ([ask(face(letter, slice(0, 1)), 0.1) for letter in "bcdef012"], "at most 8 faces"),
    ],
)
def test_what_cannot_be_one_frame_is_refused(others: list[FrameRequest], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ask(LEFT, 0.2, *others)
