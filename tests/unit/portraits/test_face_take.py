"""Encoded performances: what comes back of them, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.worker.portraits.face_take import N_DIRECTIONS, N_NUMBERS, FaceTake

from ..fakes import tiny_portrait


def take(n_frames: int = 4) -> FaceTake:
    numbers = np.random.default_rng(0).standard_normal((n_frames, N_NUMBERS)).astype(np.float16)
    held = np.arange(n_frames) == 1
    directions = np.linspace(-1, 1, N_DIRECTIONS * 7).astype(np.float16)
    along = directions.reshape(N_DIRECTIONS, 7)
    return FaceTake(numbers, held, Fraction(30000, 1001), "c" * 64, tiny_portrait(), along)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    take().save(tmp_path / "take.face")
    return tmp_path / "take.face"


def test_a_performance_comes_back_bit_for_bit(path: Path) -> None:
    loaded = FaceTake.load(path)
    np.testing.assert_array_equal(loaded.numbers, take().numbers)
    np.testing.assert_array_equal(loaded.held, take().held)
    assert (loaded.rate, loaded.channels) == (take().rate, take().channels)
    assert loaded.portrait.id == tiny_portrait().id
    np.testing.assert_array_equal(loaded.directions, take().directions)


def test_a_file_of_before_has_the_directions_of_everybody(tmp_path: Path) -> None:
    replace(take(), directions=None).save(tmp_path / "old.face")
    content = (tmp_path / "old.face").read_bytes()
    assert b'\\"version\\": 1' in content
    assert FaceTake.load(tmp_path / "old.face").directions is None


def test_a_second_of_it_is_14_kilobits() -> None:
    at_25 = FaceTake(take().numbers, take().held, Fraction(25), "", tiny_portrait())
    assert at_25.bits_per_second == 35 * 16 * 25 == 14_000


@pytest.mark.parametrize("part", [0.0, 0.001, 0.01, 0.3, 0.7, 0.99])
def test_a_file_that_was_cut_is_one_sentence(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(InputError) as error:
        FaceTake.load(path)
    assert str(path) in error.value.message and "\n" not in error.value.message
    assert "encode" in error.value.hint


def test_noise_in_a_file_is_one_sentence_or_another_performance(path: Path) -> None:
    content, random = path.read_bytes(), np.random.default_rng(1)
    for _ in range(40):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), 8):
            damaged[place] ^= int(random.integers(1, 256))
        path.write_bytes(bytes(damaged))
        try:
            assert np.isfinite(FaceTake.load(path).numbers).all()
        except InputError as error:
            assert error.hint


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(tmp_path: Path, value: float) -> None:
    broken = take()
    broken.numbers[2, 3] = value
    broken.save(tmp_path / "take.face")
    with pytest.raises(InputError, match="not finite"):
        FaceTake.load(tmp_path / "take.face")


@pytest.mark.parametrize(
    "directions",
    [np.zeros((33, 7)), np.zeros((N_DIRECTIONS, 0)), np.full((N_DIRECTIONS, 7), np.nan)],
)
def test_directions_that_are_none_are_refused(tmp_path: Path, directions: np.ndarray) -> None:
    replace(take(), directions=directions).save(tmp_path / "take.face")
    with pytest.raises(InputError, match="direction"):
        FaceTake.load(tmp_path / "take.face")


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.face cannot be read"):
        FaceTake.load(tmp_path / "none.face")


def test_a_portrait_is_no_performance(tmp_path: Path) -> None:
    tiny_portrait().save(tmp_path / "x.portrait")
    with pytest.raises(InputError, match=r"another version|no encoded face"):
        FaceTake.load(tmp_path / "x.portrait")
