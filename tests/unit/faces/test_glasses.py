"""Glasses are a thin line around both eyes and between them; nothing else is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from photorig.worker.faces.glasses import SIDE, frame_of

from ..face_fakes import face

pytestmark = pytest.mark.weights("face-landmarker")

SIZE = 384
SKIN, FRAME = (205, 160, 140), (50, 40, 45)
EYES = ((33, 133), (362, 263))


def picture() -> np.ndarray:
    """(SIZE, SIZE, 3) uint8: skin with grain, dark eyes and thick brows."""
    points, grain = face(), np.random.default_rng(2).normal(0, 2, (SIZE, SIZE, 3))
    skin = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    for corners in EYES:
        middle, unit = eye(points, corners)
        cv2.ellipse(skin, middle, (unit // 6, unit // 14), 0, 0, 360, (40, 30, 30), -1)
        above = (middle[0], middle[1] - unit // 3)
        cv2.ellipse(skin, above, (unit // 3, unit // 18), 0, 0, 360, (70, 50, 40), -1)
    return np.clip(cv2.GaussianBlur(skin, (0, 0), 1.0) + grain, 0, 255).astype(np.uint8)


def eye(points: np.ndarray, corners: tuple[int, int]) -> tuple[tuple[int, int], int]:
    """The middle of an eye, and pixels between both."""
    middles = [points[list(pair), :2].mean(0) * SIZE for pair in EYES]
    x, y = (points[list(corners), :2].mean(0) * SIZE).round().astype(int).tolist()
    return (x, y), round(float(np.linalg.norm(middles[1] - middles[0])))


def with_glasses(skin: np.ndarray, rims: int = 2, bridge: bool = True) -> np.ndarray:
    points, result = face(), skin.copy()
    places = [eye(points, corners) for corners in EYES]
    for (x, y), unit in places[:rims]:
        below = (x, y + unit // 16)
        cv2.ellipse(result, below, (2 * unit // 5, 3 * unit // 10), 0, 0, 360, FRAME, 2)
    if bridge:
        ((left, y), unit), ((right, _), _) = places
        cv2.line(result, (left + 2 * unit // 5, y), (right - 2 * unit // 5, y), FRAME, 2)
    return result


def test_a_face_without_glasses_has_no_frame() -> None:
    assert frame_of(picture(), face()) is None


def test_a_frame_lies_on_rims_and_bridge_and_leaves_eyes_and_brows() -> None:
    points = face()
    frame = frame_of(with_glasses(picture()), points)
    assert frame is not None
    assert frame.shape == (SIDE, SIDE)
    assert frame.dtype == np.float32
    assert 0 <= frame.min() <= frame.max() <= 1
    scale = SIDE / SIZE
    for corners in EYES:
        (x, y), unit = eye(points, corners)
        below = y + unit // 16 + 3 * unit // 10
        assert frame[round(below * scale), round(x * scale)] > 0.9, "rim"
        assert frame[round(y * scale), round(x * scale)] < 0.1, "eye"
        brow = y - unit // 2
        assert frame[round(brow * scale), round(x * scale)] < 0.2, "forehead"
    between = points[[133, 362], :2].mean(0) * SIDE
    row, column = between[1].round().astype(int), between[0].round().astype(int)
    assert frame[row - 2 : row + 3, column].max() > 0.9, "bridge"


@pytest.mark.parametrize(("rims", "bridge"), [(2, False), (1, True), (0, True)])
def test_lines_that_are_no_glasses_are_none(rims: int, bridge: bool) -> None:
    assert frame_of(with_glasses(picture(), rims, bridge), face()) is None


def test_a_frame_is_found_at_every_size() -> None:
    small = cv2.resize(with_glasses(picture()), (256, 256), interpolation=cv2.INTER_AREA)
    large = cv2.resize(with_glasses(picture()), (768, 768), interpolation=cv2.INTER_CUBIC)
    frames = [frame_of(square, face()) for square in (small, large)]
    assert all(frame is not None for frame in frames)
    first, second = frames
    assert np.abs(first - second).mean() < 0.02
