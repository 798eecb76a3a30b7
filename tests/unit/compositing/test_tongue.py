"""A tongue: drawn on the mouth, wherever that is, and nowhere else."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from photorig.worker.compositing.face_mesh import SIDE
from photorig.worker.compositing.face_move import FaceMove
from photorig.worker.compositing.tongue import Tongue
from photorig.worker.portraits.mouth import LOWER, UPPER

from ..portraits.test_mouth import with_lips
from .test_face_mesh import eyes, landmarks

pytestmark = pytest.mark.weights("face-landmarker")

SIZE = 256
SCALE = 0.028
SKIN, LIP = (190, 150, 130), (170, 90, 90)
PARTED = 1.0
"""cm between the lips of the faces here."""


def face() -> np.ndarray:
    """(SIZE, SIZE, 3) of skin, with a lower half that is redder."""
    picture = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    picture[int(0.55 * SIZE) :] = LIP
    return picture


def put_out(amount: float, points: np.ndarray | None = None) -> np.ndarray:
    points = with_lips(PARTED) if points is None else points
    tongue = Tongue.of(points, SCALE, SIZE, amount)
    return face() if tongue is None else tongue.painted(face(), points)


def changed(amount: float) -> np.ndarray:
    """(SIZE, SIZE) where a face with that much tongue differs from one without, by more than its
    shadow's last levels."""
    return np.abs(put_out(amount).astype(int) - face()).max(2) > 4


def lip(numbers: np.ndarray) -> float:
    """Row of the middle of a lip's inner edge."""
    return float(with_lips(PARTED)[numbers[len(numbers) // 2], 1]) * SIZE


def test_a_tongue_that_is_not_put_out_is_not_there() -> None:
    assert Tongue.of(with_lips(PARTED), SCALE, SIZE, 0.0) is None
    assert np.array_equal(put_out(0.0), face())


def test_it_hangs_over_the_lower_lip_and_leaves_the_upper_one_alone() -> None:
    rows = np.nonzero(changed(1.0).any(1))[0]
    assert rows.max() > lip(LOWER) + 1.0 * SCALE * SIZE
    assert rows.min() >= lip(UPPER)


def test_as_for_th_it_is_seen_between_the_lips_and_hardly_beyond() -> None:
    rows = np.nonzero(changed(0.3).any(1))[0]
    assert lip(UPPER) <= rows.min() and rows.max() < lip(LOWER) + 0.5 * SCALE * SIZE


def test_the_more_it_is_put_out_the_further_down_it_reaches_without_a_jump() -> None:
    amounts = np.linspace(0, 1, 41)
    reaches = [changed(amount).sum() for amount in amounts]
    assert all(a <= b + 3 for a, b in pairwise(reaches))
    for a, b in pairwise(amounts):
        step = np.abs(put_out(float(b)).astype(float) - put_out(float(a))).mean()
        assert step < 0.4


def test_its_colour_is_that_of_lip_and_skin_and_its_tip_is_round() -> None:
    tongue = Tongue.of(with_lips(PARTED), SCALE, SIZE, 1.0)
    assert tongue is not None
    x, y = (0.4 * tongue.root + 0.6 * tongue.tip).astype(int)
    red, green, blue = put_out(1.0)[y, x].astype(int)
    assert red > 1.3 * green and red > 1.3 * blue and 80 < red < 230
    widths = (tongue.covered(SIZE) > 0.9).sum(1)
    assert 0 < widths[int(tongue.tip[1]) - 2] < 0.8 * widths.max()


def test_it_turns_and_rolls_with_the_head() -> None:
    straight = Tongue.of(with_lips(PARTED), SCALE, SIZE, 1.0)
    turned = Tongue.of(landmarks(25.0), SCALE, SIZE, 1.0)
    rolled = with_lips(PARTED)
    rolled[:, :2] = (rolled[:, :2] - 0.5) @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + 0.5
    aside = Tongue.of(rolled, SCALE, SIZE, 1.0)
    assert straight is not None and turned is not None and aside is not None
    assert abs((straight.tip - straight.root)[0]) < 1
    assert (turned.tip - turned.root)[0] > 3
    down = straight.tip - straight.root
    np.testing.assert_allclose(aside.tip - aside.root, [-down[1], down[0]], atol=1.0)


def test_it_is_seen_outside_the_picture_no_more_than_anything_else() -> None:
    points = with_lips(PARTED)
    for away in (np.array([2.0, 0, 0]), np.array([0.0, 0.28, 0])):
        assert put_out(1.0, points + away).shape == (SIZE, SIZE, 3)
    assert np.array_equal(put_out(1.0, points + np.array([2.0, 0, 0])), face())


def test_a_face_that_moves_says_where_it_hides_the_photo() -> None:
    points = with_lips(PARTED)
    without = FaceMove(points, points, points, SCALE, False, eyes())
    move = FaceMove(points, points, points, SCALE, False, eyes(), tongue=1.0)
    assert without.covered is None
    assert move.covered is not None and move.covered.shape == (SIDE, SIDE)
    drawn = move.applied(face())
    differs = np.abs(drawn.astype(int) - without.applied(face())).max(2) > 12
    assert (move.covered[differs] > 0.05).all()
