"""Frames to bytes. There is one PNG writer, so files are equal however they are asked for."""

from __future__ import annotations

import importlib.metadata

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.files.provenance import Provenance, insert_into_png

from .png import write_png

CODECS = ("raw", "png")


def encode(image: np.ndarray, codec: str, model_id: str) -> bytes:
    """An (height, width, 3) uint8 sRGB image, or a matte (height, width) uint8, to bytes.

    Args:
        codec: ``raw`` for RGB bytes row by row from the top, ``png`` for a PNG file that carries
            the IPTC digital source type of AI-composited media.
        model_id: of the renderer or generator that made the face, told in the PNG.

    Raises:
        InputError: there is no such codec.
    """
    if codec == "raw":
        return np.ascontiguousarray(image).tobytes()
    if codec == "png":
        provenance = Provenance(importlib.metadata.version("photorig"), model_id)
        return insert_into_png(write_png(image), provenance)
    raise InputError(f"There is no codec {codec!r}", f"Use one of {', '.join(CODECS)}.")
