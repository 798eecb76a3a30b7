"""Frames as files: other programs read what was written, with the right numbers."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from photorig.shared.errors import InputError
from photorig.shared.files.provenance import (
    DIGITAL_SOURCE_TYPE,
    Provenance,
    insert_provenance,
)
from photorig.shared.wire.picture_format import DEPTHS, PictureFormat
from photorig.worker.media.encode import encode
from photorig.worker.media.encoding import encode_picture

IMAGE = np.random.default_rng(5).integers(0, 256, (37, 21, 3), np.uint8)
MATTE = np.random.default_rng(6).integers(0, 256, (37, 21), np.uint8)
CUT_OUT = np.dstack([IMAGE, MATTE])


def _read(content: bytes) -> np.ndarray:
    """By OpenCV, RGB or RGBA in the file's depth."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


@pytest.mark.parametrize("codec", ["png", "tiff"])
@pytest.mark.parametrize("depth", [8, 16])
def test_lossless_files_keep_every_byte(codec: str, depth: int) -> None:
    factor = 257 if depth == 16 else 1
    for colours, image in (("RGB", IMAGE), ("RGBA", CUT_OUT)):
        form = PictureFormat(codec, depth, colours, transparent=colours == "RGBA")
        pixels = _read(encode_picture(image, form, "model"))
        assert pixels.dtype == form.dtype
        np.testing.assert_array_equal(pixels, image.astype(np.uint32) * factor)


def test_an_alpha_nobody_asked_to_fill_is_opaque() -> None:
    pixels = _read(encode_picture(IMAGE, PictureFormat("png", 8, "RGBA"), "model"))
    np.testing.assert_array_equal(pixels[..., :3], IMAGE)
    assert (pixels[..., 3] == 255).all()


def test_the_usual_png_is_the_one_of_the_command_line() -> None:
    assert encode_picture(IMAGE, "png", "model") == encode(IMAGE, "png", "model")


def test_grey_is_the_luminance_of_the_colours() -> None:
    pixels = _read(encode_picture(IMAGE, PictureFormat("png", 8, "BW"), "model"))
    expected = IMAGE @ np.array([0.2126, 0.7152, 0.0722])
    assert pixels.shape == IMAGE.shape[:2]
    assert np.abs(pixels - expected).max() <= 0.51


def test_quality_decides_how_large_a_jpeg_is_and_both_are_read() -> None:
    smooth = cv2.GaussianBlur(IMAGE, (0, 0), 5)
    best, worst = (
        encode_picture(smooth, PictureFormat("jpeg", quality=quality), "model")
        for quality in (95, 20)
    )
    assert len(worst) < len(best)
    assert np.abs(_read(best).astype(int) - smooth).mean() < 2
    assert DIGITAL_SOURCE_TYPE.encode() in best
    with Image.open(io.BytesIO(best)) as picture:
        assert picture.format == "JPEG"
        assert b"DigitalSourceType" in picture.info["xmp"]


def test_webp_of_full_quality_keeps_every_byte() -> None:
    content = encode_picture(CUT_OUT, PictureFormat("webp", 8, "RGBA", 100, True), "model")
    pixels = _read(content)
    np.testing.assert_array_equal(pixels[..., 3], MATTE)
    seen = MATTE > 0  # what nobody sees need not be kept
    np.testing.assert_array_equal(pixels[..., :3][seen], IMAGE[seen])


@pytest.mark.parametrize("codec", [codec for codec in DEPTHS if codec != "raw"])
def test_every_format_is_written_in_all_its_depths(codec: str) -> None:
    for depth in DEPTHS[codec]:
        assert len(encode_picture(IMAGE, PictureFormat(codec, depth), "model")) > 100


@pytest.mark.parametrize(
    "wrong",
    [
        {"codec": "dpx"},
        {"codec": "jpeg", "depth": 16},
        {"codec": "jpeg", "colours": "RGBA"},
        {"codec": "png", "depth": 12},
        {"codec": "png", "transparent": True},
        {"codec": "png", "quality": 101},
    ],
)
def test_a_format_that_cannot_be_written_is_refused_with_a_sentence(wrong: dict) -> None:
    with pytest.raises(InputError):
        PictureFormat(**wrong)
    with pytest.raises(InputError):
        PictureFormat.from_body({"codec": wrong["codec"], "format": wrong})


def test_a_format_arrives_as_it_was_sent() -> None:
    for form in (PictureFormat(), PictureFormat("exr", 32, "RGBA", transparent=True)):
        assert PictureFormat.from_body(form.body()) == form
    assert PictureFormat().body() == {"codec": "png"}


@pytest.mark.parametrize("colours", ["BW", "RGB", "RGBA"])
@pytest.mark.parametrize("quality", [80, 100])
@pytest.mark.parametrize("codec", ["webp", "tiff", "jpeg"])
def test_every_file_tells_the_model_that_made_it(codec: str, quality: int, colours: str) -> None:
    """Read by Pillow, which takes XMP from where each format has it; the pixels stay."""
    if codec == "jpeg" and colours == "RGBA":
        return
    form = PictureFormat(codec, 8, colours, quality, colours == "RGBA")
    one, other = (encode_picture(CUT_OUT, form, model) for model in ("model one", "model two"))
    with Image.open(io.BytesIO(one)) as first, Image.open(io.BytesIO(other)) as second:
        packet = first.tag_v2[700] if codec == "tiff" else first.info["xmp"]
        assert b'ModelId="model one"' in packet
        assert b"compositeWithTrainedAlgorithmicMedia" in packet
        assert np.array_equal(np.asarray(first), np.asarray(second))
        assert first.size == (CUT_OUT.shape[1], CUT_OUT.shape[0])
    again = insert_provenance(one, Provenance("1", "model three"))
    with Image.open(io.BytesIO(again)) as third:
        packet = third.tag_v2[700] if codec == "tiff" else third.info["xmp"]
        assert b'ModelId="model three"' in packet
