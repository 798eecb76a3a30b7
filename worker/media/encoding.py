"""Frames as the files that a sequence is made of: every format, depth and colour mode it may have.

The usual PNG and raw pixels are written by encode.py, so they are equal however they are asked for.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace

import cv2
import numpy as np

from photorig.shared.files.canvas import laid_on, linear_of, placed
from photorig.shared.files.provenance import Provenance, insert_into_png, insert_provenance
from photorig.shared.wire.picture_format import PictureFormat

from .encode import encode
from .exr import write_exr
from .png import write_png

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
_TIFF_DEFLATE = 8


def encode_picture(image: np.ndarray, picture_format: str | PictureFormat, model_id: str) -> bytes:
    """A frame in any format.

    Args:
        image: (h, w, 3) uint8 sRGB, or (h, w, 4) with the person's matte as alpha, not
            premultiplied.
        picture_format: a codec's name alone stands for its usual form.
        model_id: of the renderer that made the face, told in every kind of file.
    """
    form = PictureFormat.of(picture_format)
    if form.codec == "exr":
        return write_exr(_linear(image, form), form.depth, _provenance(model_id))
    if form.canvas is not None:
        image, form = laid_on(image, form.canvas), replace(form, canvas=None)
    if form == PictureFormat() or (form.codec == "raw" and image.shape[2] == form.channels):
        return encode(image, form.codec, model_id)
    pixels = in_colours(image, form.colours)
    if form.codec == "raw":
        return np.ascontiguousarray(pixels).tobytes()
    if form.depth == 16:
        pixels = pixels.astype(np.uint16) * 257
    if form.codec == "png":
        return insert_into_png(write_png(pixels), _provenance(model_id))
    return insert_provenance(_file(pixels, form), _provenance(model_id))


def _provenance(model_id: str) -> Provenance:
    return Provenance(importlib.metadata.version("photorig"), model_id)


def in_colours(image: np.ndarray, colours: str) -> np.ndarray:
    """(h, w, 1, 3 or 4) uint8: grey, without alpha, or with one that is opaque if there is none."""
    if colours == "BW":
        return np.rint(image[..., :3] @ _LUMINANCE).astype(np.uint8)[..., None]
    if colours == "RGBA" and image.shape[2] == 3:
        return np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    return image[..., :3] if colours == "RGB" else image


def _file(pixels: np.ndarray, form: PictureFormat) -> bytes:
    options = {
        "jpeg": [cv2.IMWRITE_JPEG_QUALITY, form.quality],
        # Beyond 100 it is lossless.
        "webp": [cv2.IMWRITE_WEBP_QUALITY, 101 if form.quality == 100 else max(1, form.quality)],
        "tiff": [cv2.IMWRITE_TIFF_COMPRESSION, _TIFF_DEFLATE],
    }
    order = [2, 1, 0, 3][: pixels.shape[2]] if pixels.shape[2] > 1 else [0]
    if form.codec == "webp" and pixels.shape[2] == 1:
        order = [0, 0, 0]
    suffix = ".tiff" if form.codec == "tiff" else f".{form.codec}"
    _, content = cv2.imencode(suffix, np.ascontiguousarray(pixels[..., order]), options[form.codec])
    return content.tobytes()


def _linear(image: np.ndarray, form: PictureFormat) -> dict[str, np.ndarray]:
    """Scene-linear float32 channels by name, premultiplied as EXR files are."""
    values = linear_of(image)
    if form.canvas is not None:
        values = placed(values, form.canvas)
    if form.colours == "BW":
        return {"Y": values[..., :3] @ _LUMINANCE}
    channels = {name: values[..., i] for i, name in enumerate("RGB")}
    if form.colours == "RGBA":
        has_alpha = image.shape[2] == 4
        channels["A"] = values[..., 3] if has_alpha else np.ones(values.shape[:2], np.float32)
    return channels
