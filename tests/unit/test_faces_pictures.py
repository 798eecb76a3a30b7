"""Reading pictures and videos that people give, good ones and bad ones."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photorig.shared.errors import InputError
from photorig.worker.faces.pictures import MAXIMUM_PIXELS, read_frames, read_picture

COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]], np.uint8)


def blocks(size: int = 16) -> np.ndarray:
    """Four squares of different colours: tells every orientation from the others."""
    return COLOURS.repeat(size, 0).repeat(size, 1)


def write_video(path: Path, n_frames: int = 6, size: int = 64) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for i in range(n_frames):
            frame = np.full((size, size, 3), min(20 * (i + 1), 250), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def test_a_picture_is_read_as_it_is(tmp_path):
    Image.fromarray(blocks()).save(tmp_path / "a.png")
    assert np.array_equal(read_picture(tmp_path / "a.png"), blocks())


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (6, 1), (3, 2), (8, 3)])
def test_a_picture_taken_with_a_turned_camera_is_put_upright(tmp_path, orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.rot90(blocks(), turns)).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "a.png"), blocks())


def test_transparent_pixels_become_white(tmp_path):
    rgba = np.dstack([blocks(), np.full((32, 32), 255, np.uint8)])
    rgba[:4, :4, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert np.array_equal(picture[8:], blocks()[8:])


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    Image.fromarray(np.full((4, 4), 257 * 100, np.uint16)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").tolist() == [[[100] * 3] * 4] * 4


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA"])
def test_every_kind_of_picture_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("a.tiff" if mode == "CMYK" else "a.png")
    Image.fromarray(blocks()).convert("L" if mode == "LA" else "RGB").convert(mode).save(path)
    assert read_picture(path).shape == (32, 32, 3)


def test_floats_that_are_no_numbers_are_refused(tmp_path):
    values = np.full((4, 4), 0.5, np.float32)
    values[1, 1] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tiff")
    with pytest.raises(InputError, match="no numbers"):
        read_picture(tmp_path / "a.tiff")


def test_a_truncated_picture_is_called_damaged(tmp_path):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    path = tmp_path / "a.jpg"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(InputError, match=r"a\.jpg is damaged"):
        read_picture(path)


def test_a_huge_picture_is_refused_before_it_is_read(tmp_path):
    header = struct.pack(">IIBBBBB", 20_000, MAXIMUM_PIXELS // 20_000 + 1, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    data += struct.pack(">I", zlib.crc32(chunk))
    data += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match="too large"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"some text", bytes(range(256)) * 40])
def test_a_file_of_another_kind_is_named(tmp_path, content):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.jpg is not a picture"):
        read_picture(path)
    with pytest.raises(InputError, match="neither a picture nor a video"):
        list(read_frames(path)[1])


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_picture(tmp_path / "nothing.png")
    with pytest.raises(InputError, match="is a folder"):
        read_picture(tmp_path)


def test_a_picture_is_one_frame(tmp_path):
    Image.fromarray(blocks()).save(tmp_path / "a.png")
    total, frames = read_frames(tmp_path / "a.png")
    assert total == 1
    assert [frame.shape for frame in frames] == [(32, 32, 3)]


def test_the_frames_of_a_video_come_in_order(tmp_path):
    write_video(tmp_path / "a.mp4")
    total, frames = read_frames(tmp_path / "a.mp4")
    levels = [float(frame.mean()) for frame in frames]
    assert total == len(levels) == 6
    assert levels == pytest.approx([20, 40, 60, 80, 100, 120], abs=4)


def test_the_frames_of_an_animation_come_in_order(tmp_path):
    pictures = [Image.new("RGB", (64, 64), (level,) * 3) for level in (10, 120, 240)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:])
    levels = [round(float(frame.mean())) for frame in read_frames(tmp_path / "a.gif")[1]]
    assert levels == pytest.approx([10, 120, 240], abs=5)


def test_a_video_cut_short_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, 40)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match=r"a\.mp4"):
        list(read_frames(path)[1])
