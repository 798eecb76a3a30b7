"""Training of the preview heads, on made-up lessons."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from photorig.worker.generators.layers import inverse_haar
from photorig.worker.generators.preview_head import HEAD_SHAPES
from photorig.worker.training import preview_heads
from photorig.worker.training.preview_heads import CROP, Crops, Lesson, Settings, crop_loss

NETWORK = SimpleNamespace(
    n_rows=16, w_dim=512, mean_latent=torch.zeros(512), latent_std=torch.ones(512)
)
SETTINGS = Settings(lessons=4, pool=2, held_out=1, steps_per_lesson=1, crops=(2, 2))


class LinearTeacher:
    """Lessons whose images are a fixed linear map of the features."""

    def lesson(self, seed: int, index: int) -> Lesson:
        random = torch.Generator().manual_seed(1000 * seed + index)
        features, images = {}, {}
        for shape in HEAD_SHAPES:
            side = shape.size // 2
            features[shape.size] = torch.randn(shape.channels, side, side, generator=random).half()
            bands = 0.2 * features[shape.size][:12].float()
            images[shape.size] = inverse_haar(bands[None])[0].half()
        return Lesson(torch.randn(16, 512, generator=random), features, images)


def test_a_head_starts_at_the_least_squares_solution():
    teacher = LinearTeacher()
    shape = HEAD_SHAPES[0]
    head = preview_heads.initial_head(shape, NETWORK, [teacher.lesson(0, i) for i in range(4)])
    torch.nn.init.zeros_(head.output.weight)
    torch.nn.init.zeros_(head.output.bias)
    (quality,) = preview_heads.judge({shape.size: head}, [teacher.lesson(0, 9)])
    assert quality.psnr > 40


@pytest.mark.slow
def test_a_training_that_is_continued_gives_the_same_heads(tmp_path: Path):
    teacher = LinearTeacher()
    shorter = Settings(**{**vars(SETTINGS), "lessons": 3})
    whole = preview_heads.train(NETWORK, teacher, SETTINGS, None)
    with pytest.MonkeyPatch.context() as patch:
        # The schedule is that of the whole training; only the end comes early.
        patch.setattr(Settings, "steps", SETTINGS.steps)
        preview_heads.train(NETWORK, teacher, shorter, tmp_path)
    continued = preview_heads.train(NETWORK, teacher, SETTINGS, tmp_path)
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
    pool = deque([LinearTeacher().lesson(0, 0)])
    for seed in range(8):
        crops = preview_heads.draw_crops(pool, 256, 1, np.random.default_rng(seed))
        counted = crops.weights[0, 0]
        assert counted[CROP, CROP] == 1
        assert counted.numel() - counted.sum() > 0  # 256 is wider than a crop: some edge is inner
        assert crops.images.shape == (1, 3, 2 * CROP, 2 * CROP)
