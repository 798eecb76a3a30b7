"""A frame as the wire carries it: with alpha and with its passes, all of one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.wire.messages import FramePass, FrameRequest
from photorig.shared.wire.picture_format import PictureFormat
from photorig.worker.compositing.several_faces import faces_passes


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
    renderer: object,
    portraits: Sequence[Any],
    request: FrameRequest,
    picture_format: PictureFormat,
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
    made = faces_passes(renderer, portraits, request)
    image = made.combined
    pixels = {"matte": made.matte}
    if "face" in request.passes:
        pixels["face"] = made.face
        if request.size == "full":
            pixels["face"] = portraits[0].alignment.placed(made.face, image.shape, beyond=0)
    if picture_format.transparent:
        image = np.dstack([image, made.matte])
    return image, tuple(FramePass(name, pixels[name]) for name in request.passes)
