"""A direction matrix file brings its schema, its generator and its measured responses."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photorig.shared.errors import ModelError
from photorig.shared.parameters.arkit_amounts import readings_of
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle, read_bundle

from ..fakes import tiny_bundle, tiny_portrait


def test_a_bundle_comes_back_from_its_file_unchanged(tmp_path: Path) -> None:
    bundle = tiny_bundle()
    bundle.save(tmp_path / "a.safetensors")
    loaded = read_bundle(tmp_path / "a.safetensors")
    assert loaded.id == bundle.id
    assert loaded.responses == bundle.responses
    assert loaded.schema == bundle.schema


def showing(parameters: np.ndarray) -> Portrait:
    return replace(tiny_portrait(), parameters=parameters)


def test_the_id_changes_with_whatever_changes_the_pixels() -> None:
    bundle = tiny_bundle()
    moved = replace(bundle, directions=bundle.directions + 1e-3)
    shorter = replace(bundle, responses=tiny_bundle(limit=0.4).responses)
    other_generator = replace(bundle, model_id="another")
    less_at_once = replace(bundle, longest_expression=0.9)
    less_alone = replace(bundle, longest_motion=bundle.longest_motion * 0.9)
    others = (moved, shorter, other_generator, less_at_once, less_alone)
    assert len({b.id for b in (bundle, *others)}) == 6


def test_each_shift_stops_where_the_face_reaches_the_end_of_its_range() -> None:
    shift = FACE_SCHEMA.vector({"headYaw": -3, "mouthPucker": 0.9})
    source = FACE_SCHEMA.vector({"mouthPucker": 0.1})
    held = FACE_SCHEMA.named(tiny_bundle(limit=0.5).within_range(showing(source), shift))
    assert (held["headYaw"], held["mouthPucker"]) == pytest.approx((-0.5, 0.4))


def test_ranges_are_amounts_although_the_matrix_was_learned_with_readings() -> None:
    jaw = FACE_SCHEMA.index["jawOpen"]
    lowest, highest = tiny_bundle(limit=0.5).reach(showing(FACE_SCHEMA.rest))
    assert lowest[jaw] == 0
    assert readings_of(highest)[jaw] == pytest.approx(0.5, abs=1e-6)


def test_a_change_of_amounts_becomes_the_change_that_net3d_reads() -> None:
    jaw, pucker = FACE_SCHEMA.index["jawOpen"], FACE_SCHEMA.index["mouthPucker"]
    source = readings_of(FACE_SCHEMA.vector({"jawOpen": 0.2}))
    shift = FACE_SCHEMA.vector({"jawOpen": 0.4, "mouthPucker": 0.3})
    change = tiny_bundle().read_change(showing(source), shift)
    assert change[jaw] == pytest.approx(0.42 - 0.03, abs=1e-6)
    assert change[pucker] == pytest.approx(0.3)
    assert np.count_nonzero(change) == 2, "what is not asked for stays exactly"


def test_a_face_that_shows_more_than_was_trained_keeps_it_and_can_show_less() -> None:
    source = FACE_SCHEMA.vector({"mouthPucker": 0.8})
    bundle = tiny_bundle(limit=0.5)
    pucker = FACE_SCHEMA.index["mouthPucker"]
    for asked, held in ((0.1, 0.0), (0.0, 0.0), (-0.2, -0.2), (-0.9, -0.9), (-2.0, -1.3)):
        shift = FACE_SCHEMA.vector({"mouthPucker": asked})
        assert bundle.within_range(showing(source), shift)[pucker] == pytest.approx(held)


def bent_bundle() -> ModelBundle:
    """A curve that rises fast up to 0.2 and slowly after it."""
    values = np.tile(np.array([0, 0.2, 1], np.float32), (len(FACE_SCHEMA), 1))
    motion = np.tile(np.array([0, 0.6, 1], np.float32), (len(FACE_SCHEMA), 1))
    return replace(tiny_bundle(), curve_values=values, curve_motion=motion)


def test_motion_is_the_difference_along_the_curve() -> None:
    jaw = FACE_SCHEMA.index["jawOpen"]
    source = FACE_SCHEMA.vector({"jawOpen": 0.1})
    motion = bent_bundle().motion(source, FACE_SCHEMA.vector({"jawOpen": 0.3}))
    assert motion[jaw] == pytest.approx(0.7 - 0.3)
    assert np.count_nonzero(motion) == 1


def test_the_curve_goes_straight_on_beyond_its_ends() -> None:
    yaw = FACE_SCHEMA.index["headYaw"]
    motion = bent_bundle().motion(FACE_SCHEMA.rest, FACE_SCHEMA.vector({"headYaw": 3}))
    assert motion[yaw] == pytest.approx(2.0)


@pytest.mark.parametrize("seed", range(5))
def test_no_shift_is_exactly_no_motion(seed: int) -> None:
    source = np.random.default_rng(seed).uniform(-40, 40, len(FACE_SCHEMA)).astype(np.float32)
    assert not bent_bundle().motion(source, FACE_SCHEMA.rest).any()


def test_what_is_not_realised_by_the_matrix_does_not_move_it() -> None:
    bundle = tiny_bundle()
    by_geometry = replace(bundle.responses[0], realised_by="geometry")
    bundle = replace(bundle, responses=(by_geometry, *bundle.responses[1:]))
    assert not bundle.motion(FACE_SCHEMA.rest, FACE_SCHEMA.vector({"headYaw": 0.3})).any()


def test_an_expression_that_is_too_much_at_once_is_scaled_back_as_a_whole() -> None:
    names = ("jawOpen", "mouthPucker", "mouthFunnel", "eyeBlinkLeft", "eyeBlinkRight")
    motion = FACE_SCHEMA.vector(dict.fromkeys(names, 0.5) | {"headYaw": 0.5})
    held = tiny_bundle().clamped_motion(motion)
    coefficients = held[tiny_bundle().is_coefficient]
    assert np.linalg.norm(coefficients) == pytest.approx(1.0, rel=1e-5)
    assert np.ptp(coefficients[coefficients > 0]) < 1e-6
    assert held[0] == 0.5, "head angles are not part of the expression"


def test_a_group_that_is_too_much_at_once_is_scaled_back_and_nothing_else() -> None:
    names = ("browInnerUp", "browOuterUpLeft", "browOuterUpRight", "browDownLeft")
    held = tiny_bundle().clamped_motion(
        FACE_SCHEMA.vector(dict.fromkeys(names, 0.4) | {"jawOpen": 0.5})
    )
    named = FACE_SCHEMA.named(held)
    assert named["browInnerUp"] == pytest.approx(0.3)
    assert named["jawOpen"] == pytest.approx(0.5)


def test_no_parameter_alone_goes_further_than_faces_bear() -> None:
    held = tiny_bundle().clamped_motion(FACE_SCHEMA.vector({"jawOpen": 0.95, "headYaw": -3}))
    named = FACE_SCHEMA.named(held)
    assert (named["jawOpen"], named["headYaw"]) == pytest.approx((0.8, -0.8))


@pytest.mark.parametrize("values", [[0, 0.2, 0.2], [0, 1, 0.5], [0, np.nan, 1]])
def test_a_curve_that_does_not_rise_is_refused(tmp_path: Path, values: list[float]) -> None:
    wrong = np.tile(np.array(values, np.float32), (len(FACE_SCHEMA), 1))
    replace(bent_bundle(), curve_values=wrong).save(tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="damaged"):
        read_bundle(tmp_path / "a.safetensors")


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps([1])])
def test_what_is_no_matrix_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="no direction matrix"):
        read_bundle(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        read_bundle(tmp_path / "nowhere.safetensors")


def test_a_matrix_that_does_not_fit_its_schema_is_refused(tmp_path: Path) -> None:
    bundle = tiny_bundle()
    replace(bundle, directions=np.zeros((3, 8, 512), np.float32)).save(tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="shape"):
        read_bundle(tmp_path / "a.safetensors")
