"""What a device needs to make frames, as plain values, so that it may be on another computer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from photorig.shared.wire.picture_format import PictureFormat
from photorig.worker.places import cache_folder

from ..portrait_store import PortraitStore
from .interface import Renderer


class Workshop(Protocol):
    """Makes renderers. It is sent to other processes: its attributes are plain values."""

    @property
    def device(self) -> str:
        """The kind of device wanted: auto, cpu, cuda or mps."""

    def portraits(self) -> PortraitStore:
        """Where this computer keeps portraits."""

    def renderer(self) -> Renderer:
        """A new one, for one thread. Takes seconds. Raises ModelError, InputError."""

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

    def portraits(self) -> PortraitStore:
        from photorig.worker.portraits.portrait import Portrait

        return PortraitStore(cache_folder() / "portraits", Portrait.from_bytes)

    def renderer(self) -> Renderer:
        # Only now: the libraries behind it take seconds to load.
        from photorig.worker.reenactment.known_faces import default_folder
        from photorig.worker.reenactment.renderer import load_renderer

        return load_renderer(self.device, self.bundle, default_folder())

    def encode(self, image: np.ndarray, form: PictureFormat, model_id: str) -> bytes:
        from photorig.worker.media.encoding import encode_picture

        return encode_picture(image, form, model_id)
