"""Pictures in memory, so that looping over frames that were seen asks the worker for nothing.

No bpy.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from ..shared.parameters.schema import ARKIT_52
from ..shared.wire.messages import FrameReply, FrameRequest

_STEP_OF_UNIT = {"degree": 1 / 64, "centimetre": 1 / 256, "coefficient": 1 / 1024}
_STEPS = np.array([_STEP_OF_UNIT[p.unit] for p in ARKIT_52.parameters], np.float64)

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


class FrameCache:
    """Pictures by key; the one that was used longest ago goes first.

    Args:
        limit: in bytes; 0 keeps nothing. May be set at any time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pictures: OrderedDict[PictureKey, Picture] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._pictures)

    def __contains__(self, key: PictureKey) -> bool:
        return key in self._pictures

    @property
    def bytes_used(self) -> int:
        return self._bytes

    @property
    def limit(self) -> int:
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._make_room()

    def get(self, key: PictureKey) -> Picture | None:
        picture = self._pictures.get(key)
        if picture is not None:
            self._pictures.move_to_end(key)
        return picture

    def put(self, picture: Picture) -> None:
        """Keep a picture; one that is larger than the whole cache is not kept."""
        old = self._pictures.pop(picture.key, None)
        self._bytes += picture.pixels.nbytes - (0 if old is None else old.pixels.nbytes)
        self._pictures[picture.key] = picture
        self._make_room()

    def clear(self) -> None:
        self._pictures.clear()
        self._bytes = 0

    def _make_room(self) -> None:
        while self._bytes > self._limit and self._pictures:
            _, picture = self._pictures.popitem(last=False)
            self._bytes -= picture.pixels.nbytes
