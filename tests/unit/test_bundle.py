"""A direction matrix file brings its schema, its generator and its measured responses."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photorig.shared.errors import ModelError
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
    assert len({b.id for b in (bundle, moved, shorter, other_generator)}) == 4


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
