"""Sampled faces: what is measured, and what a second run need not measure again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from photorig.shared.errors import InputError
from photorig.worker.training.head_model import face_samples
from photorig.worker.training.head_model.face_samples import FaceSamples, collect_samples


class StripedGenerator:
    """Pictures that hold the first latent number as a grey level."""

    model_id = "striped"
    z_dim = 512
    mean_latent = np.full(512, 0.5, np.float32)

    def __init__(self) -> None:
        self.made = 0

    def map(self, z: np.ndarray, truncation: float = 1.0) -> np.ndarray:
        return z

    def expand(self, latents: np.ndarray) -> np.ndarray:
        return np.repeat(latents[:, None], 16, 1)

    def synthesize(self, latents: np.ndarray, size: int) -> np.ndarray:
        self.made += len(latents)
        grey = np.clip(latents[:, 0, 0] * 40 + 128, 0, 255).astype(np.uint8)
        return np.tile(grey[:, None, None, None], (1, 8, 8, 3))


class GreyLandmarker:
    """Finds a face in every picture that is not dark, and measures its grey as the jaw."""

    def detect(self, images: torch.Tensor) -> list[object | None]:
        return [object() if image.mean() > 0.3 else None for image in images]

    def measure(self, images: torch.Tensor, regions: list[object]) -> SimpleNamespace:
        assert len(images) == len(regions)
        grey = images.mean((1, 2, 3))
        parameters = grey[:, None].expand(-1, 58)
        return SimpleNamespace(
            parameters=parameters, aligned=grey[:, None, None].expand(-1, 468, 3)
        )


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_samples, "CHUNK", 10)


def _collect(cache: Path, generator: StripedGenerator | None = None, **options) -> FaceSamples:
    return collect_samples(generator or StripedGenerator(), GreyLandmarker(), cache, **options)


def test_the_same_seed_gives_the_same_faces(tmp_path: Path) -> None:
    first = _collect(tmp_path / "a", count=12, seed=3)
    second = _collect(tmp_path / "b", count=12, seed=3)
    other = _collect(tmp_path / "c", count=12, seed=4)
    np.testing.assert_array_equal(first.latents, second.latents)
    assert not np.array_equal(first.latents, other.latents)


def test_what_is_in_the_cache_is_not_made_again(tmp_path: Path) -> None:
    first = _collect(tmp_path, count=20)
    generator = StripedGenerator()
    second = _collect(tmp_path, generator, count=20)
    assert generator.made == 0
    np.testing.assert_array_equal(first.parameters, second.parameters)


def test_a_larger_count_extends_a_smaller_one(tmp_path: Path) -> None:
    few = _collect(tmp_path, count=7)
    generator = StripedGenerator()
    many = _collect(tmp_path, generator, count=25)
    assert generator.made == 20
    np.testing.assert_array_equal(many.latents[:7], few.latents)


def test_a_damaged_cache_file_is_made_again(tmp_path: Path) -> None:
    whole = _collect(tmp_path, count=20)
    damaged = sorted(tmp_path.iterdir())[1]
    damaged.write_bytes(damaged.read_bytes()[:100])
    generator = StripedGenerator()
    repaired = _collect(tmp_path, generator, count=20)
    assert generator.made == 10
    np.testing.assert_array_equal(whole.vertices, repaired.vertices)


def test_faces_that_are_not_found_are_marked_and_left_out_of_the_usable(tmp_path: Path) -> None:
    samples = _collect(tmp_path, count=40)
    assert 0 < samples.found.sum() < 40
    assert not samples.parameters[~samples.found].any()
    assert len(samples.usable()) == samples.found.sum()
    assert samples.usable().parameters.min() > 0.3


def test_truncation_pulls_towards_the_mean(tmp_path: Path) -> None:
    samples = _collect(tmp_path, count=10, truncation=(0.0, 0.0))
    np.testing.assert_allclose(samples.latents, 0.5)


@pytest.mark.parametrize("truncation", [(0.9, 0.5), (-0.1, 0.5), (0.5, 1.1)])
def test_a_range_that_is_none_is_refused(tmp_path: Path, truncation: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="truncation"):
        _collect(tmp_path, count=10, truncation=truncation)
