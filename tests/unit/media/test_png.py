"""PNG files: any reader finds the very pixels in them."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from photorig.worker.media.png import write_png

SHAPES = [(1, 1, 3), (7, 5), (5, 7, 1), (64, 33, 3), (33, 64, 4), (300, 1, 3), (1, 300, 4)]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_two_other_readers_find_every_pixel(shape: tuple[int, ...], kind: type) -> None:
    random = np.random.default_rng(len(shape))
    pixels = random.integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)
    content = np.frombuffer(write_png(pixels), np.uint8)
    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(shape[-1] if len(shape) == 3 else 1, [0])
    read = cv2.imdecode(content, cv2.IMREAD_UNCHANGED).reshape(*shape[:2], -1)
    np.testing.assert_array_equal(read[..., order], pixels.reshape(*shape[:2], -1))
    with Image.open(io.BytesIO(content.tobytes())) as image:
        image.load()
        assert image.size == (shape[1], shape[0])
        if kind is np.uint8:
            np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_pixels_need_not_lie_side_by_side() -> None:
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    assert write_png(pixels[::-1, ::2]) == write_png(pixels[::-1, ::2].copy())


def test_a_smooth_picture_is_smaller_than_its_bytes() -> None:
    x, y = np.meshgrid(np.arange(512), np.arange(512))
    pixels = np.stack([x // 4 + y // 4, x // 8, y // 2], -1).astype(np.uint8)
    assert len(write_png(pixels)) < pixels.size // 10
