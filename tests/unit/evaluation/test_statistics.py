"""The figures of an evaluation on data whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from photorig.worker.evaluation.metrics import statistics
from photorig.worker.faces.geometry import head_angles

LEVELS = np.array([-10.0, -5.0, 5.0, 10.0])


def test_a_face_that_obeys_has_gain_one_and_linearity_one() -> None:
    asked = np.tile(LEVELS, (6, 1))
    line = statistics.fit_line(asked, asked)
    assert (line.gain, line.linearity, line.count) == (1.0, 1.0, 24)


def test_a_face_that_does_half_of_it_has_gain_one_half_and_is_still_linear() -> None:
    asked = np.tile(LEVELS, (3, 1))
    line = statistics.fit_line(asked, asked / 2)
    assert line.gain == pytest.approx(0.5)
    assert line.linearity == pytest.approx(1.0)


def test_a_step_is_less_linear_than_a_line() -> None:
    asked = np.array([[0.25, 0.5, 0.75, 1.0]])
    line = statistics.fit_line(asked, np.array([[0.0, 0.0, 0.0, 1.0]]))
    # gain 1 / 1.875; residual 1 − 1/1.875; Σ(m − mean)² of (0, 0, 0, 0, 1) is 0.8
    assert line.gain == pytest.approx(1 / 1.875)
    assert line.linearity == pytest.approx(1 - (1 - 1 / 1.875) / 0.8)
    assert line.linearity_from_zero == pytest.approx(1 / 1.875)


def test_what_was_not_measured_is_left_out_and_not_taken_for_zero() -> None:
    asked = np.tile(LEVELS, (2, 1))
    measured = asked.copy()
    measured[1] = np.nan
    line = statistics.fit_line(asked, measured)
    assert (line.gain, line.linearity, line.count) == (1.0, 1.0, 4)


def test_nothing_measured_is_no_number() -> None:
    line = statistics.fit_line(np.ones((2, 2)), np.full((2, 2), np.nan))
    assert np.isnan([line.gain, line.linearity]).all()
    assert line.count == 0


def test_people_who_answer_differently_are_told_apart() -> None:
    asked = np.tile(LEVELS, (3, 1))
    measured = asked * np.array([[0.5], [1.0], [np.nan]])
    gains = statistics.gains_of_people(asked, measured)
    np.testing.assert_allclose(gains, [0.5, 1.0, np.nan])


def test_with_lines_of_their_own_people_who_answer_differently_are_linear() -> None:
    asked = np.tile(LEVELS, (2, 1))
    measured = asked * np.array([[0.5], [1.5]])
    assert statistics.linearity_of_each(asked, measured) == pytest.approx(1.0)
    assert statistics.fit_line(asked, measured).linearity == pytest.approx(1 - 0.25 / 1.25)
    assert np.isnan(statistics.linearity_of_each(asked, np.full((2, 4), np.nan)))


def test_errors_count_failures_apart() -> None:
    errors = statistics.absolute_errors(np.array([*range(-50, 51), np.nan, np.nan], float))
    assert errors.mean == pytest.approx(2 * sum(range(51)) / 101)
    assert errors.percentile_95 == 48
    assert (errors.count, errors.failures) == (101, 2)


def test_all_failed_has_no_mean() -> None:
    errors = statistics.absolute_errors(np.full(3, np.nan))
    assert np.isnan(errors.mean)
    assert (errors.count, errors.failures) == (0, 3)


def test_angles_are_wrapped() -> None:
    np.testing.assert_allclose(statistics.wrap_degrees([359.0, -181.0, 10.0]), [-1, 179, 10])


def test_rotations_read_back_as_the_angles_they_were_made_from() -> None:
    angles = np.random.default_rng(0).uniform(-40, 40, (20, 3))
    rotation = torch.from_numpy(statistics.rotation_matrices(angles))
    np.testing.assert_allclose(head_angles(rotation).numpy(), angles, atol=1e-5)


def test_the_geodesic_angle_of_one_axis_is_its_difference() -> None:
    first = np.array([[10.0, 0, 0], [0, -5, 0], [0, 0, 30], [3, 4, 5]])
    second = np.array([[-20.0, 0, 0], [0, 7, 0], [0, 0, -30], [3, 4, 5]])
    np.testing.assert_allclose(
        statistics.geodesic_degrees(first, second), [30, 12, 60, 0], atol=1e-4
    )


def test_a_perfect_face_has_no_crosstalk() -> None:
    matrix = np.diag([1.0, 1.0, 1.0])
    result = statistics.off_diagonal(matrix, [0, 1, 2])
    assert (result.mean, result.worst) == (0.0, 0.0)


def test_crosstalk_is_measured_in_full_moves_whatever_its_sign() -> None:
    changes = np.array([[0.5, 5.0, np.nan], [0.7, -5.0, np.nan]])
    row = statistics.crosstalk_row(changes, np.array([1.0, 25.0, 1.0]))
    np.testing.assert_allclose(row, [0.6, 0.2, np.nan])


def test_the_worst_leak_is_found_among_the_rows_that_were_moved() -> None:
    matrix = np.array([[0.9, 0.1, 0.3], [0.8, 0.9, np.nan], [0.0, 0.2, 0.9]])
    result = statistics.off_diagonal(matrix, [0, 2])
    assert result.mean == pytest.approx((0.1 + 0.3 + 0.0 + 0.2) / 4)
    assert (result.worst, result.worst_row, result.worst_column) == (0.3, 0, 2)


def test_bins_take_each_value_once_and_the_last_edge() -> None:
    keys = np.array([0.0, 14.9, 15.0, 45.0, 46.0, np.nan])
    bins = statistics.binned(keys, np.arange(6.0), (0, 15, 30, 45))
    assert [b.count for b in bins] == [2, 1, 1]
    assert [b.mean for b in bins] == [0.5, 2.0, 3.0]


def test_an_empty_bin_has_no_mean() -> None:
    (only,) = statistics.binned(np.array([]), np.array([]), (0, 1))
    assert np.isnan(only.mean)
    assert only.count == 0


def test_known_means_leave_gaps_out() -> None:
    values = np.array([[1.0, np.nan], [3.0, np.nan]])
    np.testing.assert_array_equal(statistics.mean_known(values, 0), [2.0, np.nan])


def test_cosines() -> None:
    np.testing.assert_allclose(statistics.cosine([[1, 0], [1, 1]], [[0, 2], [2, 2]]), [0, 1])


def test_an_even_move_has_no_jitter_and_a_trembling_one_has() -> None:
    time = np.arange(50.0)[:, None, None]
    even = np.tile(time * [1.0, 0.5], (1, 4, 1))
    assert statistics.acceleration_jitter(even, 60.0) == pytest.approx(0, abs=1e-12)
    trembling = even + np.where(np.arange(50) % 2, 1.0, -1.0)[:, None, None] * [1.0, 0.0]
    assert statistics.acceleration_jitter(trembling, 60.0) == pytest.approx(4 / 60)


def test_the_high_pass_keeps_fast_tremor_and_drops_slow_moves_and_ramps() -> None:
    time = np.arange(125) / 25
    slow, ramp = 20 * np.sin(2 * np.pi * 0.4 * time), 3 * time
    fast = np.sin(2 * np.pi * 9 * time)
    assert np.abs(statistics.high_passed(ramp, 25, 5)).max() < 0.05
    assert np.std(statistics.high_passed(slow, 25, 5)) < 0.02
    assert np.std(statistics.high_passed(slow + ramp + fast, 25, 5)) == pytest.approx(
        np.std(fast), rel=0.05
    )
