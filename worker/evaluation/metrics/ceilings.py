"""Un-driven pictures of the same person: what a perfect renderer could get from a judge.

There is no second photo of somebody who does not exist. Three kinds of pair stand in for it:

* the same frame photographed again (moved by a pixel or two, other exposure, JPEG): the strictest
  ceiling, used for expressions;
* the same with half of the fine styles of somebody else (light, colour, skin detail);
* the frame and its mirror image: the same person at twice the head's yaw. Nothing is driven, so
  this gives a same-person score for every yaw gap that the people offer; used for poses.
"""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

_SHIFT, _ZOOM, _TURN = 0.01, 0.02, 1.0  # of the side, of 1, degrees
_GAMMA = 0.1
_QUALITY = (75, 95)
_FINE_ROWS = 9  # rows that shape 128² and finer layers
_FINE_SHARE = 0.5


def photographed_again(image: np.ndarray, seed: int) -> np.ndarray:
    """The same picture with another framing, exposure and compression, (h, w, 3) uint8."""
    random = np.random.default_rng(seed)
    side = image.shape[0]
    turn, zoom = random.uniform(-_TURN, _TURN), 1 + random.uniform(-_ZOOM, _ZOOM)
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), turn, zoom)
    matrix[:, 2] += random.uniform(-_SHIFT, _SHIFT, 2) * side
    moved = cv2.warpAffine(
        image,
        matrix,
        (image.shape[1], side),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    gamma = np.exp(random.uniform(-_GAMMA, _GAMMA, 3))
    exposed = 255 * (moved / 255) ** gamma
    buffer = io.BytesIO()
    quality = int(random.integers(*_QUALITY))
    Image.fromarray(np.rint(exposed).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    with Image.open(io.BytesIO(buffer.getvalue())) as decoded:
        return np.array(decoded.convert("RGB"))


def with_other_fine_styles(latents: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n_rows, w_dim) latents of one person, half of whose fine styles are another person's."""
    result = latents.copy()
    result[_FINE_ROWS:] += _FINE_SHARE * (other[_FINE_ROWS:] - latents[_FINE_ROWS:])
    return result


def mirrored(image: np.ndarray) -> np.ndarray:
    """The frame as a mirror shows it."""
    return np.ascontiguousarray(image[:, ::-1])
