"""Closed lids as the untuned generator draws them: where their lashes are, and how dark."""

from __future__ import annotations

import numpy as np
import pytest

from photorig.worker.portraits.eyelids import ABOVE, BELOW, COLUMNS, PARTS, ROWS
from photorig.worker.reenactment.measure_eyes import _lash_line, _lashed, _lift

SKIN = 170.0
PART = PARTS[0] + (np.arange(COLUMNS) + 0.5) / COLUMNS * (PARTS[1] - PARTS[0])
HEIGHT = (ABOVE - (np.arange(ROWS) + 0.5) / ROWS * (ABOVE + BELOW))[:, None]
ON_THE_EYE = (PART > 0.1) & (PART < 0.9)


def lids(line: np.ndarray, dark: float = 60.0) -> np.ndarray:
    """(ROWS, COLUMNS, 3) skin with lashes along a line (COLUMNS,), and a fainter fold above."""
    lashes = np.exp(-(((HEIGHT - line) / 0.025) ** 2))
    fold = np.exp(-(((HEIGHT - line - 0.3) / 0.025) ** 2))
    light = SKIN - dark * lashes - 0.8 * dark * fold
    return np.repeat(light[..., None], 3, axis=2).astype(np.float32)


@pytest.mark.parametrize("bow", [-0.08, 0.0, 0.1])
def test_lashes_are_found_where_they_are(bow: float) -> None:
    line = 0.02 + bow * (1 - (2 * PART - 1) ** 2)
    found = _lash_line(lids(line))
    np.testing.assert_allclose(found[ON_THE_EYE], line[ON_THE_EYE], atol=0.012)


def test_beside_the_eye_landmarks_decide() -> None:
    found = _lash_line(lids(np.full(COLUMNS, 0.1)))
    assert abs(found[0]) < 0.01 and abs(found[-1]) < 0.01


def test_faint_lashes_become_dark_and_skin_stays() -> None:
    faint = lids(np.zeros(COLUMNS), dark=15.0)[..., 0]
    seen = _lashed(faint)
    row = int(np.abs(HEIGHT[:, 0]).argmin())
    assert (seen[row, ON_THE_EYE] < 0.6 * SKIN).all()
    away = np.abs(HEIGHT[:, 0]) > 0.2
    np.testing.assert_array_equal(seen[away], faint[away])


def lid_in_skin(shade: float) -> tuple[np.ndarray, np.ndarray]:
    """Rolled out skin (ROWS, COLUMNS, 3) whose lids have a part of the light of that below, and
    (COLUMNS,) how far up they are seen."""
    heights = ABOVE - (np.arange(ROWS) + 0.5) / ROWS * (ABOVE + BELOW)
    skin = np.full((ROWS, COLUMNS, 3), (200.0, 150.0, 120.0), np.float32)
    skin[heights > -0.1] *= shade
    return skin, np.full(COLUMNS, 0.4, np.float32)


@pytest.mark.parametrize("shade", [0.5, 0.65, 0.9])
def test_a_lid_is_not_much_darker_than_the_skin_below_it(shade: float) -> None:
    skin, top = lid_in_skin(shade)
    light = skin.mean(2)
    lid = (light * _lift(light, top))[ROWS * 6 // 10, COLUMNS // 2]
    expected = max(shade, 0.8) * light[-1, COLUMNS // 2]
    assert lid == pytest.approx(expected, rel=0.12)


def test_above_the_lid_and_beside_the_eye_shade_stays() -> None:
    skin, top = lid_in_skin(0.5)
    lift = _lift(skin.mean(2), top)
    assert (lift[: ROWS // 4] == 1).all() and (lift[:, [0, -1]] == 1).all()
    assert (lift[-1] < 1.02).all()
