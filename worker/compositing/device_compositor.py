"""The stage on a torch device: a frame crosses the bus once, finished.

What rests of a portrait is made on the processor, as ever, and sent once. Then a frame takes the
generator's picture where it is: its colours carried by the mesh, the photo's detail, the seams, the
moved head. The mesh's own fields are found on the processor, at 256². A turned head, and a portrait
whose mesh is not known, are composited there altogether, and the picture is fetched before.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch

from photorig.shared.bounded_cache import BoundedCache
from photorig.worker import rasters
from photorig.worker.faces.segmentation import Matte
from photorig.worker.generators.batches import device_errors
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.rasters import Raster
from photorig.worker.tensors import sent

from .canvas import Canvas, Size
from .compositor import PortraitStage, RestCrop, RestLayers, is_known
from .face_move import FaceMove
from .head_motion import HeadMotion
from .head_place import HeadFinder
from .turned_face import turned_share

_REMEMBERED = 4  # portraits and sizes

_There = tuple[Canvas, RestLayers | None]


class DeviceStage(PortraitStage):
    """A `PortraitStage` that takes pictures of a device, (s, s, 3) uint8 tensors, as well.

    Its frames are those of the processor's but for rounding.
    """

    takes_tensors = True

    def __init__(
        self, device: torch.device, matte: Matte | None = None, heads: HeadFinder | None = None
    ) -> None:
        super().__init__(matte, heads)
        self.device = device
        self._there = BoundedCache[tuple[str | int, ...], _There](_REMEMBERED)

    @property
    def id(self) -> str:
        """See `PortraitStage.id`."""
        return f"{super().id} on a device"

    def frame(
        self,
        portrait: Portrait,
        size: Size,
        crop: Raster,
        motion: HeadMotion,
        rest: RestCrop,
        move: FaceMove | None = None,
        complete: float = 0.0,
    ) -> np.ndarray:
        """See `PortraitStage.frame`.

        Raises:
            ModelError: the device has not the memory for it, or is lost.
        """
        with device_errors(self.device.type, "one frame"):
            if not is_known(move) or (move is not None and turned_share(move) > 0):
                picture = rasters.finished(crop)
                return super().frame(portrait, size, picture, motion, rest, move, complete)
            crop = crop if isinstance(crop, torch.Tensor) else sent(crop, self.device)
            canvas, at_rest = self._on_device(portrait, size, crop.shape[0], rest)
            crop = self._toned(portrait, crop)
            return self._made(portrait, size, canvas, at_rest, crop, motion, move, complete)

    def _on_device(self, portrait: Portrait, size: Size, side: int, rest: RestCrop) -> _There:
        """Canvas and what rests in it, for the generator's pictures of a side."""
        key = (portrait.id, size, side)
        known = self._there.get(key)
        if known is None:
            canvas = self._canvas(portrait, size)
            at_rest = self._at_rest(portrait, size, canvas, side, rest)
            known = _moved((canvas, at_rest), self.device)
            self._there.put(key, known)
        return known


def _moved(value: Any, device: torch.device) -> Any:
    """A value with its pictures and masks on a device; what is no raster stays as it is."""
    if isinstance(value, np.ndarray) and value.dtype in (np.uint8, np.float32):
        return sent(value, device)
    if isinstance(value, tuple):
        return tuple(_moved(each, device) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: getattr(value, each.name) for each in fields(value)}
        return replace(value, **{name: _moved(part, device) for name, part in parts.items()})
    return value
