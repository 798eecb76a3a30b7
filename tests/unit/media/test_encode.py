"""Frames as bytes, files and movies."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from photorig.shared.errors import InputError
from photorig.shared.files.provenance import DIGITAL_SOURCE_TYPE
from photorig.worker.media.encode import encode
from photorig.worker.media.movie import write_movie

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_raw_is_rgb_row_by_row() -> None:
    assert np.frombuffer(encode(IMAGE, "raw", "m"), np.uint8).reshape(20, 30, 3).tolist() == (
        IMAGE.tolist()
    )


def test_a_png_keeps_every_pixel_and_says_that_a_model_made_it() -> None:
    content = encode(IMAGE, "png", "some model")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), IMAGE)
    assert DIGITAL_SOURCE_TYPE.encode() in content
    assert b"some model" in content


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(InputError, match="webp"):
        encode(IMAGE, "webp", "m")


def test_a_movie_has_all_frames_in_time_and_says_that_a_model_made_it(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    frames = [np.full((33, 64, 3), level, np.uint8) for level in (20, 120, 220)]
    assert write_movie(path, frames, 24) == 3
    with av.open(str(path)) as container:
        assert container.metadata["DigitalSourceType"] == DIGITAL_SOURCE_TYPE
        assert float(container.streams.video[0].average_rate) == 24
        levels = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    np.testing.assert_allclose(levels, [20, 120, 220], atol=4)


def test_a_movie_without_frames_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frames"):
        write_movie(tmp_path / "x.mp4", [], 24)
    assert not list(tmp_path.iterdir())


def test_a_matte_is_a_grey_picture() -> None:
    matte = np.arange(48, dtype=np.uint8).reshape(6, 8)
    content = encode(matte, "png", "model")
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), matte)
