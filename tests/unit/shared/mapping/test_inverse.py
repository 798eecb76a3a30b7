"""Wanted parameters back to a rig's numbers: exact where rows are linear, else close."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from photorig.shared.errors import InputError
from photorig.shared.mapping.formula import value_of
from photorig.shared.mapping.inverse import Quantity, Unknown, reached, solved
from photorig.shared.mapping.rotations import (
    euler_angles,
    euler_matrices,
    quaternion_matrix,
    turn_matrices,
)
from photorig.shared.mapping.rows import ORDERS, MappingRow, Source, combined, combined_frames
from photorig.shared.mapping.turns import angle, product

FREE = Unknown(-math.inf, math.inf, 0.0, 1.0)


def linear(matrix: np.ndarray) -> list[Quantity]:
    every = tuple(range(matrix.shape[1]))
    return [Quantity(every, lambda x, row=row: x @ row) for row in matrix]


def test_linear_rows_are_inverted_exactly_and_with_the_least_motion() -> None:
    random = np.random.default_rng(0)
    matrix, wanted = random.normal(size=(8, 12)), random.normal(size=(50, 8))
    values = solved(linear(matrix), wanted, [FREE] * 12)
    assert np.allclose(reached(linear(matrix), values), wanted, atol=1e-6)
    assert np.allclose(values, (np.linalg.pinv(matrix) @ wanted.T).T, atol=1e-6)


def test_within_limits_nothing_comes_nearer() -> None:
    random = np.random.default_rng(1)
    matrix, wanted = random.normal(size=(6, 6)), random.normal(size=(20, 6))
    values = solved(linear(matrix), wanted, [Unknown(-0.4, 0.4, 0.0, 1.0)] * 6)
    assert np.abs(values).max() <= 0.4
    for row, asked in zip(values, wanted, strict=True):
        best = lsq_linear(matrix, asked, (-0.4, 0.4)).cost * 2
        assert np.square(matrix @ row - asked).sum() <= best + 0.01


def test_parts_that_have_nothing_in_common_do_not_disturb_each_other() -> None:
    quantities = [
        Quantity((0,), lambda x: 2 * x[:, 0]),
        Quantity((2,), lambda x: np.clip(x[:, 2], 0, 1)),
    ]
    wanted = np.array([[1.0, 3.0], [0.5, 0.25]])
    values = solved(quantities, wanted, [FREE, Unknown(-1, 1, 0.7, 1), FREE])
    assert values[:, 0] == pytest.approx([0.5, 0.25], abs=1e-6)
    assert values[:, 1] == pytest.approx([0.7, 0.7]), "nothing asks anything of it"
    assert values[1, 2] == pytest.approx(0.25, abs=1e-6)


def test_a_number_that_means_two_things_goes_both_ways() -> None:
    quantities = [
        Quantity((0,), lambda x: np.clip(x[:, 0] / 0.02, 0, 1)),
        Quantity((0,), lambda x: np.clip(-x[:, 0] / 0.03, 0, 1)),
    ]
    wanted = np.array([[0.5, 0], [0, 0.8], [0, 0]])
    values = solved(quantities, wanted, [Unknown(-math.inf, math.inf, 0, 0.02)])
    assert values[:, 0] == pytest.approx([0.01, -0.024, 0], abs=1e-6)


def test_rows_of_many_frames_are_the_rows_of_each() -> None:
    random = np.random.default_rng(2)
    sources = [Source("SHAPE_KEY", "Face", name) for name in "abc"]
    rows = [
        MappingRow(source, "jawOpen", 0.2, -0.9, 1.5, invert=number == 1, clamp=True, combine=join)
        for number, (source, join) in enumerate(
            zip(sources, ("ADD", "MAX", "MULTIPLY"), strict=True)
        )
    ]
    values = {source: random.normal(size=9) for source in sources}
    together = combined_frames(rows, values)
    assert together is not None
    for frame in range(9):
        alone = combined(rows, {source: float(column[frame]) for source, column in values.items()})
        assert together[frame] == pytest.approx(alone)


@pytest.mark.parametrize("order", ORDERS[1:])
def test_euler_angles_come_back_in_every_order(order: str) -> None:
    angles = np.random.default_rng(3).uniform(-1.4, 1.4, (30, 3))
    assert np.allclose(euler_angles(euler_matrices(angles, order), order), angles)


def test_turns_are_counted_as_the_drivers_count_them() -> None:
    for angles in np.random.default_rng(4).uniform(-1.2, 1.2, (20, 3)):
        matrix = turn_matrices(angles[None])[0]
        yaw, pitch, roll = angles / 2
        quaternion = product(
            product(
                np.array([math.cos(yaw), 0, 0, math.sin(yaw)]),
                np.array([math.cos(pitch), -math.sin(pitch), 0, 0]),
            ),
            np.array([math.cos(roll), 0, -math.sin(roll), 0]),
        )
        seen = [angle(quaternion, name) for name in ("YAW", "PITCH", "ROLL")]
        assert np.allclose(seen, angles)
        assert np.allclose(matrix, quaternion_matrix(quaternion))


def test_what_a_driver_says_is_worked_out_for_all_frames() -> None:
    values = {"v0": np.array([0.2, 0.9]), "v1": np.array([0.0, 0.1])}
    assert value_of("clamp((v0-v1)*2,0,1)", values).tolist() == [0.4, 1.0]
    assert value_of("min(v0, v1)+max(v0,-1)*(v1<0.05)", values).tolist() == [0.2, 0.1]
    assert value_of("v0 if v1 > 0.05 else -pi", values) == pytest.approx([-math.pi, 0.9])


@pytest.mark.parametrize(
    "expression", ["__import__('os')", "v0.real", "unknown*2", "(v0", "[v0][0]", "lambda: 1"]
)
def test_nothing_of_a_driver_is_run_as_code(expression: str) -> None:
    with pytest.raises(InputError):
        value_of(expression, {"v0": np.zeros(1)})
