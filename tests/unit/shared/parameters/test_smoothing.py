"""Smoothing takes the tremble out of a curve, and leaves its height and its moment."""

from __future__ import annotations

import math

import numpy as np

from photorig.shared.parameters.file import FrameParameters
from photorig.shared.parameters.smoothing import smoothed


def take(values: np.ndarray) -> list[FrameParameters]:
    return [FrameParameters(i, {"jawOpen": float(v)}, i / 60) for i, v in enumerate(values)]


def curve(frames: list[FrameParameters]) -> np.ndarray:
    return np.array([each.values["jawOpen"] for each in frames])


def test_a_trembling_curve_trembles_less_and_is_neither_late_nor_low() -> None:
    times = np.arange(240) / 60
    clean = 0.5 - 0.5 * np.cos(2 * math.pi * 0.5 * times)
    noisy = clean + np.random.default_rng(0).normal(0, 0.03, 240)
    result = curve(smoothed(take(noisy), 60, 0.5))
    assert np.abs(np.diff(result, 2)).mean() < 0.2 * np.abs(np.diff(noisy, 2)).mean()
    assert np.abs(result - clean).mean() < 0.5 * np.abs(noisy - clean).mean()
    assert abs(int(result.argmax()) - int(clean.argmax())) <= 6
    assert result.max() > 0.97


def test_parabolas_are_left_as_they_are_to_their_very_ends() -> None:
    places = np.arange(40.0)
    parabola = 0.2 + 0.01 * places - 0.0003 * places**2
    np.testing.assert_allclose(curve(smoothed(take(parabola), 60, 1.0)), parabola, atol=1e-9)


def test_nothing_asked_for_changes_nothing() -> None:
    frames = take(np.random.default_rng(1).uniform(size=20))
    assert smoothed(frames, 60, 0.0) == frames
    assert smoothed(frames[:3], 60, 1.0) == frames[:3]


def test_a_frame_that_leaves_a_parameter_out_still_does() -> None:
    frames = take(np.linspace(0, 1, 20))
    frames[7] = FrameParameters(7, {}, 7 / 60)
    result = smoothed(frames, 60, 1.0)
    assert result[7].values == {}
    assert 0 < result[8].values["jawOpen"] < 1
