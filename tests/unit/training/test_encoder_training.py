"""Training of the encoder: samples, photographs, and the regression, on made-up pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from photorig.shared.errors import InputError
from photorig.worker.fitting.encoder import ROW_GROUPS, Maps
from photorig.worker.training.encoder import samples as samples_module
from photorig.worker.training.encoder.features import TrunkFeatures, both
from photorig.worker.training.encoder.occluders import occluded
from photorig.worker.training.encoder.photographs import Chances, before_another, photograph
from photorig.worker.training.encoder.regression import (
    Coordinates,
    RegressionSettings,
    explained,
    fit_head,
)
from photorig.worker.training.encoder.samples import (
    HELD_OUT,
    TRAINING,
    load_samples,
    observed_people,
)


class FlatGenerator:
    """A face is one colour; counts what it is asked for."""

    pixels_id = "flat generator"
    n_rows, w_dim, z_dim = 16, 512, 512

    def __init__(self) -> None:
        self.rendered = 0

    def map(self, z: np.ndarray, truncation: float = 1.0) -> np.ndarray:
        return truncation * z

    def synthesize(self, latents: np.ndarray, size: int) -> np.ndarray:
        self.rendered += len(latents)
        level = (128 + 40 * latents[:, 0, 0]).clip(0, 255).astype(np.uint8)
        return np.broadcast_to(level[:, None, None, None], (len(latents), 8, 8, 3)).copy()


class LeftHalf:
    """A matte: the person is the left half of each picture."""

    id = "left half"

    def person(self, picture: np.ndarray) -> np.ndarray:
        return np.repeat([[1.0, 0.0]], 2, 0).repeat(128, 0).repeat(128, 1).astype(np.float32)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples_module, "CHUNK", 3)


def test_lessons_depend_on_seed_and_group_and_more_of_them_extend_fewer(tmp_path: Path):
    generator = FlatGenerator()
    few = load_samples(generator, TRAINING, 0, 3, tmp_path / "a")
    more = load_samples(generator, TRAINING, 0, 6, tmp_path / "b")
    other = load_samples(generator, HELD_OUT, 0, 3, tmp_path / "c")
    assert np.array_equal(few.codes, more.codes[:3])
    assert not np.array_equal(few.codes, other.codes)
    assert few.codes.shape == (3, len(ROW_GROUPS), 512)


def test_a_stopped_run_renders_only_what_is_missing(tmp_path: Path):
    generator = FlatGenerator()
    load_samples(generator, TRAINING, 0, 3, tmp_path)
    load_samples(generator, TRAINING, 0, 6, tmp_path)
    assert generator.rendered == 6


def test_some_faces_have_one_w_for_all_rows_and_some_do_not(tmp_path: Path):
    codes = load_samples(FlatGenerator(), TRAINING, 0, 30, tmp_path).codes
    plain = (codes == codes[:, :1]).all((1, 2))
    assert 0 < plain.sum() < len(codes)


def test_the_same_photograph_is_taken_twice():
    picture = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    taken = [
        photograph(picture, LeftHalf(), picture[::-1], np.random.default_rng(5)) for _ in range(2)
    ]
    assert np.array_equal(*taken)
    assert taken[0].shape == picture.shape and taken[0].dtype == np.uint8


@pytest.mark.parametrize("seed", range(12))
def test_every_kind_of_photograph_is_a_picture(seed: int):
    picture = np.full((256, 256, 3), 128, np.uint8)
    always = Chances(1, 1, 1, 1, 1, 0.5, 1)
    taken = photograph(picture, LeftHalf(), picture, np.random.default_rng(seed), always)
    assert taken.shape == picture.shape
    assert 1 < taken.std() < 120


def test_another_background_leaves_the_person_alone():
    picture = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    matte, random = LeftHalf().person(picture), np.random.default_rng(1)
    changed = 255 * before_another(picture.astype(np.float32) / 255, matte, picture, random)
    assert np.allclose(changed[:, :120], picture[:, :120], atol=1e-3)
    assert not np.allclose(changed[:, 136:], picture[:, 136:], atol=20)


@pytest.mark.parametrize("seed", range(10))
def test_a_cover_hides_a_part_and_not_all(seed: int):
    picture = np.full((256, 256, 3), 0.5, np.float32)
    texture = np.zeros((256, 256, 3), np.uint8)
    changed = (
        np.abs(occluded(picture, texture, np.random.default_rng(seed)) - picture).max(2) > 0.02
    )
    assert 0.0 < changed.mean() < 0.7


def test_faces_of_the_direction_training_come_in_whole_chunks_with_their_latents(tmp_path: Path):
    latents = np.random.default_rng(0).standard_normal((7, 16, 512)).astype(np.float32)
    images = np.arange(7, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 3, 4, 5), np.uint8)
    save_file({"latents": latents, "images": images}, tmp_path / "sources.safetensors")
    people = observed_people(tmp_path / "sources.safetensors")
    assert len(people) == 6
    assert people.images.shape == (6, 4, 5, 3) and people.images[5].max() == 5
    assert np.array_equal(people.codes[:, 0], latents[:6, 0])


def test_a_file_without_people_is_an_input_error(tmp_path: Path):
    with pytest.raises(InputError, match="no observed people"):
        observed_people(tmp_path / "none.safetensors")


def test_lessons_of_two_kinds_are_numbered_apart():
    joined = both(linear_features(4, seed=1), linear_features(3, seed=2))
    assert joined.sample.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert len(joined.codes) == len(joined.maps.deep) == 7


def linear_features(count: int, seed: int) -> TrunkFeatures:
    """Six hidden numbers make both the codes and the middle maps; all else is noise."""
    fixed = torch.Generator().manual_seed(0)
    to_code = 0.1 * torch.randn(6, len(ROW_GROUPS) * 512, generator=fixed)
    to_maps = torch.randn(6, 256, generator=fixed)
    random = torch.Generator().manual_seed(seed)
    hidden = torch.randn(count, 6, generator=random)
    middle = (hidden @ to_maps)[:, :, None, None].expand(-1, -1, 14, 14)
    deep = torch.randn(count, 512, 7, 7, generator=random)
    colours = torch.rand(count, 3, 32, 32, generator=random)
    codes = 1 + (hidden @ to_code).view(count, len(ROW_GROUPS), 512)
    return TrunkFeatures(
        Maps(middle.half(), deep.half(), colours.half()), codes, torch.arange(count)
    )


def test_the_head_finds_what_the_maps_tell():
    said: list[str] = []
    settings = RegressionSettings(middle=8, deep=4, rank=16)
    head = fit_head(linear_features(50, seed=1), settings, said.append)
    unseen = linear_features(20, seed=2)
    maps = Maps(*(getattr(unseen.maps, name).float() for name in ("middle", "deep", "colours")))
    codes = head.codes(head.features(maps))
    assert min(explained(codes, unseen.codes, unseen.codes.mean(0))) > 0.95
    assert len(said) == 1


def test_coordinates_are_taken_apart_and_put_together():
    codes = torch.randn(40, len(ROW_GROUPS), 512, dtype=torch.float64)
    coordinates = Coordinates.of(codes)
    together = coordinates.together(coordinates.apart(codes)) + coordinates.mean
    assert torch.allclose(together, codes)
