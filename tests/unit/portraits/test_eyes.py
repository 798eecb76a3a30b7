"""Eyes that shut and look: kept lids and eyeballs, seen where eyes move and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.worker.compositing.face_move import FaceMove
from photorig.worker.faces.face_topology import RIGHT_BROW
from photorig.worker.portraits import eyeball, eyelids
from photorig.worker.portraits.eye_frame import Eye, EyeFrame, MovedEye, painted
from photorig.worker.portraits.eyeball import Eyeballs
from photorig.worker.portraits.eyelids import ClosedLids
from photorig.worker.portraits.face_geometry import KnownParts
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.face_target import IRISES, SIDES, lid_edges
from photorig.worker.reenactment.take_eyes_apart import eyeballs_of

from ..compositing.test_face_mesh import landmarks
from ..fakes import tiny_portrait
from ..reenactment.test_regional import SHIFTS, amounts, drive, geometry

pytestmark = pytest.mark.weights("face-landmarker")

SIZE = 512
SCALE = 0.028
EYES = tuple(Eye(*lid_edges(side), IRISES[side]) for side in SIDES)
SKIN, LID, WHITE, BROWN = (200, 150, 120), (180, 90, 90), (230, 230, 230), (90, 50, 20)
RADIUS = 0.6
"""cm, of an iris."""


def opened(share: float = 1.0) -> np.ndarray:
    """(478, 3) of a face whose lids are that part of a wide opening apart, irises in the middle."""
    points = landmarks()
    for eye in EYES:
        low, high = points[eye.lower[0], :2], points[eye.lower[-1], :2]
        part = np.linspace(0, 1, len(eye.upper))[:, None]
        line = low + part * (high - low)
        arch = SCALE * np.sin(np.pi * part[:, 0])
        points[eye.lower, :2], points[eye.upper, :2] = line, line
        points[eye.lower, 1] += 0.4 * arch
        points[eye.upper, 1] += (0.4 - 1.2 * share) * arch
        middle = (low + high) / 2 - [0, 0.1 * SCALE]
        ring = RADIUS * SCALE * np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]])
        points[eye.iris, :2] = middle + ring
    return points


def looking(x: float, y: float) -> np.ndarray:
    """(478, 3) with irises that have moved by cm."""
    points = opened()
    for eye in EYES:
        points[eye.iris, :2] += np.array([x, y]) * SCALE
    return points


def photo() -> np.ndarray:
    """Skin, two white eyes with brown irises and a light in each."""
    picture = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    points = opened()
    for eye in EYES:
        outline = np.concatenate([points[eye.upper, :2], points[eye.lower[::-1], :2]])
        inside = np.zeros((SIZE, SIZE), np.uint8)
        cv2.fillPoly(inside, [np.round(outline * SIZE).astype(np.int32)], 1)
        middle = points[eye.iris.start, :2] * SIZE
        iris = np.zeros_like(inside)
        centre = tuple(np.round(middle).astype(int).tolist())
        cv2.circle(iris, centre, round(RADIUS * SCALE * SIZE), 1, -1)
        picture[inside > 0] = WHITE
        picture[(inside > 0) & (iris > 0)] = BROWN
        cv2.circle(picture, centre, 1, (255, 255, 255), -1)
    return cv2.GaussianBlur(picture, (0, 0), 0.7)


def moved_eyes(after: np.ndarray, before: np.ndarray | None = None) -> list[MovedEye | None]:
    before = opened() if before is None else before
    return [MovedEye.of(eye, before, after, SCALE, SIZE) for eye in EYES]


@pytest.fixture(scope="module")
def balls() -> Eyeballs:
    found = eyeballs_of(photo(), np.zeros((256, 256, 3), np.float32), opened(), EYES, SCALE)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def lids() -> ClosedLids:
    skin = np.full((2, eyelids.ROWS, eyelids.COLUMNS, 3), LID, np.uint8)
    frame = EyeFrame.of(opened() * SIZE, EYES[0])
    assert frame is not None
    unit = np.full(2, frame.width / SIZE / SCALE, np.float32)
    return ClosedLids(skin, np.full((2, eyelids.COLUMNS), 0.12, np.float32), unit)


def at_iris(picture: np.ndarray, points: np.ndarray, dx: float = 0, dy: float = 0) -> np.ndarray:
    """(2, 3) colours at so many cm from the irises' middles."""
    places = (points[[468, 473], :2] + np.array([dx, dy]) * SCALE) * SIZE
    return picture[places[:, 1].astype(int), places[:, 0].astype(int)].astype(int)


def shown(
    part: Eyeballs | ClosedLids, picture: np.ndarray, eyes: list[MovedEye | None]
) -> np.ndarray:
    return painted(picture, part.layers(eyes))


# ------------------------------------------------------------------ eyeballs


def test_irises_are_found_where_they_are(balls: Eyeballs) -> None:
    assert balls.known == (True, True)
    np.testing.assert_allclose(balls.disc[:, 2], RADIUS, rtol=0.1)
    np.testing.assert_allclose(balls.disc[:, :2], 0, atol=0.1)


def test_eyes_that_have_not_moved_are_the_picture(balls: Eyeballs) -> None:
    picture = photo()
    assert shown(balls, picture, moved_eyes(opened())) is picture


def test_a_gaze_begins_without_a_jump(balls: Eyeballs) -> None:
    picture = photo()
    little = shown(balls, picture, moved_eyes(looking(0.002, 0))).astype(int)
    assert np.abs(little - picture).max() <= 2


@pytest.mark.parametrize(("x", "y"), [(0.5, 0.0), (-0.5, 0.0), (0.0, -0.35), (0.0, 0.3)])
def test_an_iris_moves_as_a_disc_and_leaves_white_behind(
    balls: Eyeballs, x: float, y: float
) -> None:
    after = looking(x, y)
    picture = shown(balls, photo(), moved_eyes(after))
    away = np.array([x, y]) / np.hypot(x, y)
    beside = 0.3 * np.array([-away[1], away[0]])
    np.testing.assert_allclose(at_iris(picture, after, *beside), [BROWN] * 2, atol=25)
    behind = at_iris(picture, after, *(-0.75 * away))
    np.testing.assert_allclose(behind, [WHITE] * 2, atol=30)


def test_what_an_iris_mirrors_follows_half_way(balls: Eyeballs) -> None:
    after = looking(0.4, 0.0)
    picture = shown(balls, photo(), moved_eyes(after))
    lights = at_iris(picture, after, -0.2, 0.0)
    assert (lights.mean(1) > at_iris(picture, after, 0.1, 0.0).mean(1) + 30).all()


def test_nothing_changes_beyond_the_lids(balls: Eyeballs) -> None:
    picture, after = photo(), looking(0.5, 0.1)
    changed = (shown(balls, picture, moved_eyes(after)) != picture).any(2)
    outside = np.ones((SIZE, SIZE), np.uint8)
    for eye in EYES:
        outline = np.concatenate([after[eye.upper, :2], after[eye.lower[::-1], :2]]) * SIZE
        cv2.fillPoly(outside, [np.round(outline).astype(np.int32)], 0)
    assert not changed[cv2.erode(outside, np.ones((5, 5))) > 0].any()


def test_lids_that_close_cover_an_eye_and_do_not_squeeze_it(balls: Eyeballs) -> None:
    after = opened(0.6)
    picture = shown(balls, np.full_like(photo(), SKIN), moved_eyes(after))
    frame = EyeFrame.of(after * SIZE, EYES[0])
    assert frame is not None
    row = round(float(frame.outwards(np.array(0.5), frame.edge(1, np.array(0.5)) - 6)[1]))
    half = RADIUS * SCALE * SIZE
    middle = after[468, 0] * SIZE
    line = picture[row, int(middle - 1.5 * half) : int(middle + 1.5 * half)].astype(int).mean(1)
    dark = int((line < 120).sum())
    below = row + 0.5 - after[468, 1] * SIZE
    assert dark == pytest.approx(2 * np.sqrt(half**2 - below**2), rel=0.2)


def test_an_eye_without_an_iris_is_left_to_the_generator() -> None:
    plain = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    offset = np.zeros((256, 256, 3), np.float32)
    assert eyeballs_of(plain, offset, opened(), EYES, SCALE) is None


def test_an_eye_hardly_open_is_left_to_the_generator() -> None:
    offset = np.zeros((256, 256, 3), np.float32)
    assert eyeballs_of(photo(), offset, opened(0.15), EYES, SCALE) is None


# ------------------------------------------------------------------ lids


def test_lids_half_open_are_the_pictures_own(lids: ClosedLids) -> None:
    picture = photo()
    assert shown(lids, picture, moved_eyes(opened(0.75))) is picture


def test_a_shut_eye_shows_the_skin_of_its_lid(lids: ClosedLids) -> None:
    after = opened(0.03)
    picture = shown(lids, photo(), moved_eyes(after))
    for eye in EYES:
        frame = EyeFrame.of(after * SIZE, eye)
        assert frame is not None
        for above in (1, 5, 10):
            x, y = frame.outwards(np.array(0.5), frame.edge(0, np.array(0.5)) - above)
            np.testing.assert_allclose(picture[int(y), int(x)], LID, atol=6)


def test_a_lid_comes_down_steadily(lids: ClosedLids) -> None:
    shares = np.linspace(1, 0.03, 25)
    pictures = [shown(lids, photo(), moved_eyes(opened(s))).astype(float) for s in shares]
    steps = [np.abs(b - a).sum() for a, b in pairwise(pictures)]
    assert max(steps) < 4 * np.mean([step for step in steps if step])
    reached = [np.abs(picture - pictures[0]).sum() for picture in pictures]
    assert (np.diff(reached) >= -1e-3 * max(reached)).all()


def test_a_wink_leaves_the_other_eye_alone(lids: ClosedLids, balls: Eyeballs) -> None:
    shut, before = opened(0.03), opened()
    after = before.copy()
    left = np.concatenate([EYES[1].upper, EYES[1].lower])
    after[left] = shut[left]
    eyes, picture = moved_eyes(after), photo()
    changed = (shown(lids, shown(balls, picture, eyes), eyes) != picture).any(2)
    assert changed[:, SIZE // 2 :].any()
    assert not changed[:, : SIZE // 2].any()


def test_lids_go_with_a_head_that_turns(lids: ClosedLids) -> None:
    turn = cv2.getRotationMatrix2D((0.5, 0.5), 25, 0.9)
    before, after = opened(), opened(0.03)
    for points in (before, after):
        points[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    eyes = [MovedEye.of(eye, before, after, 0.9 * SCALE, SIZE) for eye in EYES]
    picture = shown(lids, photo(), eyes)
    frame = EyeFrame.of(after * SIZE, EYES[1])
    assert frame is not None
    x, y = frame.outwards(np.array(0.5), frame.edge(0, np.array(0.5)) - 5)
    np.testing.assert_allclose(picture[int(y), int(x)], LID, atol=6)


def test_an_eye_seen_from_the_side_is_left_alone(lids: ClosedLids) -> None:
    points = opened()
    points[:, 0] = 0.5
    assert MovedEye.of(EYES[0], points, points, SCALE, SIZE) is None
    assert shown(lids, photo(), [None, None]).shape == (SIZE, SIZE, 3)


# ------------------------------------------------------------------ in a face


def test_the_generator_does_not_draw_what_is_kept() -> None:
    known = KnownParts(lids=(False, True), eyeballs=(True, True))
    assert not SHIFTS.deltas(amounts(eyeBlinkLeft=1.0), known).any()
    assert SHIFTS.deltas(amounts(eyeBlinkRight=1.0), known).any()
    assert not SHIFTS.deltas(amounts(eyeLookUpLeft=1.0, eyeLookInRight=1.0), known).any()
    assert SHIFTS.deltas(amounts(eyeSquintLeft=1.0), known).any()


def test_the_photos_detail_does_not_go_with_what_is_kept(lids: ClosedLids) -> None:
    after = opened(0.03)
    move = FaceMove(opened(), after, after, SCALE, False, EYES, opened(), None, lids)
    assert move.covered is not None and move.covered.max() == pytest.approx(1)
    picture = photo()
    trust = move.flow(move.applied(picture), picture).trust
    assert trust[move.covered > 0.99].max() < 0.02
    still = FaceMove(opened(), opened(), opened(), SCALE, False, EYES, opened(), None, lids)
    assert still.covered is None


def test_a_face_without_an_expression_keeps_its_eyes(lids: ClosedLids, balls: Eyeballs) -> None:
    portrait = replace(tiny_portrait(), geometry=replace(geometry(), lids=lids, eyeballs=balls))
    assert drive(portrait, headYaw=10.0).move.lids is None
    assert drive(portrait, eyeBlinkLeft=1.0).move.lids is lids


def test_a_portrait_file_keeps_lids_and_eyeballs(lids: ClosedLids, balls: Eyeballs) -> None:
    kept = replace(tiny_portrait(), geometry=replace(geometry(), lids=lids, eyeballs=balls))
    read = Portrait.from_bytes(kept.to_bytes()).geometry
    assert read is not None and read.lids is not None and read.eyeballs is not None
    for name in eyelids.ARRAYS:
        np.testing.assert_array_equal(getattr(read.lids, name), getattr(lids, name))
    for name in eyeball.ARRAYS:
        np.testing.assert_array_equal(getattr(read.eyeballs, name), getattr(balls, name))
    assert read.known == KnownParts(lids=(True, True), eyeballs=(True, True))


BAD_LIDS = {
    "grey": {"skin": np.zeros((2, eyelids.ROWS, eyelids.COLUMNS), np.uint8)},
    "floats": {"skin": np.zeros((2, eyelids.ROWS, eyelids.COLUMNS, 3), np.float32)},
    "large": {"skin": np.zeros((2, 4000, eyelids.COLUMNS, 3), np.uint8)},
    "nan": {"rise": np.full((2, eyelids.COLUMNS), np.nan, np.float32)},
    "endless": {"unit": np.full(2, np.inf, np.float32)},
    "negative": {"unit": np.full(2, -1, np.float32)},
}
BAD_BALLS = {
    "shape": {"iris": np.zeros((2, 8, 8, 3), np.uint8)},
    "floats": {"sclera": np.zeros((2, eyeball.ROWS, eyeball.COLUMNS, 3), np.float32)},
    "nan": {"disc": np.full((2, 3), np.nan, np.float32)},
    "huge": {"disc": np.full((2, 3), 1e9, np.float32)},
    "negative": {"disc": np.full((2, 3), -1, np.float32)},
}


@pytest.mark.parametrize("change", BAD_LIDS.values(), ids=BAD_LIDS)
def test_lids_that_cannot_be_are_refused(lids: ClosedLids, change: dict[str, np.ndarray]) -> None:
    bad = replace(tiny_portrait(), geometry=replace(geometry(), lids=replace(lids, **change)))
    with pytest.raises(InputError):
        Portrait.from_bytes(bad.to_bytes())


@pytest.mark.parametrize("change", BAD_BALLS.values(), ids=BAD_BALLS)
def test_eyeballs_that_cannot_be_are_refused(
    balls: Eyeballs, change: dict[str, np.ndarray]
) -> None:
    bad = replace(tiny_portrait(), geometry=replace(geometry(), eyeballs=replace(balls, **change)))
    with pytest.raises(InputError):
        Portrait.from_bytes(bad.to_bytes())


@pytest.mark.parametrize("radius", [1e-30, 1e-3, 1e3], ids=str)
def test_eyeballs_of_any_size_can_be_drawn(balls: Eyeballs, radius: float) -> None:
    disc = balls.disc.copy()
    disc[:, 2] = radius
    odd = replace(balls, disc=disc)
    odd.check()
    with np.errstate(all="raise", under="ignore"):
        assert shown(odd, photo(), moved_eyes(looking(0.4, 0.0))).dtype == np.uint8


def test_brows_are_where_lids_take_them_to_be() -> None:
    from photorig.worker.reenactment.measure_eyes import LOWER_BROW

    points = landmarks()
    right, left = (points[list(LOWER_BROW[side]), :2] for side in SIDES)
    np.testing.assert_allclose(right * [-1, 1] + [1, 0], left, atol=0.01)
    assert set(LOWER_BROW["Right"]) == set(RIGHT_BROW[5:])
