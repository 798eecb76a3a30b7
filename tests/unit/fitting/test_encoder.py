"""The encoder of photos: maps, head, corrections, and the committed weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from photorig.shared.errors import ModelError
from photorig.worker.fitting.encoder import (
    ROW_GROUPS,
    EncoderHead,
    Maps,
    PhotoEncoder,
    load_encoder,
    read_head,
    rows_of,
)

N_GROUPS = len(ROW_GROUPS)


class ColourTrunk(torch.nn.Module):
    """Sees the small picture only."""

    def forward(self, images: Tensor) -> Maps:
        b = len(images)
        small = torch.nn.functional.adaptive_avg_pool2d(images, 32)
        return Maps(torch.zeros(b, 256, 14, 14), torch.zeros(b, 512, 7, 7), small)


def head_tensors(seed: int = 0, rank: int = 3) -> dict[str, Tensor]:
    """A head that looks at colours only."""
    random = torch.Generator().manual_seed(seed)
    n = 14 * 14 + 7 * 7 + 3 * 32 * 32
    down = torch.randn(n, rank, generator=random) / 50
    down[: -3 * 32 * 32] = 0
    return {
        "middle_basis": torch.ones(256, 1) / 16,
        "deep_basis": torch.ones(512, 1) / 22,
        "mean": torch.full((n,), 0.5),
        "scale": torch.ones(n),
        "down": down,
        "up": torch.randn(rank, N_GROUPS * 512, generator=random) / 20,
        "code": torch.randn(N_GROUPS * 512, generator=random),
        "gain": torch.tensor(0.5),
    }


def photos(count: int = 2) -> Tensor:
    return torch.rand(count, 3, 256, 256, generator=torch.Generator().manual_seed(1))


def test_row_groups_are_all_rows_in_order():
    assert [row for rows in ROW_GROUPS for row in rows] == list(range(16))


def test_every_row_of_a_group_gets_the_code_of_the_group():
    codes = torch.arange(N_GROUPS).float()[None, :, None].expand(1, -1, 512)
    rows = rows_of(codes, 16)
    assert rows.shape == (1, 16, 512)
    for group, members in enumerate(ROW_GROUPS):
        assert (rows[:, list(members)] == group).all()


def test_a_photo_that_looks_like_the_average_gets_the_average_code():
    tensors = head_tensors()
    encoder = PhotoEncoder(ColourTrunk(), EncoderHead(tensors), 16)
    tensors_mean = tensors["code"].view(1, N_GROUPS, 512)
    latents = encoder(torch.full((1, 3, 256, 256), 0.5))
    # The other two blocks are 0 and not ½; their rows of `down` are 0.
    assert torch.allclose(latents, rows_of(tensors_mean, 16), atol=1e-5)


def test_photos_do_not_depend_on_the_others_of_their_batch():
    encoder = PhotoEncoder(ColourTrunk(), EncoderHead(head_tensors()), 16)
    batch = photos()
    assert torch.allclose(encoder(batch)[1:], encoder(batch[1:]), atol=1e-6)


def test_corrections_bring_what_is_seen_of_the_code_nearer_to_the_photo():
    tensors = head_tensors()
    # A generator that the head is the right inverse of: a code's colours move along `down`.
    tensors["down"] = torch.nn.functional.normalize(tensors["down"], dim=0) / 4
    head = EncoderHead(tensors)
    back = torch.linalg.pinv(tensors["down"] @ tensors["up"])[:, -3 * 32 * 32 :]

    def render(latents: Tensor) -> Tensor:
        codes = latents[:, [rows[0] for rows in ROW_GROUPS]].flatten(1)
        small = 0.5 + 0.6 * (codes - head.code) @ back
        return torch.nn.functional.interpolate(small.view(-1, 3, 32, 32), size=256)

    encoder = PhotoEncoder(ColourTrunk(), head, 16)
    wanted = 0.5 + 0.05 * photos(1)
    plain, corrected = encoder(wanted), encoder(wanted, render, rounds=3)

    def unseen(latents: Tensor) -> float:
        features = [head.features(ColourTrunk()(image)) for image in (wanted, render(latents))]
        return float(((features[0] - features[1]) @ head.down).norm())

    assert unseen(corrected) < 0.7 * unseen(plain)


def test_a_head_that_lacks_a_matrix_is_a_model_error(tmp_path: Path):
    tensors = head_tensors()
    del tensors["up"]
    save_file(tensors, tmp_path / "encoder.safetensors")
    with pytest.raises(ModelError, match="has no up"):
        read_head(tmp_path / "encoder.safetensors")


def test_a_head_whose_matrices_do_not_fit_is_a_model_error():
    tensors = head_tensors() | {"down": torch.zeros(7, 3)}
    with pytest.raises(ModelError, match="do not fit"):
        EncoderHead(tensors)


def test_a_damaged_file_is_a_model_error(tmp_path: Path):
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="cannot be read"):
        read_head(path)


@pytest.mark.weights("encoder", "faceres", "random-face")
def test_a_generated_face_is_found_again_nearer_than_the_mean_face():
    from photorig.worker.generators import load_generator

    generator = load_generator("cpu", "f32")
    z = np.random.default_rng(77).standard_normal((3, 512), np.float32)
    w = generator.map(z, 0.8)
    pictures = torch.from_numpy(generator.synthesize(generator.expand(w), 256))
    latents = load_encoder(16)(pictures.permute(0, 3, 1, 2).float() / 255)
    found = np.square(latents.numpy() - w[:, None]).sum((1, 2))
    mean = np.square(generator.mean_latent - w[:, None]).repeat(16, 1).sum((1, 2))
    assert (found < 0.8 * mean).all()
