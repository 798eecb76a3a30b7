# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses how large a face in motion is shown: 512² where the worker keeps up, 256² below. No bpy.

What counts is how long the worker's own pictures took, lately and here: at rest they are 512² as a
rule, so that it is known after a few.
"""

from __future__ import annotations

import statistics
from collections import deque
from typing import Literal

SMALL, LARGE = 256, 512
LEAST_RATE = 15.0
"""Pictures a second that a face in motion should have."""
_AROUND = 10.0
"""Milliseconds from a picture made to a picture seen, and a margin; 7 to 11 were measured."""
SLOWEST = 1000 / LEAST_RATE
QUICK_ENOUGH = SLOWEST - _AROUND
"""Milliseconds of a picture at which the size falls, and at which it may rise again."""
_AS_MANY_TIMES = 2.2
"""What a picture of 512² takes of one of 256², at most: 1.65 to 1.8 were measured."""
_LOOKED_AT, _ENOUGH = 7, 3


class MotionSize:
    """The size for one worker.

    Attributes:
        size: edge in pixels, 256 until 512 is known to be quick enough.
    """

    def __init__(self) -> None:
        self.size = SMALL
        self._small = deque[float](maxlen=_LOOKED_AT)
        self._large = deque[float](maxlen=_LOOKED_AT)
        self._has_fallen = False

    def note(self, size: int | Literal["full"], milliseconds: float) -> bool:
        """A picture has come. Returns whether ``size`` is another one now.

        Args:
            size: of the picture.
            milliseconds: that it took to make; 0 for one that the worker had, which tells nothing.
        """
        before = self.size
        if size == "full" or milliseconds <= 0:
            return False
        if size == LARGE or (size > LARGE and milliseconds <= QUICK_ENOUGH):
            self._large.append(milliseconds)
        elif size == SMALL:
            self._small.append(milliseconds)
        self._choose()
        return self.size != before

    def _choose(self) -> None:
        # The median: the first picture of a portrait takes longer than all that follow.
        if len(self._large) >= _ENOUGH:
            usual = statistics.median_low(self._large)
            if self.size == LARGE and usual > SLOWEST:
                self.size, self._has_fallen = SMALL, True
                self._large.clear()
            elif self.size == SMALL and usual <= QUICK_ENOUGH:
                self.size = LARGE
        elif self.size == SMALL and self._may_try():
            self.size = LARGE

    def _may_try(self) -> bool:
        """Whether 512² should be quick enough, where nothing of that size is seen at rest."""
        if self._has_fallen or len(self._small) < _LOOKED_AT:
            return False
        return _AS_MANY_TIMES * statistics.median(self._small) <= QUICK_ENOUGH
