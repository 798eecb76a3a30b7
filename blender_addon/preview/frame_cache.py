"""Pictures in memory, so that looping over frames that were seen asks the worker for nothing.

No bpy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..shared.bounded_cache import BoundedCache
from ..shared.parameters.schema import FACE_SCHEMA
from ..shared.wire.messages import FrameReply, FrameRequest

_STEP_OF_UNIT = {"degree": 1 / 64, "centimetre": 1 / 256, "coefficient": 1 / 1024}
_STEPS = np.array([_STEP_OF_UNIT[p.unit] for p in FACE_SCHEMA.parameters], np.float64)

PictureKey = tuple[str, bytes, int | str, str, str, str]


def picture_key(request: FrameRequest, model_id: str) -> PictureKey:
    """What a picture depends on; parameters in steps far below what can be seen.

    Args:
        model_id: of the worker's model bundle.
    """
    portrait, numbers, size, mode, method = request.picture
    steps = np.rint(request.parameters / _STEPS).astype(np.int32)
    # Behind the numbers stand those that only a newer worker knows, in words.
    named = numbers[request.parameters.nbytes :]
    return (portrait, steps.tobytes() + named, size, mode, method, model_id)


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame that came from the worker.

    Attributes:
        key: what it shows.
        pixels: (height, width, 3) uint8 sRGB, rows from the top, read-only.
    """

    key: PictureKey
    pixels: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, key: PictureKey, reply: FrameReply) -> Picture:
        return cls(key, reply.pixels())

    @property
    def portrait(self) -> str:
        return self.key[0]

    @property
    def size(self) -> int | str:
        """What was asked for: an edge in pixels, or "full"."""
        return self.key[2]

    @property
    def aspect(self) -> float:
        """Width by height."""
        return float(self.pixels.shape[1] / self.pixels.shape[0])


FrameCache = BoundedCache[PictureKey, Picture]


def frame_cache(limit: int) -> FrameCache:
    """Pictures by key, ``limit`` bytes of pixels of them; 0 keeps nothing."""
    return BoundedCache(limit, lambda picture: picture.pixels.nbytes)
