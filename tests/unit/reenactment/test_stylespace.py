"""Method ``stylespace``: numbers to factors, and faces to numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from photorig.shared.errors import ModelError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.reenactment.face_points import face_points
from photorig.worker.reenactment.stylespace import (
    N_CHANNELS,
    Channels,
    EncodedFace,
    FaceNumbers,
    StyleSpace,
    read_channels,
)
from photorig.worker.reenactment.target import Target

from ..fakes import tiny_bundle, tiny_portrait

N_FACTORS = 50


@pytest.fixture
def channels() -> Channels:
    random = np.random.default_rng(0)
    offsets = random.standard_normal((N_CHANNELS, N_FACTORS)).astype(np.float32)
    return Channels(offsets, random.standard_normal((N_CHANNELS, 478, 3)).astype(np.float32))


def drive(channels: Channels, turn: list[float], amounts: np.ndarray):
    method = StyleSpace(channels, tiny_bundle(), landmarker=None)
    face = EncodedFace(FaceNumbers(np.array(turn, np.float32), amounts))
    return method.drive(tiny_portrait(), Target(FACE_SCHEMA.rest, face, face))


def test_amounts_of_a_known_move_are_found_again(channels: Channels) -> None:
    wanted = np.linspace(-1, 1, N_CHANNELS)
    move = np.tensordot(wanted, channels.moves, 1)
    np.testing.assert_allclose(channels.amounts(move), wanted, atol=0.08)


def test_nothing_is_rest(channels: Channels) -> None:
    result = drive(channels, [0, 0], np.zeros(N_CHANNELS, np.float32))
    np.testing.assert_array_equal(result.latents, tiny_portrait().latents)
    assert not result.styles.values.any()


def test_numbers_move_factors_and_the_head(channels: Channels) -> None:
    amounts = np.zeros(N_CHANNELS, np.float32)
    amounts[3] = 0.5
    result = drive(channels, [0.2, 0], amounts)
    np.testing.assert_allclose(result.styles.values, 0.5 * channels.offsets[3], rtol=1e-6)
    moved = (result.latents - tiny_portrait().latents)[:8]
    row = tiny_bundle().directions[FACE_SCHEMA.index["headYaw"]]
    np.testing.assert_allclose(moved, 0.2 * row, atol=1e-5)


def test_a_face_is_not_torn_apart_by_numbers_from_anywhere(channels: Channels) -> None:
    wild = drive(channels, [1e4, 0], np.full(N_CHANNELS, 1e4, np.float32))
    assert np.abs(wild.styles.values).max() < 100
    assert np.abs(wild.latents - tiny_portrait().latents).max() < 1


def test_irises_are_told_from_the_middle_of_their_eyes() -> None:
    landmarks = torch.zeros(1, 478, 3)
    landmarks[0, 33, 0], landmarks[0, 133, 0] = 100.0, 130.0
    landmarks[0, 362, 0], landmarks[0, 263, 0] = 170.0, 200.0
    landmarks[0, 468:473, 0], landmarks[0, 473:, 0] = 120.0, 185.0
    points = face_points(torch.zeros(1, 468, 3), landmarks)
    assert points.shape == (1, 478, 3)
    assert float(points[0, 468, 0]) == pytest.approx(0.5)  # a sixth of an eye of 3 cm
    assert float(points[0, 473, 0]) == pytest.approx(0)


@pytest.mark.parametrize("n_factors", [N_FACTORS, N_FACTORS + 1])
def test_channels_of_another_generator_are_told(
    channels: Channels, tmp_path: Path, n_factors: int
) -> None:
    path = tmp_path / "stylespace.safetensors"
    save_file({"offsets": channels.offsets, "moves": channels.moves}, path)
    if n_factors == N_FACTORS:
        read_channels(path, n_factors)
        return
    with pytest.raises(ModelError, match="channels cannot be read"):
        read_channels(path, n_factors)
