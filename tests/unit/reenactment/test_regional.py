"""Method ``regional``: what of the generator and what of the mesh each coefficient moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from photorig.shared.parameters.arkit_amounts import readings_of
from photorig.shared.parameters.schema import ARKIT_NAMES, FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.compositing.face_mesh import FacePose
from photorig.worker.generators.regions import (
    FIRST_ROW,
    MASK_SIDE,
    REGIONAL_ROWS,
    REGIONS,
    RegionalStyles,
    side_of_row,
)
from photorig.worker.portraits.face_geometry import FaceGeometry
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.face_target import FaceTarget, lid_edges, settled_lids
from photorig.worker.reenactment.region_masks import region_masks
from photorig.worker.reenactment.regional import driver_of
from photorig.worker.reenactment.regional_controls import (
    CONTROLS,
    RegionalShifts,
    without_closing,
)
from photorig.worker.reenactment.renderer import FaceRenderer

from ..compositing.test_face_mesh import landmarks
from ..fakes import TinyGenerator, driven, tiny_bundle, tiny_portrait
from ..stage_fakes import tiny_stage
from .test_calibration import response

pytestmark = pytest.mark.weights("face-landmarker")

BUNDLE = tiny_bundle(n_rows=10)
SHIFTS = RegionalShifts(BUNDLE)


def amounts(**values: float) -> np.ndarray:
    """(52,)"""
    result = np.zeros(len(ARKIT_NAMES), np.float32)
    for name, value in values.items():
        result[ARKIT_NAMES.index(name)] = value
    return result


def geometry() -> FaceGeometry:
    """A canonical face whose generator draws nothing of an expression and turns 15° a motion."""
    steps = np.linspace(-1, 1, 5)
    poses = np.stack([np.stack([landmarks(15 * step)] * 5) for step in steps])
    turned = np.stack([steps, steps]).astype(np.float32)
    moves = np.zeros((len(CONTROLS), 3, 478, 3), np.float16)
    thirds = np.array([1 / 3, 2 / 3, 1], np.float32)
    return FaceGeometry(
        SHIFTS.id, turned, poses.astype(np.float32), thirds, moves, np.ones(52, np.float32)
    )


def measured() -> Portrait:
    return replace(tiny_portrait(), geometry=geometry())


def drive(portrait: Portrait, **values: float):
    face = driven("regional", BUNDLE, portrait, FACE_SCHEMA.vector(values))
    assert face.styles is not None
    return face


def regions_moved(styles: RegionalStyles) -> set[str]:
    return {name for name, delta in zip(REGIONS, styles.deltas, strict=True) if delta.any()}


# ------------------------------------------------------------------ regions of the generator


@pytest.mark.parametrize(
    ("values", "regions"),
    [
        ({"eyeBlinkLeft": 1.0}, {"eyeLeft"}),
        ({"eyeLookOutRight": 1.0}, {"eyeRight"}),
        ({"browInnerUp": 1.0}, {"browLeft", "browRight"}),
        ({"mouthSmileRight": 1.0}, {"mouthRight"}),
        ({"jawOpen": 1.0}, {"jaw"}),
        ({"cheekPuff": 1.0}, set()),
    ],
    ids=str,
)
def test_a_coefficient_moves_its_own_region_of_the_generator(
    values: dict[str, float], regions: set[str]
) -> None:
    assert regions_moved(drive(measured(), **values).styles) == regions


def test_expressions_add_up() -> None:
    one = drive(measured(), jawOpen=0.4).styles.deltas
    other = drive(measured(), mouthSmileLeft=0.7).styles.deltas
    both = drive(measured(), jawOpen=0.4, mouthSmileLeft=0.7).styles.deltas
    np.testing.assert_allclose(both, one + other, atol=1e-6)


def test_many_expressions_of_one_region_stay_where_faces_stay_faces() -> None:
    every = {c.name: 1.0 for c in CONTROLS if c.regions == ("mouthLeft",)}
    deltas = drive(measured(), **every).styles.deltas[REGIONS.index("mouthLeft")]
    alone = [
        np.linalg.norm(SHIFTS.deltas(amounts(**{c.name: 1.0}))[REGIONS.index("mouthLeft")])
        / c.amplitude
        for c in CONTROLS
    ]
    assert np.linalg.norm(deltas) == pytest.approx(2 * max(alone), rel=1e-3)
    assert not drive(measured(), **every).styles.deltas[REGIONS.index("eyeLeft")].any()


def test_the_generator_shuts_lids_at_the_end_only() -> None:
    half, full = (drive(measured(), eyeBlinkLeft=a).styles.deltas for a in (0.35, 1.0))
    assert not half.any()
    assert full.any()


def test_eyes_leave_coarse_rows_alone() -> None:
    deltas = drive(measured(), eyeBlinkLeft=1.0).styles.deltas
    assert not deltas[:, : 5 - FIRST_ROW].any()


def test_an_expression_leaves_the_code_of_the_picture_alone() -> None:
    portrait = measured()
    latents = driven("regional", BUNDLE, portrait, FACE_SCHEMA.vector({"jawOpen": 1.0})).latents
    np.testing.assert_array_equal(latents, portrait.latents)
    turned = driven("regional", BUNDLE, portrait, FACE_SCHEMA.vector({"headYaw": 0.3})).latents
    assert np.abs(turned - portrait.latents).max() > 0


def test_a_portrait_whose_geometry_belongs_to_another_matrix_is_driven_as_calibrated() -> None:
    shift = FACE_SCHEMA.vector({"jawOpen": 0.3})
    stranger = replace(tiny_portrait(), geometry=replace(geometry(), made_for="another"))
    assert driver_of(stranger, SHIFTS) is None
    drive = driven("regional", BUNDLE, stranger, shift)
    assert drive.move is None and drive.styles is None
    expected = driven("calibrated", BUNDLE, stranger, shift)
    np.testing.assert_array_equal(drive.latents, expected.latents)


def test_rows_act_where_their_features_are() -> None:
    assert [side_of_row(row) for row in REGIONAL_ROWS] == [8, 16, 16, 32, 32]


# ------------------------------------------------------------------ amounts


def shift_of(portrait: Portrait, values: dict[str, float], **fields: object) -> dict[str, float]:
    """Named Δp that the renderer gives the method."""
    renderer = FaceRenderer(BUNDLE, TinyGenerator(), tiny_stage())
    missing = portrait.shown if fields.get("mode") == "absolute" else None
    vector = FACE_SCHEMA.vector(values, missing)
    request = FrameRequest(portrait.id, vector, 8, method="regional", **fields)
    return FACE_SCHEMA.named(renderer.parameter_shift(portrait, request))


def showing(**amounts: float) -> Portrait:
    """A portrait with a known mesh whose photo shows these amounts."""
    read = readings_of(FACE_SCHEMA.vector(amounts))
    return replace(measured(), parameters=read, response=response(bundle_id=BUNDLE.id))


def test_a_mesh_goes_the_whole_way_whatever_the_photo_shows() -> None:
    portrait = showing(jawOpen=0.4)
    assert shift_of(portrait, {"jawOpen": 1.0})["jawOpen"] == pytest.approx(1.0)
    assert shift_of(portrait, {"jawOpen": -1.0})["jawOpen"] == pytest.approx(-0.4)


@pytest.mark.parametrize("asked", ["absolute", "without the photo's own expression"])
def test_a_blink_shuts_lids_that_are_half_shut_in_the_photo(asked: str) -> None:
    portrait = showing(eyeBlinkLeft=0.5)
    fields = {"mode": "absolute"} if asked == "absolute" else {"mode": "relative", "neutral": 1.0}
    for amount, closed in ((1.0, 1.0), (0.75, 0.5), (0.5, 0.0), (0.0, -1.0)):
        shift = shift_of(portrait, {"eyeBlinkLeft": amount}, **fields)
        assert shift["eyeBlinkLeft"] == pytest.approx(closed, abs=1e-5)


def test_a_relative_blink_is_a_part_of_what_the_lids_have_left_to_close() -> None:
    shift = shift_of(showing(eyeBlinkLeft=0.5), {"eyeBlinkLeft": 0.5}, mode="relative")
    assert shift["eyeBlinkLeft"] == pytest.approx(0.5)


# ------------------------------------------------------------------ masks


def mask_at(masks: np.ndarray, region: str, point: np.ndarray) -> float:
    column, row = (point[:2] * MASK_SIDE).astype(int)
    return float(masks[REGIONS.index(region), row, column])


def test_masks_cover_their_region_and_leave_the_other_side_alone() -> None:
    points = landmarks()
    masks = region_masks(points).masks
    assert masks.min() >= 0 and masks.max() <= 1
    left_eye, right_eye = points[[263, 362]].mean(0), points[[33, 133]].mean(0)
    assert mask_at(masks, "eyeLeft", left_eye) == pytest.approx(1)
    assert mask_at(masks, "eyeLeft", right_eye) == 0
    assert mask_at(masks, "browRight", points[105]) == pytest.approx(1, abs=0.02)
    assert mask_at(masks, "mouthLeft", points[291]) > 0.9
    assert mask_at(masks, "mouthLeft", points[61]) == 0
    assert mask_at(masks, "jaw", points[152]) > 0.9
    assert mask_at(masks, "jaw", points[168]) == 0


def test_both_halves_of_the_mouth_are_all_of_it() -> None:
    masks = region_masks(landmarks()).masks
    halves = masks[REGIONS.index("mouthLeft")] + masks[REGIONS.index("mouthRight")]
    assert halves.max() <= 1 + 1e-6
    middle = (landmarks()[[13, 14], :2].mean(0) * MASK_SIDE).astype(int)
    assert halves[middle[1], middle[0]] == pytest.approx(1)


def test_the_head_turns_as_asked_where_the_generator_can_turn_it_no_farther() -> None:
    portrait = measured()
    angles = []
    for asked in (10.0, 20.0, 30.0):
        turn = drive(portrait, headYaw=asked).move.rotation
        angles.append(np.degrees(np.arctan2(turn[0, 2], turn[2, 2])))
    np.testing.assert_allclose(np.array(angles) / angles[0], [1, 2, 3], rtol=1e-6)
    drawn = [
        FacePose.of(drive(portrait, headYaw=asked).move.posed).rotation[0, 2]
        for asked in (15.0, 30.0)
    ]
    assert drawn[1] <= np.sin(np.radians(15)) + 1e-6, "beyond its grid nothing is known of a face"
    portrait = replace(portrait, response=response(bundle_id=BUNDLE.id))
    lowest, highest = BUNDLE.reach(portrait)
    yaw = FACE_SCHEMA.index["headYaw"]
    own = float(portrait.shown[yaw])
    assert highest[yaw] - own >= 35
    assert own - lowest[yaw] >= 35


def test_masks_follow_a_turned_head() -> None:
    turned = landmarks(25.0)
    masks = region_masks(turned).masks
    assert mask_at(masks, "eyeLeft", turned[[263, 362]].mean(0)) > 0.95


# ------------------------------------------------------------------ the mesh


def target_of(posed: np.ndarray, **values: float) -> np.ndarray:
    return FaceTarget(landmarks()).landmarks(amounts(**values), posed, FacePose.of(posed))


def eye_distance(points: np.ndarray) -> float:
    right, left = (points[list(corners)].mean(0) for corners in ((33, 133), (263, 362)))
    return float(np.linalg.norm(left - right))


@pytest.mark.parametrize("scale", [0.02, 0.03])
def test_amount_one_is_full_motion_in_distances_of_the_eyes(scale: float) -> None:
    rest = landmarks(scale=scale)
    target = FaceTarget(rest)
    opened = target.landmarks(amounts(jawOpen=1.0), rest, FacePose.of(rest)) - rest
    assert (opened[14] - opened[13])[1] / eye_distance(rest) == pytest.approx(0.52, abs=0.02)
    smiled = target.landmarks(amounts(mouthSmileLeft=1.0), rest, FacePose.of(rest)) - rest
    assert -smiled[291, 1] / eye_distance(rest) == pytest.approx(0.167, abs=0.005)
    assert smiled[291, 0] / eye_distance(rest) == pytest.approx(0.112, abs=0.005)


def test_a_shape_that_is_not_seen_in_full_is_given_more() -> None:
    gains = np.ones(52, np.float32)
    gains[ARKIT_NAMES.index("mouthFrownLeft")] = 1.2
    rest = landmarks()
    more = FaceTarget(rest, gains).landmarks(amounts(mouthFrownLeft=0.5), rest, FacePose.of(rest))
    usual = target_of(rest, mouthFrownLeft=0.6)
    np.testing.assert_allclose(more, usual, atol=1e-7)


def test_a_smile_on_one_side_and_in_a_laugh_is_given_more() -> None:
    rest, gains = landmarks(), np.ones(52, np.float32)

    def corner(**values: float) -> float:
        moved = FaceTarget(rest, gains).landmarks(amounts(**values), rest, FacePose.of(rest))
        return float(rest[291, 1] - moved[291, 1])

    alone = corner(mouthSmileLeft=0.8, mouthSmileRight=0.8)
    assert corner(mouthSmileLeft=0.8) == pytest.approx(1.12 * alone, rel=0.02)
    jaw = corner(jawOpen=0.35)
    laugh = corner(mouthSmileLeft=0.8, mouthSmileRight=0.8, jawOpen=0.35)
    assert laugh - jaw == pytest.approx(1.105 * alone, rel=0.02)


def test_amounts_are_linear_to_one() -> None:
    half = target_of(landmarks(), mouthSmileLeft=0.5) - landmarks()
    full = target_of(landmarks(), mouthSmileLeft=1.0) - landmarks()
    np.testing.assert_allclose(full, 2 * half, atol=1e-9)


def test_shapes_turn_with_the_head() -> None:
    forward = target_of(landmarks(90.0), jawForward=1.0) - landmarks(90.0)
    chin = forward[152]
    assert chin[0] > 0 and abs(chin[0]) > 3 * abs(chin[2])


@pytest.mark.parametrize("opening", [0.5, 1.0, 1.6])
def test_a_blink_shuts_an_eye_however_far_it_is_open(opening: float) -> None:
    upper, lower = lid_edges("Left")
    rest = landmarks()
    rest[upper[1:-1], 1] -= (opening - 1) * (rest[lower[1:-1], 1] - rest[upper[1:-1], 1])
    wanted = FaceTarget(rest).landmarks(amounts(eyeBlinkLeft=1.0), rest, FacePose.of(rest))
    settled = settled_lids(wanted, rest, rest)

    def gap(points: np.ndarray) -> float:
        return float((points[lower[1:-1], 1] - points[upper[1:-1], 1]).mean())

    assert 0.02 * gap(rest) < gap(settled) < 0.14 * gap(rest)


def test_lids_that_are_shut_twice_do_not_pass_through_each_other() -> None:
    rest = landmarks()
    both = amounts(eyeBlinkLeft=1.0, eyeSquintLeft=1.0, eyeLookDownLeft=1.0)
    wanted = FaceTarget(rest).landmarks(both, rest, FacePose.of(rest))
    settled = settled_lids(wanted, rest, rest)
    upper, lower = lid_edges("Left")
    assert (settled[lower[1:-1], 1] - settled[upper[1:-1], 1]).min() > 0


def test_lips_do_not_pass_through_each_other() -> None:
    closed = target_of(landmarks(), mouthClose=1.0)
    assert closed[14, 1] >= closed[13, 1] - 1e-9


def test_closing_a_mouth_that_is_closed_folds_nothing() -> None:
    closed = target_of(landmarks(), mouthClose=1.0)
    open_and_closed = target_of(landmarks(), mouthClose=1.0, jawOpen=0.5)
    assert np.abs(closed - landmarks()).max() < 0.4 * np.abs(open_and_closed - landmarks()).max()


def test_lips_close_over_all_that_the_jaw_of_this_face_opens() -> None:
    rest, gains = landmarks(), np.ones(52, np.float32)
    gains[ARKIT_NAMES.index("jawOpen")] = 1.15

    def apart(**values: float) -> float:
        moved = FaceTarget(rest, gains).landmarks(amounts(**values), rest, FacePose.of(rest))
        return float((moved[14] - moved[13])[1])

    opened = apart(jawOpen=0.6) - apart()
    assert apart(jawOpen=0.6, mouthClose=0.6) - apart() == pytest.approx(0, abs=0.01 * opened)
    assert apart(jawOpen=0.6, mouthClose=0.3) - apart() == pytest.approx(opened / 2, rel=0.02)


def test_the_generator_parts_no_lips_that_close_over_the_jaw() -> None:
    half = without_closing(amounts(jawOpen=0.6, mouthClose=0.3, mouthSmileLeft=0.5))
    np.testing.assert_allclose(half, amounts(jawOpen=0.3, mouthClose=0.3, mouthSmileLeft=0.5))
    assert not SHIFTS.deltas(without_closing(amounts(jawOpen=0.5, mouthClose=1.0))).any()


def test_a_mouth_that_is_closed_presses_its_lips() -> None:
    closed = target_of(landmarks(), mouthClose=1.0) - landmarks()
    pressed = target_of(landmarks(), mouthPressLeft=0.6, mouthPressRight=0.6) - landmarks()
    assert np.abs(closed).max() > 0.5 * np.abs(pressed).max()


def test_eyes_look_to_the_side_that_is_asked_for() -> None:
    left = target_of(landmarks(), eyeLookOutLeft=1.0, eyeLookInRight=1.0) - landmarks()
    width = np.linalg.norm(landmarks()[263, :2] - landmarks()[362, :2])
    assert left[473, 0] / width == pytest.approx(0.2, abs=0.02)
    assert left[468, 0] / width == pytest.approx(0.2, abs=0.02)
    up = target_of(landmarks(), eyeLookUpLeft=1.0) - landmarks()
    assert up[473, 1] / width == pytest.approx(-0.17, abs=0.02)
    assert not up[468].any()


def test_a_turn_alone_moves_no_mesh() -> None:
    move = drive(measured(), headYaw=0.3).move
    np.testing.assert_array_equal(move.seen, move.target)
    assert move.is_turned


def test_what_the_generator_has_done_already_the_mesh_need_not() -> None:
    number = [control.name for control in CONTROLS].index("jawOpen")
    moves = geometry().moves.copy()
    moves[number, :, 152, 1] = [0.01, 0.02, 0.03]
    portrait = replace(measured(), geometry=replace(geometry(), moves=moves))
    move = drive(portrait, jawOpen=0.5).move
    assert (move.seen - move.rest)[152, 1] == pytest.approx(0.015, abs=1e-4)


# ------------------------------------------------------------------ files


def test_a_portrait_keeps_its_geometry() -> None:
    portrait = measured()
    again = Portrait.from_bytes(portrait.to_bytes())
    assert again.geometry is not None
    assert again.geometry.made_for == SHIFTS.id
    for name in ("turned", "poses", "amounts", "moves"):
        mine, its = getattr(portrait.geometry, name), getattr(again.geometry, name)
        np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize(
    "change",
    [
        {"poses": np.full((5, 5, 478, 3), np.nan, np.float32)},
        {"poses": np.zeros((5, 4, 478, 3), np.float32)},
        {"amounts": np.array([0.5, 0.2, 1.0], np.float32)},
        {"moves": np.zeros((len(CONTROLS), 2, 478, 3), np.float16)},
        {"turned": np.ones((2, 5), np.float32)},
    ],
    ids=["nan", "shape", "falling", "amounts", "no rest"],
)
def test_a_geometry_that_cannot_be_is_refused(change: dict[str, np.ndarray]) -> None:
    from photorig.shared.errors import InputError

    damaged = replace(measured(), geometry=replace(geometry(), **change))
    with pytest.raises(InputError):
        Portrait.from_bytes(damaged.to_bytes())


def test_poses_between_the_measured_ones_are_smooth() -> None:
    face = geometry()
    between = face.posed(0.25, 0.0)
    expected = landmarks(3.75)
    assert np.abs(between - expected)[:, :2].max() < 2e-3
    np.testing.assert_allclose(face.posed(0.5, 0.0), face.poses[3, 2], atol=1e-7)
