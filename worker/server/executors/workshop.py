"""What a device needs to make frames, as plain values, so that it may be on another computer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from photorig.shared.wire.picture_format import PictureFormat

from .interface import Renderer


class Workshop(Protocol):
    """Makes renderers. It is sent to other processes: its attributes are plain values."""

    def renderer(self) -> Renderer:
        """A new one, for one thread. Takes seconds. Raises ModelError, InputError."""

    def read_portrait(self, content: bytes) -> Any:
        """The portrait of a file. Raises InputError."""

    def encode(self, image: np.ndarray, form: PictureFormat, model_id: str) -> bytes:
        """A finished frame written down."""


@dataclass(frozen=True)
class FaceWorkshop:
    """The real one.

    Attributes:
        device: auto, cpu, cuda or mps.
        bundle: name of a model bundle.
    """

    device: str = "auto"
    bundle: str = "default"

    def renderer(self) -> Renderer:
        # Only now: the libraries behind it take seconds to load.
        from photorig.worker.reenactment.known_faces import default_folder
        from photorig.worker.reenactment.renderer import load_renderer

        return load_renderer(self.device, self.bundle, default_folder())

    def read_portrait(self, content: bytes) -> Any:
        from photorig.worker.portraits.portrait import Portrait

        return Portrait.from_bytes(content)

    def encode(self, image: np.ndarray, form: PictureFormat, model_id: str) -> bytes:
        from photorig.worker.media.encoding import encode_picture

        return encode_picture(image, form, model_id)
