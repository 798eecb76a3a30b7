"""What alternates from pixel to pixel is taken out of a generator's picture, and nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.compositing.weave import without_weave
from photorig.worker.reenactment.renderer import FaceRenderer

from ..fakes import TinyGenerator, tiny_bundle, tiny_portrait
from ..stage_fakes import tiny_stage

SIZE = 64


def smooth_picture() -> np.ndarray:
    """(SIZE, SIZE, 3) of shapes some pixels wide."""
    noise = np.random.default_rng(3).standard_normal((SIZE, SIZE, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.clip(128 + 200 * soft, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("ways", [(1, 0), (0, 1), (1, 1)], ids=["columns", "rows", "chequers"])
def test_a_weave_of_two_pixels_goes(ways: tuple[int, int]) -> None:
    rows, columns = np.indices((SIZE, SIZE))
    weave = np.where((ways[0] * columns + ways[1] * rows) % 2, 6, -6)[..., None]
    woven = (smooth_picture().clip(6, 249) + weave).astype(np.uint8)
    left = without_weave(woven).astype(int) - without_weave(smooth_picture().clip(6, 249))
    assert np.abs(left[2:-2, 2:-2]).max() <= 1


def test_what_is_some_pixels_wide_stays() -> None:
    picture = smooth_picture()
    assert np.abs(without_weave(picture).astype(int) - picture).max() <= 4
    one = np.full((SIZE, SIZE, 3), 77, np.uint8)
    assert np.array_equal(without_weave(one), one)


class WovenGenerator(TinyGenerator):
    """As TinyGenerator, all columns alternately lighter and darker."""

    def synthesize(self, latents: np.ndarray, size: int, styles: object = None) -> np.ndarray:
        pictures = super().synthesize(latents, size, styles).clip(20, 235).astype(int)
        return (pictures + np.where(np.arange(size) % 2, 20, -20)[:, None]).astype(np.uint8)


def test_a_driven_frame_shows_none_of_it() -> None:
    portrait = tiny_portrait()
    asked = FrameRequest(portrait.id, FACE_SCHEMA.vector({"jawOpen": 0.3}), 16)
    plain, woven = (
        FaceRenderer(tiny_bundle(), generator, tiny_stage()).render(portrait, asked).astype(int)
        for generator in (TinyGenerator(), WovenGenerator())
    )
    assert np.abs(woven - plain)[:, 2:-2].mean() < 3
