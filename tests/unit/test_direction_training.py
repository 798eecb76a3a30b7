"""The parts of direction training that can be checked on worlds whose answer is known."""

from __future__ import annotations

import numpy as np
import torch

from photorig.shared.schema import ARKIT_52
from photorig.worker.training.directions.calibration import (
    MAXIMUM_GROUP_SHIFT,
    Sweep,
    fit_gain,
    furthest,
    good_steps,
    longest_shifts,
    shift_gram,
)
from photorig.worker.training.directions.jacobian import (
    Jacobians,
    JacobianWeights,
    solve_directions,
)
from photorig.worker.training.directions.observation import NEVER_CONTROLLED, learnable
from photorig.worker.training.directions.whitening import Whitening

D = 2 * 512  # two rows are enough to see whether they are tied
JAW = ARKIT_52.index["jawOpen"]
ANGLES = torch.tensor([True, True])


def _world(n_people: int = 6) -> Jacobians:
    """Two parameters; what changes identity overlaps with the first one's gradient."""
    random = torch.Generator().manual_seed(0)
    base = torch.randn(3, D, generator=random) / D**0.5
    first = base[0] + base[2]
    parameters = torch.stack([first, base[1]]).expand(n_people, 2, D)
    identity = base[2].expand(n_people, 1, D) * 3
    return Jacobians(
        torch.full((n_people, 2), 0.5), parameters, identity, torch.zeros(n_people, 1, D)
    )


def test_a_full_move_changes_its_parameter_by_one_and_the_other_hardly() -> None:
    world = _world()
    weights = JacobianWeights(shrinkage=0.01, row_tie=0.0)
    shift = solve_directions(world, torch.eye(512), ANGLES, weights)
    effect = world.parameters[0] @ shift.flatten(1).T
    torch.testing.assert_close(effect.diagonal(), torch.ones(2), atol=1e-3, rtol=0)
    assert effect[0, 1].abs() < 0.05
    assert effect[1, 0].abs() < 0.05


def test_weight_on_identity_keeps_the_person() -> None:
    world = _world()

    def identity_change(weight: float) -> float:
        weights = JacobianWeights(identity=weight, shrinkage=0.01, row_tie=0.0)
        shift = solve_directions(world, torch.eye(512), ANGLES, weights)
        return float((world.identity[0] @ shift[0].flatten()).abs())

    assert identity_change(30.0) < 0.2 * identity_change(0.0)


def test_tied_rows_move_together() -> None:
    weights = JacobianWeights(row_tie=1e4)
    shift = solve_directions(_world(), torch.eye(512), ANGLES, weights)
    spread = (shift - shift.mean(1, keepdim=True)).norm() / shift.norm()
    assert spread < 0.1


def test_whitening_gives_unit_covariance_and_can_be_undone() -> None:
    random = torch.Generator().manual_seed(1)
    mixing = torch.randn(512, 512, generator=random)
    covariance = mixing @ mixing.T / 512
    whitening = Whitening.of(covariance)
    whitened = whitening.whiten(torch.eye(512))
    torch.testing.assert_close(whitening.shift(whitened), torch.eye(512), atol=1e-2, rtol=0)


def test_gain_is_the_slope_of_seen_against_asked() -> None:
    asked = np.tile([0.25, 0.5, 0.75, 1.0], (3, 1))
    change = np.zeros((3, 4, len(ARKIT_52)))
    change[:, :, 5] = 0.8 * asked
    gain, linearity = fit_gain(Sweep(asked, change, np.ones((3, 4))), 5)
    assert abs(gain - 0.8) < 1e-9
    assert linearity > 0.999


def test_frames_without_a_face_do_not_count_in_the_gain() -> None:
    asked = np.tile([0.5, 1.0], (2, 1))
    change = np.zeros((2, 2, len(ARKIT_52)))
    change[0, :, 5], change[1] = asked[0], np.nan
    gain, _ = fit_gain(Sweep(asked, change, np.ones((2, 2))), 5)
    assert abs(gain - 1) < 1e-9


def test_coefficients_that_no_photo_excites_are_not_learned() -> None:
    names = {ARKIT_52.ids[i] for i in learnable()}
    assert not names & NEVER_CONTROLLED
    assert {"headYaw", "jawOpen", "mouthSmileLeft"} <= names


def _sweep_with_identity(identity: list[float]) -> Sweep:
    asked = np.array([[0.25, 0.5, 0.75, 1.0]])
    return Sweep(asked, np.zeros((1, 4, len(ARKIT_52))), np.array([identity]))


def test_a_range_ends_where_the_person_is_lost() -> None:
    assert good_steps(_sweep_with_identity([0.95, 0.9, 0.6, 0.9]), JAW, 4) == 2
    assert good_steps(_sweep_with_identity([0.95, 0.9, 0.9, 0.9]), JAW, 4) == 4


def test_a_range_ends_where_a_face_is_lost() -> None:
    assert good_steps(_sweep_with_identity([0.95, np.nan, 0.9, 0.9]), JAW, 4) == 1


STEPS = (0.25, 0.5, 0.75, 1.0)


def test_a_row_goes_as_far_as_a_full_move() -> None:
    amplitude, reached = furthest(np.array([0.4, 0.8, 1.2, 1.6]), STEPS, full=1.0)
    assert reached == 1.0
    np.testing.assert_allclose(amplitude, 0.625)


def test_a_row_that_reaches_less_goes_as_far_as_it_rises() -> None:
    assert furthest(np.array([0.1, 0.2, 0.3, 0.25]), STEPS, full=1.0) == (0.75, 0.3)
    assert furthest(np.array([0.1, 0.2]), STEPS, full=1.0) == (0.5, 0.2)


def test_a_row_that_does_nothing_goes_nowhere() -> None:
    assert furthest(np.array([-0.1, 0.2, 0.3, 0.4]), STEPS, full=1.0) == (0.0, 0.0)


def test_left_and_right_together_are_no_longer_than_the_longest_shift() -> None:
    left, right = ARKIT_52.index["mouthSmileLeft"], ARKIT_52.index["mouthSmileRight"]
    random = torch.Generator().manual_seed(2)
    directions = torch.randn(len(ARKIT_52), 2, 512, generator=random)
    directions[right] = directions[left] * 0.3  # two controls of nearly the same thing
    whitening = Whitening.of(torch.eye(512))
    shifts = longest_shifts(directions, [left, right, JAW], whitening)
    together = (shifts[left] + shifts[right]).norm(dim=-1).mean()
    torch.testing.assert_close(together, torch.tensor(MAXIMUM_GROUP_SHIFT), atol=1e-3, rtol=0)
    alone = shifts[JAW].norm(dim=-1).mean()
    torch.testing.assert_close(alone, torch.tensor(MAXIMUM_GROUP_SHIFT), atol=1e-3, rtol=0)


def test_the_gram_gives_the_length_of_any_mixture() -> None:
    random = torch.Generator().manual_seed(3)
    directions = torch.randn(len(ARKIT_52), 2, 512, generator=random)
    shift = torch.rand(len(ARKIT_52), generator=random)
    gram = shift_gram(directions, Whitening.of(torch.eye(512)))
    moved = torch.einsum("k,krd->rd", shift, directions)
    expected = moved.square().sum(-1).mean().sqrt()
    length = np.sqrt(shift.numpy() @ gram @ shift.numpy())
    np.testing.assert_allclose(length, float(expected), rtol=1e-3)
