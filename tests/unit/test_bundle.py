"""A direction matrix file brings its schema, its generator and its measured responses."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photorig.shared.errors import ModelError
from photorig.shared.schema import ARKIT_52
from photorig.worker.reenactment.bundle import read_bundle

from .fakes import tiny_bundle


def test_a_bundle_comes_back_from_its_file_unchanged(tmp_path: Path) -> None:
    bundle = tiny_bundle()
    bundle.save(tmp_path / "a.safetensors")
    loaded = read_bundle(tmp_path / "a.safetensors")
    assert loaded.id == bundle.id
    assert loaded.responses == bundle.responses
    assert loaded.schema == bundle.schema


def test_the_id_changes_with_whatever_changes_the_pixels() -> None:
    bundle = tiny_bundle()
    moved = replace(bundle, directions=bundle.directions + 1e-3)
    shorter = replace(bundle, responses=tiny_bundle(limit=0.4).responses)
    other_generator = replace(bundle, model_id="another")
    less_at_once = replace(bundle, longest_expression=0.9)
    assert len({b.id for b in (bundle, moved, shorter, other_generator, less_at_once)}) == 5


def test_each_shift_stops_at_the_end_of_its_range() -> None:
    shift = ARKIT_52.vector({"headYaw": -3, "jawOpen": 0.9})
    held = ARKIT_52.named(tiny_bundle(limit=0.5).within_range(shift))
    assert (held["headYaw"], held["jawOpen"]) == (-0.5, 0.5)


def test_an_expression_that_is_too_much_at_once_is_scaled_back_as_a_whole() -> None:
    names = ("jawOpen", "mouthPucker", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight")
    shift = ARKIT_52.vector(dict.fromkeys(names, 0.5) | {"headYaw": 0.5})
    held = tiny_bundle().within_range(shift)
    coefficients = held[tiny_bundle().is_coefficient]
    assert np.linalg.norm(coefficients) == pytest.approx(1.0, rel=1e-5)
    assert np.ptp(coefficients[coefficients > 0]) < 1e-6
    assert held[0] == 0.5, "head angles are not part of the expression"


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
