"""Fewer keyframes, and never farther from the curve than allowed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from photorig.shared.parameters.key_reduction import kept_keys

curves = st.lists(st.floats(-50, 50), min_size=1, max_size=80)


@given(curves, st.floats(0, 5))
def test_the_reduced_curve_stays_within_the_tolerance(
    values: list[float], tolerance: float
) -> None:
    frames, curve = np.arange(len(values)) * 2 + 1, np.array(values)
    kept = kept_keys(frames, curve, tolerance)
    again = np.interp(frames, frames[kept], curve[kept])
    assert np.abs(again - curve).max() <= tolerance + 1e-9


def test_a_straight_line_needs_its_ends_only() -> None:
    assert kept_keys(np.arange(100), np.linspace(3, 9, 100), 1e-9).tolist() == [0, 99]


def test_corners_are_kept() -> None:
    values = np.concatenate([np.linspace(0, 1, 11), np.ones(9), np.linspace(1, 0, 11)])
    assert kept_keys(np.arange(31), values, 1e-6).tolist() == [0, 10, 20, 30]
