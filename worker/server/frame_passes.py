"""A frame as the wire carries it: with alpha and with its passes, all of one size."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.wire.messages import FramePass, FrameRequest
from photorig.shared.wire.picture_format import PictureFormat
from photorig.worker.portraits.align import side_in_pixels


class Passes(Protocol):
    """What a frame is made of; FramePasses of the renderer is one."""

    @property
    def combined(self) -> np.ndarray:
        """(h, w, 3) uint8 sRGB, the frame."""

    @property
    def face(self) -> np.ndarray:
        """(s, s, 3) uint8 sRGB in the aligned square."""

    @property
    def matte(self) -> np.ndarray:
        """(h, w) uint8, how much of each pixel is the person."""


@runtime_checkable
class PassRenderer(Protocol):
    """A renderer that can take a frame apart."""

    def passes(self, portrait: Any, request: FrameRequest) -> Passes: ...


def with_passes(
    renderer: object, portrait: Any, request: FrameRequest, picture_format: PictureFormat
) -> tuple[np.ndarray, tuple[FramePass, ...]]:
    """A frame with what a request wants beside its colours.

    Returns:
        (h, w, 3) uint8, or (h, w, 4) with the matte as alpha where the format is transparent; and
        the passes asked for.

    Raises:
        InputError: this renderer gives no passes.
    """
    if not isinstance(renderer, PassRenderer):
        raise InputError("This worker gives no passes", "Update it, or switch the passes off.")
    made = renderer.passes(portrait, request)
    image = made.combined
    pixels = {"matte": made.matte}
    if "face" in request.passes:
        pixels["face"] = made.face
        if request.size == "full":
            pixels["face"] = _in_photo(made.face, portrait.alignment, image.shape[:2])
    if picture_format.transparent:
        image = np.dstack([image, made.matte])
    return image, tuple(FramePass(name, pixels[name]) for name in request.passes)


def _in_photo(face: np.ndarray, alignment: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The aligned square (s, s, 3) where it lies in a photo of (height, width), black around it.

    Args:
        alignment: (2, 3) from photo pixels to the unit square.
    """
    side = max(1, round(side_in_pixels(alignment)))
    if side < face.shape[0]:  # warping alone would alias
        face = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    to_square = np.asarray(alignment, np.float64) * face.shape[0]
    # OpenCV counts from pixel centres: p' = M (p + ½) − ½
    to_square[:, 2] += to_square[:, :2] @ [0.5, 0.5] - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(face, to_square, (size[1], size[0]), flags=flags)
