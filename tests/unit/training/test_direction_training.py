"""The parts of direction training that can be checked on worlds whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.training.directions.calibration import (
    LONGEST_MOTION,
    MAXIMUM_SHIFT,
    fit_gain,
    longest_motion,
    shift_gram,
)
from photorig.worker.training.directions.curves import (
    ANGLE_KNOTS,
    COEFFICIENT_KNOTS,
    Curve,
    fit_curve,
)
from photorig.worker.training.directions.gradient import GradientSettings, SourcePool, draw_batch
from photorig.worker.training.directions.jacobian import (
    Jacobians,
    JacobianWeights,
    solve_directions,
)
from photorig.worker.training.directions.motion import MotionScale, learnable, softened_logit
from photorig.worker.training.directions.regions import kept_pixels
from photorig.worker.training.directions.whitening import Whitening

D = 2 * 512  # two rows are enough to see whether they are tied
JAW = FACE_SCHEMA.index["jawOpen"]
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
    asked = np.tile([0.25, 0.5, 0.75, 1.0], 3)
    gain, linearity = fit_gain(asked, 0.8 * asked)
    assert gain == pytest.approx(0.8)
    assert linearity > 0.999


def test_frames_without_a_face_do_not_count_in_the_gain() -> None:
    gain, _ = fit_gain(np.array([0.5, 1.0, 1.0]), np.array([0.5, 1.0, np.nan]))
    assert gain == pytest.approx(1)


SCALE = MotionScale(FACE_SCHEMA, learnable(FACE_SCHEMA))


def test_coefficients_that_no_photo_excites_are_not_learned() -> None:
    names = {FACE_SCHEMA.ids[i] for i in SCALE.positions}
    assert not names & {"cheekPuff", "noseSneerLeft", "tongueOut", "headRoll", "headX"}
    assert {"headYaw", "jawOpen", "mouthSmileLeft", "mouthLeft", "browInnerUp"} <= names


def test_motion_is_zero_at_the_usual_value_and_one_in_a_full_move() -> None:
    jaw = SCALE.positions.index(JAW)
    parameters = torch.zeros(2, len(FACE_SCHEMA))
    parameters[:, JAW] = torch.tensor([0.02, 0.65])
    parameters[:, FACE_SCHEMA.index["headYaw"]] = torch.tensor([0.0, 25.0])
    torch.testing.assert_close(SCALE.of(parameters)[:, jaw], torch.tensor([0.0, 1.0]))
    assert SCALE.of(parameters)[1, SCALE.positions.index(0)] == 1


def test_the_softened_logit_stays_finite_at_the_ends() -> None:
    ends = softened_logit(torch.tensor([0.0, 0.5, 1.0]))
    assert ends.isfinite().all()
    torch.testing.assert_close(ends, torch.tensor([-float(ends[2]), 0.0, float(ends[2])]))


def _driven(true: Curve, start: np.ndarray, moved: np.ndarray) -> np.ndarray:
    return np.array([[true.value_at(float(true(np.array(s))) + m) for m in moved] for s in start])


def test_a_curve_is_found_again_from_what_faces_did() -> None:
    random = np.random.default_rng(0)
    true = Curve(COEFFICIENT_KNOTS, COEFFICIENT_KNOTS**0.5 * 2)
    start, moved = random.uniform(0.1, 0.4, 30), np.array([0.2, 0.4, 0.6, 0.8])
    prior = SCALE.curve(SCALE.positions.index(JAW), COEFFICIENT_KNOTS)
    found = fit_curve(start, _driven(true, start, moved), np.tile(moved, (30, 1)), prior)
    for value in (0.2, 0.4, 0.6, 0.8):
        asked = found(np.array(value)) - found(np.array(0.15))
        shown = true.value_at(float(true(np.array(0.15))) + float(asked))
        assert shown == pytest.approx(value, abs=0.05)


def test_a_curve_rises_even_where_faces_did_nothing() -> None:
    prior = SCALE.curve(0, ANGLE_KNOTS)
    start = np.linspace(-20, 20, 9)
    stuck = np.repeat(start[:, None], 3, 1)
    curve = fit_curve(start, stuck, np.tile([0.2, 0.5, 1.0], (9, 1)), prior)
    assert (np.diff(curve.motion) > 0).all()


def test_faces_that_were_lost_do_not_bend_the_curve() -> None:
    prior = SCALE.curve(0, ANGLE_KNOTS)
    start, moved = np.zeros(6), np.tile([0.4, 0.8], (6, 1))
    seen = moved * 25
    whole = fit_curve(start, seen, moved, prior)
    seen[0, 1] = np.nan
    np.testing.assert_allclose(fit_curve(start, seen, moved, prior).motion, whole.motion, atol=0.05)


def test_a_long_row_goes_as_far_as_faces_bear_and_a_short_one_as_far_as_makes_sense() -> None:
    smile, jaw = (
        SCALE.positions.index(FACE_SCHEMA.index[n]) for n in ("mouthSmileLeft", "jawOpen")
    )
    random = torch.Generator().manual_seed(2)
    directions = torch.randn(len(SCALE.positions), 2, 512, generator=random)
    directions[jaw] *= 0.01
    longest = longest_motion(directions, SCALE, Whitening.of(torch.eye(512)))
    moved = directions[smile] * longest[smile]
    length = float(moved.square().sum(-1).mean().sqrt())
    assert length == pytest.approx(MAXIMUM_SHIFT, rel=1e-3)
    assert longest[jaw] == LONGEST_MOTION


def test_the_gram_gives_the_length_of_any_mixture() -> None:
    random = torch.Generator().manual_seed(3)
    directions = torch.randn(len(FACE_SCHEMA), 2, 512, generator=random)
    shift = torch.rand(len(FACE_SCHEMA), generator=random)
    gram = shift_gram(directions, Whitening.of(torch.eye(512)))
    moved = torch.einsum("k,krd->rd", shift, directions)
    expected = moved.square().sum(-1).mean().sqrt()
    length = np.sqrt(shift.numpy() @ gram @ shift.numpy())
    np.testing.assert_allclose(length, float(expected), rtol=1e-3)


def _landmarks() -> torch.Tensor:
    """A face whose landmarks all lie in the middle, with eyes 64 pixels apart."""
    landmarks = torch.full((1, 478, 3), 128.0)
    for corner, x in ((33, 96.0), (133, 112.0), (362, 144.0), (263, 160.0)):
        landmarks[0, corner, :2] = torch.tensor([x, 100.0])
    landmarks[0, [13, 14], 1] = 170.0
    landmarks[0, [17, 152], 1] = 190.0
    return landmarks


def _kept(*names: str) -> torch.Tensor:
    moved = torch.tensor([[FACE_SCHEMA.ids[p] in names for p in SCALE.positions]])
    return kept_pixels(_landmarks(), moved, FACE_SCHEMA, SCALE.positions, 256)[0, 0]


def test_a_blink_may_change_its_own_eye_and_nothing_else() -> None:
    kept = _kept("eyeBlinkLeft")  # the subject's left is on the right of the image
    assert kept[100, 152] == 0
    assert kept[100, 104] == 1
    assert kept[170, 128] == 1


def test_two_controls_may_change_what_either_may() -> None:
    kept = _kept("eyeBlinkRight", "jawOpen")
    assert kept[100, 104] == 0
    assert kept[170, 128] == 0
    assert kept[20, 20] == 1


def test_a_turning_head_may_change_everything() -> None:
    assert not _kept("headYaw", "jawOpen").any()


def _pool(n: int = 6) -> SourcePool:
    random = torch.Generator().manual_seed(4)
    parameters = torch.rand(n, len(FACE_SCHEMA), generator=random) * 0.5
    nothing = torch.zeros(n)
    images = torch.zeros(n, 3, 8, 8, dtype=torch.uint8)
    return SourcePool(
        nothing, images, nothing, parameters, nothing, nothing, nothing, nothing, nothing, nothing
    )


def test_the_same_seed_draws_the_same_batch_and_moves_something() -> None:
    settings = GradientSettings(batch=64)
    one, other = (
        draw_batch(_pool(), SCALE, settings, torch.Generator().manual_seed(7)) for _ in range(2)
    )
    torch.testing.assert_close(one.moves, other.moves)
    assert one.moves.ne(0).any(1).all()


def test_half_of_a_batch_moves_one_control_or_a_mirrored_pair() -> None:
    batch = draw_batch(
        _pool(), SCALE, GradientSettings(batch=400), torch.Generator().manual_seed(8)
    )
    count = batch.moves.ne(0).sum(1)
    assert 0.4 < float((count <= 2).float().mean()) < 0.8
    for moves in batch.moves[count == 2]:
        first, second = moves.nonzero()[:, 0].tolist()
        if bool(SCALE.is_angle[first]):
            continue
        mirror = FACE_SCHEMA.parameters[SCALE.positions[first]].mirror
        assert SCALE.positions[second] == FACE_SCHEMA.index[mirror]
        assert moves[first] == moves[second]
