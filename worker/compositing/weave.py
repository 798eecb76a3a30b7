"""Generators leave a weave of two pixels in their pictures: taken out before anything moves them.

It is fixed to the raster. While a face rests, the driven picture less the one at rest has none;
once a mesh has moved one of the two, its threads do not meet those of the other, and it is seen.
"""

from __future__ import annotations

import numpy as np

from photorig.worker import rasters
from photorig.worker.rasters import Raster

_KERNEL = np.array([-1, 4, 10, 4, -1], np.float32) / 16
"""Maximally flat: 1 for what is large, .94 at a period of six pixels, 0 at two."""


def without_weave(picture: Raster) -> Raster:
    """A picture (h, w, 3) uint8 without what alternates from one pixel to the next."""
    return rasters.filtered(picture, _KERNEL)
