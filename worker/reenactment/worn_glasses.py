"""Which portraits wear glasses, and where their frames are: told once, by the photo."""

from __future__ import annotations

import threading

import numpy as np

from photorig.shared.bounded_cache import BoundedCache
from photorig.worker.faces.glasses import SIDE, frame_of
from photorig.worker.portraits.portrait import Portrait

_REMEMBERED = 16  # portraits
_FINER = 1.5  # pixels of the square that is looked at along one of the frame's


class FramesOfGlasses:
    """Frames of glasses by portrait, a pure function of it; threads may share it."""

    def __init__(self) -> None:
        self._frames = BoundedCache[str, np.ndarray | None](_REMEMBERED)
        self._lock = threading.Lock()

    def of(self, portrait: Portrait, landmarks: np.ndarray) -> np.ndarray | None:
        """See `frame_of`; landmarks (478, 3) of the photo's face. Some 15 ms the first time."""
        with self._lock:
            if portrait.id in self._frames:
                return self._frames.get(portrait.id)
        square = portrait.alignment.crop(portrait.photo, round(_FINER * SIDE))
        frame = frame_of(square, landmarks)
        if frame is not None:
            frame.flags.writeable = False
        with self._lock:
            self._frames.put(portrait.id, frame)
        return frame
