"""Training of the preview heads, on made-up samples."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from photorig.worker.generators.layers import Affine, inverse_haar
from photorig.worker.generators.preview_head import HEAD_SHAPES, N_COMPONENTS
from photorig.worker.generators.weights import AffineWeights
from photorig.worker.training.preview_heads import training as preview_heads
from photorig.worker.training.preview_heads.style_projection import (
    StyleProjection,
    style_projection,
)
from photorig.worker.training.preview_heads.training import (
    CROP,
    Crops,
    Sample,
    Settings,
    crop_loss,
)

SETTINGS = Settings(samples=4, pool=2, held_out=1, steps_per_sample=1, crops=(2, 2))


class LinearTeacher:
    """Lessons whose images are a fixed linear map of the features."""

    def projection(self, seed: int, first_row: int, n_components: int) -> StyleProjection:
        random = torch.Generator().manual_seed(seed)
        matrix = torch.randn(n_components, (16 - first_row) * 512, generator=random) / 50
        return StyleProjection(matrix, torch.zeros(n_components), 1.0)

    def sample(self, seed: int, index: int) -> Sample:
        random = torch.Generator().manual_seed(1000 * seed + index)
        features, images = {}, {}
        for shape in HEAD_SHAPES:
            side = shape.size // 2
            features[shape.size] = torch.randn(shape.channels, side, side, generator=random).half()
            bands = 0.2 * features[shape.size][:12].float()
            images[shape.size] = inverse_haar(bands[None])[0].half()
        return Sample(torch.randn(16, 512, generator=random), features, images)


def test_a_head_starts_at_the_least_squares_solution():
    teacher = LinearTeacher()
    shape = HEAD_SHAPES[0]
    projection = teacher.projection(0, shape.first_row, N_COMPONENTS)
    samples = [teacher.sample(0, index) for index in range(4)]
    head = preview_heads.initial_head(shape, projection, samples)
    torch.nn.init.zeros_(head.output.weight)
    torch.nn.init.zeros_(head.output.bias)
    (quality,) = preview_heads.judge({shape.size: head}, [teacher.sample(0, 9)])
    assert quality.psnr > 40


def small_network() -> SimpleNamespace:
    """One block and a head on three rows of four numbers; only the first two of each matter."""

    def affine(seed: int) -> Affine:
        random = np.random.default_rng(seed)
        weight = random.standard_normal((5, 4)) * [1, 1, 0, 0]
        return Affine(AffineWeights(weight, np.ones(5)))

    block = SimpleNamespace(
        upsampling_modulation=affine(0), modulation1=affine(1), modulation2=affine(2)
    )
    head = SimpleNamespace(modulation=affine(3))
    return SimpleNamespace(
        n_rows=3, w_dim=4, mean_latent=torch.zeros(4), blocks=[block], image_head=head
    )


def test_the_style_holds_all_that_the_skipped_layers_see():
    latents = torch.randn(200, 3, 4, generator=torch.Generator().manual_seed(0))
    projection = style_projection(small_network(), 1, latents, n_components=4)
    assert projection.explained == pytest.approx(1.0)
    style = latents[:, 1:].flatten(1) @ projection.matrix.T + projection.offset
    assert float(style[:, 0].square().mean()) == pytest.approx(1.0, rel=1e-3)
    ignored = torch.tensor([0.0, 0.0, 1.0, 1.0] * 2)
    assert (projection.matrix @ ignored).abs().max() < 1e-5


@pytest.mark.slow
def test_a_training_that_is_continued_gives_the_same_heads(tmp_path: Path):
    teacher = LinearTeacher()
    shorter = Settings(**{**vars(SETTINGS), "samples": 3})
    whole = preview_heads.train(teacher, SETTINGS, None)
    with pytest.MonkeyPatch.context() as patch:
        # The schedule is that of the whole training; only the end comes early.
        patch.setattr(Settings, "steps", SETTINGS.steps)
        preview_heads.train(teacher, shorter, tmp_path)
    continued = preview_heads.train(teacher, SETTINGS, tmp_path)
    for size, head in whole.items():
        for expected, value in zip(head.parameters(), continued[size].parameters(), strict=True):
            assert torch.equal(expected, value)


def batch(images: Tensor) -> Crops:
    return Crops(torch.zeros(1), images, torch.ones(1, 1, 2 * CROP, 2 * CROP), torch.zeros(1))


def test_to_overshoot_where_the_picture_is_white_is_no_error():
    white = torch.ones(1, 3, 2 * CROP, 2 * CROP)
    none = crop_loss(white, batch(white))
    assert crop_loss(1.5 * white, batch(white)) == none
    assert crop_loss(0.5 * white, batch(white)) > none


def test_crops_do_not_count_where_the_head_would_see_beyond_them():
    pool = deque([LinearTeacher().sample(0, 0)])
    for seed in range(8):
        crops = preview_heads.draw_crops(pool, 256, 1, np.random.default_rng(seed))
        counted = crops.weights[0, 0]
        assert counted[CROP, CROP] == 1
        assert counted.numel() - counted.sum() > 0  # 256 is wider than a crop: some edge is inner
        assert crops.images.shape == (1, 3, 2 * CROP, 2 * CROP)
