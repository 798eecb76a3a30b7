"""Which request a picture answers stands in its own file, in every format that frames have."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photorig.shared.files.frame_index import DAMAGED_NAME, INDEX_NAME, FrameIndex
from photorig.shared.files.request_mark import marked, read_mark
from photorig.shared.wire.picture_format import PictureFormat
from photorig.worker.media.encoding import encode_picture

FORMATS = {
    ".png": PictureFormat("png"),
    ".jpg": PictureFormat("jpeg"),
    ".webp": PictureFormat("webp"),
    ".tif": PictureFormat("tiff", 16, "RGBA"),
    ".exr": PictureFormat("exr", 16, "RGB"),
}
KEY = "a7" * 32


def picture(suffix: str) -> bytes:
    image = np.random.default_rng(0).integers(0, 256, (20, 33, 3), np.uint8)
    return encode_picture(image, FORMATS[suffix], "card")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("key", [KEY, "odd"])
def test_a_mark_is_found_again_and_the_picture_stays(suffix: str, key: str, tmp_path: Path) -> None:
    plain = picture(suffix)
    path = tmp_path / f"x{suffix}"
    path.write_bytes(marked(plain, key))
    assert read_mark(path) == (key, path.stat().st_size)
    if suffix != ".exr":
        with Image.open(path) as now, Image.open(io.BytesIO(plain)) as then:
            np.testing.assert_array_equal(np.asarray(now), np.asarray(then))


def test_an_exr_stays_as_it_was_before_its_mark() -> None:
    plain = picture(".exr")
    assert marked(plain, KEY).startswith(plain)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_picture_that_is_not_whole_carries_no_mark(suffix: str, tmp_path: Path) -> None:
    content, path = marked(picture(suffix), KEY), tmp_path / f"x{suffix}"
    for length in (0, 5, 40, len(content) // 2, len(content) - 40, len(content) - 1):
        path.write_bytes(content[:length])
        assert read_mark(path) is None, length


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_picture_without_a_mark_has_none(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(picture(suffix))
    assert read_mark(path) is None


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_journal_that_is_damaged_is_made_again_of_the_pictures(
    suffix: str, tmp_path: Path
) -> None:
    index = FrameIndex(tmp_path)
    for frame in range(3):
        index.keep(f"frame_{frame}{suffix}", f"{frame}" * 64, picture(suffix))
    (tmp_path / INDEX_NAME).write_bytes(b"\xff\0 no journal {}\n" * 5)
    again = FrameIndex(tmp_path)
    assert all(again.has(f"frame_{frame}{suffix}", f"{frame}" * 64) for frame in range(3))
    assert (tmp_path / DAMAGED_NAME).exists()
