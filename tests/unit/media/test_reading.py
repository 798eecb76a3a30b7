"""Reading pictures and videos that people give, good ones and bad ones."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from photorig.shared.errors import InputError
from photorig.worker.media.pixels import to_srgb
from photorig.worker.media.profiles import adobe_rgb_profile, matrix_profile
from photorig.worker.media.reading import MAXIMUM_PIXELS, read_frames, read_picture

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


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_orientation_is_the_one_of_pillow(tmp_path, orientation, format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a"
    Image.fromarray(blocks(24)[:, :40]).save(path, format, exif=exif)
    with Image.open(path) as image:
        expected = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(read_picture(path), expected)


def test_strips_of_a_large_turned_picture_fit_together():
    picture = Image.effect_noise((1900, 1300), 90).convert("RGB")
    picture.getexif()[0x0112] = 8
    assert np.array_equal(to_srgb(picture), np.asarray(ImageOps.exif_transpose(picture)))


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


@pytest.mark.parametrize("ending", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_of_every_channel_count(tmp_path, ending, channels):
    path = tmp_path / f"a.{ending}"
    colours = blocks().astype(np.uint16) * 257
    if channels == 4:
        colours = np.dstack([colours, np.full((32, 32), 65535, np.uint16)])
    cv2.imwrite(
        str(path), colours[..., [2, 1, 0, 3][:channels]] if channels > 1 else colours[..., 0]
    )
    seen = read_picture(path)
    expected = blocks() if channels > 1 else blocks()[..., :1].repeat(3, 2)
    assert np.abs(seen.astype(int) - expected).max() <= 1


def test_a_dark_sixteen_bit_picture_stays_dark(tmp_path):
    Image.fromarray(np.full((4, 4), 200, np.uint16)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").max() == 1


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


# Colorants adapted to D50: of sRGB (IEC 61966-2-1), Display P3 and Adobe RGB (1998).
SRGB = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.7141]]
)
DISPLAY_P3 = np.array(
    [[0.51512, 0.29198, 0.1571], [0.2412, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)
ADOBE_RGB = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)


def in_wide_gamut(srgb: np.ndarray, colorants: np.ndarray, gamma: float) -> np.ndarray:
    """sRGB colours in another space, by the formulas of the standards."""
    linear = srgb_to_linear(srgb / 255) @ (np.linalg.inv(colorants) @ SRGB).T
    return np.rint(255 * np.clip(linear, 0, 1) ** (1 / gamma)).astype(np.uint8)


def skin_tones() -> np.ndarray:
    steps = np.linspace(0.3, 1, 16)[:, None, None] * np.array([[[230, 180, 150], [180, 120, 95]]])
    return np.rint(steps).astype(np.uint8)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(("colorants", "gamma"), [(DISPLAY_P3, 2.2), (ADOBE_RGB, 563 / 256)])
def test_wide_gamuts_become_srgb(tmp_path, colorants, gamma, format, alpha):
    profile = matrix_profile(tuple(map(tuple, colorants.T)), gamma)
    picture = Image.fromarray(in_wide_gamut(skin_tones(), colorants, gamma))
    if alpha:
        picture.putalpha(255)
    options = {"lossless": True} if format == "WEBP" else {}
    picture.save(tmp_path / "a", format, icc_profile=profile, **options)
    difference = read_picture(tmp_path / "a").astype(int) - skin_tones()
    assert np.abs(difference).max() <= 2
    assert np.abs(np.asarray(picture.convert("RGB")).astype(int) - skin_tones()).max() > 8


def test_a_camera_says_adobe_rgb_without_a_profile(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    colours = in_wide_gamut(skin_tones(), ADOBE_RGB, 563 / 256).repeat(16, 0).repeat(16, 1)
    picture = Image.fromarray(colours)
    picture.save(tmp_path / "a.jpg", quality=100, subsampling=0, exif=exif)
    expected = skin_tones().repeat(16, 0).repeat(16, 1)
    assert np.abs(read_picture(tmp_path / "a.jpg").astype(int) - expected).max() <= 4


def test_our_profile_is_understood_as_a_display_of_three_colours():
    profile = ImageCms.ImageCmsProfile(io.BytesIO(adobe_rgb_profile())).profile
    assert profile.xcolor_space.strip() == "RGB"
    assert profile.red_primary[1][:2] == pytest.approx((0.6484, 0.3309), abs=1e-3)  # for D50


def test_a_damaged_profile_leaves_the_colours_as_they_are(tmp_path):
    Image.fromarray(blocks()).save(tmp_path / "a.png", icc_profile=adobe_rgb_profile()[:200])
    assert np.array_equal(read_picture(tmp_path / "a.png"), blocks())


def test_of_several_pages_the_first_is_read(tmp_path):
    first, second = Image.fromarray(blocks()), Image.new("RGB", (9, 9))
    first.save(tmp_path / "a.tiff", save_all=True, append_images=[second])
    assert np.array_equal(read_picture(tmp_path / "a.tiff"), blocks())


def test_the_name_may_say_another_format(tmp_path):
    Image.fromarray(blocks()).save(tmp_path / "a.jpg", "PNG")
    assert np.array_equal(read_picture(tmp_path / "a.jpg"), blocks())


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "GIF", "JPEG2000"])
def test_wrong_bytes_anywhere_end_in_a_picture_or_a_sentence(tmp_path, format, capfd):
    buffer = io.BytesIO()
    Image.fromarray(blocks()).save(buffer, format)
    random = np.random.default_rng(5)
    path = tmp_path / "a"
    for _ in range(60):
        content = bytearray(buffer.getvalue())
        for position in random.integers(0, min(len(content), 400), 3):
            content[position] = random.integers(256)
        path.write_bytes(content)
        try:
            assert read_picture(path).dtype == np.uint8
        except InputError as error:
            assert "\n" not in str(error)
    assert capfd.readouterr().err == ""


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


@pytest.mark.parametrize("content", [b"some text", bytes(range(256)) * 40])
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


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_the_frames_of_an_animation_come_in_order(tmp_path, format):
    pictures = [Image.new("RGB", (64, 64), (level,) * 3) for level in (10, 120, 240)]
    pictures[0].save(tmp_path / "a", format, save_all=True, append_images=pictures[1:])
    levels = [round(float(frame.mean())) for frame in read_frames(tmp_path / "a")[1]]
    assert levels == pytest.approx([10, 120, 240], abs=5)


def test_a_video_cut_short_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, 40)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match=r"a\.mp4"):
        list(read_frames(path)[1])
